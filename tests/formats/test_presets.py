"""Presets are data: each has a meaning and examples that fit to the last field."""

from __future__ import annotations

import pytest

from logship.errors import FormatError
from logship.fields import canonical
from logship.formats import load_presets
from tests.formats.presets import parsed, preset, presets


@pytest.mark.parametrize("name", presets())
def test_each_preset_explains_itself_and_fits_its_examples(name: str) -> None:
    spec = presets()[name]
    assert spec.meaning
    assert spec.examples
    for line in spec.examples:
        found = parsed(preset(name), line)
        assert preset(name).explain(line.encode()) is None
        assert {"request_url", "path"} & found.keys()
        assert "status" in found
        assert any(slot.time and slot.field in found for slot in preset(name).slots)


@pytest.mark.parametrize("name", ["common", "combined", "vhost_combined", "combinedio", "nginx", "ingress_nginx"])
def test_the_presets_people_know_have_vocabulary_fields_only(name: str) -> None:
    own = [slot.field for slot in preset(name).slots if canonical(slot.field) is None]
    assert own == []


@pytest.mark.parametrize(
    "tree",
    [[], {"a": {}}, {"a": {"meaning": "x"}}, {"a": {"meaning": "x", "nginx": "$status", "examples": "line"}}],
)
def test_a_preset_file_of_another_shape_is_refused(tree: object) -> None:
    with pytest.raises(FormatError):
        load_presets(tree)
