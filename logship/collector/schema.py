"""The tables of a collector's store: one schema, two databases.

events    every event once; `id` is the order of arrival
segments  the same events as columns, some thousands at a time: what figures, charts, lists and filters read
columns   the columns of each segment, see columns.py, and what its events say together, see digest.py
folded    how far `events` is in segments
profiles  users, companies and subscriptions, one merged document each
actions   what users did beside calling the API

events_once makes (application_id, transaction_id) unique. It holds the id turned round: ours begin with a checksum and
end with the place in the log, so that the index grows at one end instead of touching a random page for each event.
Where the order is free, the column that differs most stands first: databases compare the first one fastest.
"""

from __future__ import annotations

from logship.collector.row import EventRow
from logship.records import record

VERSION = 3  # of the tables; an older store is migrated, see migrations.py, a newer one is not touched

TABLES = """
CREATE TABLE IF NOT EXISTS events (
  id {serial},
  application_id TEXT NOT NULL,
  transaction_id TEXT,
  received_at BIGINT NOT NULL,
  time_ms BIGINT NOT NULL,
  verb TEXT NOT NULL,
  status INTEGER,
  path TEXT NOT NULL,
  route TEXT NOT NULL,
  user_id TEXT,
  source TEXT NOT NULL,
  duration_ms DOUBLE PRECISION,
  weight BIGINT NOT NULL,
  client TEXT,
  company TEXT,
  host TEXT,
  agent TEXT,
  referrer TEXT,
  event JSON NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS events_once
  ON events ((substr(transaction_id, 10)), (substr(transaction_id, 1, 9)), application_id);
CREATE TABLE IF NOT EXISTS segments (
  id {serial},
  application_id TEXT NOT NULL,
  events INTEGER NOT NULL,
  first_id BIGINT NOT NULL,
  last_id BIGINT NOT NULL,
  oldest_ms BIGINT NOT NULL,
  newest_ms BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS segments_by_application ON segments (application_id, last_id);
CREATE TABLE IF NOT EXISTS columns (
  segment_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  data {bytes} NOT NULL,
  PRIMARY KEY (segment_id, name)
);
CREATE TABLE IF NOT EXISTS profiles (
  application_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  document JSON NOT NULL,
  PRIMARY KEY (application_id, kind, id)
);
CREATE TABLE IF NOT EXISTS actions (
  id {serial},
  application_id TEXT NOT NULL,
  transaction_id TEXT,
  received_at BIGINT NOT NULL,
  time_ms BIGINT NOT NULL,
  user_id TEXT,
  name TEXT NOT NULL,
  action JSON NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS actions_once ON actions (transaction_id, application_id);
CREATE INDEX IF NOT EXISTS actions_by_user ON actions (user_id, application_id, time_ms);
CREATE TABLE IF NOT EXISTS folded (version INTEGER PRIMARY KEY, last_id BIGINT NOT NULL);
"""

COLUMNS = EventRow._fields


@record
class Dialect:
    """Where the two databases differ."""

    serial: str
    bytes: str


SQLITE = Dialect(serial="INTEGER PRIMARY KEY AUTOINCREMENT", bytes="BLOB")
POSTGRES = Dialect(serial="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", bytes="BYTEA")


def statements(dialect: Dialect) -> list[str]:
    """The statements that make the tables where they are missing."""
    text = TABLES.format(serial=dialect.serial, bytes=dialect.bytes)
    return [statement.strip() for statement in text.split(";") if statement.strip()]
