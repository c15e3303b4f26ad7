"""Names only say where to look first: what a log's content is called after rotation is found under any name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.tail import naming
from logship.tail.notices import What
from tests.tail.driver import Rig, source
from tests.tail.test_rotation import COMPRESS, compress, write

MADE = [
    "access.log.0", "access.log.1", "access.log.1000", "access.log-2026112914", "access.log-2026-11-29",
    "access.log.20261129", "access.log-1795961000", "access.log-20261129-142000", "access.log.old", "access.log~",
    "access.1.log", "access-20261129.log", "access-2026-11-29T14-20-00.123.log", "access_20261129.log",
]  # fmt: skip
ANY = ["access.log-before-the-move", "access.logX", "access_of_monday_morning.log", "access.x"]
UNRELATED = ["kept", "2026.txt", ".hidden", "other.log.1"]


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
@pytest.mark.parametrize("name", [*MADE, *ANY, *UNRELATED])
def test_the_rest_of_a_renamed_log_is_read_whatever_its_name(
    tmp_path: Path, log: Path, name: str, pattern: str, is_running: bool
) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    expected = write(log, "a1", "a2")
    rig.step()
    if not is_running:
        rig.stop()
    expected += write(log, "a3")
    log.rename(log.with_name(name))
    expected += write(log, "b1")
    if not is_running:
        rig.start()
    assert rig.step() == expected
    rig.restart()
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == len(expected)
    assert len({each.id for each in rig.receiver.arrivals}) == len(expected)


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
@pytest.mark.parametrize("name", [*MADE, *ANY])
def test_the_rest_of_a_log_renamed_and_compressed_while_stopped_is_read_on(
    tmp_path: Path, log: Path, name: str, pattern: str, kind: str
) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    expected = write(log, "a1", "a2")
    rig.step()
    rig.stop()
    expected += write(log, "a3")
    compress(log.rename(log.with_name(name)), kind)
    expected += write(log, "b1")
    rig.start()
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("pattern", ["access.log", "access.log*", "*"])
@pytest.mark.parametrize("name", [*MADE, *ANY])
def test_a_log_compressed_while_the_daemon_runs_is_not_sent_again(
    tmp_path: Path, log: Path, name: str, pattern: str
) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    expected = write(log, "a1", "a2")
    rig.step()
    log.rename(log.with_name(name))
    expected += write(log, "b1")
    rig.step()
    compress(log.with_name(name))
    rig.step()
    rig.restart()
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("name", ["access.log-2026", "2026-11-29", "log.7", "access.log"])
def test_what_rotated_matches_is_found_under_any_name(tmp_path: Path, log: Path, name: str, is_packed: bool) -> None:
    away = tmp_path / "away"
    away.mkdir()
    rig = Rig(tmp_path / "state", source(log, rotated=[f"{away}/*"]))
    expected = write(log, "a1")
    rig.step()
    rig.stop()
    expected += write(log, "a2")
    shutil.move(log, away / name)
    if is_packed:
        compress(away / name)
    expected += write(log, "b1")
    rig.start()
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("name", ["access.log-2026112914", "access.log.1", "access.log.old", "access-20261129.log"])
@pytest.mark.parametrize("away", ["old", "away/old", "."])
@pytest.mark.parametrize("has_lost_state", [True, False])
def test_a_log_put_away_before_it_was_ever_seen_is_read(
    tmp_path: Path, log: Path, name: str, away: str, has_lost_state: bool
) -> None:
    folder = log.parent / away
    folder.mkdir(parents=True, exist_ok=True)
    write(log.with_name("other.log"), "of another log")
    rig = Rig(tmp_path / "state", source(log.parent / "*.log", rotated=[f"{folder}/*"]))
    rig.step()
    rig.stop()
    if has_lost_state:
        for path in (tmp_path / "state").glob("state*.db*"):
            path.unlink()
    expected = write(log, "a1", "a2")
    log.rename(folder / name)
    rig.start()
    assert set(rig.settle()) >= set(expected)
    assert {each.path for each in rig.receiver.arrivals if each.line in expected} == {str(log)}
    assert len(rig.receiver.lines) == 3, "one id for each line"


@pytest.mark.parametrize("name", MADE)
def test_a_file_rotated_entirely_while_stopped_is_read_before_the_log(tmp_path: Path, log: Path, name: str) -> None:
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "a1")
    rig.step()
    rig.stop()
    log.rename(log.with_name("access.log.2000"))
    expected += write(log, "b1", "b2")
    log.rename(log.with_name(name))
    expected += write(log, "c1")
    os.utime(log.with_name(name))
    rig.start()
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("name", ["access.log-api", "access_ssl.log", "access-api.log", "access.log.json", "access2"])
def test_another_log_whose_name_begins_alike_is_nobodys_sibling(tmp_path: Path, log: Path, name: str) -> None:
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "a1")
    rig.step()
    rig.stop()
    log.rename(log.with_name("access.log.1"))
    write(log.with_name(name), "not ours")
    expected += write(log, "b1")
    rig.start()
    assert rig.settle() == expected


@pytest.mark.parametrize("is_one_source", [True, False])
@pytest.mark.parametrize("name", ["access.log-api", "access_ssl.log", "access-api.log"])
def test_two_logs_whose_names_and_first_lines_begin_alike_keep_their_own(
    tmp_path: Path, log: Path, name: str, is_one_source: bool
) -> None:
    """Rotated, compressed, and read again from nothing: the same ids for the same log each time."""
    other = log.with_name(name)
    patterns = [str(log), str(other)]
    sources = [source(*patterns)] if is_one_source else [source(each, name=each) for each in patterns]
    rig = Rig(tmp_path / "state", *sources)
    for path, letter in ((log, "a"), (other, "o")):
        write(path, "the same check", f"{letter}1")
    rig.step()
    rig.stop()
    for path, letter in ((log, "a"), (other, "o")):
        write(path, f"{letter}2")
        compress(path.rename(path.with_name(f"{path.name}-20261129")))
        write(path, "the same check", f"{letter}3")
    rig.start()
    lines = rig.settle()
    # a second generation that begins like the first has its id for what is the same at the same place
    assert sorted(lines) == sorted([b"the same check"] * 2 + [b"a1", b"a2", b"a3", b"o1", b"o2", b"o3"])
    ours = {each.line for each in rig.receiver.arrivals if each.path == str(log)}
    assert ours == {b"the same check", b"a1", b"a2", b"a3"}
    assert not rig.told(What.LOST)


def test_a_hard_link_that_moved_on_leaves_its_old_target_to_be_read(tmp_path: Path, log: Path) -> None:
    first, second = log.with_name("of-monday"), log.with_name("of-tuesday")
    expected = write(first, "a1")
    os.link(first, log)
    rig = Rig(tmp_path / "state", source(log))
    rig.step()
    rig.stop()
    expected += write(first, "a2")
    expected += write(second, "b1")
    log.unlink()
    os.link(second, log)
    rig.start()
    assert rig.settle() == expected


@pytest.mark.parametrize("name", ["access.20261129.log", "2026-11-29.log", "of-monday.log"])
@pytest.mark.parametrize("is_link_first", [True, False])
def test_a_hard_link_and_its_target_are_one_log_and_so_is_its_archive(
    tmp_path: Path, log: Path, name: str, is_link_first: bool
) -> None:
    target = log.with_name(name)
    rig = Rig(tmp_path / "state", source(log.parent / "*"))
    expected = write(tmp_path / "made", "a1")
    for path in (log, target) if is_link_first else (target, log):
        os.link(tmp_path / "made", path)
        rig.step()
    (tmp_path / "made").unlink()
    log.unlink()
    expected += write(log, "b1")
    rig.step()
    compress(target)
    rig.step()
    rig.restart()
    assert sorted(rig.settle()) == expected
    assert len(rig.receiver.arrivals) == len(expected)


@pytest.mark.parametrize("pattern", ["access.log", "*.log"])
@pytest.mark.parametrize("form", ["access.2026-11-{}", "access.2026-11-{}-04_00", "access-202611{}", "access.179583{}"])
def test_a_file_that_the_log_linked_to_while_stopped_is_read(
    tmp_path: Path, log: Path, form: str, pattern: str
) -> None:
    """rotatelogs -L: the log's name is a hard link to the newest of files whose extension is a date."""
    rig = Rig(tmp_path / "state", source(log.parent / pattern))
    expected = write(log, "a1")
    os.link(log, log.with_name(form.format(27)))
    rig.step()
    rig.stop()
    expected += write(log, "a2")
    for day, line in ((28, "b1"), (29, "c1")):
        log.unlink()
        expected += write(log, line)
        os.link(log, log.with_name(form.format(day)))
    rig.start()
    assert sorted(rig.settle()) == expected


def test_an_archive_that_is_younger_than_a_later_rotation_hides_nothing(tmp_path: Path, log: Path) -> None:
    """kubelet compresses the older file when it rotates again, and the archive gets the time of that moment."""
    rig = Rig(tmp_path / "state", source(log))
    expected = write(log, "a1")
    rig.step()
    rig.stop()
    expected += write(log, "a2")
    log.rename(first := log.with_name("access.log.20261128-040000"))
    expected += write(log, "b1")
    log.rename(second := log.with_name("access.log.20261129-040000"))
    expected += write(log, "c1")
    archive = compress(first)
    later_ns = second.stat().st_mtime_ns + 60_000_000_000
    os.utime(archive, ns=(later_ns, later_ns))
    rig.start()
    assert sorted(rig.settle()) == expected


NAME_PARTS = st.sampled_from(
    [*"aw19.-_~@:+", "log", "gz", "20261129", "nov", "mon", "old", "w48", "access", "127.0.0.1"]
)


@given(st.lists(NAME_PARTS, min_size=1, max_size=9).map("".join))
def test_a_quick_look_at_a_name_leaves_out_no_former_name(name: str) -> None:
    made = naming.formers(name, naming._MADE.fullmatch)
    slowly = [each for each in made if not naming._ADDRESS.fullmatch(each.part) and not naming._is_cut_short(each)]
    assert naming.likely_names(name) == slowly


@given(st.lists(NAME_PARTS, min_size=1, max_size=5).map("".join), st.lists(NAME_PARTS, max_size=5).map("".join))
def test_a_number_is_read_from_a_name_as_from_all_its_former_names(stem: str, added: str) -> None:
    name = stem + added
    part = next((each.part for each in naming.formers(name) if each.name == stem), "")
    number = int(part) if naming._NUMBER.fullmatch(part) else None
    assert naming.rotation_number(name, stem) == (-1 if name == stem else number)
