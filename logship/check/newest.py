"""The newest lines of a log, each at its position; and whether two logs hold the same requests."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import combinations
from typing import BinaryIO

from logship.formats.directives import with_heading
from logship.records import record
from logship.tail.archives import open_log

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
READ_BYTES = 65_536
LONGEST_LINE = 1 << 20  # a longer line without an end is cut here
FEWEST_SHARED = 5  # requests for at least FEWEST_TARGETS: a monitor asks every server for the same page
FEWEST_TARGETS = 3
MOST_SOURCES = 200  # are compared


@record
class LogLine:
    """A line without its line end, at its position in the decompressed log."""

    position: int
    text: bytes


@record
class NewestLines:
    """Shapes: `lines` are the oldest first, none is empty; `heading` is in force at the first; `damage` is why reading
    ended early, "" if it did not.
    """

    lines: tuple[LogLine, ...]
    heading: bytes = b""
    damage: str = ""

    @property
    def headed(self) -> list[LogLine]:
        """The directives in force at the first line, and the lines."""
        first = self.lines[0].position if self.lines else 0
        return [*(LogLine(first, text) for text in self.heading.splitlines()), *self.lines]

    @property
    def stretches(self) -> Iterator[tuple[int, list[bytes]]]:
        """The lines with their ends, in runs without a gap, each run with its position."""
        start, run, end = 0, list[bytes](), -1
        for line in self.lines:
            gap = line.position - end
            if run and gap in (1, 2):
                run[-1] += b"\n" if gap == 1 else b"\r\n"
            else:
                if run:
                    yield start, [*run[:-1], run[-1] + b"\n"]
                start, run = line.position, []
            run.append(line.text)
            end = line.position + len(line.text)
        if run:
            yield start, [*run[:-1], run[-1] + b"\n"]


def newest_of(path: str, most_lines: int, most_bytes: int, *, has_end: bool) -> NewestLines:
    """The last lines of a log; a compressed one is read as a whole, of a plain one the last `most_bytes`.

    With `has_end` a last line without newline is left out.
    Raises: OSError where nothing can be read.
    """
    if path.endswith(COMPRESSED):
        return _of_archive(path, most_lines)
    with open(path, "rb") as file:
        start = max(0, os.fstat(file.fileno()).st_size - most_bytes)
        file.seek(start)
        content = file.read(most_bytes)
        skipped = content.find(b"\n") + 1 if start else 0
        end = content.rfind(b"\n") + 1 if has_end else len(content)
        lines = _last(_split(content[skipped:end], start + skipped), most_lines)
        heading = with_heading([], file, lines[0].position) if lines else []
    return NewestLines(lines, b"".join(line + b"\n" for line in heading))


def _of_archive(path: str, most_lines: int) -> NewestLines:
    found: deque[LogLine] = deque(maxlen=most_lines)
    with closing(open_log(path)) as log:
        try:
            found.extend(line for line in lines_of(log) if line.text)  # type: ignore[arg-type]  # it has read()
        except OSError:
            if not found:
                raise
        return NewestLines(tuple(found), damage=log.damage)


def newest_given(lines: Iterable[LogLine], most_lines: int) -> NewestLines:
    """The last of lines that come one after another."""
    return NewestLines(_last(lines, most_lines))


def _split(content: bytes, start: int) -> Iterator[LogLine]:
    for text in content.split(b"\n"):
        plain = text.lstrip(b"\0")
        yield LogLine(start + len(text) - len(plain), plain.rstrip(b"\0").removesuffix(b"\r"))
        start += len(text) + 1


def _last(lines: Iterable[LogLine], most: int) -> tuple[LogLine, ...]:
    return tuple(deque((line for line in lines if line.text), most))


def lines_of(stream: BinaryIO) -> Iterator[LogLine]:
    """Lines of a log, each at its position; also a last one without newline."""
    position, rest = 0, b""
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    while data := read(READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield LogLine(position, line.removesuffix(b"\r"))
            position += len(line) + 1
        if len(rest) > LONGEST_LINE:
            yield LogLine(position, rest)
            position, rest = position + len(rest), b""
    if rest:
        yield LogLine(position, rest)


@record
class NewestRequest:
    """What two logs say equally of a request, whatever their formats: who asked what, and in which second."""

    client: str
    verb: str
    target: str
    status: str
    seconds: tuple[str, str]  # of its start and its end: a log without durations has one of them twice

    @classmethod
    def of(cls, event: Mapping[str, object]) -> NewestRequest | None:
        request, response = event.get("request"), event.get("response")
        if not isinstance(request, dict) or not isinstance(response, dict):
            return None
        target = str(request.get("uri", "")).partition("://")[2].partition("/")[2]
        seconds = (str(request.get("time", ""))[:19], str(response.get("time", ""))[:19])
        client, verb = str(request.get("ip_address", "")), str(request.get("verb", ""))
        return cls(client, verb, target, str(response.get("status", "")), seconds)

    def spelled(self) -> Iterator[tuple[str, ...]]:
        """Keys; equal requests share one."""
        for second in dict.fromkeys(self.seconds):
            yield self.client, self.verb, self.target, self.status, second


def newest_requests(events: Iterable[Mapping[str, object]]) -> tuple[NewestRequest, ...]:
    """The requests of a log's newest events."""
    return tuple(filter(None, map(NewestRequest.of, events)))


def pairs_of_same(seen: Mapping[str, tuple[NewestRequest, ...]]) -> Iterator[tuple[str, str]]:
    """Pairs of sources, by name, where one log's requests are in the other, for the time that both cover."""
    full = {name: requests for name, requests in list(seen.items())[:MOST_SOURCES] if len(requests) >= FEWEST_SHARED}
    for (first, ours), (second, theirs) in combinations(full.items(), 2):
        begin = max(min(one.seconds[1] for one in requests) for requests in (ours, theirs))
        end = min(max(one.seconds[1] for one in requests) for requests in (ours, theirs))
        fewer, more = sorted(
            ([one for one in requests if begin <= one.seconds[1] <= end] for requests in (ours, theirs)), key=len
        )
        known = {key for one in more for key in one.spelled()}
        shared = [one for one in fewer if not known.isdisjoint(one.spelled())]
        targets = {one.target for one in shared}
        if len(shared) >= max(FEWEST_SHARED, 0.9 * len(fewer)) and len(targets) >= FEWEST_TARGETS:
            yield first, second
