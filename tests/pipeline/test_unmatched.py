"""Single odd lines are set aside; a hundred in a row hold the file at the first of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logship.event import Chunk, Conversion, LogFile
from logship.route.unmatched import RUN_LIMIT, Settled, UnmatchedRun, trailing_run

FILE = LogFile(1, "/var/log/access.log", "api", 7, "web-1")
NOTHING = Conversion(b"", (), (), (0,))


def chunk_and_conversion(fits: list[bool], start: int) -> tuple[Chunk, Conversion]:
    """One-byte lines; those that fit became events."""
    data = b"x\n" * len(fits)
    chunk = Chunk(FILE, start, start + len(data), data)
    starts = [start + 2 * number for number in range(len(fits) + 1)]
    lines = [number for number, fit in enumerate(fits) if fit]
    unmatched = [number for number, fit in enumerate(fits) if not fit]
    return chunk, Conversion.of(["{}"] * len(lines), lines, starts, unmatched)


def feed(run: UnmatchedRun, fits: list[bool], start: int) -> Settled:
    return run.settle(*chunk_and_conversion(fits, start))


def test_an_odd_line_between_good_ones_is_a_dead_letter_at_once() -> None:
    settled = feed(UnmatchedRun(0), [True, False, True], 0)
    assert (settled.start, settled.end, settled.lines) == (0, 6, 3)
    assert [letter.position for letter in settled.letters] == [2]


def test_an_odd_line_at_the_end_waits_for_its_successor() -> None:
    run = UnmatchedRun(0)
    first = feed(run, [True, False], 0)
    assert (first.end, first.lines, first.letters) == (2, 1, [])
    second = feed(run, [True], 4)
    assert (second.start, second.end, second.lines) == (2, 6, 2)
    assert [letter.position for letter in second.letters] == [2]


def test_a_hundred_unmatched_lines_hold_the_file_at_the_first() -> None:
    run = UnmatchedRun(0)
    feed(run, [True], 0)
    settled = [feed(run, [False] * 50, 2 + 100 * part) for part in range(2)]
    assert [part.newly_held for part in settled] == [False, True]
    assert run.is_held
    assert run.start == 2
    assert all(part.end == part.start for part in settled)


def test_a_held_file_goes_on_from_its_first_odd_line_once_a_later_line_fits() -> None:
    run = UnmatchedRun(0)
    feed(run, [False] * RUN_LIMIT, 0)
    position = 2 * RUN_LIMIT
    assert feed(run, [False], position).rewind_to is None
    ahead = feed(run, [False, True], position + 2)
    assert ahead.rewind_to == 0
    assert ahead.end == ahead.start
    again = feed(run, [False] * (RUN_LIMIT + 2) + [True], 0)
    assert not run.is_held
    assert again.end == 2 * (RUN_LIMIT + 3)
    assert len(again.letters) == RUN_LIMIT + 2


def test_over_long_lines_and_nuls_do_not_count_towards_the_hundred() -> None:
    run = UnmatchedRun(0)
    feed(run, [False] * (RUN_LIMIT - 1), 0)
    end = 2 * (RUN_LIMIT - 1)
    assert run.settle(Chunk(FILE, end, end + 9, b"long\n", oversize=True), NOTHING).end == 0
    assert run.settle(Chunk(FILE, end + 9, end + 20, b"", skipped_nul=11), NOTHING).end == 0
    assert not run.is_held
    settled = feed(run, [True], end + 20)
    assert settled.end == end + 22
    assert len(settled.letters) == RUN_LIMIT


def test_when_nothing_more_comes_a_short_run_is_dead_letters() -> None:
    run = UnmatchedRun(0)
    feed(run, [False, False], 0)
    settled = run.finish(4)
    assert (settled.start, settled.end, len(settled.letters)) == (0, 4, 2)


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=40), max_size=12))
def test_short_runs_settle_every_line_once_whatever_the_chunks(chunks: list[list[bool]]) -> None:
    run = UnmatchedRun(0)
    position, edge, lines, letters = 0, 0, 0, 0
    for fits in chunks:
        settled = feed(run, fits, position)
        position += 2 * len(fits)
        if run.is_held:
            return
        assert settled.start == edge
        edge, lines, letters = settled.end, lines + settled.lines, letters + len(settled.letters)
    rest = run.finish(position)
    assert rest.start == edge
    assert rest.end == position or not chunks or rest.end == edge == position
    total = [fit for fits in chunks for fit in fits]
    assert lines + rest.lines == len(total)
    assert letters + len(rest.letters) == total.count(False)


@given(st.lists(st.booleans(), max_size=30))
def test_the_trailing_run_is_what_stands_after_the_last_fitting_line(fits: list[bool]) -> None:
    unmatched = [number for number, fit in enumerate(fits) if not fit]
    wanted = 0
    for fit in reversed(fits):
        if fit:
            break
        wanted += 1
    assert len(unmatched) - trailing_run(unmatched, len(fits)) == wanted
