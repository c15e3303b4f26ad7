"""Any text in any field: written as the server escapes it, read back exactly."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.formats import apache as apache_format
from logship.formats import compile_format, read_spec
from logship.formats import nginx as nginx_format
from logship.formats.escapes import decode
from logship.formats.line_pattern import Reach, strict_pattern
from logship.formats.pieces import LineShape, Literal
from logship.formats.text_format import TextFormat
from logship.kernel.program import Escaping
from tests.formats.awkward import AWKWARD
from tests.formats.hostile import line_with
from tests.formats.presets import preset, presets
from tests.formats.writing import lines, texts, write_apache, write_json, write_nginx

TEXT_PRESETS = sorted(name for name, spec in presets().items() if spec.kind in {"apache", "nginx"})

TEXT_FORMATS = {
    name: fmt
    for name, tree in [*AWKWARD.items(), *((name, name) for name in TEXT_PRESETS)]
    if isinstance(fmt := compile_format(read_spec(tree), presets()), TextFormat)
}
SHARE = max(1, settings.default.max_examples // 6) if settings.default else 1  # there are many presets


def shape_of(name: str) -> tuple[LineShape, str]:
    spec = presets()[name]
    read = apache_format.read_log_format if spec.kind == "apache" else nginx_format.read_log_format
    return read(spec.text), spec.kind


@given(texts)
def test_what_nginx_escapes_is_undone_exactly(text: str) -> None:
    assert decode(write_nginx(text).decode("latin-1"), Escaping.BACKSLASH) == text


@given(texts)
def test_what_apache_escapes_is_undone_exactly(text: str) -> None:
    assert decode(write_apache(text).decode("latin-1"), Escaping.BACKSLASH) == text


@given(texts)
def test_what_nginx_escapes_as_json_is_undone_exactly(text: str) -> None:
    assert decode(write_json(text).decode("latin-1"), Escaping.JSON) == text


@pytest.mark.parametrize(
    ("raw", "escaping", "text"),
    [
        (r"\q\x4\\x41\'\u00e9" + "\\", Escaping.BACKSLASH, r"\q\x4\x41\'\u00e9" + "\\"),
        (r"\q\x4\\x41\u00e9\v\x41" + "\\", Escaping.JSON, r"\q\x4\x41é" + "\vA\\"),
        (r"\ud83d\ude00\ud83d", Escaping.JSON, "\U0001f600\ufffd"),
        ("\x01\t\\n\x7f", Escaping.JSON, "\x01\t\n\x7f"),
        (r"\xC3\xA9" + "é".encode().decode("latin-1"), Escaping.JSON, "éé"),
        ("\\q" * 10_000, Escaping.BACKSLASH, "\\q" * 10_000),
        ("\\q" * 10_000, Escaping.JSON, "\\q" * 10_000),
        (r"\x41", Escaping.NONE, r"\x41"),
    ],
)
def test_a_backslash_that_begins_no_escape_stays(raw: str, escaping: Escaping, text: str) -> None:
    assert decode(raw, escaping) == text


@given(st.binary())
def test_bytes_that_are_no_utf8_become_replacement_characters(raw: bytes) -> None:
    written = "".join(f"\\x{byte:02X}" for byte in raw)
    assert decode(written, Escaping.BACKSLASH) == raw.decode("utf-8", "replace")


@pytest.mark.parametrize("name", sorted(TEXT_PRESETS))
@settings(max_examples=SHARE)
@given(data=st.data())
def test_every_preset_gives_back_what_was_written(name: str, data: st.DataObject) -> None:
    shape, writer = shape_of(name)
    check_round_trip(TextFormat(name, shape), data, writer)


def is_a_user(text: str) -> bool:
    """Neither nothing, nor what holds a lone dash, or dots and colons as addresses, hosts and times do."""
    return text.strip(" ") != "" and "-" not in text.split(" ") and not {".", ":"} & {*text}


@given(texts.filter(is_a_user))
def test_an_unquoted_user_name_may_be_any_text_but_for_a_lone_dash_and_blanks_around_it(user: str) -> None:
    for name, write in (("nginx", write_nginx), ("combined", write_apache)):
        line = b'203.0.113.9 - %s [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "-" "-"' % write(user)
        values = preset(name).parse(line)
        assert values is not None
        slots = [slot.field for slot in preset(name).slots]
        assert values[slots.index("remote_user")] == user.strip(" ")


NGINX_NAMES = [
    "remote_addr", "remote_user", "time_local", "time_iso8601", "msec", "request", "status", "body_bytes_sent",
    "http_referer", "http_user_agent", "http_x_forwarded_for", "request_time", "upstream_response_time", "host",
    "request_id", "my_own", "http_x_api_key", "cookie_session", "server_port", "request_uri", "args", "scheme",
]  # fmt: skip
APACHE_NAMES = [
    "%h", "%l", "%u", "%t", "%r", "%>s", "%s", "%b", "%B", "%D", "%T", "%{ms}T", "%{Referer}i", "%{User-Agent}i",
    "%{X-Forwarded-For}i", "%v", "%p", "%{c}a", "%m", "%U", "%q", "%H", "%{UNIQUE_ID}e", "%{a}C", "%I", "%O", "%X",
    "%{%d/%b/%Y %T}t", "%{msec}t", "%{%FT%T}t.%{usec_frac}t%{%z}t", "%{Content-Type}o", "%400,501{Accept}i",
]  # fmt: skip
SPACED = {"remote_user", "my_own", "args", "%u", "%U", "%q", "%{UNIQUE_ID}e"}


@st.composite
def format_strings(draw: st.DrawFn, names: list[str], prefix: str) -> str:
    """Random format strings: fields that may hold anything stand in quotes, others by themselves."""
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=9, unique=True))
    separator = draw(st.sampled_from([" ", "\t", " - ", " | ", ", ", " k="]))
    written = []
    for name in chosen:
        text = f"{prefix}{name}"
        bracketed = draw(st.sampled_from(['"{}"', "{}", "[{}]"]))
        is_free = name in SPACED or name.startswith(("http_", "cookie_", "request", "upstream", "%{", "%r", "%400"))
        written.append((bracketed if not is_free else '"{}"').format(text))
    return separator.join(written)


@given(format_strings(NGINX_NAMES, "$"), st.data())
def test_random_nginx_formats_give_back_what_was_written(text: str, data: st.DataObject) -> None:
    check_round_trip(TextFormat("random", nginx_format.read_log_format(text)), data, "nginx")


@given(format_strings(NGINX_NAMES, "$"), st.data())
def test_random_nginx_json_escaped_formats_give_back_what_was_written(text: str, data: st.DataObject) -> None:
    shape = nginx_format.read_log_format(f"escape=json '{text}'")
    check_round_trip(TextFormat("random", shape), data, "json")


@given(format_strings(APACHE_NAMES, ""), st.data())
def test_random_apache_formats_give_back_what_was_written(text: str, data: st.DataObject) -> None:
    check_round_trip(TextFormat("random", apache_format.read_log_format(text)), data, "apache")


def check_round_trip(fmt: TextFormat, data: st.DataObject, writer: str) -> None:
    pieces = tuple(part if isinstance(part, Literal) else part.variable for part in fmt.parts)
    shape = LineShape("", pieces, fmt.escaping)
    line, fields = data.draw(lines(shape, writer))
    values = fmt.parse(line)
    assert values is not None, (line, fmt.explain(line))
    found = {slot.field: value for slot, value in zip(fmt.slots, values, strict=True)}
    assert {name: found[name] for name in fields} == fields


@given(st.text(alphabet='a1 "\\/?:|,-[]\x00\xff', max_size=40), st.data())
def test_escapes_matter_to_a_line_only_where_a_quote_follows_a_backslash(text: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TEXT_FORMATS)))
    fmt = TEXT_FORMATS[name]
    field = data.draw(st.sampled_from([part.variable.slot.field for part in fmt.parts if isinstance(part, Reach)]))
    line = re.sub(r'\\+"', '"', line_with(fmt, field, text.encode("latin-1")).decode("latin-1"))
    with_quotes, without = (
        re.compile(strict_pattern(fmt.parts, fmt.escaping, has_quotes=has_quotes)).fullmatch(line)
        for has_quotes in (True, False)
    )
    assert (with_quotes and with_quotes.groups()) == (without and without.groups())
