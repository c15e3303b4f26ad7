"""Converters of kits: kept by the thread that uses them, never shared with another, never with halves of lines."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from logship.backfill.kit import KEPT_CONVERTERS, converter_of
from logship.formats import read_spec
from tests.backfill.orders import kit_of

TIMED = r'%h %l %u %t "%r" %>s %b %D'


def test_a_kit_that_has_travelled_finds_its_converter_again() -> None:
    kit = kit_of("web")
    assert converter_of(pickle.loads(pickle.dumps(kit))) is converter_of(kit)


def test_another_source_field_or_format_has_another_converter() -> None:
    kit = kit_of("web")
    constants = replace(kit.constants, fields={"host": "shop.example.com"})
    others = [kit_of("api"), replace(kit, constants=constants), replace(kit, format=read_spec({"apache": TIMED}))]
    assert len({id(converter_of(one)) for one in (kit, *others)}) == len(others) + 1


def test_threads_have_converters_of_their_own() -> None:
    kit = kit_of("web")
    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(converter_of, kit).result() is not converter_of(kit)


def test_what_opens_envelopes_begins_without_halves_of_lines() -> None:
    kit = replace(kit_of("web"), envelope="docker")
    assert converter_of(kit) is not converter_of(kit)


def test_only_the_last_few_are_kept() -> None:
    kit = kit_of("web")
    first = converter_of(kit)
    for number in range(KEPT_CONVERTERS - 1):
        converter_of(kit_of(f"other-{number}"))
    assert converter_of(kit) is first
    for number in range(KEPT_CONVERTERS):
        converter_of(kit_of(f"other-{number}"))
    assert converter_of(kit) is not first
