"""What is on disk for a source: its files, whether their newest lines fit, and whether the service can read them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from glob import iglob
from itertools import islice

import orjson

from logship.check.newest import COMPRESSED, NewestLines, NewestRequest, newest_of, newest_requests
from logship.check.permissions import Obstacle, User, obstacles
from logship.config.settings import SourceSettings
from logship.conversion import SourceConverter, detect
from logship.errors import MappingError
from logship.event import LogFile
from logship.formats import Detection, Misfit
from logship.formats.directives import headed
from logship.patterns import deferred
from logship.records import record
from logship.tail.globs import Globs, spellings

NEWEST_LINES = 1_000  # of each source; fast enough for a check before every reload
NEWEST_BYTES = 1_000_000  # read at most from the end of a file
LOOKED_AT_EVENTS = 500  # of these are searched for secrets, and for requests that other logs hold, too
MAX_FILES = 10_000  # opened; others are only counted
SEVERAL = deferred(r"[{\[]")  # may be a pattern, or part of a name
MAGIC = deferred(r"[*?\[]")


@record
class FoundFile:
    """One file of a source, as stat(2) has it."""

    path: str
    size_bytes: int
    modified_s: float


@record
class MisfitLine:
    """A line that fits no format: its file, where it stopped fitting, and the presets that would fit."""

    path: str
    line: bytes
    misfit: Misfit | None
    others: tuple[Detection, ...]


@record
class Survey:
    """One source on this machine.

    Shapes: `fits` of `lines` newest lines fit; `detected` says what `format: auto` found; `unmatched` are the patterns
    that match nothing; `special` are other things that they match (sockets, broken links), with what they are.
    """

    files: tuple[FoundFile, ...]
    obstacles: tuple[Obstacle, ...]
    lines: int = 0
    fits: int = 0
    misfit_line: MisfitLine | None = None
    detected: Detection | None = None
    unmatched: tuple[str, ...] = ()
    doubts: tuple[MappingError, ...] = ()  # warnings about the newest lines
    newest: str = ""  # the file with the newest lines
    special: tuple[tuple[str, str], ...] = ()
    requests: tuple[NewestRequest, ...] = ()
    disclosed: tuple[tuple[str, str], ...] = ()  # what looks like a secret in the newest events, and its remedy

    @property
    def size_bytes(self) -> int:
        return sum(found.size_bytes for found in self.files)


def survey(source: SourceSettings, converter: SourceConverter, user: User | None) -> Survey:
    """Looks at the files of a source; `user` is the daemon's user, None for this process's."""
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
    converter.warns_of_zone = False  # reported as a finding here
    file = LogFile(0, path, source.name, 0, "")
    conversion = converter.convert(b"".join(line + b"\n" for line in lines), 0, file)
    misfit_line = None
    if conversion.unmatched:
        inner = conversion.outer_lines or lines
        line = inner[conversion.unmatched[-1]] if converter.envelope == "none" else lines[-1]
        misfit = converter.explain(line, path)
        line = headed(line)[1]
        others = tuple(other for other in detect(list(lines[-50:]), converter.named) if other.fits == other.of)
        misfit_line = MisfitLine(path, line, misfit, others)
    fits = conversion.lines - len(conversion.unmatched)
    doubts = converter.line_doubts(path, lines)
    events = [orjson.loads(event) for event in conversion.events[-LOOKED_AT_EVENTS:]]
    return replace(
        seen, lines=conversion.lines, fits=fits, misfit_line=misfit_line, detected=detected, newest=path, doubts=doubts,
        disclosed=_disclosed(events), requests=newest_requests(events),
    )  # fmt: skip


def _disclosed(events: Sequence[dict[str, object]]) -> tuple[tuple[str, str], ...]:
    from logship.mapping.disclosure import Disclosures

    found = Disclosures()
    for event in events:
        found.look_at(event)
    return tuple(found.sentences())


def _matched(source: SourceSettings) -> tuple[tuple[FoundFile, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The files that paths: match, patterns that match nothing, and other things that match, with what they are."""
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
    """The file at a path; or what else it is; None for a directory or a path that does not exist."""
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
    """The last lines of the source's most recently written file, with its path; None if none can be read."""
    return _newest_lines(_matched(source)[0])


def _newest_lines(files: Sequence[FoundFile]) -> tuple[str, NewestLines] | None:
    """The last lines of the most recently written plain file; None if no file has a readable line."""
    plain = [found for found in files if found.size_bytes and not found.path.endswith(COMPRESSED)]
    for found in sorted(plain, key=lambda found: found.modified_s, reverse=True)[:10]:
        try:
            newest = newest_of(found.path, NEWEST_LINES, NEWEST_BYTES, has_end=True)
        except OSError:
            continue  # reported as an obstacle, or it vanished
        if newest.lines:
            return found.path, newest
    return None
