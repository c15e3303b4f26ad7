"""What can't be read now: files and directories, each reported once with what would help, and when it can be again."""

from __future__ import annotations

import errno
import logging
import stat
from collections.abc import Callable, Iterator, Mapping

from logship.tail.discovery import Closed
from logship.tail.notices import Notice, Refusal, What
from logship.tail.register import Register

log = logging.getLogger(__name__)

Remedy = Callable[[str, OSError], str]
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device file",
    stat.S_IFBLK: "a device file",
    stat.S_IFDIR: "a directory",
}


REMIND_EVERY_S = 3600.0  # what can't be read is said once, and then each hour: the journal of yesterday may be gone


class Refusals:
    """Everything that can't be read now; the owner sets `now_s` (monotonic) before it looks."""

    def __init__(self, register: Register, remedy: Remedy) -> None:
        """`remedy` gives the command that would help, or ""."""
        self._register = register
        self._remedy = remedy
        self._files: dict[str, Refusal] = {}
        self._folders: dict[str, Refusal] = {}
        self._reminders: dict[str, float] = {}  # how long a path could not be read when that was said again
        self.now_s = 0.0

    def items(self) -> Iterator[tuple[str, Refusal]]:
        """Paths of files and directories, and why they can't be read."""
        yield from self._folders.items()
        yield from self._files.items()

    def has(self, *paths: str) -> bool:
        """Whether one of these files can't be read."""
        return any(path in self._files for path in paths)

    def file(self, path: str, source: str, error: OSError) -> None:
        """A file says no: reported once for each reason."""
        self._note(self._files, path, source, error, error.strerror or str(error), "log file")

    def folders(self, closed: Mapping[str, Closed]) -> None:
        """Every log directory that can't be listed or entered now."""
        for path, one in closed.items():
            self._note(self._folders, path, one.source, one.error, one.why, "log directory")
        for path in self._folders.keys() - closed.keys():
            self._end(path, self._folders.pop(path))

    def ends(self, path: str) -> None:
        """The file can be read."""
        if path in self._files:
            self._end(path, self._files.pop(path))

    def forget(self, path: str) -> None:
        """No such file any more."""
        self._files.pop(path, None)

    def _note(self, known: dict[str, Refusal], path: str, source: str, error: OSError, why: str, noun: str) -> None:
        refusal = known.get(path)
        if refusal is not None and (refusal.source, refusal.why) == (source, why):
            refusal.tries += 1
            self._remind(path, refusal)
            return
        self._reminders.pop(path, None)
        known[path] = Refusal(source, why, self.now_s)
        remedy = self._remedy(path, error)
        log.error(
            "a %s can't be read, it is tried again at every look; nothing is lost while its files exist%s"
            " path=%s source=%s error=%s",
            noun, f"; {remedy}" if remedy else "", path, source, why,
        )  # fmt: skip
        self._register.notices.append(Notice(What.UNREADABLE, path, source, why))

    def _remind(self, path: str, refusal: Refusal) -> None:
        elapsed_s = self.now_s - refusal.since_s
        if elapsed_s < self._reminders.get(path, 0.0) + REMIND_EVERY_S:
            return
        self._reminders[path] = elapsed_s
        log.error(
            "still can't be read, nothing is lost while its files exist path=%s source=%s error=%s for_s=%.0f tries=%d",
            path, refusal.source, refusal.why, elapsed_s, refusal.tries,
        )  # fmt: skip

    def _end(self, path: str, refusal: Refusal) -> None:
        elapsed_s = self.now_s - refusal.since_s
        log.info("can be read again path=%s after_s=%.0f tries=%d", path, elapsed_s, refusal.tries)
        self._register.notices.append(Notice(What.READABLE, path, refusal.source, "can be read again"))


def not_regular(path: str, mode: int) -> OSError:
    """What to say of something that is no regular file."""
    return OSError(errno.EINVAL, f"is {_KINDS.get(stat.S_IFMT(mode), 'no regular file')}, no log file", path)
