"""The thread that makes commits durable, and then lets the senders know, while the next commit is being written."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

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
        self._waiting: deque[Future[None]] = deque()
        self._failure: BaseException | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="collector-durability")

    def promise(self, futures: Iterable[Future[None]]) -> None:
        """To be called when what they stand for was committed."""
        self._waiting.extend(futures)
        self._thread.submit(self._fulfil)

    def close(self) -> None:
        """Fulfils what was promised, and ends."""
        self._thread.shutdown()

    def _fulfil(self) -> None:
        futures = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not futures:  # they shared the fsync of an earlier promise
            return
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
