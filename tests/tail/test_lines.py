"""Lines as servers write them: in pieces, too long, with holes, without an end."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.event import Chunk
from logship.tail.content import PlainContent
from logship.tail.notices import What
from logship.tail.reader import Bounds, Lookahead, ReplacedError, Stretch, next_stretch, over_long_line
from tests.tail.driver import Rig, source


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def chunks(rig: Rig) -> list[Chunk]:
    rig.look()
    found = []
    while (chunk := rig.read()) is not None:
        found.append(chunk)
    rig.deliver()
    return found


def test_position_stays_before_a_half_written_line(rig: Rig, log: Path) -> None:
    append(log, b"one\ntw")
    assert rig.step() == [b"one"]
    assert rig.tail.files()[0].position == 4
    rig.clock.pass_s(3600)
    assert rig.step() == [b"one"], "no timer sends the half"
    append(log, b"o\n")
    assert rig.step() == [b"one", b"two"]


def test_a_half_written_line_is_whole_after_a_restart(rig: Rig, log: Path) -> None:
    append(log, b"one\ntw")
    rig.step()
    rig.restart()
    rig.step()
    append(log, b"o\n")
    assert rig.step() == [b"one", b"two"]


def test_a_small_file_arrives_at_once(rig: Rig, log: Path) -> None:
    append(log, b"x\n")
    assert rig.step() == [b"x"]


def test_an_empty_file_has_no_key_and_a_long_first_line_gets_one_at_1024_bytes(rig: Rig, log: Path) -> None:
    append(log, b"")
    rig.look()
    append(log, b"x" * 1023)
    rig.look()
    assert [row.key for row in rig.state.load()] == [None]
    append(log, b"x")
    rig.look()
    assert rig.state.load()[0].key is not None


def test_an_over_long_line_comes_alone_and_the_rest_is_intact(rig: Rig, log: Path) -> None:
    monster = b"m" * 100_000
    append(log, b"before\n" + monster + b"\nafter\n")
    found = chunks(rig)
    assert [(chunk.oversize, len(chunk.data)) for chunk in found] == [(False, 7), (True, 65_537), (False, 6)]
    assert found[1].end - found[1].start == len(monster) + 1
    assert rig.tail.files()[0].lag_bytes == 0
    rig.restart()
    assert chunks(rig) == [], "the position behind a monster has its anchor"


def test_a_line_of_10_mb_does_not_grow_memory(rig: Rig, log: Path) -> None:
    append(log, b"before\n")
    for _ in range(10):
        append(log, b"m" * 1_000_000)
    tracemalloc.start()
    assert len(chunks(rig)) == 1
    append(log, b"\nafter\n")
    found = chunks(rig)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [chunk.oversize for chunk in found] == [True, False]
    assert peak_bytes < 4_000_000


@pytest.mark.parametrize("length", [99, 100, 101])
def test_max_line_bytes_counts_the_line_without_its_newline(tmp_path: Path, log: Path, length: int) -> None:
    rig = Rig(tmp_path / "state", source(log), max_line_bytes=100)
    append(log, b"a\n" + b"x" * length + b"\nb\n")
    assert any(chunk.oversize for chunk in chunks(rig)) == (length > 100)


def test_a_hole_left_by_a_writer_without_append_is_skipped_and_counted(rig: Rig, log: Path) -> None:
    with log.open("wb", buffering=0) as writer:
        writer.write(b"one\ntwo\n")
        rig.step()
        os.truncate(log, 0)
        writer.write(b"three\n")
        found = [chunk for _ in range(3) for chunk in chunks(rig)]
    assert [(chunk.skipped_nul, chunk.data) for chunk in found] == [(8, b""), (0, b"three\n")]
    assert rig.receiver.lines == [b"one", b"two", b"three"]


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("punched", [20, 200])
def test_a_hole_punched_where_a_log_begins_changes_nothing_behind_it(
    rig: Rig, log: Path, punched: int, is_running: bool
) -> None:
    expected = [f"line {number} with some text".encode() for number in range(40)]
    log.write_bytes(b"".join(line + b"\n" for line in expected))
    rig.step()
    if not is_running:
        rig.stop()
    with log.open("r+b") as file:
        file.write(b"\0" * punched)
    with log.open("ab") as file:
        file.write(b"new 1\n")
    if not is_running:
        rig.start()
    rig.step()
    rig.restart()
    with log.open("ab") as file:
        file.write(b"new 2\n")
    assert rig.settle() == [*expected, b"new 1", b"new 2"]
    assert len(rig.receiver.arrivals) == 42
    assert not rig.told(What.LOST)


def test_a_huge_sparse_hole_costs_no_reading(rig: Rig, log: Path) -> None:
    append(log, b"one\n")
    os.truncate(log, 10**12)
    with log.open("r+b") as file:
        file.seek(10**12)
        file.write(b"two\n")
    assert rig.step() == [b"one", b"two"]


def test_nul_bytes_at_the_end_wait_until_something_follows(rig: Rig, log: Path) -> None:
    append(log, b"one\n\0\0\0")
    assert [chunk.data for chunk in chunks(rig)] == [b"one\n"]
    append(log, b"two\n")
    assert [(chunk.skipped_nul, chunk.data) for chunk in chunks(rig)] == [(3, b""), (0, b"two\n")]


def test_crlf_bom_and_latin_1_are_handed_out_as_they_stand(rig: Rig, log: Path) -> None:
    data = b"\xef\xbb\xbfone\r\ntw\xe9\n\xff\xfe\x00x\n"
    append(log, data)
    assert b"".join(chunk.data for chunk in chunks(rig)) == data


def test_a_last_line_without_newline_counts_in_a_rotated_file_after_a_minute(rig: Rig, log: Path) -> None:
    append(log, b"one\ntwo")
    rig.step()
    log.rename(log.with_name("access.log.1"))
    rig.step()
    rig.clock.pass_s(59)
    assert rig.step() == [b"one"]
    rig.clock.pass_s(2)
    assert rig.step() == [b"one", b"two"]


def test_a_last_line_without_newline_counts_in_a_compressed_file_at_once(rig: Rig, log: Path) -> None:
    append(log, b"one\ntwo")
    rig.step()
    rig.stop()
    log.with_name("access.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    rig.start()
    assert rig.step() == [b"one", b"two"]


def test_once_leaves_a_last_line_without_newline_and_what_comes_later(tmp_path: Path, log: Path) -> None:
    append(log, b"one\ntwo")
    rig = Rig(tmp_path / "state", source(log, start_at="end"), once=True)
    rig.look()
    append(log, b"\nthree\n")
    rig.clock.pass_s(100)
    assert rig.step() == [b"one"]


def test_lines_of_one_second_survive_a_restart(rig: Rig, log: Path) -> None:
    for number in range(4):
        append(log, b"10/Oct/2000:13:55:36 same second %d\n" % number)
        rig.step()
        rig.restart()
    assert len(rig.step()) == 4
    assert len(rig.receiver.arrivals) == 4


LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"").replace(b"\0", b"")), max_size=40)


@given(lines=LINES, limit=st.integers(1, 60), longest=st.integers(1, 40), tail=st.binary(max_size=5))
@settings(max_examples=60)
def test_every_line_is_read_byte_for_byte_and_every_position_is_a_line_start(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], limit: int, longest: int, tail: bytes
) -> None:
    tail = tail.replace(b"\n", b"").replace(b"\0", b"")
    path = tmp_path_factory.mktemp("lines") / "log"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + tail)
    content = PlainContent(os.open(path, os.O_RDONLY))
    found: list[Stretch] = []
    at, before = 0, b""
    while (stretch := next_stretch(content, at, Bounds(limit, longest), Lookahead(), before)) is not None:
        found.append(stretch)
        at, before = stretch.end, stretch.before_end
        with pytest.raises(ReplacedError):
            next_stretch(content, at, Bounds(limit, longest), Lookahead(), before[:-1] + b"x")
        assert content.read_at(at - 1, 1) == b"\n"
        assert content.read_at(max(0, at - 256), min(256, at)).endswith(stretch.before_end)
    content.close()
    whole = b"".join(stretch.data for stretch in found if not stretch.oversize)
    assert whole == b"".join(line + b"\n" for line in lines if len(line) <= longest)
    assert [stretch.data[:-1] for stretch in found if stretch.oversize] == [
        line[:longest] for line in lines if len(line) > longest
    ]


@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=60), longest=st.integers(1, 30))
def test_the_first_over_long_line_of_a_block_is_found(lengths: list[int], longest: int) -> None:
    data = b"".join(b"x" * length + b"\n" for length in lengths)
    starts = [sum(lengths[:index]) + index for index in range(len(lengths))]
    expected = next((start for start, length in zip(starts, lengths, strict=True) if length > longest), None)
    assert over_long_line(data, longest) == expected
