"""A line with one word too many, too few, twice or in another's place is a dead letter or says what its columns say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.fields import Kind
from logship.formats import Format, Slot
from logship.formats.directives import headed
from logship.formats.line_pattern import Reach
from logship.formats.pieces import Literal
from logship.formats.request_line import PARTS
from logship.formats.text_format import TextFormat
from tests.formats.presets import apache, preset, presets

WORDS = ("x", "-", "203.0.113.7", "shop.example", "200", '"-"', "[", "nginx:", "2026-10-10T11:55:36.1Z", "13:55:36")
TEXT_PRESETS = [name for name in presets() if isinstance(preset(name), TextFormat)]


def changed(line: str, between: str = " ") -> Iterator[str]:
    """The line with one word removed, doubled, inserted, or two of them swapped."""
    words = line.split(between)
    for at in range(len(words)):
        yield between.join(words[:at] + words[at + 1 :])
        yield between.join([*words[:at], words[at], *words[at:]])
        for word in WORDS:
            yield between.join([*words[:at], word, *words[at:]])
        for other in range(at):
            swapped = list(words)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            yield between.join(swapped)
    for word in WORDS:
        yield f"{line}{between}{word}"


def is_address(text: str) -> bool:
    try:
        ip_address(re.sub(r"^\[(.*)\](:\d+)?$|^([0-9.]+):\d+$", r"\1\3", text))
    except ValueError:
        return False
    return True


def is_sensible(slot: Slot, value: str) -> bool:
    """Whether a person who knows the field would believe the value."""
    words = value.split(" ")
    if slot.field == "remote_user":
        return value.strip() == value and (len(words) == 1 or not any(w == "-" or is_address(w) for w in words))
    if slot.field == "remote_logname":
        return " " not in value and not is_address(value)
    if slot.field in {"request_method", "method"}:
        return re.fullmatch(r"[^/:\" ]+", value) is not None
    if slot.kind is Kind.ADDRESS:
        return (
            is_address(value)
            or value.startswith("unix:")
            or re.fullmatch(r'(?=.*[a-zA-Z])[^ ":/,]+', value) is not None
        )
    if slot.kind is Kind.STATUS:
        return re.fullmatch("[0-9]{3}", value) is not None
    if slot.kind is Kind.INTEGER:
        return re.fullmatch("-?[0-9]+", value) is not None
    if slot.kind is Kind.TIME_CLF:
        return bool(datetime.strptime(value, "%d/%b/%Y:%H:%M:%S %z"))
    return slot.kind is not Kind.TOKEN or " " not in value


def written(fmt: Format, values: tuple[str, ...]) -> str:
    """The line that holds the values, as the format's text has it."""
    assert isinstance(fmt, TextFormat)
    found = {slot.field: value for slot, value in zip(fmt.slots, values, strict=True)}
    texts = [part.text if isinstance(part, Literal) else found[part.variable.slot.field] or "-" for part in fmt.parts]
    return "".join(texts)


def told_apart(line: str) -> list[str]:
    """The words of a line; how many spaces are between them, and quotes around `-`, are a server's taste."""
    return re.sub(r"\"-?\"|\[-?\]", "-", line).split()


def claim(fmt: Format, line: str) -> None:
    values = fmt.parse(line.encode())
    assert (values is None) == (fmt.explain(line.encode()) is not None), line
    if values is None:
        return
    assert told_apart(written(fmt, values)) == told_apart(line), line
    for slot, value in zip(fmt.slots, values, strict=True):
        assert value == "" or slot.part_of or is_sensible(slot, value), (line, slot.field, value)


@pytest.mark.parametrize("name", TEXT_PRESETS)
def test_one_word_changed_shifts_no_field_of_a_preset(name: str) -> None:
    fmt = preset(name)
    if any(isinstance(part, Reach) and part.variable.repeated for part in fmt.parts):  # type: ignore[attr-defined]
        return  # what is read over may be anything
    for example in presets()[name].examples:
        for line in (example, example.replace(" - [", " ann [")):
            for other in changed(line):
                claim(fmt, other)


@pytest.mark.parametrize(
    "name", ["aws_alb", "haproxy_http", "haproxy_ingress", "nginx_proxy_manager", "ltsv", "cloudfront", "w3c"]
)
def test_one_word_changed_makes_no_value_that_its_field_can_not_have(name: str) -> None:
    fmt = preset(name)
    for example in presets()[name].examples:
        heading, line = headed(example.encode())
        for other in changed(line.decode(), "\t" if "\t" in example else " "):
            values = fmt.parse(heading + other.encode())
            for slot, value in zip(fmt.slots, values or (), strict=False):
                is_gone = value == "" or (slot.kind is Kind.STATUS and value.strip("0") == "")
                assert is_gone or slot.part_of or is_sensible(slot, value), (other, slot.field, value)


@pytest.mark.parametrize("name", [name for name in presets() if name.endswith("_json")])
def test_members_of_json_mean_the_same_in_any_order_and_beside_others(name: str) -> None:
    for example in presets()[name].examples:
        members = json.loads(example)
        expected = preset(name).parse(example.encode())
        assert expected is not None
        for at in range(len(members)):
            order = list(members.items())[at:] + list(members.items())[:at]
            for line in (dict(order), {"x-other": "203.0.113.7"} | dict(order)):
                assert preset(name).parse(json.dumps(line).encode()) == expected


MORE_WORDS = ("5", "0.004", "-1", "GET", "443", "x y", "-")


def words_of(fmt: Format, line: bytes) -> dict[str, list[str]] | None:
    """What a line says, field by field, in words; None where it does not fit."""
    values = fmt.parse(line)
    pairs = zip(fmt.slots, values or (), strict=False)
    return None if values is None else {slot.field: value.split() for slot, value in pairs if slot.field not in PARTS}


@pytest.mark.parametrize("name", [name for name in presets() if not name.endswith("_json")])
def test_one_word_more_or_less_touches_one_field_at_most(name: str) -> None:
    fmt = preset(name)
    between = "\t" if "\t" in presets()[name].examples[0] else " "
    for example in presets()[name].examples:
        for line in dict.fromkeys((example, example.replace(" - [", " ann ["))):
            heading, own = headed(line.encode())
            expected = words_of(fmt, heading + own)
            assert expected is not None or line != example
            if expected is None:
                continue
            words = own.decode().split(between)
            for at in range(len(words) + 1):
                for word in (*WORDS, *MORE_WORDS, *words[at : at + 1]):
                    other = between.join([*words[:at], word, *words[at:]])
                    found = words_of(fmt, heading + other.encode()) or expected
                    touched = [field for field, value in expected.items() if found[field] != value]
                    assert len(touched) <= 1, (other, touched)
                    for field in touched:
                        assert len(found[field]) > len(expected[field]), (other, field, found[field])
                found = words_of(fmt, heading + between.join(words[:at] + words[at + 1 :]).encode()) or expected
                touched = [field for field, value in expected.items() if found[field] != value]
                assert len(touched) <= 1, (words[at], touched)


COLUMNS = {
    "%h": "203.0.113.9", "%l": "-", "%u": "ann", "%t": "[10/Oct/2000:13:55:36 -0700]", '"%r"': '"GET /x HTTP/1.1"',
    "%>s": "200", "%b": "2326", '"%{Referer}i"': '"https://a.example/"', '"%{User-Agent}i"': '"curl/8 (x; y)"',
    "%D": "41520", "%v": "shop.example", "%p": "443", '"%{X-Forwarded-For}i"': '"203.0.113.9, 10.0.0.1"', "%m": "GET",
    "%U": "/x", "%I": "312",
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(list(COLUMNS)), min_size=4, max_size=9, unique=True))
def test_one_word_changed_shifts_no_field_of_any_format(columns: list[str]) -> None:
    fmt = apache(" ".join(columns))
    line = " ".join(COLUMNS[column] for column in columns)
    assert fmt.parse(line.encode()) is not None
    for other in changed(line):
        claim(fmt, other)


PREFIXES = (
    "shop.example ", "shop.example:443 ", "198.51.100.7, 10.0.0.1 ", "Oct 10 13:55:36 web-1 nginx: ", "<190>Oct 10 x: ",
    "2026-10-10T11:55:36.000000001Z stdout F ", "2026-10-10 ", "[web-1] ",
)  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", ["common", "combined", "nginx", "nginx_main", "combined_timed", "lighttpd"])
def test_a_column_in_front_makes_a_dead_letter(name: str, prefix: str) -> None:
    line = presets()[name].examples[0]
    assert preset(name).parse(line.encode()) is not None
    for user in (" - [",) if name == "lighttpd" else (" - [", " ann ["):
        assert preset(name).parse((prefix + line.replace(" - [", user)).encode()) is None
