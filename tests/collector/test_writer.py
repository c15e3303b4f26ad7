"""Many requests, one commit; and what senders are told when it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
import pytest

from logship.collector.database import Record, Run, StoreUnavailableError, Value
from logship.collector.intake import Intake
from logship.collector.row import EventRow
from logship.collector.writer import Writer
from tests.collector.sending import many


class Gate:
    """A Database whose first insert waits until it is opened; later ones raise `failure` if one is set.

    Its disk answers an fsync when `disk` is set, with `disk_failure` if there is one.
    """

    holds_text = ""

    def __init__(self, failure: Exception | None = None) -> None:
        self.disk = threading.Event()
        self.disk.set()
        self.disk_failure: Exception | None = None
        self.inserted = threading.Event()
        self.inserts: list[int] = []
        self.open = threading.Event()
        self.entered = threading.Event()
        self.failure = failure
        self.fails_at = -1  # after so many inserts

    def insert(self, rows: Sequence[EventRow]) -> None:
        self.entered.set()
        assert self.open.wait(20)
        if self.failure is not None:
            raise self.failure
        if len(self.inserts) == self.fails_at:
            raise StoreUnavailableError("full")
        self.inserts.append(len(rows))
        self.inserted.set()

    def make_durable(self) -> None:
        assert self.disk.wait(20)
        if self.disk_failure is not None:
            raise self.disk_failure

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        def nothing(statement: str, values: Sequence[Value]) -> list[Record]:
            return [(0,)] if "last_id" in statement else []

        yield nothing

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[Record]:
        return []

    def size_bytes(self) -> int:
        return 0

    def close(self) -> None:
        return


def rows(count: int) -> list[EventRow]:
    body = orjson.dumps(many(count))
    return Intake().rows(body, batch=True, application_id="a", received_ms=0, peer="")


def test_what_waits_during_a_commit_shares_the_next_one() -> None:
    gate = Gate()
    writer = Writer(gate, lambda: None)
    writer.start()
    first = writer.submit(rows(1))
    assert gate.entered.wait(20)
    others = [writer.submit(rows(2)) for _ in range(20)]
    assert not first.done()
    gate.open.set()
    for future in (first, *others):
        assert future.result(20) is None
    writer.close()
    assert gate.inserts == [1, 40]


def long_rows(count: int) -> list[EventRow]:
    return [row._replace(transaction_id=str(number), event="x" * 1_000) for number, row in enumerate(rows(count))]


def test_a_small_batch_waits_for_a_slice_of_a_long_one_and_not_for_all_of_it() -> None:
    gate = Gate()
    writer = Writer(gate, lambda: None)
    writer.start()
    long = writer.submit(long_rows(5_000), 5_000_000)
    assert gate.entered.wait(20)
    small = writer.submit(rows(1), 300)
    gate.open.set()
    assert small.result(20) is None
    assert gate.inserts[:2] == [2_000, 1]
    assert long.result(20) is None
    writer.close()
    assert gate.inserts == [2_000, 1, 2_000, 1_000]


def test_a_long_batch_without_ids_is_stored_as_a_whole() -> None:
    gate = Gate()
    gate.open.set()
    writer = Writer(gate, lambda: None)
    writer.start()
    assert writer.submit([row._replace(transaction_id=None) for row in long_rows(5_000)], 5_000_000).result(20) is None
    writer.close()
    assert gate.inserts == [5_000]


def test_a_long_batch_that_fails_in_the_middle_fails_once_and_the_next_one_is_stored() -> None:
    gate = Gate()
    writer = Writer(gate, lambda: None)
    writer.start()
    gate.fails_at = 1
    gate.open.set()
    with pytest.raises(StoreUnavailableError):
        writer.submit(long_rows(5_000), 5_000_000).result(20)
    gate.fails_at = -1
    assert writer.submit(rows(3)).result(20) is None
    writer.close()
    assert gate.inserts == [2_000, 3]


def test_a_full_store_fails_every_request_of_the_commit_and_the_writer_goes_on() -> None:
    gate = Gate(StoreUnavailableError("full"))
    gate.open.set()
    writer = Writer(gate, lambda: None)
    writer.start()
    with pytest.raises(StoreUnavailableError, match="full"):
        writer.submit(rows(1)).result(20)
    gate.failure = None
    assert writer.submit(rows(3)).result(20) is None
    writer.close()
    assert gate.inserts == [3]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_is_told_to_the_senders_and_ends_the_collector() -> None:
    gate = Gate(RuntimeError("a bug"))
    ended = threading.Event()
    writer = Writer(gate, ended.set)
    writer.start()
    first = writer.submit(rows(1))
    assert gate.entered.wait(20)
    waiting = writer.submit(rows(1))
    gate.open.set()
    for future in (first, waiting):
        with pytest.raises(StoreUnavailableError):
            future.result(20)
    assert ended.wait(20)
    with pytest.raises(StoreUnavailableError, match="stopping"):
        writer.submit(rows(1))


def test_closing_commits_what_was_submitted_before() -> None:
    gate = Gate()
    writer = Writer(gate, lambda: None)
    writer.start()
    futures = [writer.submit(rows(1)) for _ in range(5)]
    closing = threading.Thread(target=writer.close)
    closing.start()
    gate.open.set()
    closing.join(20)
    assert [future.result(0) for future in futures] == [None] * 5
    assert sum(gate.inserts) == 5


def test_nobody_is_told_before_the_disk_has_it_and_meanwhile_others_are_stored() -> None:
    gate = Gate()
    gate.open.set()
    gate.disk.clear()
    writer = Writer(gate, lambda: None)
    writer.start()
    first = writer.submit(rows(1))
    assert gate.inserted.wait(20)
    gate.inserted.clear()
    second = writer.submit(rows(2))
    assert gate.inserted.wait(20), "it does not wait for the fsync of the first"
    assert not first.done()
    assert not second.done()
    gate.disk.set()
    assert (first.result(20), second.result(20)) == (None, None)
    writer.close()


def test_a_disk_that_fails_is_told_to_everybody_and_ends_the_collector() -> None:
    """After a failed fsync the next may succeed without the pages that were lost."""
    gate = Gate()
    gate.open.set()
    gate.disk_failure = StoreUnavailableError("Input/output error")
    ended = threading.Event()
    writer = Writer(gate, ended.set)
    writer.start()
    with pytest.raises(StoreUnavailableError, match="did not keep"):
        writer.submit(rows(1)).result(20)
    assert ended.wait(20)
    gate.disk_failure = None
    with pytest.raises(StoreUnavailableError, match="did not keep"):
        writer.submit(rows(1)).result(20)
    writer.close()


def test_a_request_that_is_cut_is_stored_all_the_same() -> None:
    gate = Gate()
    writer = Writer(gate, lambda: None)
    writer.start()
    future = writer.submit(rows(1))
    assert not future.cancel()
    gate.open.set()
    assert future.result(20) is None
    writer.close()
