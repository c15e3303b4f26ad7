"""Hints that a file changed, from watchdog; they shorten the wait, the look is the truth.

Hints may be missing (network file systems, overlays, limits, an overflowing queue), late or for nothing.
"""

from __future__ import annotations

import logging
import os
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from logship.records import record
from logship.tail.discovery import kernel_time_s

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

log = logging.getLogger(__name__)

FOLDERS_MAX = 128  # watchdog has a thread for each; what is beyond is found by looking
QUEUE_MAX = 10_000  # unread hints; more mean that everything has to be looked at anyway
BUSY_PER_S = 200.0  # hints of one directory: each costs 150 us in watchdog's threads, polling at 10 Hz costs less
BUSY_WINDOW_S = 0.5
BUSY_FOR_S = 30.0
DEAF_AFTER = 3  # changes that no hint told of
LATE_S = 1.0  # hints take their time: a younger change proves nothing


@record
class Hints:
    """What changed since the last take().

    Shapes: `paths` are files written to; `has_new_names`: names came, went or moved somewhere; `is_overflow`: anything
    may have changed.
    """

    paths: frozenset[str] = frozenset()
    has_new_names: bool = False
    is_overflow: bool = False


NO_HINTS = Hints()


class _Handler:
    """Watchdog's callback for one directory; runs in watchdog's thread."""

    def __init__(
        self,
        folder: str,
        queue: deque[tuple[str, str, bool]],
        wake: Callable[[], None],
        only: Callable[[str], bool] = lambda path: True,
    ) -> None:
        self._folder = folder
        self._only = only
        self._queue = queue
        self._wake = wake

    def dispatch(self, event: FileSystemEvent) -> None:
        is_written = event.event_type == "modified" and not event.is_directory
        was_empty = not self._queue
        for path in (event.src_path, event.dest_path):  # a name that another is moved over holds a new file
            name = os.path.basename(os.fsdecode(path))
            if name and self._only(os.path.join(self._folder, name)):
                self._queue.append((self._folder, name, is_written))
        if was_empty and self._queue:
            self._wake()


class Watcher:
    """Watches directories while that is possible; says once where it is not."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._queue: deque[tuple[str, str, bool]] = deque(maxlen=QUEUE_MAX)
        self._observer: Any = None  # watchdog's, whose types differ between its versions
        self._watches: dict[str, Any] = {}
        self._marks: dict[str, tuple[int, bool]] = {}  # of what is watched: inode, whether only as a parent
        self._wanted: set[str] = set()
        self._deaf: set[str] = set()  # directories that can't be watched, or change without a hint
        self._unheard: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._window_s = float("-inf")
        self.busy: dict[str, float] = {}  # directories polled for a while, with the end of it
        self._has_warned = False

    @property
    def has_hints(self) -> bool:
        return bool(self._queue)

    def hears_all(self, folders: Iterable[str]) -> bool:
        """Whether a change in any of these directories would be heard of (busy ones are polled meanwhile)."""
        return all((each in self._watches or each in self.busy) and each not in self._deaf for each in folders)

    def watch(self, folders: set[str], now_s: float) -> bool:
        """Watches exactly these directories (the first FOLDERS_MAX of them), busy ones later; True for new ones.

        Their parents tell when one is made again: its watch is of the directory that was there before.
        """
        self._wanted = folders
        parents = {os.path.dirname(each) for each in folders} - folders
        has_new = False
        for folder in [each for each, until_s in self.busy.items() if now_s >= until_s or each not in folders]:
            del self.busy[folder]
        marks = {each: (_inode(each), each in parents) for each in folders | parents}
        for folder in [each for each in self._watches if self._marks[each] != marks.get(each)]:
            self._forget(folder)
        unwatched = marks.keys() - self._watches.keys() - self._deaf - self.busy.keys()
        for folder in sorted(unwatched, key=lambda each: (each in parents, each)):
            if len(self._watches) >= FOLDERS_MAX:
                if folder in folders:
                    self._warn(f"more than {FOLDERS_MAX} directories")
                break
            if marks[folder][0]:
                self._marks[folder] = marks[folder]  # as before it is watched: one made again meanwhile has another
                self._add(folder, is_parent=folder in parents)
                has_new |= folder in folders
        return has_new

    def take(self, now_s: float) -> Hints:
        """What came in since the last call."""
        is_overflow = len(self._queue) >= QUEUE_MAX
        paths: set[str] = set()
        has_new_names = False
        while self._queue:
            folder, name, is_written = self._queue.popleft()
            self._counts[folder] += 1
            has_new_names |= not is_written
            path = os.path.join(folder, name)
            # a directory that went or came: what is in it was not heard of, and it has to be watched again
            is_overflow |= not is_written and path in self._wanted
            paths.add(path)
        if now_s - self._window_s >= BUSY_WINDOW_S:
            self._poll_busy(now_s)
        return Hints(frozenset(paths), has_new_names, is_overflow)

    def learn(self, hints: Hints, changed: Iterable[tuple[str, int]], now_s: float) -> None:
        """What a full look found changed (path, mtime in ns) although no hint said so."""
        for path, mtime_ns in changed:
            folder = os.path.dirname(path)
            if path in hints.paths or folder not in self._watches or kernel_time_s() - mtime_ns / 1e9 < LATE_S:
                continue
            self._unheard[folder] += 1
            if self._unheard[folder] >= DEAF_AFTER:
                self._forget(folder)
                self._deaf.add(folder)
                self._warn(f"{folder} changes without a hint (a network or overlay file system?)")

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
        self._watches.clear()

    def _poll_busy(self, now_s: float) -> None:
        """Directories with more hints than are worth their price are polled for a while."""
        elapsed_s = max(now_s - self._window_s, BUSY_WINDOW_S)
        for folder, count in self._counts.items():
            if count / elapsed_s > BUSY_PER_S and folder in self._watches:
                self._forget(folder)
                self.busy[folder] = now_s + BUSY_FOR_S
        self._counts.clear()
        self._window_s = now_s

    def _add(self, folder: str, *, is_parent: bool) -> None:
        try:
            from watchdog import events

            names = [events.FileCreatedEvent, events.FileDeletedEvent, events.FileMovedEvent]
            folders = [events.DirCreatedEvent, events.DirDeletedEvent, events.DirMovedEvent]
            if self._observer is None:
                from watchdog.observers import Observer

                # it says so of each directory that went, or that is not watched any more
                logging.getLogger(f"{events.__package__}.observers.inotify").addFilter(_is_no_end)
                observer = Observer()
                observer.start()
                self._observer = observer
            only = (lambda path: path in self._wanted) if is_parent else (lambda path: True)
            self._watches[folder] = self._observer.schedule(
                _Handler(folder, self._queue, self._wake, only),
                os.path.realpath(folder),
                event_filter=[*([] if is_parent else [events.FileModifiedEvent]), *names, *folders],
            )
        except OSError as exc:
            self._deaf.add(folder)
            if not is_parent:
                self._warn(exc.strerror or str(exc))

    def _forget(self, folder: str) -> None:
        watch = self._watches.pop(folder)
        try:
            self._observer.unschedule(watch)
        except (KeyError, OSError) as exc:
            log.debug("watch was gone already path=%s error=%s", folder, exc)

    def _warn(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("not every directory can be watched, those are polled reason=%s", why)


def _is_no_end(record: logging.LogRecord) -> bool:
    return "is inactive" not in record.msg


def _inode(folder: str) -> int:
    """0 for what is no directory now."""
    try:
        found = os.stat(folder)
    except OSError:
        return 0
    return found.st_ino if stat.S_ISDIR(found.st_mode) else 0
