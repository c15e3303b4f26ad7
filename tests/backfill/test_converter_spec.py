"""Converters of kits: kept by the thread that uses them, never shared with another, never with halves of lines."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from logship.backfill.run_settings import KEPT_CONVERTERS, converter_of
from logship.formats import read_spec
from tests.backfill.run_settings import converter_spec_of

TIMED = r'%h %l %u %t "%r" %>s %b %D'


def test_a_kit_that_has_travelled_finds_its_converter_again() -> None:
    converter_spec = converter_spec_of("web")
    assert converter_of(pickle.loads(pickle.dumps(converter_spec))) is converter_of(converter_spec)


def test_another_source_field_or_format_has_another_converter() -> None:
    converter_spec = converter_spec_of("web")
    constants = replace(converter_spec.constants, fields={"host": "shop.example.com"})
    others = [
        converter_spec_of("api"),
        replace(converter_spec, constants=constants),
        replace(converter_spec, format=read_spec({"apache": TIMED})),
    ]
    assert len({id(converter_of(one)) for one in (converter_spec, *others)}) == len(others) + 1


def test_threads_have_converters_of_their_own() -> None:
    converter_spec = converter_spec_of("web")
    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(converter_of, converter_spec).result() is not converter_of(converter_spec)


def test_what_opens_envelopes_begins_without_halves_of_lines() -> None:
    converter_spec = replace(converter_spec_of("web"), envelope="docker")
    assert converter_of(converter_spec) is not converter_of(converter_spec)


def test_only_the_last_few_are_kept() -> None:
    converter_spec = converter_spec_of("web")
    first = converter_of(converter_spec)
    for number in range(KEPT_CONVERTERS - 1):
        converter_of(converter_spec_of(f"other-{number}"))
    assert converter_of(converter_spec) is first
    for number in range(KEPT_CONVERTERS):
        converter_of(converter_spec_of(f"other-{number}"))
    assert converter_of(converter_spec) is not first
