"""The compiled converter: bytes of a chunk in, encoded events out; what the kernel hands back goes through `exact`."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from isal import isal_zlib

from logship import kernel
from logship.conversion.trace import LineTrace, Tracer, choose
from logship.errors import MappingError
from logship.event import Conversion, LogFile, Window, key_digits
from logship.formats.format import Format
from logship.formats.times import IsoTime
from logship.kernel.encoded import Encoded, nothing_done
from logship.kernel.exact import Make, compile_exact
from logship.kernel.program import NO_BOUNDS
from logship.kernel.values import Unreadable
from logship.mapping.lowering import Lowered

NO_WINDOW = Window()


class Member:
    """One format of a converter with its program."""

    def __init__(self, fmt: Format, lowered: Lowered) -> None:
        self.format = fmt
        self.program = lowered.program
        self.counts = [0] * len(self.program.counters)
        self._needed = lowered.needed

    @cached_property
    def read(self) -> Callable[[bytes], tuple[str, ...] | None]:
        return self.format.reader(self._needed)

    @cached_property
    def make(self) -> Make:
        return compile_exact(self.program)


class Converter:
    """A format and a mapping, compiled; events of chunks."""

    def __init__(
        self,
        members: Sequence[Member],
        warnings: Sequence[MappingError],
        absent: Sequence[MappingError],
        tracers: Callable[[], Sequence[Tracer]],
    ) -> None:
        self.members = tuple(members)
        self.warnings = tuple(warnings)
        self.absent = tuple(absent)  # warnings of fields that the mapping names and no format here holds
        self._make_tracers = tracers
        self._tracers: Sequence[Tracer] = ()

    @property
    def is_headed(self) -> bool:
        """Whether it reads headed lines."""
        return self.members[0].format.is_headed

    def trace(self, line: bytes, position: int, file: LogFile, outer: bytes | None = None) -> LineTrace:
        """What becomes of one line (with or without its line end) and why; slow. `outer` as for convert_lines()."""
        self._tracers = self._tracers or self._make_tracers()
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        return choose(self._tracers, content).trace(content, position, file, content if outer is None else outer)

    def convert(self, data: bytes, start: int, file: LogFile, window: Window | None = None) -> Conversion:
        """The events of whole lines, each ending in a newline, the first at position `start`.

        Raises: nothing for any content; a line that fits no format is in `unmatched`.
        """
        if not data:
            return Conversion(b"", (), (), (start,))
        if not data.endswith(b"\n"):
            data += b"\n"
        work = _Work(self.members, file, window or NO_WINDOW)
        encoded = work.encoded(data, start)
        if not encoded.left:
            return work.conversion(encoded, (), ())
        starts = encoded.starts
        lines = [_line(data, starts[number] - start, starts[number + 1] - start) for number in encoded.left]
        return work.finish(encoded, lines, lines)

    def convert_lines(
        self,
        lines: Sequence[bytes],
        outer: Sequence[bytes],
        starts: Sequence[int],
        file: LogFile,
        window: Window | None = None,
    ) -> Conversion:
        """The events of lines that stood inside of others (container logs), of which the ids are made.

        Shapes: lines[i] stood in outer[i], whose first line starts at position starts[i]; none has its line end;
        len(starts) is lines + 1.
        """
        if not lines:
            return Conversion(b"", (), (), starts)
        work = _Work(self.members, file, window or NO_WINDOW)
        inner = b"\n".join(lines) + b"\n"
        crcs = array("I", map(isal_zlib.crc32, outer))
        encoded = work.encoded(inner, starts[0], array("Q", starts), crcs)
        left = encoded.left
        return work.finish(encoded, [lines[number] for number in left], [outer[number] for number in left])


def _line(data: bytes, start: int, end: int) -> bytes:
    return data[start : end - 1].removesuffix(b"\r")


class _Work:
    """One chunk on its way."""

    def __init__(self, members: Sequence[Member], file: LogFile, window: Window) -> None:
        self._members = members
        self._file = file
        self._digits = key_digits(file.key)
        self._bounds = _bounds(window)
        for member in members:
            member.counts = [0] * len(member.program.counters)

    def encoded(
        self, data: bytes, start: int, starts: array[int] | None = None, crcs: array[int] | None = None
    ) -> Encoded:
        """What the kernel makes of whole lines; without it, all of them are left."""
        program, file = self._members[0].program, self._file
        encoded = kernel.run(program, data, start, self._digits, file.origin, file.path, self._bounds, starts, crcs)
        return encoded or nothing_done(data, start, starts, len(program.counters))

    def finish(self, encoded: Encoded, lines: Sequence[bytes], outer: Sequence[bytes]) -> Conversion:
        """The rest of the lines by `exact`, each by the first member that fits."""
        made: list[tuple[int, str]] = []
        unmatched: list[int] = []
        for number, line, whole in zip(encoded.left, lines, outer, strict=True):
            try:
                event = self._exact(line, isal_zlib.crc32(whole), encoded.starts[number])
            except Unreadable:
                unmatched.append(number)
            else:
                if event is not None:
                    made.append((number, event))
        return self.conversion(encoded, made, unmatched)

    def _exact(self, line: bytes, crc: int, start: int) -> str | None:
        """The event of a line, None for one without.

        Raises: Unreadable for a line that fits no member.
        """
        file, bounds = self._file, self._bounds
        for member in self._members:
            values = member.read(line)
            if values is None:
                continue
            try:
                return member.make(
                    values, crc, start, self._digits, file.origin, file.path, *bounds, member.counts, None
                )
            except Unreadable:  # a time that no event can have
                continue
        raise Unreadable(line)

    def conversion(
        self, encoded: Encoded, made: Sequence[tuple[int, str]], unmatched: Sequence[int]
    ) -> Conversion:  # fmt: skip
        counts: dict[tuple[str, str], int] = {}
        for number, member in enumerate(self._members):
            for index, counter in enumerate(member.program.counters):
                count = member.counts[index] + (encoded.counts[index] if number == 0 else 0)
                if count:
                    counts[counter] = counts.get(counter, 0) + count
        text, ends, lines = _merged(encoded, made) if made else (encoded.text, encoded.ends, encoded.lines)
        return Conversion(
            text, ends, lines, encoded.starts, unmatched, _by_name(counts, "dropped"), _by_name(counts, "sampled out"),
            sum(_by_name(counts, "too old").values()), sum(_by_name(counts, "out of range").values()),
            left_out=_by_name(counts, "left out"),
        )  # fmt: skip


def _by_name(counts: dict[tuple[str, str], int], what: str) -> dict[str, int]:
    return {name: number for (kind, name), number in counts.items() if kind == what}


def _merged(encoded: Encoded, made: Sequence[tuple[int, str]]) -> tuple[bytes | bytearray, array[int], array[int]]:
    """The events of both in the order of their lines."""
    if not encoded.lines:
        alone = Conversion.of([event for _, event in made], (), ())
        return alone.text, array("I", alone.ends), array("I", [number for number, _ in made])
    texts: list[bytes | bytearray] = []
    ends, lines = array("I"), array("I")
    end = -1  # of the text so far, which begins without a comma
    taken = 0
    for number, event in made:
        until = bisect_left(encoded.lines, number, taken)
        end = _take(encoded, taken, until, end, texts, ends, lines)
        taken = until
        texts.append(event.encode("ascii"))
        end += 1 + len(event)
        ends.append(end)
        lines.append(number)
    _take(encoded, taken, len(encoded.lines), end, texts, ends, lines)
    return b",".join(texts), ends, lines


def _take(
    encoded: Encoded, first: int, until: int, end: int,
    texts: list[bytes | bytearray], ends: array[int], lines: array[int],
) -> int:  # fmt: skip
    """Takes the kernel's events [first, until); gives the new end."""
    if first == until:
        return end
    begin = encoded.ends[first - 1] + 1 if first else 0
    texts.append(encoded.text[begin : encoded.ends[until - 1]])
    shift = end + 1 - begin
    taken = encoded.ends[first:until]
    ends.extend(array("I", [one + shift for one in taken]) if shift else taken)
    lines.extend(encoded.lines[first:until])
    return ends[-1]


@lru_cache(16)
def _bounds(window: Window) -> tuple[int, int, int]:
    """Oldest, since and until as epoch milliseconds."""
    decode = IsoTime().decoder("UTC")

    def bound(text: str, none: int) -> int:
        moment_ms = decode(text) if text else None
        return none if moment_ms is None else moment_ms

    oldest, since, until = NO_BOUNDS
    return bound(window.oldest, oldest), bound(window.since, since), bound(window.until, until)
