"""`logship formats` and `logship fields` print what the presets and the vocabulary hold."""

from __future__ import annotations

import json

import pytest

from logship.cli import execute
from logship.errors import Exit
from logship.fields import FAMILIES, FIELDS
from tests.formats.presets import presets


def test_formats_lists_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["formats"]) == Exit.FINE
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in presets())


@pytest.mark.parametrize("name", presets())
def test_formats_shows_a_preset_taken_apart(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["formats", name]) == Exit.FINE
    printed = capsys.readouterr().out
    assert presets()[name].meaning in printed
    assert "request_url" in printed or "path" in printed


def test_formats_suggests_for_a_wrong_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["formats", "combind"]) == Exit.USAGE
    assert "did you mean 'combined'?" in capsys.readouterr().err


def test_fields_lists_the_whole_vocabulary(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["fields"]) == Exit.FINE
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in FIELDS)
    assert all(f"\n{family.prefix}" in printed for family in FAMILIES)


def test_fields_finds_a_name_by_any_spelling(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["fields", "body_bytes"]) == Exit.FINE
    assert "response_bytes_clf" in capsys.readouterr().out


def test_both_print_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["fields", "--json"]) == Exit.FINE
    assert {entry.get("name", "") for entry in json.loads(capsys.readouterr().out)} >= set(FIELDS)
    assert execute(["formats", "--json"]) == Exit.FINE
    assert {entry["name"] for entry in json.loads(capsys.readouterr().out)} == set(presets())
