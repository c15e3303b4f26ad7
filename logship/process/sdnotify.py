"""Notifications for systemd: ready, reloading, alive, stopping, and one line for `systemctl status`.

    notifier = Notifier.from_environ(os.environ)      # does nothing without systemd
    notifier.ready("following 3 files")
    every notifier.watchdog_s / 2, while no thread is stuck: notifier.watchdog()

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from logship.records import record

MICROSECONDS = 1_000_000
EXTENDED_S = 30.0  # how much longer a working start may take, repeatedly
WORKED_S = 0.05  # of processor time in a third of EXTENDED_S
STATUS_MAX = 1_000  # characters of a STATUS= line; systemctl shows one line


@record
class Notifier:
    """The connection to the service manager.

    Shapes: `address` is '' without a manager, else a socket path, or an abstract name after '@'; `watchdog_s` is how
    long the manager waits for watchdog() before it kills the process, None if it doesn't.
    """

    address: str = ""
    watchdog_s: float | None = None
    monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], pid: int | None = None) -> Notifier:
        """The manager named by NOTIFY_SOCKET; the watchdog of WATCHDOG_USEC counts only if it is for this process."""
        address = environ.get("NOTIFY_SOCKET", "")
        if address[:1] not in ("/", "@"):
            return cls()
        meant_for = environ.get("WATCHDOG_PID", "")
        is_ours = not meant_for or meant_for == str(os.getpid() if pid is None else pid)
        interval = environ.get("WATCHDOG_USEC", "")
        watchdog_s = int(interval) / MICROSECONDS if is_ours and interval.isdigit() and int(interval) else None
        return cls(address, watchdog_s)

    def ready(self, status: str = "") -> None:
        """Start or reload is complete."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """A reload began; ready() ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self.monotonic() * MICROSECONDS)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(*_status(text))

    def watchdog(self, status: str = "") -> None:
        """No thread is stuck."""
        self._send("WATCHDOG=1", *_status(status))

    def stopping(self, status: str = "") -> None:
        """Draining before the stop."""
        self._send("STOPPING=1", *_status(status))

    def extend_timeout(self, seconds: float) -> None:
        """Start or stop takes up to `seconds` more."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * MICROSECONDS)}")

    @contextmanager
    def starting(self) -> Iterator[None]:
        """While the body works, the start may take longer than the unit allows, but not while it hangs.

        Work costs processor time: 50,000 logs on a slow disk do, a dead mount does not.
        """
        if not self.address:
            yield
            return
        is_over = threading.Event()
        thread = threading.Thread(target=self._extend, args=(is_over,), name="starting", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _extend(self, is_over: threading.Event) -> None:
        worked_s = -1.0
        while time.process_time() - worked_s >= WORKED_S:
            worked_s = time.process_time()
            self.extend_timeout(EXTENDED_S)
            if is_over.wait(EXTENDED_S / 3):
                return

    def _send(self, *lines: str) -> None:
        if not self.address or not lines:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.connect(address)
                sock.sendall("\n".join(lines).encode())
        except OSError:  # the manager restarts itself; nothing depends on the notification
            return


def _status(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    line = "".join(char if char.isprintable() else " " for char in text)[:STATUS_MAX]
    return (f"STATUS={line}",)
