"""One vocabulary: every spelling leads to one name, and wrong names to a suggestion."""

from __future__ import annotations

import re

import pytest

from logship.fields import FAMILIES, FIELDS, Kind, canonical, closest, lookup, suggestion
from tests.formats.presets import apache, nginx


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("status", "status"),
        ("http_user_agent", "request_header_user_agent"),
        ("HTTP_User-Agent", "request_header_user_agent"),
        ("request_header_X-Api-Key", "request_header_x_api_key"),
        ("sent_http_content_type", "response_header_content_type"),
        ("body_bytes_sent", "response_bytes_clf"),
        ("remote_addr", "remote_host"),
        ("request", "request_first_line"),
        ("cookie_sid", "cookie_sid"),
        ("content_length", "request_header_content_length"),
        ("cookie_", None),
        ("nonsense", None),
        ("user.id", None),
    ],
)
def test_every_spelling_leads_to_one_name(name: str, expected: str | None) -> None:
    assert canonical(name) == expected


@pytest.mark.parametrize("name", FIELDS)
def test_names_are_their_own_canonical_and_documented(name: str) -> None:
    field = FIELDS[name]
    assert canonical(name) == name
    assert lookup(name) is field
    assert field.meaning
    assert re.fullmatch("[a-z][a-z0-9_]*", name)
    assert not field.kind.is_duration or field.unit in {"s", "ms", "us", "ns"}


@pytest.mark.parametrize(
    ("spelling", "name"), [(spelling, field.name) for field in FIELDS.values() for spelling in field.nginx]
)
def test_the_nginx_spellings_are_what_the_tokenizer_reads(spelling: str, name: str) -> None:
    (slot, *_) = nginx(f"{spelling} end").slots
    assert (slot.field, slot.kind) == (name, FIELDS[name].kind)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [(spelling, field.name) for field in FIELDS.values() for spelling in field.apache if "…" not in spelling],
)
def test_the_apache_spellings_are_what_the_tokenizer_reads(spelling: str, name: str) -> None:
    text = f"{spelling} %>s end" if name == "status_original" else f"{spelling} end"
    assert apache(text).slots[0].field == name


def test_members_of_families_are_fields() -> None:
    for family in FAMILIES:
        field = lookup(f"{family.prefix}x_y")
        assert field is not None
        assert field.meaning == family.meaning
    xff = lookup("request_header_x_forwarded_for")
    assert xff is not None
    assert (xff.kind, xff.apache, xff.nginx) == (Kind.LIST, ("%{X-Forwarded-For}i",), ("$http_x_forwarded_for",))
    assert lookup("nonsense") is None


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("stauts", "status"), ("remote_adr", "remote_addr"), ("user_agent", "http_user_agent"), ("xyzzy", None)],
)
def test_a_wrong_name_gets_a_suggestion(wrong: str, right: str | None) -> None:
    assert suggestion(wrong) == right


def test_the_closest_name_ignores_case_and_dashes() -> None:
    assert closest("Combined-IO", ["combined_io", "combined"]) == "combined_io"
    assert closest("x", []) is None


def test_no_name_has_two_meanings() -> None:
    spellings = [spelling for field in FIELDS.values() for spelling in field.nginx]
    assert len(spellings) == len(set(spellings))
    names = {field.name for field in FIELDS.values()}
    assert not {spelling[1:] for spelling in spellings if canonical(spelling[1:]) != spelling[1:]} & names
