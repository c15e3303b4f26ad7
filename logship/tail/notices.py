"""What the tailer has to tell: what happened to files, and how far each one is."""

from __future__ import annotations

from enum import StrEnum

from logship.records import record


class What(StrEnum):
    """What happened to a file; the logger's level is in LEVELS of the module that logs it."""

    FOUND = "found"
    LEFT_OLDER = "left_older"  # start_at: end; the bytes before are left to backfill
    ROTATED = "rotated"  # its content has another name now, and is followed there
    TRUNCATED = "truncated"
    DELETED = "deleted"  # no name holds it; read to its end while it is open
    GONE = "gone"  # not followed any more
    MISSING = "missing"  # not found again after a restart; nothing that was seen of it is lost
    LOST = "lost"  # bytes that no file holds any more were not read
    UNREADABLE = "unreadable"
    READABLE = "readable"
    DAMAGED = "damaged"  # a compressed file that is cut, broken, or followed by what is no archive
    LIMIT = "limit"  # the tailer works, but slower: descriptors, inotify


@record
class Notice:
    """One thing that happened; it is logged by the tailer already, this is for counters and tests.

    Shapes: lost and left bytes stand in `size_bytes`; path and source may be "" for what concerns the whole tailer.
    """

    what: What
    path: str
    source: str
    message: str
    size_bytes: int = 0


@record
class Look:
    """What a look brought: everything that happened since the look before, in reading too.

    Shapes: `has_data` says that read() may have something now.
    """

    notices: tuple[Notice, ...] = ()
    has_data: bool = False


@record(frozen=False)
class Refusal:
    """Why a path can't be read, since when (monotonic), and how often it was tried."""

    source: str
    why: str
    since_s: float
    tries: int = 1


@record
class FileStatus:
    """One generation of a log as `status` shows it.

    Shapes: sizes and positions are decompressed bytes; `position` is confirmed, `read_to` handed out;
    lag_bytes = size - position. `generation` is LogFile.file_id, -1 of a file that was never opened.
    `held_bytes` is what a deleted file still takes on disk because it is open.
    """

    source: str
    path: str
    generation: int
    position: int
    read_to: int
    size_bytes: int
    lag_bytes: int
    lost_bytes: int = 0
    held_bytes: int = 0
    is_deleted: bool = False
    is_live: bool = True  # the log's own name holds it; a rotated generation is not
    is_held: bool = False  # stopped by hold(): its lines fit no format
    problem: str = ""  # why it can't be read now
    refusal: Refusal | None = None  # of a problem that is tried again at every look
