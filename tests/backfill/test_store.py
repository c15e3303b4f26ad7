"""Logs that are no files of this machine: objects in stores, read through fsspec by whoever works at them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from logship.backfill.plan import Identity
from tests.backfill.receiver import Receiver
from tests.backfill.world import COMPRESS, World, access_lines, joined, truth, write_old

LINES = access_lines(3_000)
HOME = "/srv/log"


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    """The memory of this process as an object store."""
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/bucket", recursive=True)


def test_objects_of_every_form_are_found_by_glob_and_directory(
    world: World, receiver: Receiver, store: fsspec.AbstractFileSystem
) -> None:
    ids: set[str] = set()
    for number, (suffix, compress) in enumerate(COMPRESS.items(), 1):
        lines = access_lines(600, first=number * 600, seed=number)
        store.pipe(f"/bucket/old/access.log.{number}{suffix}", compress(joined(lines)))
        ids |= truth(Path(f"{HOME}/access.log"), lines)
    home = Identity(original_dir=HOME)
    some = world.here("memory://bucket/old/*.gz", identity=home)
    assert (some.code, some["sent"]) == (0, 600)
    rest = world.here("memory://bucket/old/", identity=home)
    assert (rest.code, rest["sent"], rest["already_confirmed"]) == (0, 2_400, 600)
    assert (receiver.ids, receiver.repeats) == (ids, 0)


def test_a_plain_object_is_searched_by_time_and_resumed(
    world: World, receiver: Receiver, store: fsspec.AbstractFileSystem
) -> None:
    store.pipe("/bucket/access.log.1", joined(LINES))
    url = "memory://bucket/access.log.1"
    assert world.here(url, until="2023-11-14T22:30:00.000Z")["sent"] == 1_000
    rest = world.here(url)
    assert rest["sent"] + rest["already_confirmed"] == len(LINES)
    assert len(receiver.ids) == len(LINES)


def test_worker_processes_read_the_objects_themselves(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log.3.gz", gzip.compress(joined(LINES)))
    summary = world.summary("--original-dir", world.logs, f"local://{path}")
    assert (summary.code, summary["sent"]) == (0, len(LINES))
    assert receiver.ids == truth(path, LINES), "where it is read from makes no other ids"


def test_an_object_that_is_not_there_is_said(world: World, store: fsspec.AbstractFileSystem) -> None:
    store.pipe("/bucket/access.log.1", joined(LINES[:10]))
    summary = world.here("memory://bucket/none.log", "memory://bucket/*.none", "memory://bucket/access.log.1")
    said = {remark["path"]: remark["message"] for remark in summary["remarks"]}
    assert said["memory://bucket/none.log"] == "there is no such object"
    assert said["memory://bucket/*.none"] == "matches no object"
    assert (summary.code, summary["sent"]) == (1, 10)
