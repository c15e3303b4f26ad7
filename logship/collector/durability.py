"""The thread that makes commits durable, and then lets the senders know, while the next commit is being written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from logship.collector.database import StoreUnavailableError

log = logging.getLogger(__name__)


class Durability:
    """Fulfils futures once what was committed before them is on the disk; all that wait share one fsync.

    An fsync that failed can't be made up for, the next one may succeed without the lost pages: every future fails from
    then on, and `on_death` is called.
    """

    def __init__(self, make_durable: Callable[[], None], on_death: Callable[[], None]) -> None:
        self._make_durable = make_durable
        self._on_death = on_death
        self._waiting: list[Future[None]] = []
        self._news = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="collector-durability", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def promise(self, futures: Iterable[Future[None]]) -> None:
        """To be called when what they stand for was committed."""
        with self._news:
            self._waiting += futures
            self._news.notify()

    def close(self) -> None:
        """Fulfils what was promised, and ends."""
        with self._news:
            self._closing = True
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._waiting and not self._closing:
                    self._news.wait()
                futures, self._waiting = self._waiting, []
            if not futures:
                return
            self._fulfil(futures)

    def _fulfil(self, futures: list[Future[None]]) -> None:
        if self._failure is None:
            try:
                self._make_durable()
            except BaseException as exc:  # noqa: BLE001 # the thread's top
                log.critical("what was stored may be lost, the collector stops error=%s", exc)
                self._failure = exc
                self._on_death()
        for future in futures:
            if self._failure is None:
                future.set_result(None)
            else:
                future.set_exception(StoreUnavailableError("the disk did not keep it"))
