"""What is on disk for a source: its files, whether the newest lines fit, who may not read them."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from glob import iglob
from itertools import islice

import orjson

from logship.check.newest import COMPRESSED, NewestLines, newest_of
from logship.check.permissions import Obstacle, User, obstacles
from logship.check.same_requests import NewestRequest, newest_requests
from logship.config.settings import SourceSettings
from logship.conversion import SourceConverter, detect
from logship.errors import MappingError
from logship.event import LogFile
from logship.formats import Detection, Misfit
from logship.formats.directives import headed
from logship.records import record
from logship.tail.globs import Globs, spellings

NEWEST_LINES = 1_000  # of each source; so many are read fast enough for a check before every reload
NEWEST_BYTES = 1_000_000  # read at most from the end of a file
LOOKED_AT_EVENTS = 500  # of these are looked at for secrets, and for requests that other logs hold too
MAX_FILES = 10_000  # looked at; more are counted, not opened
SEVERAL = re.compile(r"[{\[]")  # what may be meant as a pattern, or be a part of a name
MAGIC = re.compile(r"[*?\[]")


@record
class FoundFile:
    """One file of a source, as stat(2) has it."""

    path: str
    size_bytes: int
    modified_s: float


@record
class OddLine:
    """A line that doesn't fit: where its file is, what it is, where it stopped fitting, what would fit."""

    path: str
    line: bytes
    misfit: Misfit | None
    others: tuple[Detection, ...]


@record
class Survey:
    """One source on this machine.

    Shapes: `fits` of `lines` newest lines fit; `detected` says what `format: auto` found; `unmatched` are the patterns
    that match nothing; `special` is what they match beside files and directories, with what it is.
    """

    files: tuple[FoundFile, ...]
    obstacles: tuple[Obstacle, ...]
    lines: int = 0
    fits: int = 0
    odd: OddLine | None = None
    detected: Detection | None = None
    unmatched: tuple[str, ...] = ()
    doubts: tuple[MappingError, ...] = ()  # of the newest lines
    newest: str = ""  # the file that the newest lines are of
    special: tuple[tuple[str, str], ...] = ()
    requests: tuple[NewestRequest, ...] = ()
    disclosed: tuple[tuple[str, str], ...] = ()  # what looks like a secret in the newest events, and what to write

    @property
    def size_bytes(self) -> int:
        return sum(found.size_bytes for found in self.files)


def survey(source: SourceSettings, converter: SourceConverter, user: User | None) -> Survey:
    """Looks at the files of a source; `user` is who the daemon will be, None for ourselves."""
    matched, unmatched, special = _matched(source)
    asked = [*_directories(source.paths), *(found.path for found in matched)]
    in_the_way = tuple(obstacles(asked[:MAX_FILES], user))
    seen = Survey(matched, in_the_way, unmatched=unmatched, special=special)
    newest = _newest_lines(matched)
    if newest is None:
        return seen
    path, lines = newest[0], [line.text for line in newest[1].headed]
    detected = converter.prepare(path, lines)
    return _fitted(seen, source, converter, path, lines, detected)


def _fitted(
    seen: Survey,
    source: SourceSettings,
    converter: SourceConverter,
    path: str,
    lines: Sequence[bytes],
    detected: Detection | None,
) -> Survey:
    converter.warns_of_zone = False  # it is a finding here
    file = LogFile(0, path, source.name, 0, "")
    conversion = converter.convert(b"".join(line + b"\n" for line in lines), 0, file)
    odd = None
    if conversion.unmatched:
        inner = conversion.outer_lines or lines
        line = inner[conversion.unmatched[-1]] if converter.envelope == "none" else lines[-1]
        misfit = converter.explain(line, path)
        line = headed(line)[1]
        others = tuple(other for other in detect(list(lines[-50:]), converter.named) if other.fits == other.of)
        odd = OddLine(path, line, misfit, others)
    fits = conversion.lines - len(conversion.unmatched)
    doubts = converter.line_doubts(path, lines)
    events = [orjson.loads(event) for event in conversion.events[-LOOKED_AT_EVENTS:]]
    return replace(
        seen, lines=conversion.lines, fits=fits, odd=odd, detected=detected, newest=path, doubts=doubts,
        disclosed=_disclosed(events), requests=newest_requests(events),
    )  # fmt: skip


def _disclosed(events: Sequence[dict[str, object]]) -> tuple[tuple[str, str], ...]:
    from logship.mapping.disclosure import Disclosures

    found = Disclosures()
    for event in events:
        found.look_at(event)
    return tuple(found.sentences())


def _matched(source: SourceSettings) -> tuple[tuple[FoundFile, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The files that paths: match, the patterns that match nothing, and what is matched and no file with what it is."""
    is_excluded = _excluder(source.exclude)
    found: dict[str, FoundFile] = {}
    special: dict[str, str] = {}
    unmatched: list[str] = []
    for pattern in source.paths:
        paths = [path for one in _spellings(pattern) for path in islice(iglob(one, recursive=True), MAX_FILES)]
        seen = {path: _file(path) for path in paths if not is_excluded(path)}
        found |= {path: file for path, file in seen.items() if isinstance(file, FoundFile)}
        special |= {path: why for path, why in seen.items() if isinstance(why, str)}
        if not any(seen.values()):
            unmatched.append(pattern)
    return tuple(found.values()), tuple(unmatched), tuple(special.items())


def _excluder(patterns: Sequence[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda path: False
    return Globs(patterns).fits


def _spellings(pattern: str) -> list[str]:
    if not SEVERAL.search(pattern):
        return [pattern]
    return spellings(pattern)


def _file(path: str) -> FoundFile | str | None:
    """A file; what a path is that is none; None for a directory, or nothing."""
    try:
        status = os.stat(path)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return "is a link that leads back to itself"
        return "is a link to nothing" if exc.errno == errno.ENOENT and os.path.islink(path) else None
    if stat.S_ISREG(status.st_mode):
        return FoundFile(path, status.st_size, status.st_mtime)
    from logship.tail.refusals import not_regular

    return None if stat.S_ISDIR(status.st_mode) else not_regular(path, status.st_mode).strerror


def _directories(patterns: Sequence[str]) -> list[str]:
    """The directories that must be listed to find the files of each pattern, as far as they exist."""
    fixed = (MAGIC.split(one, maxsplit=1)[0] for pattern in patterns for one in _spellings(pattern))
    directories = dict.fromkeys(os.path.dirname(path) or "/" for path in fixed)
    return [directory for directory in directories if os.path.isdir(directory)]


def newest_lines(source: SourceSettings) -> tuple[str, NewestLines] | None:
    """The last lines of the source's file that was written last, with its path; None if none can be read."""
    return _newest_lines(_matched(source)[0])


def _newest_lines(files: Sequence[FoundFile]) -> tuple[str, NewestLines] | None:
    """The last lines of the plain file that was written last; None if no file has a line that can be read."""
    plain = [found for found in files if found.size_bytes and not found.path.endswith(COMPRESSED)]
    for found in sorted(plain, key=lambda found: found.modified_s, reverse=True)[:10]:
        try:
            newest = newest_of(found.path, NEWEST_LINES, NEWEST_BYTES, has_end=True)
        except OSError:
            continue  # reported as an obstacle, or it vanished
        if newest.lines:
            return found.path, newest
    return None
