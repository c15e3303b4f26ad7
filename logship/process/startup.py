"""What `logship run` does before all else: signals that come before the daemon can handle them wait, memory is set up.

By default SIGHUP and SIGUSR1 end a process, and SIGTERM ends it as if it had failed. systemd, cron and logrotate don't
wait until the daemon is ready: importing it takes 0.2 s, reading a configuration and a large state more.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)
WAITING = {signal.SIGHUP, signal.SIGUSR1}
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, ARENA_MAX = -1, -2, -3, -8  # of mallopt(3)
IN_HEAP_BYTES = 4 << 20  # blocks up to here come from the heap
KEPT_BYTES = 16 << 20  # free heap above this goes back to the kernel
ONE_ARENA = (ARENA_MAX, 1)  # shared by all threads, which keeps the heap small
PADDED = (TOP_PAD, 1 << 20)  # the heap grows in steps of this size


def hold(arguments: Sequence[str]) -> None:
    """For `logship run`: SIGHUP and SIGUSR1 wait for their handlers, SIGTERM and SIGINT end a start with exit code 0.

    With --once the code is 1: what should have been shipped was not. Other commands keep the system's defaults.
    """
    if arguments[:1] != ["run"]:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, WAITING)
    code = 1 if "--once" in arguments else 0

    def leave(number: int, frame: FrameType | None) -> None:
        os._exit(code)  # nothing was begun that a kill could break; an exception would hit a half-done import

    for number in STOPPING:
        signal.signal(number, leave)


def let_through() -> None:
    """The daemon's handlers are in place: signals that waited are handled now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITING)


def reuse_large_blocks(setting: tuple[int, int]) -> bool:
    """Makes the C library keep large blocks; False where it is not glibc and nothing was changed. Call before threads.

    By default glibc maps a fresh block for each of 128 KiB, which costs a page fault for every 4 KiB: 240 instead of 20
    us for the body of a batch, and half the time of a view that computes with arrays. Blocks in the heap are reused.
    """
    import ctypes  # only the daemon and the collector need it

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((MMAP_THRESHOLD, IN_HEAP_BYTES), (TRIM_THRESHOLD, KEPT_BYTES), setting)
    return all(mallopt(name, value) == 1 for name, value in settings)
