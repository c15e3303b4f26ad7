"""In which order and portions a run is handed out: oldest first, and no worker idle while another has much left."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.backfill.run_settings import BackfillLog, LogPiece
from logship.backfill.schedule import EXPANSION, MAX_PIECE_BYTES, MIN_PIECE_BYTES, Schedule, work_of
from tests.backfill.run_settings import log_of

MB = 1_000_000


def handed_out(logs: list[BackfillLog], jobs: int) -> Iterator[tuple[LogPiece, int, int]]:
    """Each piece with when its worker begins and ends it, where a worker does one byte of log in a moment."""
    schedule = Schedule(logs)
    free_at = [0] * jobs
    while schedule:
        while (log := schedule.next_log(jobs)) is not None:
            schedule.put(pieces_of(schedule, log, jobs))
        piece = schedule.next_piece()
        assert piece is not None
        begin = heapq.heappop(free_at)
        end = begin + (work_of(piece.log) if piece.end is None else piece.end - piece.start)
        heapq.heappush(free_at, end)
        yield piece, begin, end


def pieces_of(schedule: Schedule, log: BackfillLog, jobs: int) -> list[LogPiece]:
    if not log.is_divisible:
        return [LogPiece(0, log, 0, None)]
    pieces, at = [], 0
    while at < log.size_bytes:
        end = min(log.size_bytes, at + schedule.portion(jobs, log.size_bytes - at))
        pieces.append(LogPiece(0, log, at, end))
        at = end
    return pieces


def gz(number: int, size_bytes: int) -> BackfillLog:
    return log_of(f"/logs/access.log.{number}.gz", size_bytes, number=number, compression="gz")


def plain(number: int, size_bytes: int) -> BackfillLog:
    return log_of(f"/logs/access.log.{number}", size_bytes, number=number)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3_000 * MB)), max_size=12),
    st.integers(1, 9),
)
def test_everything_is_handed_out_once(sizes: list[tuple[bool, int]], jobs: int) -> None:
    logs = [(gz if packed else plain)(number, size) for number, (packed, size) in enumerate(sizes)]
    pieces = [piece for piece, _, _ in handed_out(logs, jobs)]
    for log in logs:
        parts = [(piece.start, piece.end) for piece in pieces if piece.log is log]
        if log.is_divisible:
            assert [part[0] for part in parts] == [0, *(part[1] for part in parts[:-1])]
            assert parts[-1][1] == log.size_bytes
            assert all(end - start <= MAX_PIECE_BYTES for start, end in parts if end is not None)
        else:
            assert parts == [(0, None)]


@pytest.mark.parametrize("jobs", [2, 3, 8])
@pytest.mark.parametrize("size_bytes", [5 * MB, 100 * MB, 1_000 * MB, 7_777 * MB])
def test_workers_at_one_file_end_together(size_bytes: int, jobs: int) -> None:
    ends: dict[int, int] = {}
    for number, (_, _, end) in enumerate(handed_out([plain(0, size_bytes)], jobs)):
        ends[number] = end
    assert max(ends.values()) - size_bytes / jobs <= MIN_PIECE_BYTES


def test_logs_begin_oldest_first() -> None:
    logs = [gz(0, 9 * MB), plain(1, 70 * MB), gz(2, 8 * MB), plain(3, 70 * MB), gz(4, 9 * MB), gz(5, 9 * MB)]
    run_settings = list(dict.fromkeys(piece.log.number for piece, _, _ in handed_out(logs, 2)))
    assert run_settings == [0, 1, 2, 3, 4, 5]


def test_a_large_archive_that_is_the_youngest_does_not_run_alone_at_the_end() -> None:
    logs = [plain(0, 100 * MB), *(gz(number, 4 * MB) for number in range(1, 8)), gz(8, 80 * MB)]
    ran = list(handed_out(logs, 2))
    assert ran[0][0].log.number == 8
    total = sum(map(work_of, logs))
    assert total == (100 + 7 * 4 * EXPANSION + 80 * EXPANSION) * MB
    assert max(end for _, _, end in ran) == 80 * EXPANSION * MB, "nothing can be sooner than its largest archive"


def test_it_begins_in_the_middle_of_a_plain_log_if_it_must() -> None:
    logs = [plain(0, 2_000 * MB), gz(1, 200 * MB)]
    numbers = [piece.log.number for piece, _, _ in handed_out(logs, 2)]
    assert 0 < numbers.index(1) < len(numbers) - 1
    assert max(end for _, _, end in handed_out(logs, 2)) <= 1_800 * MB + MAX_PIECE_BYTES


def test_a_single_worker_never_leaves_the_order() -> None:
    logs = [plain(0, 1 * MB), gz(1, 500 * MB), plain(2, 300 * MB)]
    assert [piece.log.number for piece, _, _ in handed_out(logs, 1)] == sorted(
        piece.log.number for piece, _, _ in handed_out(logs, 1)
    )


def test_the_rest_of_a_lost_piece_goes_out_next() -> None:
    schedule = Schedule([plain(0, 10 * MB), plain(1, 10 * MB)])
    first = schedule.next_log(1)
    assert first is not None
    schedule.put(pieces_of(schedule, first, 1))
    lost = schedule.next_piece()
    assert lost is not None
    rest = replace(lost, number=7, start=lost.start + 1)
    schedule.put([rest])
    assert schedule.next_piece() is rest
