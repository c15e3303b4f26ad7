"""What becomes of one line and why: slow, for people (preview, trace, test)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from isal import isal_zlib

from logship.errors import Location
from logship.event import LogFile, key_digits, transaction_id
from logship.fields import FIELDS
from logship.formats.format import Format
from logship.formats.slot import Misfit
from logship.kernel.exact import compile_exact
from logship.kernel.program import NO_BOUNDS
from logship.kernel.values import Bare, Unreadable
from logship.mapping.event_keys import Path
from logship.mapping.lowering import lower
from logship.mapping.plan import Branch, Leaf, Plan, leaves
from logship.mapping.redaction_places import Covers, NoCovers
from logship.mapping.remote_decision import Reason, visited
from logship.mapping.remote_rules import ALL, RemoteRules, percent, weight_of
from logship.mapping.setting import Setting
from logship.mapping.template import Reference, Template
from logship.records import record

_DERIVED = tuple(name for name, known in FIELDS.items() if known.derived)


@record
class LineTrace:
    """One line and its event.

    Shapes: `fields` are the logged fields, then the derived ones, absent ones left out; `event` is None for a line that
    was dropped, sampled out or does not fit. `origins` says for each value of the event ('request.uri') where in the
    mapping it was written: ('event', 'request', 'uri') or ('rules', 3, 'set', …). `rules` are the names of those that
    matched. `kept_by` says which of the receiver's rules kept the event, '' where none was asked. `error` is None for
    a line that fits.
    """

    line: bytes
    position: int
    transaction_id: str
    format: str
    fields: Mapping[str, object]
    event: Mapping[str, object] | None = None
    dropped_by: str | None = None
    sampled_out_by: str | None = None
    error: Misfit | None = None
    rules: tuple[str, ...] = ()
    origins: Mapping[str, Location] = field(default_factory=dict)
    kept_by: str = ""


class Tracer:
    """Traces lines of one format through one mapping."""

    def __init__(self, setting: Setting, plan: Plan, covers: Covers, rules: RemoteRules | None = None) -> None:
        """`rules` are the receiver's."""
        self._setting = setting
        self._plan = plan
        self._visited: list[int] = []
        self._kept_by = ""
        self._event = _Traced(setting, plan, covers, self._visit, rules)
        self._derived = _Traced(setting, _derived_plan(setting), NoCovers(), None)

    def _visit(self, number: int) -> None:
        reason = visited(number)
        if reason is None:
            self._visited.append(number)
        else:
            self._kept_by = kept_by(self._event.reasons[reason])

    @property
    def format(self) -> Format:
        return self._setting.format

    def fits(self, line: bytes) -> bool:
        return self._event.read(line) is not None

    def trace(self, line: bytes, position: int, file: LogFile, outer: bytes) -> LineTrace:
        """Shapes: `line` is without its line end; `outer`, over which the id is made, is the line as it stands."""
        self._visited.clear()
        self._kept_by = ""
        own = transaction_id(outer, file.key, position)
        parsed = self.format.parse(line)
        if parsed is None:
            return self._unmatched(line, position, own)
        try:
            derived = self._derived.run(outer, line, position, file).event or {}
            made = self._event.run(outer, line, position, file)
        except Unreadable:
            return self._unmatched(line, position, own)
        texts = {slot.field: value for slot, value in zip(self.format.slots, parsed, strict=True) if value}
        texts |= self.format.others(line)
        logged = {name: json.loads(text) if isinstance(text, Bare) else text for name, text in texts.items()}
        fields = logged | {name: value for name, value in derived.items() if name in _DERIVED and name not in logged}
        rules = tuple(self._plan.rules[index].name for index in self._visited)
        dropped, sampled = made.outcomes.get("dropped"), made.outcomes.get("sampled out")
        mine = str(made.event.get("transaction_id", own)) if made.event else own
        origins = self._origins(made.event) if made.event else {}
        return LineTrace(
            line, position, mine, self.format.name, fields, made.event, dropped, sampled, None, rules, origins,
            self._kept_by,
        )  # fmt: skip

    def _unmatched(self, line: bytes, position: int, own: str) -> LineTrace:
        return LineTrace(line, position, own, self.format.name, {}, error=self.explain(line))

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


@record
class _Run:
    event: dict[str, object] | None
    outcomes: dict[str, str]


class _Traced:
    """A program that is executed line by line and tells which rules matched."""

    def __init__(
        self, setting: Setting, plan: Plan, covers: Covers, visit: Callable[[int], None] | None,
        rules: RemoteRules | None = None,
    ) -> None:  # fmt: skip
        lowered = lower(setting, plan, covers, rules, is_traced=visit is not None)
        self.reasons = lowered.reasons
        self.read = setting.format.reader(lowered.needed)
        self._counters = lowered.program.counters
        self._make = compile_exact(lowered.program)
        self._visit = visit

    def run(self, outer: bytes, line: bytes, position: int, file: LogFile) -> _Run:
        """Raises: Unreadable for a line that does not fit."""
        values = self.read(line)
        if values is None:
            raise Unreadable(outer)
        counts = [0] * len(self._counters)
        event = self._make(
            values, isal_zlib.crc32(outer), position, key_digits(file.key), file.origin, file.path, *NO_BOUNDS, counts,
            self._visit,
        )  # fmt: skip
        outcomes = {counter.what: counter.name for counter, count in zip(self._counters, counts, strict=True) if count}
        return _Run(None if event is None else json.loads(event), outcomes)


def kept_by(reason: Reason) -> str:
    """`kept 1 in 10 by the receiver's rule 2`."""
    if reason.rate is None:
        return f"kept by the {reason.name}"
    weight = weight_of(reason.rate)
    share = f"1 in {weight:,}" if weight > 1 and reason.rate * weight == ALL else percent(reason.rate)
    return f"kept {share} by the {reason.name}"


def _derived_plan(setting: Setting) -> Plan:
    """An 'event' of all derived fields, computed as those of the real one are."""
    event: Branch = {name: Leaf(Template((Reference(name, None, 0, 0),)), ()) for name in _DERIVED}
    return Plan(event, ())


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
