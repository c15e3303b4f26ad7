"""Files whose names say nothing of their log, rotated entirely while nobody looked, are read like those that do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logship.tail.naming import shape_of
from logship.tail.notices import What
from tests.tail.driver import Rig, source
from tests.tail.test_rotation import YESTERDAY_S, compress, write

TAI64N = ["@400000006b0c989c1c1cb56c.s", "@400000006b0c98f108a05214.s", "@400000006b0c98f10e1c2ccc.s"]
DATES = ["20261127.txt", "20261128.txt", "20261129.txt"]


@pytest.mark.parametrize("fate", ["running", "stopped", "killed"])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("folder", ["logs", "put-away"])
@pytest.mark.parametrize("names", [TAI64N, DATES])
def test_what_was_rotated_entirely_while_nobody_looked_is_read(
    tmp_path: Path, names: list[str], folder: str, is_packed: bool, fate: str
) -> None:
    """multilog and svlogd call a log `current`, and its older files by the time."""
    log, away = tmp_path / "logs/current", tmp_path / folder
    log.parent.mkdir()
    away.mkdir(exist_ok=True)
    older = away / names[0].translate(str.maketrans("6", "5"))
    write(older, "from before the first start")
    os.utime(older, (YESTERDAY_S, YESTERDAY_S))
    rig = Rig(tmp_path / "state", source(log, rotated=[f"{away}/*"] if folder == "put-away" else []))
    expected = write(log, "line 1", "line 2")
    rig.step()
    if fate != "running":
        rig.kill() if fate == "killed" else rig.stop()
    for turn, name in enumerate(names):
        expected += write(log, f"turn {turn} line 1", f"turn {turn} line 2")
        old = log.rename(away / name)
        if is_packed and turn:
            compress(old)
    expected += write(log, "new 1")
    if fate != "running":
        rig.start()
    assert sorted(rig.settle()) == sorted(expected)
    rig.restart()
    assert sorted(rig.settle()) == sorted(expected)
    assert len({each.id for each in rig.receiver.arrivals}) == len(expected)
    assert not rig.told(What.LOST)


@pytest.mark.parametrize(
    ("name", "other", "is_alike"),
    [
        (TAI64N[0], TAI64N[1], True), (TAI64N[0], f"{TAI64N[1]}.gz", True), (TAI64N[0], "@400000006b0c98.s", False),
        (TAI64N[0], "current", False), ("20261127.txt", "20261128.log", False), ("20261127.txt", "20261128.txt", True),
    ],
)  # fmt: skip
def test_names_of_the_same_making_are_alike(name: str, other: str, is_alike: bool) -> None:
    shape = shape_of(name)
    assert shape is not None
    assert (shape.fullmatch(other) is not None) is is_alike


@pytest.mark.parametrize("name", ["kept", "access.log.1", "of-monday.log"])
def test_a_name_without_a_long_number_has_no_shape(name: str) -> None:
    assert shape_of(name) is None
