"""No line takes more than linear time: 100 kB of each kind would take minutes if anything were quadratic.

The time itself is measured by the benchmarks; here a quadratic step would run into the test's timeout.
"""

from __future__ import annotations

import pytest

from logship.formats import Format, compile_format, read_spec
from logship.formats.json_repair import repair
from logship.formats.request_line import split_request_line
from tests.formats.awkward import AWKWARD
from tests.formats.hostile import hostile_lines
from tests.formats.presets import preset, presets

SIZE = 100_000


def formats() -> dict[str, Format]:
    own = {name: compile_format(read_spec(tree), presets()) for name, tree in AWKWARD.items()}
    return {name: preset(name) for name in presets()} | own


@pytest.mark.parametrize("name", [*presets(), *AWKWARD])
def test_no_line_makes_a_format_slow(name: str) -> None:
    fmt = formats()[name]
    for _, line in hostile_lines(SIZE):
        fits = fmt.parse(line) is not None
        assert (fmt.explain(line) is None) == fits


def test_no_line_makes_the_mending_of_json_or_the_request_line_slow() -> None:
    for _, line in hostile_lines(SIZE):
        repair(line)
        split_request_line(line.decode("latin-1"))
