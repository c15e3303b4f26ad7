"""Container logs: the line that a runtime wrapped, and lines it cut in pieces joined again.

Docker writes JSON lines {"log": "text\\n", "stream": …, "time": …}; a text without its newline continues in the next
line of the stream. CRI (containerd, CRI-O) writes `time stream P|F text`: P continues, F is the end. syslog puts the
time, the host and the program in front (RFC 3164, RFC 5424). Sources: docker's json-file log driver; kubernetes' CRI
logging design.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Literal

import orjson

from logship.patterns import deferred
from logship.records import record

EnvelopeKind = Literal["docker", "cri", "syslog", "auto"]
MAX_HELD_BYTES = 1 << 20  # of outer lines that wait for the rest of a cut one; then what there is goes out as it is
SHORTEST_SYSLOG = len("Jan  1 00:00:00 h a: ")
_SYSLOG = deferred(  # `<134>Jan 26 19:23:16 host nginx[7]: `, the same with an ISO time, and RFC 5424's
    rb"(?:<[0-9]{1,3}>)?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}(?:\.[0-9]+)?|[0-9-]{10}T[0-9:.]+(?:Z|[+-][0-9:]+)) "
    rb"[^ ]+ [^ :\[]+(?:\[[0-9]+\])?: ?"
    rb"|<[0-9]{1,3}>1 [0-9-]{10}T[0-9:.]+(?:Z|[+-][0-9:]+)(?: [^ ]+){4} (?:-|\[[^\]]*\]) (?:\xef\xbb\xbf)?"
)
_CRI = deferred(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9:]{4,6}) (stdout|stderr) ([FP])(?::[^ ]*)?(?: |$)"
)


@record
class Unwrapped:
    """What one outer line holds; `is_partial`: the text continues in the next line of the same stream."""

    text: bytes
    stream: str
    is_partial: bool


@record(frozen=False)
class Opened:
    """The inner lines of a stretch of a container log.

    Shapes: lines[i] is an inner line without line end; outer[i] its first outer line, without line end, over which its
    transaction_id is made; starts[i] the position of that outer line. starts has one more: `end`, up to which the log
    is accounted for. The outer lines that only continue with another stand inside the stretch of the one they belong to
    or of a line in between. A line that is no envelope is its own inner line, and will fit no format.
    `several` are the lines (indexes, in order) whose text holds a newline before its end. They are no line of a log: a
    record has one id, so what it holds can't be distinguished by ids. Such a one is its own inner line too, and is
    unmatched whatever the format.
    """

    lines: list[bytes] = field(default_factory=list)
    outer: list[bytes] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    several: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.starts[-1]


class Envelope:
    """Opens the envelopes of one log file, in order; keeps what a cut line lacks until it comes.

    The outer lines from the first unfinished one on are kept and opened again with the next stretch, so `Opened.end`
    may lie before the end of the data: only up to there may the log's position move. A stretch that does not begin
    where the last one ended (the file was read again) forgets what was kept.
    """

    def __init__(self, kind: EnvelopeKind) -> None:
        self._unwrap = UNWRAP[kind]
        self._held = b""
        self._held_end = -1

    @property
    def is_holding(self) -> bool:
        """A cut line waits for its rest."""
        return bool(self._held)

    def open(self, data: bytes, start: int) -> Opened:
        """The inner lines of `data`: whole outer lines, each with its newline, the first at position `start`."""
        if self._held and start == self._held_end:
            data, start = self._held + data, start - len(self._held)
        opened, unfinished = self._open_all(data, start)
        self._held = data[unfinished - start :]
        self._held_end = start + len(data)
        if len(self._held) > MAX_HELD_BYTES:
            opened, _ = self._open_all(data, start, flush=True)
            self._held = b""
        return opened

    def finish(self) -> Opened:
        """What was kept, as it is: the log has no more."""
        held, start = self._held, self._held_end - len(self._held)
        self._held = b""
        return self._open_all(held, start, flush=True)[0]

    def _open_all(self, data: bytes, start: int, *, flush: bool = False) -> tuple[Opened, int]:
        """The inner lines, and the position of the first outer line whose text is not complete."""
        pending: dict[str, tuple[int, bytes, list[bytes]]] = {}  # stream: position, first outer line, texts so far
        found: list[tuple[int, bytes, bytes]] = []  # position, outer line, inner line
        at = start
        for raw in data.split(b"\n")[:-1]:
            line = raw.removesuffix(b"\r")
            unwrapped = self._unwrap(line)
            if unwrapped is None:
                found.append((at, line, line))
            else:
                position, outer, texts = pending.pop(unwrapped.stream, (at, line, []))
                texts.append(unwrapped.text)
                if unwrapped.is_partial:
                    pending[unwrapped.stream] = (position, outer, texts)
                else:
                    found.append((position, outer, b"".join(texts)))
            at += len(raw) + 1
        if flush:
            found += [(position, outer, b"".join(texts)) for position, outer, texts in pending.values()]
            pending = {}
        end = min((position for position, _, _ in pending.values()), default=at)
        found = sorted(piece for piece in found if piece[0] < end)
        several = [number for number, (_, _, inner) in enumerate(found) if b"\n" in inner]
        lines = [(outer if b"\n" in inner else inner).removesuffix(b"\r") for _, outer, inner in found]
        starts = [position for position, _, _ in found] + [end]
        return Opened(lines, [outer for _, outer, _ in found], starts, several), end


def unwrap_docker(line: bytes) -> Unwrapped | None:
    """The text of a line of docker's json-file driver; None: it is none."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("log"), str):
        return None
    text = document["log"].encode("utf-8")
    return Unwrapped(text.removesuffix(b"\n"), str(document.get("stream", "")), not text.endswith(b"\n"))


def unwrap_cri(line: bytes) -> Unwrapped | None:
    """The text of a line of a CRI runtime; None: it is none."""
    match = _CRI.match(line)
    if match is None:
        return None
    return Unwrapped(line[match.end() :], match[1].decode(), match[2] == b"P")


def unwrap_syslog(line: bytes) -> Unwrapped | None:
    """The message behind syslog's words; None: there are none. No message is cut."""
    match = _SYSLOG.match(line) if len(line) > SHORTEST_SYSLOG else None
    return None if match is None else Unwrapped(line[match.end() :], "", is_partial=False)


def unwrap_any(line: bytes) -> Unwrapped | None:
    """The text of either; a bare line is complete as it is."""
    unwrapped = unwrap_docker(line) if line[:1] == b"{" else unwrap_cri(line)
    return unwrapped or Unwrapped(line, "bare", is_partial=False)


UNWRAP: dict[str, Callable[[bytes], Unwrapped | None]] = {
    "docker": unwrap_docker,
    "cri": unwrap_cri,
    "syslog": unwrap_syslog,
    "auto": unwrap_any,
}
