"""Files: which there are, which is which, what is new in them, and how far they are confirmed.

The route: look() -> read() -> span() -> confirm() -> save(); wait() until there may be more.
Nothing here runs by itself: who owns the Tailer calls it, from one thread.
"""

from __future__ import annotations

from logship.tail.notices import FileStatus, Look, Notice, What
from logship.tail.source import Clock, Memory, TailSource
from logship.tail.tailer import Tailer, span

__all__ = ["Clock", "FileStatus", "Look", "Memory", "Notice", "TailSource", "Tailer", "What", "span"]
