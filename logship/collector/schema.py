"""The tables of a collector's store: one schema, two databases.

events   every event once; `id` is the order of arrival
traffic  requests by time step, verb and status: what the charts read
routes   requests, errors and durations by time step and route
folded   how far `events` is counted in the two above

events_once makes (application_id, transaction_id) unique. It holds the id turned round: ours begin with a checksum and
end with the place in the log, so that the index grows at one end instead of touching a random page for each event.
Where the order is free, the column that differs most stands first: databases compare the first one fastest.
"""

from __future__ import annotations

from dataclasses import dataclass

from logship.collector.row import EventRow

VERSION = 1  # of the tables; a store with another number is not touched

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
  event JSON NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS events_once
  ON events ((substr(transaction_id, 10)), (substr(transaction_id, 1, 9)), application_id);
CREATE INDEX IF NOT EXISTS events_by_time ON events (application_id, time_ms, id);
CREATE INDEX IF NOT EXISTS events_by_user ON events (user_id, application_id, time_ms, id) WHERE user_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS traffic (
  application_id TEXT NOT NULL,
  step_s INTEGER NOT NULL,
  start_s BIGINT NOT NULL,
  verb TEXT NOT NULL,
  status INTEGER NOT NULL,
  events BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  duration_ms DOUBLE PRECISION NOT NULL,
  timed BIGINT NOT NULL,
  PRIMARY KEY (application_id, step_s, start_s, verb, status)
){clustered};
CREATE TABLE IF NOT EXISTS routes (
  application_id TEXT NOT NULL,
  step_s INTEGER NOT NULL,
  start_s BIGINT NOT NULL,
  route TEXT NOT NULL,
  requests BIGINT NOT NULL,
  client_errors BIGINT NOT NULL,
  server_errors BIGINT NOT NULL,
  duration_ms DOUBLE PRECISION NOT NULL,
  timed BIGINT NOT NULL,
  slowest_ms DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (application_id, step_s, start_s, route)
){clustered};
CREATE TABLE IF NOT EXISTS folded (version INTEGER PRIMARY KEY, last_id BIGINT NOT NULL);
"""

COLUMNS = EventRow._fields


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where the two databases differ."""

    serial: str
    clustered: str


SQLITE = Dialect(serial="INTEGER PRIMARY KEY AUTOINCREMENT", clustered=" WITHOUT ROWID")
POSTGRES = Dialect(serial="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", clustered="")


def statements(dialect: Dialect) -> list[str]:
    """The statements that make the tables where they are missing."""
    text = TABLES.format(serial=dialect.serial, clustered=dialect.clustered)
    return [statement.strip() for statement in text.split(";") if statement.strip()]
