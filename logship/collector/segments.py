"""The events of a store as segments of columns, made from the events themselves some moments after they were stored.

A crash can't make both differ: a segment is written in one transaction with `folded`, which says up to which id the
events are in segments. Those behind it are few and are read from the events. Small neighbours are merged, so that the
number of segments grows with the logarithm of a trickle and with the events only where they are many.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np

from logship.collector.columns import NAMES, Array, GoneError, Packed, Segment, held, merged, only, packed
from logship.collector.database import Database, Record, Run
from logship.collector.digest import WHOLE, packed_digest
from logship.collector.kept import Kept
from logship.records import record

log = logging.getLogger(__name__)

T = TypeVar("T")

SEGMENT_EVENTS = 65_536  # at most, so that a code takes two bytes
FOLDED_AT_ONCE = 50_000  # events in one transaction
TAIL_EVENTS = 100_000  # not in a segment yet and read all the same; what is behind them has to wait for its segment
TRIES = 5  # of a reader whose segments are merged meanwhile
KEPT_BYTES = 48_000_000  # of columns
COLUMNS = ", ".join(NAMES)

NEXT = f"SELECT application_id, {COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
TAIL = f"SELECT {COLUMNS} FROM events WHERE id > ? AND application_id = ? ORDER BY id LIMIT ?"  # noqa: S608
KNOWN = """
SELECT f.last_id, s.id, s.events, s.first_id, s.last_id, s.oldest_ms, s.newest_ms
FROM folded f LEFT JOIN segments s ON s.application_id = ? ORDER BY s.last_id
"""
LAST = "SELECT id, events FROM segments WHERE application_id = ? ORDER BY last_id DESC LIMIT 1"
WITHOUT_DIGEST = """
SELECT id, events FROM segments
WHERE NOT EXISTS (SELECT 1 FROM columns WHERE segment_id = segments.id AND name = ?) ORDER BY id
"""
ADD = """
INSERT INTO segments (application_id, events, first_id, last_id, oldest_ms, newest_ms) VALUES (?, ?, ?, ?, ?, ?)
RETURNING id
"""


@record
class KnownSegment:
    """What is known of a segment without its columns; `id` 0 is the tail."""

    id: int
    events: int
    first_id: int
    last_id: int
    oldest_ms: int
    newest_ms: int
    columns: Segment


class Segments:
    """The segments of a database for its readers; any thread. Keeps the columns that were used last."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._kept = Kept[bytes](KEPT_BYTES)

    def look(self, application_id: str, at: Callable[[list[KnownSegment]], T]) -> T:
        """What `at` gives of the segments of an application; again with new ones when one of them is gone meanwhile."""
        for _ in range(TRIES - 1):
            try:
                return at(self.of(application_id))
            except GoneError:
                log.debug("a segment was merged or rewritten during a look; looking again")
        return at(self.of(application_id))

    def of(self, application_id: str) -> list[KnownSegment]:
        """Every segment of an application, the events behind the last one as a segment with the id 0."""
        records = self.database.read(KNOWN, (application_id,))
        known = [
            KnownSegment(number, events, first, last, oldest, newest, Segment(events, partial(self._fetch, number)))
            for _, number, events, first, last, oldest, newest in records
            if number is not None
        ]
        tail = self.database.read(TAIL, (int(records[0][0]), application_id, TAIL_EVENTS))
        if tail:
            ids, times = [record[0] for record in tail], [record[1] for record in tail]
            known.append(KnownSegment(0, len(tail), ids[0], ids[-1], min(times), max(times), segment_of(tail)))
        return known

    def _fetch(self, segment_id: int, names: tuple[str, ...]) -> Packed:
        kept = {name: self._kept.get((segment_id, name)) for name in names}
        found = {name: data for name, data in kept.items() if data is not None}
        missing = [name for name in names if name not in found]
        if missing:
            read = fetched(self.database.read, segment_id, missing)
            found.update(read)
            for name, data in read.items():
                self._kept.keep((segment_id, name), data, len(data))
        return found


def fetched(read: Callable[[str, Sequence[Any]], list[Record]], segment_id: int, names: Sequence[str]) -> Packed:
    """Those of these columns of a segment that there are."""
    places = ",".join("?" * len(names))
    statement = f"SELECT name, data FROM columns WHERE segment_id = ? AND name IN ({places})"  # noqa: S608
    records = read(statement, (segment_id, *names))
    return {name: bytes(data) for name, data in records}


def segment_of(records: Sequence[Record]) -> Segment:
    """A segment of records with the columns of NAMES."""
    columns = packed(dict(zip(NAMES, zip(*records, strict=True), strict=True)))
    return held(len(records), columns)


class Pending:
    """The events that were stored last, as columns at hand, so that the store need not read them again.

    They can be folded only where the store's count ends right before them; else (repeats were passed over, another
    process stored or erased in between) the store reads its events itself.
    """

    def __init__(self) -> None:
        self._after_id = self._last_id = 0
        self._is_known = True
        self._records: list[Record] = []  # application_id and NAMES of each

    def __len__(self) -> int:
        return len(self._records)

    def add(self, rows: Sequence[Any], last_id: int | None) -> None:
        """Takes EventRows that were stored under the ids up to `last_id`; None: it isn't known which of them were."""
        if not rows:
            return
        if last_id is None or (self._records and last_id - len(rows) != self._last_id):
            self._is_known = False
            self._records.clear()
        if not self._is_known or last_id is None:
            return
        if not self._records:
            self._after_id = last_id - len(rows)
        self._last_id = last_id
        self._records += [
            (one[0], number, one[3], one[5], one[10], one[11], one[4], one[6], one[7], one[8], one[9], *one[12:17])
            for number, one in enumerate(rows, last_id - len(rows) + 1)
        ]

    def following(self, folded_id: int) -> list[Record] | None:
        """The records right behind `folded_id`, None where these are others."""
        return self._records if self._is_known and self._records and self._after_id == folded_id else None


def fold(database: Database, pending: Pending | None = None) -> bool:
    """Puts the next stored events into segments; whether there may be more."""
    with database.transaction() as run:
        folded_id = int(run("SELECT last_id FROM folded", ())[0][0])
        records = pending.following(folded_id) if pending else None
        if records is None:
            records = run(NEXT, (folded_id, FOLDED_AT_ONCE))
        if not records:
            return False
        for start in range(0, len(records), SEGMENT_EVENTS):
            by_application = sorted(records[start : start + SEGMENT_EVENTS], key=itemgetter(0))
            for application_id, group in groupby(by_application, key=itemgetter(0)):
                add(run, application_id, joined_with_last(run, application_id, packed_records(list(group))))
        run("UPDATE folded SET last_id = ?", (int(records[-1][1]),))
    return len(records) >= FOLDED_AT_ONCE


def packed_records(records: Sequence[Record]) -> tuple[int, Packed]:
    """Number and columns of records that begin with their application."""
    return len(records), packed(dict(zip(("", *NAMES), zip(*records, strict=True), strict=True)))


def add(run: Run, application_id: str, made: tuple[int, Packed]) -> None:
    """Writes a segment."""
    events, columns = made
    segment = held(events, columns)
    ids, times = segment.numbers("id"), segment.numbers("time_ms")
    bounds = (int(ids.min()), int(ids.max()), int(times.min()), int(times.max()))
    segment_id = int(run(ADD, (application_id, events, *bounds))[0][0])
    keep(run, segment_id, columns)
    keep(run, segment_id, packed_digest(segment))


def keep(run: Run, segment_id: int, made: Packed) -> None:
    for name, data in made.items():
        run("INSERT INTO columns VALUES (?, ?, ?)", (segment_id, name, data))


def without_digest(database: Database) -> list[tuple[int, int]]:
    """Id and number of events of the segments that a program without digests made."""
    return [(int(one[0]), int(one[1])) for one in database.read(WITHOUT_DIGEST, (WHOLE,))]


def add_digest(database: Database, segment_id: int, events: int) -> None:
    """Gives a segment its digest if it still is there."""
    with database.transaction() as run, suppress(GoneError):
        keep(run, segment_id, packed_digest(whole(run, segment_id, events)))


def remove(run: Run, segment_id: int) -> None:
    run("DELETE FROM columns WHERE segment_id = ?", (segment_id,))
    run("DELETE FROM segments WHERE id = ?", (segment_id,))


def joined_with_last(run: Run, application_id: str, made: tuple[int, Packed]) -> tuple[int, Packed]:
    """A new segment, and in it the last ones, as long as the one before is hardly larger: those are removed.

    Only what comes of it is written, and has its digest made: most of what a new segment costs.
    """
    events, columns = made
    while True:
        last = run(LAST, (application_id,))
        if not last:
            return events, columns
        before, many = int(last[0][0]), int(last[0][1])
        if many > 2 * events or many + events > SEGMENT_EVENTS:
            return events, columns
        columns = merged(whole(run, before, many), held(events, columns))
        remove(run, before)
        events += many


def whole(run: Run, segment_id: int, events: int) -> Segment:
    """A segment inside a transaction."""
    return Segment(events, lambda names: fetched(run, segment_id, names))


def take_out(run: Run, application_id: str, ids: Array) -> None:
    """Removes the events with these ids from their segments."""
    bounds = (application_id, int(ids.min()), int(ids.max()))
    known = run("SELECT id, events FROM segments WHERE application_id = ? AND last_id >= ? AND first_id <= ?", bounds)
    for segment_id, events in known:
        segment = whole(run, int(segment_id), int(events))
        keep = ~np.isin(segment.numbers("id"), ids)
        left = int(keep.sum())
        if left == events:
            continue
        columns = only(segment, keep) if left else {}
        remove(run, int(segment_id))
        if left:
            add(run, application_id, (left, columns))


def erase_ids(database: Database, ids: Mapping[str, Array]) -> int:
    """Deletes events of applications by their ids, from their segments too, durably; how many there were.

    All of them in one transaction: an event is stored and shown, or neither. What is in no segment yet is put into one
    first, so that nothing pending that holds a removed event can be folded any more.
    """
    while fold(database):
        pass
    gone = 0
    with database.transaction() as run:
        for application_id, numbers in ids.items():
            take_out(run, application_id, numbers)
            for start in range(0, len(numbers), 500):
                piece = [int(one) for one in numbers[start : start + 500]]
                places = ",".join("?" * len(piece))
                deleted = run(f"DELETE FROM events WHERE id IN ({places}) RETURNING id", piece)  # noqa: S608
                gone += len(deleted)
    database.make_durable()
    return gone
