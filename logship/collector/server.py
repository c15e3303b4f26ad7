"""A collector that runs: in the foreground, or in a thread for tests and demos."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

from logship.collector.app import make_app
from logship.collector.connection import guarded
from logship.collector.database import Database
from logship.collector.listening import bind, url_of
from logship.collector.options import CollectorOptions
from logship.collector.sqlite_store import SqliteStore
from logship.errors import LogshipError, UsageError
from logship.process.startup import PADDED, reuse_large_blocks

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 75  # longer than what balancers in front keep idle connections for
STOP_WITHIN_S = 15  # for what was accepted; then connections are cut
MAX_HEAD_BYTES = 65_536
SWITCH_INTERVAL_S = 0.001  # the writing thread needs the GIL for a moment between two long steps in SQLite
GC_CONTAINERS = 50_000  # allocated between two looks for cycles; a 250 kB batch makes about 5,000


def open_database(store: str, progress: Callable[[str], None] = log.info) -> Database:
    """The store that `--store` names: a PostgreSQL URL or a SQLite file.

    `progress` gets a line now and then while a store of an older version is migrated.
    """
    reuse_large_blocks(PADDED)
    if store.startswith(("postgresql://", "postgres://")):
        try:
            from logship.collector.postgres_store import PostgresStore
        except ImportError as exc:
            raise UsageError(f"{exc.name} is missing; run: pip install 'logshipd[collector,postgres]'") from exc
        return PostgresStore(store, progress)
    if "://" in store:
        raise UsageError(f"--store {store.split(':')[0]}://… is neither a file nor postgresql://…")
    return SqliteStore(store, progress)


def open_existing(store: str) -> Database:
    """A store that must be there already.

    Raises: UsageError for a missing file; a misspelt name shall not make an empty store.
    """
    if "://" not in store and not Path(store).is_file():
        raise UsageError(f"--store {store}: no such file; give the collector's")
    return open_database(store)


def make_server(options: CollectorOptions, database: Database) -> uvicorn.Server:
    """A uvicorn server over `database`, not yet running."""

    def stop() -> None:
        server.should_exit = True

    config = uvicorn.Config(
        make_app(options, database, stop),
        http=guarded(options.max_connections, options.head_timeout_s),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    server = uvicorn.Server(config)
    return server


def serve(
    options: CollectorOptions,
    announce: Callable[[str], None],
    listeners: Sequence[socket.socket] = (),
    progress: Callable[[str], None] = log.info,
) -> None:
    """Runs a collector until SIGTERM or SIGINT; what was accepted by then is stored and answered.

    `announce` gets the URL once connections are taken. `listeners` are sockets that listen already; without any, the
    address of `options` is bound. `progress` see `open_database`.
    Raises: LogshipError when the address, the store or the config can't be used.
    """
    database = open_database(options.store, progress)
    try:
        server = make_server(options, database)
        sockets = [*listeners] or [bind(options.host, options.port)]
    except LogshipError:
        database.close()
        raise
    end_quietly()
    tune_interpreter()
    with contextlib.ExitStack() as opened:
        for each in sockets:
            opened.enter_context(each)
        announce(" ".join(url_of(each, options.path_prefix) for each in sockets))
        server.run(sockets=sockets)


def tune_interpreter() -> None:
    """Lets the cycle collector run seldom (a batch has thousands of containers, no cycle) and threads alternate."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_CONTAINERS, 20, 100)
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def end_quietly() -> None:
    """Makes a handled SIGTERM or SIGINT an ordinary end: uvicorn raises the signal once more when it has stopped."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


class CollectorServer:
    """A collector in a thread of this process: `with CollectorServer(store=path) as collector: post(collector.url)`.

    Shapes: keywords are those of CollectorOptions; the port is a free one unless given; `url` has no slash at its end.
    """

    def __init__(self, options: CollectorOptions | None = None, /, **settings: Any) -> None:
        self.options = options or CollectorOptions(**{"port": 0, **settings})
        self.store = self.options.store
        self.url = ""
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._listener: socket.socket | None = None

    def __enter__(self) -> CollectorServer:
        database = open_database(self.store)
        self._listener = bind(self.options.host, self.options.port)
        self.url = url_of(self._listener, self.options.path_prefix)
        # the next start takes the same port, so that a test can stop the receiver and have it back
        self.options = replace(self.options, port=self._listener.getsockname()[1])
        self._server = make_server(self.options, database)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), name="collector")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stores and answers what was accepted, then ends; entering again starts again on the same port."""
        if self._server is not None and self._thread is not None and self._listener is not None:
            self._server.should_exit = True
            self._thread.join()
            self._listener.close()
        self._server = self._thread = self._listener = None

    def events(self) -> list[dict[str, Any]]:
        """Every event stored so far, in order of arrival."""
        return stored_events(self.store)


def stored_events(path: str | Path) -> list[dict[str, Any]]:
    """Every event in a collector's SQLite file, in order of arrival; works while the collector runs."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return [json.loads(text) for (text,) in connection.execute("SELECT event FROM events ORDER BY id")]
    finally:
        connection.close()
