"""What becomes of one line and why: slow, for people (preview, trace, test)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from isal import isal_zlib

from logship.errors import Location
from logship.event import LogFile, key_digits, transaction_id
from logship.fields import FIELDS
from logship.formats import Format, Misfit, Value
from logship.mapping.access import Reader, Setting
from logship.mapping.generator import Generator
from logship.mapping.memo import Unreadable
from logship.mapping.plan import Leaf, Path, Plan, leaves
from logship.mapping.render import Covers
from logship.mapping.template import Reference, Template

BOM = b"\xef\xbb\xbf"
LOW = 0xFFFF_FFFF
_DERIVED = tuple(name for name, known in FIELDS.items() if known.derived)
_UNCOVERED = Covers(lambda reader, path: None, lambda reader, name, path: None)


@dataclass(frozen=True, slots=True)
class LineTrace:
    """One line and its event.

    Shapes: `fields` are the logged fields, then the derived ones, absent ones left out; `event` is None for a line that
    was dropped, sampled out or does not fit. `origins` says for each value of the event ('request.uri') where in the
    mapping it was written: ('event', 'request', 'uri') or ('rules', 3, 'set', …). `rules` are the names of those that
    matched. `error` is None for a line that fits.
    """

    line: bytes
    position: int
    transaction_id: str
    format: str
    fields: Mapping[str, Value]
    event: Mapping[str, object] | None = None
    dropped_by: str | None = None
    sampled_out_by: str | None = None
    error: Misfit | None = None
    rules: tuple[str, ...] = ()
    origins: Mapping[str, Location] = field(default_factory=dict)


class Tracer:
    """Traces lines of one format through one mapping."""

    def __init__(self, setting: Setting, plan: Plan, covers: Covers) -> None:
        self._setting = setting
        self._plan = plan
        self._visited: list[int] = []
        main = Setting(setting.format, setting.constants, setting.defaults, setting.proxies, setting.proxy_header)
        side = Setting(setting.format, setting.constants, setting.defaults, setting.proxies, setting.proxy_header)
        self._event = _Traced(main, plan, covers, self._visited.append)
        self._derived = _Traced(side, _derived_plan(side), _UNCOVERED, None)

    @property
    def format(self) -> Format:
        return self._setting.format

    def fits(self, line: bytes) -> bool:
        return self._event.scanner.parse(line) is not None

    def trace(self, line: bytes, position: int, file: LogFile, outer: bytes) -> LineTrace:
        """Shapes: `line` is without its line end; `outer`, over which the id is made, is the line as it stands."""
        self._visited.clear()
        content = line.removeprefix(BOM) if position == 0 else line
        own = transaction_id(outer, file.key, position)
        parsed = self.format.parse(content)
        if parsed is None:
            return self._unfit(line, content, position, own)
        try:
            derived = self._derived.run(outer, content, position, file).event or {}
            made = self._event.run(outer, content, position, file)
        except Unreadable:
            return self._unfit(line, content, position, own)
        logged = {slot.field: value for slot, value in zip(self.format.slots, parsed, strict=True) if value != ""}
        logged |= self.format.others(content)
        fields = logged | {name: value for name, value in derived.items() if name in _DERIVED and name not in logged}
        rules = tuple(self._plan.rules[index].name for index in self._visited)
        dropped, sampled = made.outcomes.get("dropped"), made.outcomes.get("sampled out")
        mine = str(made.event.get("transaction_id", own)) if made.event else own
        origins = self._origins(made.event) if made.event else {}
        return LineTrace(
            line, position, mine, self.format.name, fields, made.event, dropped, sampled, None, rules, origins
        )

    def _unfit(self, line: bytes, content: bytes, position: int, own: str) -> LineTrace:
        return LineTrace(line, position, own, self.format.name, {}, error=self.explain(content))

    def explain(self, line: bytes) -> Misfit:
        """Where the line stops fitting; a line that fits but whose time no event can have stops at its time."""
        misfit = self.format.explain(line)
        if misfit is not None:
            return misfit
        spelled = next((slot.spelled for slot in self.format.slots if slot.kind.is_time), "a time")
        return Misfit(0, f"a time between 1970 and 9999 as {spelled}", 0, len(self.format.slots))

    def _origins(self, event: Mapping[str, object]) -> dict[str, Location]:
        found: dict[str, Location] = {}
        for path, leaf in leaves(self._plan.event):
            location = leaf.location
            for index in self._visited:
                for changed, change in self._plan.rules[index].sets:
                    if path[: len(changed)] == changed:
                        location = change.location
            if _has(event, path):
                found[".".join(path)] = location
        return found


@dataclass(frozen=True, slots=True)
class _Run:
    event: dict[str, Value] | None
    outcomes: dict[str, str]


class _Traced:
    """A generated function for exact rows that tells which rules matched."""

    def __init__(self, setting: Setting, plan: Plan, covers: Covers, visit: Callable[[int], None] | None) -> None:
        generator = Generator(setting, plan, covers, is_exact=True, has_window=False, visit=visit)
        pending = generator.generate()
        if not setting.needed:  # nothing of the line is asked for
            setting.needed.append(setting.format.slots[0].field)
        self.scanner = setting.format.scanner(setting.row)
        self._way = pending()

    def run(self, outer: bytes, content: bytes, position: int, file: LogFile) -> _Run:
        row = self.scanner.parse(content)
        if row is None:
            raise Unreadable(outer)
        crc = isal_zlib.crc32(outer)
        middle = f"-{key_digits(file.key)}-{position >> 32:04x}"
        places, crcs = [f"{position & LOW:08x}"], [f"{crc:08x}"]
        made = self._way([row], crcs, places, [crc], [position], file, middle, "", "", "")
        outcomes = {c.what: c.rule for c, n in zip(self._way.counters, made.counts, strict=False) if n}
        return _Run(json.loads(made.events[0]) if made.events else None, outcomes)


def _derived_plan(setting: Setting) -> Plan:
    """An 'event' of all derived fields: the generated code computes them as the real one does."""
    reader = Reader(setting, is_exact=True)
    event: dict[str, Leaf | dict[str, Leaf]] = {}
    for name in _DERIVED:
        if reader.field(name) is not None:
            event[name] = Leaf(Template((Reference(name, None, 0, 0),)), ())
    setting.needed.clear()
    setting.memos.clear()
    return Plan(event, ())  # type: ignore[arg-type]


def _has(event: Mapping[str, object], path: Path) -> bool:
    node: object = event
    for step in path:
        if not isinstance(node, Mapping) or step not in node:
            return False
        node = node[step]
    return True


def choose(tracers: Sequence[Tracer], line: bytes) -> Tracer:
    """The first whose format fits the line, else the one in whose format it gets furthest."""
    for tracer in tracers:
        if tracer.fits(line):
            return tracer
    return max(tracers, key=lambda tracer: tracer.explain(line).at)
