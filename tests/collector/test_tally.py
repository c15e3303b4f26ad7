"""Counts made of rows at hand are those the store makes of its events."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.collector.retention import erase
from logship.collector.rollup import fold, fold_tally
from logship.collector.row import EventRow
from logship.collector.sqlite_store import SqliteStore
from logship.collector.tally import MAX_KINDS, Tally
from logship.collector.writer import Writer
from tests.collector.sending import many
from tests.collector.test_stores import ARRIVED_MS, rows_of

DAY_MS = 86_400_000


def varied(count: int, *, first: int = 0, seed: int = 7) -> list[EventRow]:
    """Rows of every kind: old and new, with and without an answer, weighted, of two applications."""
    choose = random.Random(seed)
    rows: list[EventRow] = []
    for row in rows_of(many(count, first=first)):
        has_answer = choose.random() < 0.9
        changed = row._replace(
            application_id=choose.choice(("shop", "other")),
            time_ms=ARRIVED_MS - choose.choice((0, 59_000, 3_600_000, 2 * DAY_MS - 1, 2 * DAY_MS, 40 * DAY_MS)),
            verb=choose.choice(("GET", "POST", "BREW")),
            status=choose.choice((200, 399, 400, 499, 500, 599, 600)) if has_answer else None,
            duration_ms=choose.choice((0.0, 12.0, 60_000.0)) if has_answer else None,
            route=choose.choice(("/", "/items/{id}")),
            user_id=choose.choice((None, "ann")),
            weight=choose.choice((1, 1, 10)),
        )
        rows.append(changed)
    return rows


def counts(store: SqliteStore) -> list[tuple[object, ...]]:
    """Everything that is counted, and up to where."""
    found: list[tuple[object, ...]] = []
    for statement in (
        "SELECT * FROM traffic ORDER BY application_id, step_s, start_s, verb, status",
        "SELECT * FROM routes ORDER BY application_id, step_s, start_s, route",
        "SELECT last_id FROM folded",
    ):
        found += store.read(statement)
    return found


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[[str], SqliteStore]:
    return lambda name: SqliteStore(tmp_path / name)


def test_a_tally_counts_what_the_store_would(make_store: Callable[[str], SqliteStore]) -> None:
    told, asked = make_store("told.db"), make_store("asked.db")
    for number in range(3):
        tally = Tally()
        for rows in (varied(300, first=number * 1_000), varied(77, first=number * 1_000 + 500, seed=number)):
            tally.add(rows, told.insert(rows))
            asked.insert(rows)
        assert fold_tally(told, tally)
        assert not fold(told)
        fold(asked)
        assert counts(told) == counts(asked)


def test_counts_are_right_where_repeats_were_passed_over(make_store: Callable[[str], SqliteStore]) -> None:
    told, asked = make_store("told.db"), make_store("asked.db")
    tally = Tally()
    for rows in (varied(20), varied(30), varied(10, first=100)):  # twenty of thirty were there before
        tally.add(rows, told.insert(rows))
        asked.insert(rows)
    assert not fold_tally(told, tally)
    fold(told)
    fold(asked)
    assert counts(told) == counts(asked)


def test_a_tally_of_erased_events_is_not_added(make_store: Callable[[str], SqliteStore]) -> None:
    told, asked = make_store("told.db"), make_store("asked.db")
    tally = Tally()
    rows = varied(200)
    tally.add(rows, told.insert(rows))
    asked.insert([row for row in rows if row.user_id != "ann"])
    eraser = make_store("told.db")
    assert erase(eraser, "ann") > 20
    eraser.close()
    assert not fold_tally(told, tally)
    fold(told)
    fold(asked)
    slowest = -1  # that a longest duration was an erased event's is not known afterwards
    assert [one[:slowest] for one in counts(told)] == [one[:slowest] for one in counts(asked)]


@pytest.mark.parametrize("turns", ["tot", "ott", "tto"])
def test_another_process_s_events_are_counted_too(make_store: Callable[[str], SqliteStore], turns: str) -> None:
    told, asked, other = make_store("told.db"), make_store("asked.db"), make_store("told.db")
    tally = Tally()
    for number, turn in enumerate(turns):
        rows = varied(20, first=100 * number)
        if turn == "t":
            tally.add(rows, told.insert(rows))
        else:
            other.insert(rows)
        asked.insert(rows)
    assert fold_tally(told, tally) == (turns == "tto")
    fold(told)
    fold(asked)
    assert counts(told) == counts(asked)


def test_times_before_1970_are_left_to_the_store(make_store: Callable[[str], SqliteStore]) -> None:
    store = make_store("events.db")
    tally = Tally()
    rows = [row._replace(time_ms=-1) for row in varied(5)]
    tally.add(rows, store.insert(rows))
    assert not fold_tally(store, tally)


def test_a_writer_counts_as_it_stores_and_keeps_little_in_memory(make_store: Callable[[str], SqliteStore]) -> None:
    told, asked = make_store("told.db"), make_store("asked.db")
    rows = [row._replace(time_ms=ARRIVED_MS - 60_000 * number) for number, row in enumerate(varied(MAX_KINDS + 100))]
    writer = Writer(told, lambda: None)
    writer.start()
    for start in range(0, len(rows), 500):
        writer.submit(rows[start : start + 500]).result(60)
    writer.close()
    asked.insert(rows)
    fold(asked)
    assert counts(told) == counts(asked)
