"""Any text may be given as a format: it compiles, or is refused with a column inside it; nothing else happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import FormatError
from logship.formats import Format, FormatSpec, compile_format

APACHE = [
    "%h", "%u", "%t", "%r", "%>s", "%b", "%{x}i", "%{", "}", "%%", "%", '"', '\\"', "\\", " ", "[", "%{%F %T}t",
    "%{end:sec}t", "%{msec_frac}t", "%{%z}t", "%{}t", "%{}T", "^FB", "%{}^FB", "%^ti", "%{a}^ti", "\t", "%400", "%!",
    "é", "%U", "%q", "%{x}b", "%{begin:}t",
]  # fmt: skip
NGINX = [
    "$a", "$status", "$request", "${", "}", "$", '"', "'", "\\", " ", "[", "log_format x ", "escape=json ", "escape=",
    ";", "$time_local", "$host", "$request_uri", "$uri", "$is_args", "$args", "\n", "${http_x}", "$upstream_addr", "|",
]  # fmt: skip
LINES = [b"", b"a b c", b'""""', b"\\", b'1 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 5 "-" "x"']
texts = st.one_of(
    st.tuples(st.just("apache"), st.lists(st.sampled_from(APACHE), max_size=9).map("".join)),
    st.tuples(st.just("nginx"), st.lists(st.sampled_from(NGINX), max_size=9).map("".join)),
)


def compiled(kind: str, text: str) -> Format | FormatError:
    try:
        return compile_format(FormatSpec("apache" if kind == "apache" else "nginx", text), {})
    except FormatError as exc:
        return exc


@given(texts, st.sampled_from(LINES))
def test_a_format_compiles_or_is_refused_with_a_column_inside_it(written: tuple[str, str], line: bytes) -> None:
    kind, text = written
    fmt = compiled(kind, text)
    if isinstance(fmt, FormatError):
        assert fmt.column is None or 0 <= fmt.column <= len(text)
        return
    assert (fmt.explain(line) is None) == (fmt.parse(line) is not None)
    assert len(fmt.reader([slot.field for slot in fmt.slots])(line) or fmt.slots) == len(fmt.slots)


def test_an_empty_argument_is_none() -> None:
    assert compile_format(FormatSpec("apache", "%{}^FB %{}T"), {}).slots[0].field == "first_byte_us"
    with pytest.raises(FormatError, match="needs a name"):
        compile_format(FormatSpec("apache", "%{}i"), {})
