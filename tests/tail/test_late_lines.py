"""A server that was not told of a rotation writes to the old file when nobody expects it any more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logship.tail.notices import What
from tests.tail.driver import Rig, source
from tests.tail.test_rotation import write


@pytest.mark.parametrize("name", ["app-0", "access_kept_as_1x", "access.log.1", "access.log-old", "x.log"])
@pytest.mark.parametrize("glob", ["*.log", "access.log", "*"])
@pytest.mark.parametrize("line", ["short", "longer than a first line may be " * 100])
def test_lines_that_come_ten_minutes_after_a_rotation_are_read_once(
    tmp_path: Path, log: Path, name: str, glob: str, line: str
) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / glob))
    other = write(log.with_name("shop.log"), "another log")
    log.touch()
    rig.step()
    expected = write(log, line)
    rig.settle()
    os.rename(log, log.with_name(name))
    rig.clock.pass_s(601)
    rig.step()
    for late in ("late", "later"):
        expected += write(log.with_name(name), late)
        rig.settle()
    expected += write(log, "new")
    rig.settle()
    assert sorted(rig.receiver.lines) == sorted(expected if glob == "access.log" else [*expected, *other])
    assert not rig.told(What.LOST)
