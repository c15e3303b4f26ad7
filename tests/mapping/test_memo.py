"""What converters remember stays small, whatever clients send."""

from __future__ import annotations

import tracemalloc

from logship.formats import compile_format, read_spec
from logship.mapping.memo import MEMO_CHARS, Memo
from tests.mapping.world import combined, convert, converter

FORMAT = compile_format(
    read_spec({"apache": '%{Host}i %p %h %l %u %t "%r" %>s %b "%{X-Forwarded-For}i" "%{User-Agent}i"'}), {}
)
MAPPING = """
trusted_proxies: [private]
rules: [{name: bots, if: {request_header_user_agent: {matches: 'bot[0-9]$'}}, drop: true}]
redact: {ip: truncate}
"""  # fmt: skip
CHUNKS, LINES, HEADER_CHARS = 12, 16, 8_000


def test_long_headers_of_clients_are_not_kept() -> None:
    made = converter(MAPPING, FORMAT)
    convert(made, _line(0, "10.0.0.1"))
    tracemalloc.start()
    try:
        for chunk in range(CHUNKS):
            assert len(convert(made, *_lines(chunk)).events) == LINES
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < CHUNKS * LINES * HEADER_CHARS / 4


def _lines(chunk: int) -> list[bytes]:
    return [_line(chunk * LINES + number, "10.0.0.1, " * (HEADER_CHARS // 10)) for number in range(LINES)]


def _line(number: int, header: str) -> bytes:
    return b"%d%s 8443 10.0.0.1%s" % (
        number,
        b"x" * len(header),
        combined(ip="", referer=f"{header}{number}", agent=f"{header}{number}"),
    )


def test_a_short_text_is_remembered_and_a_long_one_made_anew() -> None:
    made: list[object] = []
    memo = Memo[int](lambda key: made.append(key) or len(made))  # type: ignore[func-returns-value]
    short, long = "x" * MEMO_CHARS, "x" * (MEMO_CHARS + 1)
    keys = [short, long, ("a", short), ("a", "b"), 7]
    assert [memo[key] for key in keys] == [1, 2, 3, 4, 5]
    assert [memo[key] for key in keys] == [1, 6, 7, 4, 5]
