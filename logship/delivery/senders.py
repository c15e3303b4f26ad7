"""The threads: senders that repeat the coordinator's step, and a watchdog that cuts attempts that take too long."""

from __future__ import annotations

import threading
from collections.abc import Callable

from logship.clock import WaitingClock
from logship.delivery.coordinator import Coordinator
from logship.delivery.exchange import AttemptTarget, Transport
from logship.delivery.scheduler import Job, Rest
from logship.records import record

JOIN_S = 0.5  # a thread that was cut ends at once
STUCK_S = 300.0  # after an attempt's deadline: name resolution can't be cut, and may hang for minutes
NEAR_S = 0.005  # a receiver that answers within it needs no sender to be woken
LOOK_AGAIN_S = 0.25  # an attempt that is dialling can't be cut yet; when to look again


class Sender:
    """One thread with its own connection; asleep while there is nothing to send."""

    def __init__(self, pool: SenderPool, number: int) -> None:
        self.bell = threading.Event()
        self.deadline_s: float | None = None  # of the attempt in progress
        self._pool = pool
        self._transport: Transport | None = None
        self.is_stale = False  # its connection is to be opened again before the next attempt
        self.is_lent = False  # the caller's thread uses its connection
        self.is_wanted = False  # the thread woke while it was lent
        self.handed: BegunJob | None = None  # an attempt that the caller's thread leaves to this one
        self.thread = threading.Thread(target=self._run, name=f"sender-{number}", daemon=True)

    @property
    def transport(self) -> Transport:
        """Made in the sender's own thread: loading the HTTP library takes 100 ms."""
        if self._transport is not None and self.is_stale:
            self._transport.close()
        self.is_stale = False
        if self._transport is None:
            self._transport = self._pool.make_transport()
        return self._transport

    @property
    def open_transport(self) -> Transport | None:
        """For another thread, while this one sleeps; None before the first attempt."""
        return None if self.is_stale else self._transport

    def cut(self) -> None:
        """End the attempt in progress."""
        if self._transport is not None:
            self._transport.cut()

    def _run(self) -> None:
        try:
            while self._pool.work(self):
                pass
            if self._transport is not None:
                self._transport.close()
        except BaseException as exc:  # noqa: BLE001 # the thread's top: the main loop raises it and the process ends
            self._pool.fail(exc)


@record
class BegunJob:
    """An attempt that the caller's thread has taken; `target` is None where it could not be started without waiting."""

    sender: Sender
    job: Job
    transport: Transport
    target: AttemptTarget | None
    since_s: float


class SenderPool:
    """The senders of one receiver; made when there is work for them, at most `concurrency`.

    The caller's thread sends over a sleeping sender's connection, which saves waking that sender for each batch. It
    never waits: an attempt without a plain confirmation after NEAR_S goes to the sender.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        *,
        clock: WaitingClock,
        concurrency: int,
        timeout_s: float,
        make_transport: Callable[[], Transport],
        wake: threading.Event,
    ) -> None:
        self._coordinator = coordinator
        self._clock = clock
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self.make_transport = make_transport
        self._wake = wake
        self._lock = threading.Lock()
        self._senders: list[Sender] = []
        self._idle: list[Sender] = []
        self._begun: list[BegunJob] = []  # the caller's thread's alone
        self._watchdog_bell = threading.Event()
        self._is_watchdog_asleep = False
        self._watchdog: threading.Thread | None = None
        self._is_over = False
        self.failure: BaseException | None = None

    def ring(self) -> None:
        """There may be work: wake an idle sender or start one."""
        with self._lock:
            if self._is_over:
                return
            if self._idle:
                self._idle.pop().bell.set()
                return
            if len(self._senders) == self._concurrency:
                return
            sender = Sender(self, len(self._senders) + 1)
            self._senders.append(sender)
            if self._watchdog is None:
                self._watchdog = threading.Thread(target=self._watch_all, name="watchdog", daemon=True)
                self._watchdog.start()
        sender.thread.start()

    def begin(self) -> None:
        """There may be work: start it in this thread, or ring. Then proceed(), and rest() before waiting."""
        sender = self._borrow()
        transport = sender.open_transport if sender else None
        if sender is None or transport is None:
            self.ring()
            return
        job = self._coordinator.take()
        if isinstance(job, Rest):
            self._give_back(sender)
            self.ring()  # it has to wait until something may start
            return
        now_s = self._clock.monotonic()
        sender.deadline_s = now_s + self._timeout_s
        if self._is_watchdog_asleep:
            self._watchdog_bell.set()
        begun = BegunJob(sender, job, transport, self._coordinator.start(job, transport), now_s)
        if begun.target is None:
            self._hand_over(begun)
        else:
            self._begun.append(begun)

    def proceed(self) -> None:
        """Take the answers to what was begun; what takes longer than NEAR_S goes to its sender."""
        for begun in tuple(self._begun):
            assert begun.target is not None
            if self._coordinator.is_confirmed(begun.job, begun.transport, begun.target):
                self._begun.remove(begun)
                self._give_back(begun.sender)
                if self._coordinator.has_work():
                    self.begin()
            elif self._clock.monotonic() - begun.since_s > NEAR_S:
                self._begun.remove(begun)
                self._hand_over(begun)

    def rest(self) -> None:
        """The caller is going to wait: the senders finish what was begun."""
        begun, self._begun = self._begun, []
        for one in begun:
            self._hand_over(one)

    def _borrow(self) -> Sender | None:
        """A sleeping sender with an open connection: the last to fall asleep, so that few connections stay open."""
        with self._lock:
            if self._is_over or not self._idle or self._idle[-1].open_transport is None:
                return None
            sender = self._idle.pop()
            sender.is_lent = True
            return sender

    def _give_back(self, sender: Sender) -> None:
        sender.deadline_s = None
        with self._lock:
            sender.is_lent = False
            self._idle.append(sender)
            if sender.is_wanted:
                sender.bell.set()

    def _hand_over(self, begun: BegunJob) -> None:
        with self._lock:
            begun.sender.is_lent = False
            begun.sender.handed = begun
        begun.sender.bell.set()

    def renew(self) -> None:
        """Every sender opens a new connection."""
        with self._lock:
            for sender in self._senders:
                sender.is_stale = True

    def work(self, sender: Sender) -> bool:
        """One attempt, or sleep until there may be one; False when the pool has ended."""
        if self._is_over:
            return False
        job = self._coordinator.take()
        if isinstance(job, Rest):
            self._sleep(sender)
        else:
            self._attempt(sender, job)
        if self._coordinator.has_outcomes:
            self._wake.set()
        return True

    def fail(self, exc: BaseException) -> None:
        """A thread failed: the main loop must know."""
        self.failure = self.failure or exc
        self._wake.set()

    def stuck(self, now_s: float) -> str:
        """Which thread is stuck; "" for none."""
        if self._is_over:
            return ""
        senders = tuple(self._senders)
        for sender in senders:
            end_s = sender.deadline_s
            if end_s is not None and now_s - end_s > STUCK_S:
                return f"{sender.thread.name} has been in one attempt for {now_s - end_s + self._timeout_s:.0f} s"
        for thread in (*(sender.thread for sender in senders), *((self._watchdog,) if self._watchdog else ())):
            if thread.ident is not None and not thread.is_alive():
                return f"{thread.name} has ended"
        return ""

    def stop(self) -> None:
        """No further attempt; those in progress are cut, but not a thread in name resolution: it is left behind."""
        with self._lock:
            self._is_over = True
            senders = list(self._senders)
        for sender in senders:
            sender.bell.set()
            sender.cut()
        self._watchdog_bell.set()
        for thread in [*(sender.thread for sender in senders), *([self._watchdog] if self._watchdog else [])]:
            thread.join(JOIN_S)

    def _attempt(self, sender: Sender, job: Job, begun: BegunJob | None = None) -> None:
        if self._coordinator.has_work():
            self.ring()
        sender.deadline_s = sender.deadline_s or self._clock.monotonic() + self._timeout_s
        if self._is_watchdog_asleep:
            self._watchdog_bell.set()
        try:
            if begun is not None and begun.target is not None:
                self._coordinator.perform(job, begun.transport, begun.target)
            else:
                self._coordinator.perform(job, sender.transport)
        finally:  # the watchdog has nothing to cut in a thread that died
            sender.deadline_s = None
        self._wake.set()

    def _sleep(self, sender: Sender) -> None:
        """Sleep until woken, or until an attempt may start."""
        sender.bell.clear()
        with self._lock:
            self._idle.append(sender)
        job = self._coordinator.take()  # what came before this sender could be woken
        if isinstance(job, Rest) and not self._is_over:
            now_s = self._clock.monotonic()
            self._clock.wait(sender.bell, None if job.until_s is None else max(0.0, job.until_s - now_s))
        while self._is_lent(sender):
            self._clock.wait(sender.bell, None)
        handed, sender.handed = sender.handed, None
        if handed is not None:
            self._attempt(sender, handed.job, handed)
        if isinstance(job, Job):
            self._attempt(sender, job)

    def _is_lent(self, sender: Sender) -> bool:
        """Whether the caller's thread still uses its connection; if not, the sender leaves the idle ones."""
        with self._lock:
            sender.is_wanted = sender.is_lent and not self._is_over
            if sender.is_wanted:
                sender.bell.clear()
            elif sender in self._idle:
                self._idle.remove(sender)
            return sender.is_wanted

    def _close_idle(self) -> None:
        """Close the connections of sleeping senders: a receiver that serves one at a time may be waiting for them."""
        with self._lock:
            for sender in self._idle:
                sender.is_stale = True
                sender.cut()

    def _watch_all(self) -> None:
        try:
            while not self._is_over:
                self._watch_once()
        except BaseException as exc:  # noqa: BLE001 # the thread's top
            self.fail(exc)

    def _watch_once(self) -> None:
        """Cut attempts after their deadline, or sleep until the next one."""
        self._is_watchdog_asleep = True  # before the look: an attempt that begins after it rings
        self._watchdog_bell.clear()
        earliest_s = min((end_s for sender in self._senders if (end_s := sender.deadline_s) is not None), default=None)
        if earliest_s is None:
            self._clock.wait(self._watchdog_bell, None)
            return
        self._is_watchdog_asleep = False  # attempts that begin later end later
        now_s = self._clock.monotonic()
        if earliest_s > now_s:
            self._clock.wait(self._watchdog_bell, earliest_s - now_s)
            return
        for sender in self._senders:
            if sender.deadline_s is not None and sender.deadline_s <= now_s:
                sender.cut()
        self._close_idle()
        self._clock.wait(self._watchdog_bell, LOOK_AGAIN_S)
