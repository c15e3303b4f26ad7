"""Odd inputs: each says what happened, and none keeps the others from being delivered."""

from __future__ import annotations

import bz2
import ctypes
import gzip
import json
import os
import random
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from backports import zstd

from tests.backfill.receiver import Receiver
from tests.backfill.world import COMPRESS, World, access_lines, joined, quick_xz, truth, two_members, write_old

LINES = access_lines(300)
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24


def without_roots_eyes() -> None:
    """From the next exec on, permissions count for root too."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_what_is_no_log_is_said_and_the_log_beside_it_arrives(world: World, receiver: Receiver) -> None:
    good = write_old(world.logs / "access.log.1", joined(LINES))
    write_old(world.logs / "empty.log", b"")
    write_old(world.logs / "picture.log", random.Random(1).randbytes(5_000))
    write_old(world.logs / "notes.log", b"buy milk\ncall home\n")
    os.mkfifo(world.logs / "pipe.log")
    (world.logs / "nothing").mkdir()
    names = ("empty.log", "picture.log", "notes.log", "pipe.log", "nothing", "access.log.1", "missing.log")
    run = world.run(*(world.logs / name for name in names))
    assert run.code == 1
    assert receiver.ids == truth(good, LINES)
    for said in (
        "empty.log is empty",
        "picture.log is binary, not a log",
        "notes.log none of its 2 first lines fits the format",
        "pipe.log is a pipe, not a file",
        "nothing is a directory without logs",
        "missing.log can't be read: No such file or directory",
    ):
        assert said in run.out


def test_a_directory_may_hold_other_files_than_logs(world: World, receiver: Receiver) -> None:
    good = write_old(world.logs / "access.log", joined(LINES))
    write_old(world.logs / "error.log", b"2026/09/21 13:33:20 [error] 7#7: *1 open() failed\n" * 30)
    write_old(world.logs / "favicon.ico", random.Random(2).randbytes(3_000))
    summary = world.here(world.logs)
    assert (summary.code, summary["sent"], summary["dead_letters"]) == (0, len(LINES), 0)
    assert receiver.ids == truth(good, LINES)


def test_a_directory_in_which_nothing_is_a_log_is_said(world: World) -> None:
    write_old(world.logs / "error.log", b"2026/09/21 13:33:20 [error] 7#7: *1 open() failed\n" * 30)
    write_old(world.logs / "deeper" / "favicon.ico", random.Random(2).randbytes(3_000))
    summary = world.here(world.logs)
    assert (summary.code, summary["sent"]) == (1, 0)
    assert [one["message"] for one in summary["remarks"] if one["is_failure"]] == [
        "is a directory without logs: none of its 2 files is one"
    ]


def test_a_directory_with_nothing_but_an_empty_log_is_fine(world: World) -> None:
    write_old(world.logs / "access.log", b"")
    assert world.here(world.logs).code == 0


def test_a_directory_that_may_not_be_read_is_said_once(world: World) -> None:
    world.logs.chmod(0)
    try:
        run = world.run(world.logs, preexec_fn=without_roots_eyes)
    finally:
        world.logs.chmod(0o755)
    assert run.code == 1
    assert [line for line in run.out.splitlines() if "ERROR" in line] == [
        f"ERROR {world.logs} can't be read: Permission denied"
    ]


def test_a_file_that_may_not_be_read_is_said(world: World, receiver: Receiver) -> None:
    good, secret = write_old(world.logs / "access.log", joined(LINES)), world.logs / "secret.access.log"
    write_old(secret, joined(LINES)).chmod(0)
    run = world.run(good, secret, preexec_fn=without_roots_eyes)
    assert "secret.access.log can't be read: Permission denied" in run.out
    assert (run.code, len(receiver.ids)) == (1, len(LINES))


def test_stdin_is_read_once_and_known_again(world: World, receiver: Receiver) -> None:
    data = gzip.compress(joined(LINES))
    for sent, confirmed in ((len(LINES), 0), (0, len(LINES))):
        summary = world.summary("-", input=data)
        assert (summary.code, summary["sent"], summary["already_confirmed"]) == (0, sent, confirmed)
    plain = world.summary("-", input=joined(LINES))
    assert plain["already_confirmed"] == len(LINES)
    assert (len(receiver.ids), receiver.repeats) == (len(LINES), 0)


def test_several_megabytes_on_stdin_arrive(world: World, receiver: Receiver) -> None:
    lines = access_lines(20_000)
    summary = world.summary("-", input=joined(lines))
    assert (summary.code, summary["sent"], len(receiver.ids)) == (0, len(lines), len(lines))


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [(".gz", two_members), (".bz2", bz2.compress), (".xz", quick_xz), (".zst", zstd.compress)],
)
def test_of_a_cut_archive_everything_before_the_cut_is_sent(
    world: World, receiver: Receiver, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    lines = access_lines(15_000)
    whole = compress(joined(lines))
    path = write_old(world.logs / f"access.log.1{suffix}", whole[: len(whole) * 9 // 10])
    summary = world.here(path)
    assert summary.code == 1
    assert "ends in the middle of the archive" in summary["logs"][0]["problem"]
    assert receiver.ids < truth(path, lines)
    assert len(receiver.ids) == summary["sent"] > len(lines) // 3
    write_old(path, whole)
    mended = world.here(path)
    assert (mended.code, mended["already_confirmed"]) == (0, summary["sent"])
    assert receiver.ids == truth(path, lines)


def test_a_damaged_archive_is_said_and_what_stands_before_is_sent(world: World, receiver: Receiver) -> None:
    lines = access_lines(15_000)
    damaged = bytearray(gzip.compress(joined(lines), 9))
    middle = len(damaged) // 2
    damaged[middle : middle + 64] = b"\xff" * 64
    before = zlib.decompressobj(31).decompress(damaged[:middle])
    path = write_old(world.logs / "access.log.1.gz", bytes(damaged))
    summary = world.here(path)
    assert summary.code == 1
    assert "damaged" in summary["logs"][0]["problem"]
    whole = before.count(b"\n")
    assert truth(path, lines[:whole]) <= receiver.ids, "all that is readable before"
    assert len(receiver.ids) <= whole + 1, "what garbage happens to fit stands in the line of the damage"


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0size"  # as pzstd begins
CODECS: Mapping[str, Callable[[bytes], bytes]] = {
    **COMPRESS,
    ".zst": lambda data: SKIPPABLE + zstd.compress(data),
}


def test_every_damaged_archive_is_named_and_what_stands_before_arrives(world: World, receiver: Receiver) -> None:
    """Whatever the codec and the place; padding is no damage."""
    damaged: dict[str, int] = {}  # name: lines that stand whole before the damage
    sound = []
    expected: set[str] = set()
    for number, (suffix, compress) in enumerate(CODECS.items()):
        members = [compress(joined(LINES[:150])), compress(joined(LINES[150:]))]
        for what, data, count in (
            ("nothing", b"", 0),
            ("few", members[0][:3], 0),
            ("cut", members[0][:40], 0),
            ("last", b"".join(members)[:-3], 150),
            ("between", members[0] + b"JUNK" * 9 + members[1], 150),
            ("behind", b"".join(members) + b"JUNK", 300),
            ("head", b"\xff\0" * 50 + members[1], 0),
            ("padded", members[0] + b"\0" * 512 + members[1] + b"\0" * 9_000, 300),
        ):
            if suffix:
                path = write_old(world.logs / f"{number}" / what / f"access.log.1{suffix}", data)
                expected |= truth(path, LINES[:count]) if count else set()
                if what == "padded":
                    sound.append(path)
                else:
                    damaged[str(path)] = count
    summary = world.here(*damaged, *sound)
    assert summary.code == 1
    assert expected <= receiver.ids
    problems = {one["path"]: one["problem"] for one in summary["logs"] if one["problem"]}
    problems |= {one["path"]: one["message"] for one in summary["remarks"] if one["path"] not in map(str, sound)}
    for name in damaged:
        assert "damaged" in problems[name] or "ends in the middle of the archive" in problems[name]
    assert world.here(*sound).code == 0


def test_a_last_line_without_newline_counts_once_nobody_writes_any_more(world: World, receiver: Receiver) -> None:
    path = world.logs / "access.log"
    path.write_bytes(joined(LINES)[:-1])
    fresh = world.here(path)
    assert fresh["sent"] == len(LINES) - 1
    write_old(path, joined(LINES)[:-1])
    old = world.here(path)
    assert (old["sent"], old["already_confirmed"]) == (1, len(LINES) - 1)
    assert receiver.ids == truth(path, LINES)


def test_unmatched_lines_become_dead_letters_and_the_sum_adds_up(world: World, receiver: Receiver) -> None:
    odd = [b"what is this", b"\x16\x03\x01 tls", b"x" * 70_000]
    lines = [*LINES[:100], odd[0], *LINES[100:200], odd[1], odd[2], *LINES[200:]]
    path = write_old(world.logs / "access.log", b"".join(line + b"\n" for line in lines) + b"\0" * 5_000)
    summary = world.here(path)
    assert (summary.code, summary["lines"], summary["sent"], summary["dead_letters"]) == (1, 303, 300, 3)
    assert receiver.ids < truth(path, lines)
    assert summary["nul_bytes"] == 5_000
    letters = (world.directory / "state" / "dead-letters.ndjson").read_bytes()
    assert letters.count(b"\n") == 3
    again = world.here(path)
    assert (again.code, again["already_confirmed"]) == (0, 303)


def test_a_hundred_lines_that_fit_nothing_stop_it_with_a_caret(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log", joined([*LINES, *[b"203.0.113.9 - other format"] * 200]))
    run = world.run(path)
    assert run.code == 1
    assert f"100 lines in a row fit no format, from byte {len(joined(LINES)):,} on" in run.out
    assert "^ expected" in run.out
    assert receiver.ids == truth(path, LINES), "what stands before them is delivered"


def test_a_hundred_unmatched_lines_before_good_ones_are_dead_letters(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log", joined([*LINES[:150], *[b"odd"] * 200, *LINES[150:]]))
    summary = world.here(path)
    assert (summary.code, summary["sent"], summary["dead_letters"]) == (1, 300, 200)


def test_generations_that_overlap_are_seen_as_one(world: World, receiver: Receiver) -> None:
    whole = write_old(world.logs / "access.log.1", joined(LINES))
    write_old(world.logs / "access.log.1.gz", gzip.compress(joined(LINES)))
    write_old(world.logs / "access.log.2", joined(LINES[:120]))
    other = write_old(world.logs / "access.log.3.gz", gzip.compress(joined(access_lines(50, seed=9))))
    summary = world.here(world.logs)
    assert (summary.code, summary["sent"], receiver.repeats) == (0, 350, 0)
    assert sorted(log["path"] for log in summary["logs"]) == [str(whole), str(other)]
    assert sum("is the same log as" in remark["message"] for remark in summary["remarks"]) == 2


def test_a_hostile_file_name_drives_no_terminal_and_breaks_no_summary(world: World, receiver: Receiver) -> None:
    name = os.fsdecode(b"\x1b[2J\xff[red] access.log")
    path = write_old(world.logs / name, joined([*LINES, b"odd", LINES[0]]))
    run = world.run("--dry-run", path)
    assert run.code == 0, run.err
    assert "\x1b" not in run.out
    assert "\\x1b[2J" in run.out
    summary = world.here(path)
    assert (summary["sent"], summary["logs"][0]["path"]) == (301, str(path))
    assert len(receiver.ids) == 301


def test_old_generations_go_first(world: World) -> None:
    for name, first in (("access.log", 2_000), ("access.log.1", 1_000), ("b.access.log.2.gz", 0)):
        data = joined(access_lines(20, first=first, seed=first))
        write_old(world.logs / name, gzip.compress(data) if name.endswith(".gz") else data)
    summary = world.here(world.logs / "access.log", world.logs)
    names = [Path(log["path"]).name for log in summary["logs"]]
    assert names == ["b.access.log.2.gz", "access.log.1", "access.log"]


def test_a_container_log_is_read_through_its_envelope(tmp_path: Path, receiver: Receiver) -> None:
    world = World(tmp_path, receiver.url, extra="    envelope: docker\n")
    cut = LINES[0][:40].decode(), LINES[0][40:].decode() + "\n"
    texts = [*cut, *(line.decode() + "\n" for line in LINES[1:])]
    outer = [json.dumps({"log": text, "stream": "stdout", "time": "2023-11-14T22:13:20Z"}).encode() for text in texts]
    path = write_old(world.logs / "access.log.1.gz", gzip.compress(joined(outer)))
    summary = world.here(path)
    assert (summary.code, summary["sent"]) == (0, len(LINES))
    assert receiver.ids < truth(path, outer), "the id is made over the runtime's own line, a cut text's over its first"
    again = world.here(path)
    assert (again["sent"], again.code) == (0, 0)
