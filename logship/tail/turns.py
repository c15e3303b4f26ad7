"""Whose turn it is, and waiting until there is one."""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque
from collections.abc import Iterator

from logship.tail.generation import Log


class Turns:
    """Logs with something to read: sources take turns, and the logs of a source."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Log]] = {}
        self._order: deque[str] = deque()

    @property
    def has_any(self) -> bool:
        return any(self._queues.values())

    def add(self, its: Log) -> None:
        """The log's turn comes after those that wait already."""
        if its.is_waiting_for_turn:
            return
        its.is_waiting_for_turn = True
        name = its.source.name
        if name not in self._queues:
            self._queues[name] = deque()
            self._order.append(name)
        self._queues[name].append(its)

    def sources(self) -> Iterator[str]:
        """Every source once; each goes behind the others as it is given."""
        for _ in range(len(self._order)):
            name = self._order[0]
            self._order.rotate(-1)
            yield name

    def of(self, source: str) -> Iterator[Log]:
        """The logs of a source that wait now; each gives up its place as it is given."""
        queue = self._queues[source]
        for _ in range(len(queue)):
            its = queue.popleft()
            its.is_waiting_for_turn = False
            yield its


class Alarm:
    """Ends a wait from another thread or a signal handler."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def ring(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed: nobody waits any more
            os.eventfd_write(self._fd, 1)

    def wait(self, timeout_s: float) -> None:
        """Until it rings or the time is over; what rang before counts."""
        if self._poll.poll(timeout_s * 1000):
            os.eventfd_read(self._fd)

    def pause(self, seconds: float) -> None:
        """The time, whatever rings."""
        if seconds > 0:
            select.select([], [], [], seconds)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)
