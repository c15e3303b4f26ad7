"""The compiled converter: bytes of a chunk in, encoded events out.

Clean lines of a chunk are made into events by one expression over the scanner's rows; the others are parsed one by one
and go through the same code generated for decoded values. Both ways give the same bytes for the same line.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, count
from operator import add

from isal import isal_zlib

from logship.errors import MappingError
from logship.event import Conversion, LogFile, Window, key_digits
from logship.formats import Fields, Format, Scanner
from logship.mapping.generator import Generated, Made
from logship.mapping.memo import Bounds, Unreadable
from logship.mapping.trace import LineTrace, Tracer, choose

FEW = 8  # with fewer than one dirty line in FEW, all rows are made and the dirty ones replaced
LOW = 0xFFFF_FFFF  # the digits of a position that are made in bulk; the 16 bits above are the same for a whole chunk
BOM = b"\xef\xbb\xbf"
NO_WINDOW = Window()


@dataclass(frozen=True, slots=True)
class Ways:
    """The generated functions of one format: for clean rows of some fields and for exact ones; with a window or not."""

    clean: Callable[[bool, Fields | None], Generated]
    exact: Callable[[bool], Generated]


@dataclass(slots=True)
class Marks:
    """What stands in the ids of a chunk's lines: digits, and the numbers they come from."""

    crcs: list[str]
    places: list[str]
    numbers: Sequence[int]
    starts: Sequence[int]

    def of(self, indexes: Sequence[int]) -> Marks:
        def pick(items: Sequence[object]) -> list[object]:
            return [items[index] for index in indexes]

        return Marks(*map(pick, (self.crcs, self.places, self.numbers, self.starts)))  # type: ignore[arg-type]


@dataclass(slots=True)
class Portion:
    """Events of some lines of a chunk, each with its line."""

    events: list[str]
    lines: Sequence[int]
    holes: Sequence[int] = ()  # lines whose event is a filler's


class Member:
    """One format of a converter with its scanner and its generated functions."""

    def __init__(self, fmt: Format, scanner: Scanner, ways: Ways, bounds: Bounds) -> None:
        self.format = fmt
        self.scanner = scanner
        self.bounds = bounds
        self._ways = ways

    def clean(self, fields: Fields | None, *, has_window: bool) -> Generated:
        return self._ways.clean(has_window, fields)

    def exact(self, *, has_window: bool) -> Generated:
        return self._ways.exact(has_window)


class Tally:
    """Adds up what generated functions count."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def add(self, way: Generated, made: Made) -> None:
        for counter, number in zip(way.counters, made.counts, strict=True):
            if number:
                key = (counter.what, counter.rule)
                self.counts[key] = self.counts.get(key, 0) + number

    def by_rule(self, what: str) -> dict[str, int]:
        return {rule: number for (kind, rule), number in self.counts.items() if kind == what}

    def total(self, what: str) -> int:
        return sum(number for (kind, _), number in self.counts.items() if kind == what)


class Work:
    """One chunk on its way through the members."""

    def __init__(self, lines: list[bytes], start: int, marks: Marks, file: LogFile, window: Window) -> None:
        self.lines = lines
        self.start = start
        self.marks = marks
        self.file = file
        self.window = window
        self.middle = f"-{key_digits(file.key)}-{start >> 32:04x}"
        self.portions: list[Portion] = []
        self.fields: Fields | None = None  # of the first member's rows
        self.dirty_rows: dict[int, tuple[str, ...]] = {}  # of the first member, as scanned
        self.tally = Tally()

    def make(self, way: Generated, rows: Sequence[object], marks: Marks) -> Made:
        return way(
            rows, marks.crcs, marks.places, marks.numbers, marks.starts, self.file, self.middle,
            self.window.oldest, self.window.since, self.window.until,
        )  # fmt: skip

    def take(self, way: Generated, made: Made, lines: Sequence[int], holes: Sequence[int] = ()) -> None:
        self.tally.add(way, made)
        kept = lines if made.kept is None else [lines[index] for index in made.kept]
        if made.events:
            self.portions.append(Portion(made.events, kept, holes))


class Converter:
    """A format and a mapping, compiled; events of chunks."""

    def __init__(
        self, members: Sequence[Member], warnings: Sequence[MappingError], tracers: Callable[[], Sequence[Tracer]]
    ) -> None:
        self.members = tuple(members)
        self.warnings = tuple(warnings)
        self._make_tracers = tracers
        self._tracers: Sequence[Tracer] = ()

    def trace(self, line: bytes, position: int, file: LogFile, outer: bytes | None = None) -> LineTrace:
        """What becomes of one line (with or without its line end) and why; slow. `outer` as for convert_lines()."""
        self._tracers = self._tracers or self._make_tracers()
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        return choose(self._tracers, content).trace(content, position, file, content if outer is None else outer)

    def convert(self, data: bytes, start: int, file: LogFile, window: Window | None = None) -> Conversion:
        """The events of whole lines, each ending in a newline, the first at position `start`.

        Raises: nothing for any content; a line that fits no format is in `unfit`.
        """
        if not data:
            return Conversion(b"", (), (), (start,))
        if not data.endswith(b"\n"):
            data += b"\n"
        lines = data.split(b"\n")
        lines.pop()
        if start & LOW > LOW - len(data):
            lengths = accumulate((len(line) + 1 for line in lines), initial=start)
            lines = [line.removesuffix(b"\r") for line in lines]
            return self._straddling(lines, lines, list(lengths), file, window)
        starts = array("I", map(add, accumulate(map(len, lines), initial=start & LOW), count()))
        line_starts: Sequence[int] = starts if start <= LOW else [(start & ~LOW) + low for low in starts]
        if b"\r" in data:
            lines = [line.removesuffix(b"\r") for line in lines]
            data = b"\n".join(lines) + b"\n"
        work = Work(lines, start, _marks(lines, starts, line_starts), file, window or NO_WINDOW)
        return self._conversion(work, data, line_starts)

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
        if starts[0] >> 32 != starts[-1] >> 32:
            return self._straddling(lines, outer, starts, file, window)
        marks = _marks(outer, array("I", [start & LOW for start in starts]), starts)
        work = Work(list(lines), starts[0], marks, file, window or NO_WINDOW)
        return self._conversion(work, b"\n".join(lines) + b"\n", starts)

    def _straddling(
        self,
        lines: Sequence[bytes],
        outer: Sequence[bytes],
        starts: Sequence[int],
        file: LogFile,
        window: Window | None,
    ) -> Conversion:
        """Lines over a multiple of 4 GiB, where the upper digits of positions change: each by itself."""
        ones: list[Conversion] = []
        event_lines, unfit = [], []
        for number, line in enumerate(lines):
            crc, start = isal_zlib.crc32(outer[number]), starts[number]
            marks = Marks([f"{crc:08x}"], [f"{start & LOW:08x}"], [crc], [start])
            work = Work([line], start, marks, file, window or NO_WINDOW)
            one = self._settled(work, self._exact(work, [0]), (start, starts[number + 1]))
            ones.append(one)
            event_lines += [number] * len(one.ends)
            unfit += [number] * len(one.unfit)
        whole = Conversion.of([event for one in ones for event in one.events], event_lines, starts, unfit)
        for one in ones:
            _add_counts(whole, one)
        return whole

    def _conversion(self, work: Work, data: bytes, line_starts: Sequence[int]) -> Conversion:
        dirty: Sequence[int] = range(len(work.lines))
        first = self.members[0]
        scan = first.scanner.scan(data, work.lines)
        if scan is not None:
            work.fields = scan.fields
            dirty = self._clean(work, first, list(scan.rows), sorted(scan.dirty))
            work.dirty_rows = {index: scan.rows[index] for index in scan.dirty}
        unfit = self._exact(work, dirty) if dirty else []
        return self._settled(work, unfit, line_starts)

    def _settled(self, work: Work, unfit: Sequence[int], line_starts: Sequence[int]) -> Conversion:
        events, lines = _merged(work.portions, len(work.lines))
        tally = work.tally
        made = Conversion.of(events, lines, line_starts, unfit)
        made.dropped, made.sampled_out = tally.by_rule("dropped"), tally.by_rule("sampled out")
        made.too_old, made.out_of_range = tally.total("too old"), tally.total("out of range")
        return made

    # -- clean rows

    def _clean(self, work: Work, member: Member, rows: list[tuple[str, ...]], dirty: Sequence[int]) -> Sequence[int]:
        """Makes events of all rows but the dirty ones; gives the lines that are left to the exact way."""
        if len(dirty) == len(rows):
            return dirty
        marks: Marks = work.marks
        chosen: Sequence[int] = range(len(rows))
        has_window = _is_needed(work.window, member.bounds)
        way = member.clean(work.fields, has_window=has_window)
        if dirty and not way.counters and len(dirty) * FEW < len(rows):  # every row becomes an event
            _fill(rows, dirty)
        elif dirty:
            chosen, rows, marks = _without(rows, dirty, marks)
        if has_window:
            member.bounds.reset()
        try:
            made = work.make(way, rows, marks)
            if not has_window and _is_needed(work.window, member.bounds):  # these rows brought times outside of it
                return self._clean(work, member, _full(rows, chosen, len(work.lines)), dirty)
        except Unreadable:
            odd = self._odd(work, member, rows, marks)
            more = [chosen[index] for index in odd]
            if not more:
                return range(len(work.lines))
            return self._clean(work, member, _full(rows, chosen, len(work.lines)), sorted({*dirty, *more}))
        work.take(way, made, chosen, dirty if made.kept is None and len(chosen) == len(work.lines) else ())
        return dirty

    def _odd(self, work: Work, member: Member, rows: Sequence[tuple[str, ...]], marks: Marks) -> list[int]:
        """Which rows clean code can't do: those its sieve finds, else those it fails at one by one."""
        way = member.clean(work.fields, has_window=False)
        odd = way.odd(rows)
        if odd:
            return odd
        failing = []
        for index, row in enumerate(rows):
            try:
                work.make(way, [row], marks.of([index]))
            except Unreadable:
                failing.append(index)
        return failing

    # -- exact rows

    def _exact(self, work: Work, dirty: Sequence[int]) -> list[int]:
        """Makes events of these lines by parsing each; gives the lines that fit no member."""
        left = list(dirty)
        for member in self.members:
            if not left:
                break
            left = self._exact_member(work, member, left)
        return left

    def _exact_member(self, work: Work, member: Member, indexes: list[int]) -> list[int]:
        parse, lines = member.scanner.parse, work.lines
        if work.dirty_rows and member is self.members[0]:
            parse_row, scanned = member.scanner.parse_row, work.dirty_rows
            parsed = [
                parse_row(scanned[index], lines[index]) if index in scanned else parse(lines[index])
                for index in indexes
            ]
        else:
            parsed = [parse(lines[index]) for index in indexes]
        if work.start == 0 and indexes[0] == 0 and lines[0].startswith(BOM):
            parsed[0] = parse(lines[0].removeprefix(BOM))
        unfit = [index for index, row in zip(indexes, parsed, strict=True) if row is None]
        fitting = [index for index, row in zip(indexes, parsed, strict=True) if row is not None] if unfit else indexes
        rows = [row for row in parsed if row is not None]
        if not rows:
            return unfit
        way = member.exact(has_window=work.window != NO_WINDOW)
        try:
            made = work.make(way, rows, work.marks.of(fitting))
        except Unreadable:  # a time or a duration that no event can have
            return sorted(unfit + self._one_by_one(work, way, rows, fitting))
        work.take(way, made, fitting)
        return unfit

    def _one_by_one(self, work: Work, way: Generated, rows: Sequence[object], indexes: Sequence[int]) -> list[int]:
        unfit = []
        for row, index in zip(rows, indexes, strict=True):
            try:
                made = work.make(way, [row], work.marks.of([index]))
            except Unreadable:
                unfit.append(index)
            else:
                work.take(way, made, [index])
        return unfit


def _marks(lines: Sequence[bytes], starts: array[int], line_starts: Sequence[int]) -> Marks:
    """Digits and numbers for ids, made in bulk: one call for a whole chunk instead of two formats a line."""
    numbers = array("I", map(isal_zlib.crc32, lines))
    return Marks(_digits(numbers), _digits(starts), numbers, line_starts)


def _digits(numbers: array[int]) -> list[str]:
    """Eight hex digits of each number."""
    turned = numbers[:]
    turned.byteswap()
    return turned.tobytes().hex(",", 4).split(",")


def _without(
    rows: list[tuple[str, ...]], dirty: Sequence[int], marks: Marks
) -> tuple[list[int], list[tuple[str, ...]], Marks]:
    """The clean lines, their rows and their marks."""
    flags = bytearray(b"\1") * len(rows)
    for index in dirty:
        flags[index] = 0
    picked = [list(compress(items, flags)) for items in (marks.crcs, marks.places, marks.numbers, marks.starts)]
    return list(compress(range(len(rows)), flags)), list(compress(rows, flags)), Marks(*picked)  # type: ignore[arg-type]


def _fill(rows: list[tuple[str, ...]], dirty: Sequence[int]) -> None:
    """A clean row in the place of the few dirty ones: throwing away what it becomes costs less than picking."""
    unusable = set(dirty)
    filler = next(row for index, row in enumerate(rows) if index not in unusable)
    for index in dirty:
        rows[index] = filler


def _full(rows: Sequence[tuple[str, ...]], chosen: Sequence[int], lines: int) -> list[tuple[str, ...]]:
    """Chosen rows back at their lines; the others hold nothing that is looked at."""
    full: list[tuple[str, ...]] = [()] * lines
    for index, row in zip(chosen, rows, strict=True):
        full[index] = row
    return full


def _is_needed(window: Window, bounds: Bounds) -> bool:
    """Whether some event made so far may lie outside of the window."""
    if window is NO_WINDOW:
        return False
    is_below = bounds.least < max(window.oldest, window.since)
    return is_below or bool(window.until and bounds.greatest >= window.until)


def _merged(portions: Sequence[Portion], lines: int) -> tuple[list[str], Sequence[int]]:
    """Events in the order of their lines."""
    if not portions:
        return [], ()
    if len(portions) == 1 and not portions[0].holes:
        return portions[0].events, portions[0].lines
    places: list[str] = portions[0].events if len(portions[0].events) == lines else [""] * lines
    for portion in portions:
        if portion.events is not places:
            for line, event in zip(portion.lines, portion.events, strict=True):
                places[line] = event
        for hole in portion.holes:
            places[hole] = ""
    if all(places):
        return places, range(lines)
    return [event for event in places if event], [line for line, event in enumerate(places) if event]


def _add_counts(whole: Conversion, one: Conversion) -> None:
    for mine, more in ((whole.dropped, one.dropped), (whole.sampled_out, one.sampled_out)):
        for rule, number in more.items():
            mine[rule] = mine.get(rule, 0) + number
    whole.too_old += one.too_old
    whole.out_of_range += one.out_of_range
