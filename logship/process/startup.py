"""Signals that come before the daemon can take them: systemd, cron and logrotate don't wait until it is ready.

By default SIGHUP and SIGUSR1 end a process, and SIGTERM ends it as if it had failed. Importing the daemon takes 0.2 s,
reading a configuration and a large state more.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)
WAITING = {signal.SIGHUP, signal.SIGUSR1}


def hold(arguments: Sequence[str]) -> None:
    """For `logship run`: SIGHUP and SIGUSR1 wait for their handlers, SIGTERM and SIGINT end a start with exit code 0.

    With --once the code is 1: what should have been shipped was not. Other commands keep the system's defaults.
    """
    if arguments[:1] != ["run"]:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, WAITING)
    code = 1 if "--once" in arguments else 0

    def leave(number: int, frame: FrameType | None) -> None:
        os._exit(code)  # nothing was begun that a kill could break; an exception would meet half an import

    for number in STOPPING:
        signal.signal(number, leave)


def let_through() -> None:
    """The daemon's handlers are in place: what waited is handled now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITING)
