"""Which files are followed: patterns, links, things that are no logs, limits, and sources that change."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from logship.checkpoint import Checkpoint
from logship.state import State
from logship.tail.discovery import Discovery
from logship.tail.globs import Globs, expand_braces
from logship.tail.identity import Place, file_key, place_of, stem_of
from logship.tail.notices import What
from tests.tail.driver import ORIGIN, Rig, as_nobody, source


def write(path: Path, *lines: str) -> list[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    return [line.encode() for line in lines]


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/l/*access.log", "/l/shop.access.log", True),
        ("/l/*access.log", "/l/.access.log", False),
        ("/l/*access.log", "/l/a/access.log", False),
        ("/l/**/access.log", "/l/access.log", True),
        ("/l/**/access.log", "/l/a/b/access.log", True),
        ("/l/**/access.log", "/l/.git/access.log", False),
        ("/l/{a,b}/x[0-9].log", "/l/b/x7.log", True),
        ("/l/{a,b}/x[!0-9].log", "/l/b/x7.log", False),
        ("/l/**", "/l/a/b", True),
        ("/l/a?c", "/l/abc", True),
        ("/l/a.c", "/l/abc", False),
    ],
)
def test_patterns_fit_as_in_a_shell(pattern: str, path: str, fits: bool) -> None:
    assert Globs([pattern]).fits(path) is fits


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("[prod] access.log", None),
        ("a{b,c}.log", None),
        ("access[1].log", None),
        ("[a]{b,c}[d.log", None),
        ("{x}[!y]*?.log", None),
        ("[prod] access.log", "[[]prod] *.log"),
        ("[prod]/a{b,c}.log", "[prod]/*.log"),
    ],
)
def test_a_name_that_holds_a_patterns_signs_is_found_as_it_is_written(
    tmp_path: Path, name: str, written: str | None
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    expected = write(path, "one")
    rig = Rig(tmp_path / "state", source(tmp_path / (written or name)))
    assert rig.step() == expected
    rig.restart()
    expected += write(path, "two")
    assert rig.step() == expected


def test_braces_nest() -> None:
    assert expand_braces("/{a,b{c,d}}/x") == ["/a/x", "/bc/x", "/bd/x"]
    assert expand_braces("/{a}/x") == ["/{a}/x"]


def test_names_are_matched_anew_only_when_a_directory_has_changed(tmp_path: Path) -> None:
    """10,000 names take 50 ms to match; quiet directories cost one stat(2) each."""
    write(tmp_path / "a/1.log", "x")
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "a", (hour_ago, hour_ago))
    os.utime(tmp_path, (hour_ago, hour_ago))
    discovery = Discovery([source(f"{tmp_path}/*/*.log", f"{tmp_path}/none/*.log")])
    first = discovery.names()
    assert discovery.names() is first
    write(tmp_path / "a/2.log", "x")
    assert [*discovery.names()] == [f"{tmp_path}/a/1.log", f"{tmp_path}/a/2.log"]
    write(tmp_path / "b/3.log", "x")
    assert f"{tmp_path}/b/3.log" in discovery.names()
    (tmp_path / "a").rename(tmp_path / "none")
    assert [*discovery.names()] == [f"{tmp_path}/{name}" for name in ("b/3.log", "none/1.log", "none/2.log")]
    shutil.rmtree(tmp_path / "none")
    assert [*discovery.names()] == [f"{tmp_path}/b/3.log"]


ROTATED = [
    "access.log.1", "access.log.0", "access.log.999.gz", "access.log.1000", "access.log-1", "access.log~",
    "access.log.~1~", "access.log-20260131", "access.log-20260131-23.zst", "access.log-2026013114",
    "access.log-2026-01-31.xz", "access.log-20260131-1769817600.bz2", "access.log.2026-01-31.xz",
    "access.log-20260131.1.gz", "access.log.old", "access.log.bak.gz", "access.log-1769817600",
    "access.log.bak0", "access.log.copy", "access.log-copy2.gz", "access-copy.log", "access.log.2026-01-31.bak",
    "access.log.1.bak",
    "access.log.20260131-142000", "access.log.31Jan2026", "access.log@1.gz", "access.1.log", "access-20260131.log",
    "access-2026-01-31T14-20-00.123.log", "access.2026013114200.log.gz",
]  # fmt: skip


@pytest.mark.parametrize("pattern", ["access.log", "access.log*", "*.log", "*.log*", "*"])
@pytest.mark.parametrize("name", ROTATED)
def test_the_stem_is_the_name_without_what_rotation_added(name: str, pattern: str) -> None:
    assert stem_of(f"/var/log/{name}", [f"/var/log/{pattern}"]) == "access.log"


@pytest.mark.parametrize(
    ("name", "patterns", "stem"),
    [
        ("access.log", ["*"], "access.log"),
        ("error.log.1", ["access.log"], "error.log.1"),
        ("access.log-yesterday-at-noon.gz", ["access.log"], "access.log"),  # any part, from what is no log itself
        ("access.log-api", ["access.log*"], "access.log-api"),
        ("access.log-api", ["access.log", "access.log-api"], "access.log-api"),
        ("access.log-api-20260131.gz", ["access.log", "access.log-api"], "access.log-api"),
        ("access.log-api.1", ["access.log*"], "access.log-api"),
        ("access_ssl.log", ["*.log"], "access_ssl.log"),
        ("access_ssl.log.2.gz", ["*.log"], "access_ssl.log"),
        ("access_ssl-20260131.log", ["*.log"], "access_ssl.log"),
        ("web-1.log", ["*.log"], "web-1.log"),
        ("web-1.log.2.gz", ["*.log"], "web-1.log"),
        ("access-20260131.log", ["access-*.log"], "access-20260131.log"),
        ("access-2026-01-31.log.gz", ["access-*.log*"], "access-2026-01-31.log"),
        ("access.log.10.0.0.7", ["access.log*"], "access.log.10.0.0.7"),  # a host's log
        ("0.log.20260131-142000.gz", ["*.log"], "0.log"),
        ("2026-01-31.log", ["*.log"], "2026-01-31.log"),
    ],
)
def test_a_log_of_its_own_keeps_its_name(name: str, patterns: list[str], stem: str) -> None:
    assert stem_of(f"/var/log/{name}", [f"/var/log/{each}" for each in patterns]) == stem


def test_a_file_put_away_by_olddir_belongs_to_the_log_it_came_from() -> None:
    paths, rotated = Globs(["/v/*/access.log"]), Globs(["/v/*/old/*"])
    assert place_of("/v/shop/old/access.log.1.gz", paths, rotated) == Place("/v/shop", "access.log")


def test_the_file_key_depends_on_origin_place_and_first_line() -> None:
    keys = {
        file_key(origin, directory, stem, line)
        for origin in ("a", "b")
        for directory in ("/x", "/y")
        for stem in ("s", "t")
        for line in (b"1", b"2")
    }
    assert len(keys) == 16
    assert all(0 <= key < 2**42 for key in keys)
    assert file_key("ab", "c", "d", b"") != file_key("a", "bc", "d", b"")


def test_files_that_appear_later_are_read_from_the_beginning(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state", source(tmp_path / "logs" / "**" / "*.log", start_at="end"))
    rig.step()
    expected = write(tmp_path / "logs" / "a" / "b" / "x.log", "one")
    assert rig.step() == expected


def test_what_happens_to_very_many_logs_at_once_is_counted_in_the_journal(
    tmp_path: Path, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for number in range(150):
        write(log.with_name(f"{number}.log"), "x")
    rig = Rig(tmp_path / "state", source(log.parent / "*.log"))
    rig.look()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("logship.tail")]
    assert len([line for line in said if "a log is followed" in line]) == 100
    assert [line for line in said if "more" in line] == ["the same of more logs what=found more=50"]
    assert len(rig.told(What.FOUND)) == 150


def test_start_at_end_leaves_what_stands_there_at_the_first_start_and_says_so(tmp_path: Path, log: Path) -> None:
    write(log, "old")
    with log.open("ab") as file:
        file.write(b"ha")
    rig = Rig(tmp_path / "state", source(log, start_at="end"))
    assert rig.step() == []
    assert [notice.size_bytes for notice in rig.told(What.LEFT_OLDER)] == [4]
    with log.open("ab") as file:
        file.write(b"lf\n")
    assert rig.step() == [b"half"]
    rig.restart()
    write(log, "new")
    assert rig.step() == [b"half", b"new"]


def test_excluded_files_are_not_followed(tmp_path: Path, log: Path) -> None:
    write(log.with_name("debug.log"), "no")
    expected = write(log, "yes")
    rig = Rig(tmp_path / "state", source(log.parent / "*.log", exclude=[str(log.parent / "debug*")]))
    assert rig.step() == expected


def test_a_file_that_two_patterns_or_two_names_match_is_read_once(tmp_path: Path, log: Path) -> None:
    expected = write(log, "one")
    log.with_name("link.log").symlink_to(log)
    os.link(log, log.with_name("hard.log"))
    rig = Rig(tmp_path / "state", source(log, log.parent / "*.log"))
    rig.step()
    expected += write(log, "two")
    assert rig.step() == expected
    assert len(rig.receiver.arrivals) == 2


def test_of_two_sources_that_match_a_file_the_first_has_it(tmp_path: Path, log: Path) -> None:
    write(log, "one")
    rig = Rig(tmp_path / "state", source(log, name="first"), source(log.parent / "*", name="second"))
    rig.step()
    assert [status.source for status in rig.tail.files()] == ["first"]
    assert len(rig.receiver.arrivals) == 1


def test_two_logs_with_the_same_first_lines_are_both_read_under_different_ids(tmp_path: Path, log: Path) -> None:
    for name in ("a.log", "b.log"):
        write(log.with_name(name), "same", "same again")
    rig = Rig(tmp_path / "state", source(log.parent / "*.log"))
    rig.step()
    rig.restart()
    rig.step()
    assert sorted(rig.receiver.lines) == [b"same", b"same", b"same again", b"same again"]


def test_a_symlink_swapped_to_another_file_is_followed_and_the_old_one_read_to_its_end(
    tmp_path: Path, log: Path
) -> None:
    first, second = log.with_name("app-1"), log.with_name("app-2")
    expected = write(first, "a1")
    log.symlink_to(first)
    rig = Rig(tmp_path / "state", source(log))
    rig.step()
    expected += write(first, "a2")
    expected += write(second, "b1")
    log.unlink()
    log.symlink_to(second)
    assert rig.step() == expected
    rig.restart()
    assert rig.settle() == expected
    assert len(rig.receiver.arrivals) == 3


def test_a_symlink_swapped_while_stopped_loses_nothing(tmp_path: Path, log: Path) -> None:
    first, second = log.with_name("app-1"), log.with_name("app-2")
    expected = write(first, "a1")
    log.symlink_to(first)
    rig = Rig(tmp_path / "state", source(log))
    rig.step()
    rig.stop()
    expected += write(first, "a2")
    expected += write(second, "b1")
    log.unlink()
    log.symlink_to(second)
    rig.start()
    assert sorted(rig.settle()) == sorted(expected)


def test_a_renamed_file_inside_the_pattern_is_not_read_again(tmp_path: Path, log: Path) -> None:
    expected = write(log, "a1", "a2")
    rig = Rig(tmp_path / "state", source(log.parent / "*.log"))
    rig.step()
    rig.stop()
    log.rename(log.with_name("other.log"))
    rig.start()
    expected += write(log.with_name("other.log"), "a3")
    assert rig.step() == expected
    assert len(rig.receiver.arrivals) == 3


def test_an_unreadable_file_is_told_once_and_read_when_it_can_be(tmp_path: Path, log: Path) -> None:
    expected = write(log, "one")
    rig = Rig(tmp_path / "state", source(log))
    rig.look()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        secret = folder / "secret.log"
        expected += write(secret, "two")
        secret.chmod(0)
        rig.tail.follow([source(log, secret)])
        with as_nobody():
            rig.look()
            rig.look()
        assert [notice.path for notice in rig.told(What.UNREADABLE)].count(str(secret)) == 1
        secret.chmod(0o644)
        assert sorted(rig.step()) == sorted(expected)


def test_directories_and_fifos_are_refused_without_waiting(tmp_path: Path, log: Path) -> None:
    (log.parent / "dir.log").mkdir()
    os.mkfifo(log.parent / "fifo.log")
    expected = write(log, "one")
    rig = Rig(tmp_path / "state", source(log.parent / "*.log"))
    assert rig.step() == expected
    assert rig.step() == expected
    assert len(rig.told(What.UNREADABLE)) == 1


@pytest.mark.parametrize("how", ["deleted", "source removed"])
def test_what_could_not_be_read_is_not_shown_once_it_is_gone(how: str, tmp_path: Path, log: Path) -> None:
    fifo = log.parent / "fifo.log"
    os.mkfifo(fifo)
    write(log, "one")
    rig = Rig(tmp_path / "state", source(log, fifo))
    rig.look()
    assert str(fifo) in {status.path for status in rig.tail.files()}
    if how == "deleted":
        fifo.unlink()
    else:
        rig.tail.follow([source(log)])
    rig.look()
    assert {status.path for status in rig.tail.files()} == {str(log)}


def test_more_files_than_descriptors_are_read_in_turns(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    paths = [tmp_path / "logs" / f"{number}.log" for number in range(150)]
    expected = [line for path in paths for line in write(path, f"first of {path.name}")]
    rig = Rig(tmp_path / "state", source(tmp_path / "logs" / "*.log"))
    rig.tail._followed._descriptors_max = 20
    assert sorted(rig.step()) == sorted(expected)
    assert len(rig.tail._register.open) <= 20
    assert len(os.listdir("/proc/self/fd")) < used + 60
    expected += [line for path in paths for line in write(path, f"second of {path.name}")]
    for path in paths[:10]:
        path.rename(f"{path}.1")
    assert sorted(rig.step()) == sorted(expected)
    assert len(rig.told(What.LIMIT)) == 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == limits[1]


def test_above_held_max_the_oldest_deleted_file_is_given_up_and_counted(tmp_path: Path, log: Path) -> None:
    rig = Rig(tmp_path / "state", source(log.parent / "*.log"), held_max_bytes=150_000)
    for name in ("a.log", "b.log"):
        write(log.with_name(name), *["x" * 99] * 1000)
    rig.look()
    for name in ("a.log", "b.log"):
        log.with_name(name).unlink()
    rig.look()
    assert [notice.size_bytes for notice in rig.told(What.LOST)] == [100_000]
    assert len(rig.step()) == 1000


def test_a_generation_without_siblings_is_forgotten_after_30_days(rig: Rig, log: Path) -> None:
    write(log, "a1")
    rig.step()
    log.unlink()
    rig.settle()
    assert [row.is_finished for row in rig.state.load()] == [True]
    for _ in range(2):
        rig.clock.pass_s(29 * 86_400)
        rig.step()
    rig.clock.pass_s(2 * 86_400)
    rig.step()
    rig.tail.save(rig.clock.now_s, force=True)
    rig.state.save()
    assert rig.state.load() == []


def test_a_reload_goes_on_where_files_are_and_drops_what_is_not_configured(tmp_path: Path, log: Path) -> None:
    other = log.with_name("other.log")
    rig = Rig(tmp_path / "state", source(log, name="a"), source(other, name="b"))
    expected = write(log, "a1") + write(other, "b1")
    rig.step()
    rig.tail.follow([source(log, name="renamed")])
    expected += write(log, "a2")
    write(other, "unseen")
    assert rig.step() == expected
    assert [status.source for status in rig.tail.files()] == ["renamed"]
    rig.tail.follow([source(log, name="renamed"), source(other, name="b")])
    assert rig.step() == [*expected, b"unseen"]


def test_a_held_file_goes_on_where_it_is_released(rig: Rig, log: Path) -> None:
    write(log, "a1", "a2")
    rig.look()
    chunk = rig.tail.read(131_072)
    assert chunk is not None
    rig.tail.hold(chunk.file.file_id, 3)
    write(log, "a3")
    rig.look()
    assert rig.tail.read(131_072) is None
    assert rig.tail.files()[0].is_held
    rig.tail.release(chunk.file.file_id, 3)
    again = rig.tail.read(131_072)
    assert again is not None
    assert (again.start, again.data, again.before) == (3, b"a2\na3\n", b"a1\n")


def test_rotated_siblings_in_another_directory_are_found_by_their_patterns(tmp_path: Path, log: Path) -> None:
    old = log.parent / "old"
    old.mkdir()
    rig = Rig(tmp_path / "state", source(log, rotated=[str(old / "*")]))
    expected = write(log, "a1")
    rig.step()
    rig.stop()
    expected += write(log, "a2")
    (old / "access.log-20260101.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    expected += write(log, "b1")
    rig.start()
    assert rig.step() == expected
    assert {arrival.id[9:23] for arrival in rig.receiver.arrivals[:2]} == {rig.receiver.arrivals[0].id[9:23]}
    assert rig.state.load()[0].origin == ORIGIN


def test_cached_numbers_decide_nothing_when_the_device_number_changes(rig: Rig, log: Path) -> None:
    expected = write(log, "a1", "a2")
    rig.step()
    rig.stop()
    rig.start()
    for generation in rig.tail._register.numbered.values():
        generation.facts = type(generation.facts)(99, 99, 0, 0, 1, 0)
    expected += write(log, "a3")
    assert rig.step() == expected
    assert len(rig.receiver.arrivals) == 3


def test_a_restart_writes_nothing_of_files_that_are_as_they_were(tmp_path: Path, log: Path) -> None:
    logs = [log.with_name(f"{number}.log") for number in range(5)]
    for each in logs:
        write(each, "one")
    rig = Rig(tmp_path / "state", source(log.with_name("*.log")))
    rig.step()
    rig.stop()
    rig.start()
    saved: list[Checkpoint] = []
    save = rig.state.save

    def noted(checkpoints: Iterable[Checkpoint] = ()) -> bool:
        rows = list(checkpoints)
        saved.extend(rows)
        return save(rows)

    rig.state.save = noted  # type: ignore[method-assign]
    write(logs[3], "two")
    rig.step()
    assert {row.path for row in saved} == {str(logs[3])}
    rig.stop()
    assert [row.position for row in State.open(tmp_path / "state", rig.clock).load()] == [4, 4, 4, 8, 4]


def test_a_source_that_has_another_name_after_a_stop_is_written_down(tmp_path: Path, log: Path) -> None:
    write(log, "one")
    rig = Rig(tmp_path / "state", source(log))
    rig.step()
    rig.stop()
    rig.sources = (source(log, name="renamed"),)
    rig.start()
    rig.step()
    assert [row.source for row in rig.state.load()] == ["renamed"]
