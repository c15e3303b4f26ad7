"""Databases of other versions: one that an earlier logship wrote is read, one of a later logship is left alone."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from logship.checkpoint import Anchor, Checkpoint, Range
from logship.errors import StateError
from logship.state import State, schema
from logship.state.folder import DATABASE, MARKER
from tests.tail.driver import FakeClock

KEPT = Path(__file__).with_name("versions")  # one database a schema version, as that logship left it at its stop
ROW = Checkpoint(
    generation=3,
    source="shop",
    receiver="https://receiver.test",
    directory="/var/log/nginx",
    stem="access.log",
    origin="web-1",
    path="/var/log/nginx/access.log.1",
    device=2**64 - 1,
    inode=2**63 + 5,
    size_bytes=1000,
    mtime_ns=1_700_000_000_000_000_000,
    first_line=b"f" * 16,
    key=2**42 - 1,
    range_start=100,
    position=500,
    anchors=(Anchor(400, b"a" * 16), Anchor(500, b"b" * 16)),
    is_finished=True,
    lost_bytes=17,
    gone_at_s=1_700_000_100.5,
)


def placed(folder: Path, version: int) -> Path:
    """A state directory with the kept database of that schema version."""
    folder.mkdir()
    (folder / MARKER).touch()
    return Path(shutil.copy(KEPT / f"{version}.db", folder / DATABASE))


@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION + 1))
def test_a_database_of_every_version_so_far_is_read_and_written_on(tmp_path: Path, version: int) -> None:
    placed(tmp_path / "state", version)
    for _ in range(2):  # as it was kept, and after this version has written to it
        state = State.open(tmp_path / "state", FakeClock())
        assert not state.is_first_start
        assert not state.is_lost
        assert state.load() == [ROW]
        assert state.ranges(ROW.receiver, 2**42 - 1) == [Range(0, 60, b"z" * 16), Range(100, 500, b"b" * 16)]
        assert state.note("kept") == "yes"
        assert state.save([ROW])
        state.close()


def test_this_version_makes_the_tables_that_are_kept(tmp_path: Path) -> None:
    """A changed table needs a new version, a way from the old ones, and a database kept here."""
    State.open(tmp_path / "state", FakeClock()).close()
    assert tables(tmp_path / "state" / DATABASE) == tables(placed(tmp_path / "kept", schema.SCHEMA_VERSION))


def test_a_database_of_a_newer_version_is_refused_and_not_a_byte_of_the_directory_changes(tmp_path: Path) -> None:
    path = placed(tmp_path / "state", schema.SCHEMA_VERSION)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("ALTER TABLE generations ADD COLUMN invented_later TEXT")
    connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    connection.close()
    before = digests(tmp_path / "state")
    with pytest.raises(StateError, match=f"newer logship .schema {schema.SCHEMA_VERSION + 1}"):
        State.open(tmp_path / "state", FakeClock(), daemon=False)
    assert digests(tmp_path / "state") == before


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    try:
        return {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    finally:
        connection.close()


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
