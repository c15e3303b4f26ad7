"""From a mapping and a format to the program: one walk, in the order in which a line is done.

setting and plan
  → the times, which decide whether a line fits          Fields.moment
  → the window                                           WINDOW
  → the rules in order: tests, then what is to be done   DROP, SAMPLE, FLAG
  → the fields that the event names                      Fields.value
  → the event, and whether the receiver wants it         EventWriter, RemoteDecision
  → how the kernel reads such lines                      Format.read
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from logship.fields import Kind
from logship.formats.format import Wanted
from logship.formats.slot import Moment
from logship.kernel.assembler import Assembler, Label
from logship.kernel.program import Escaping, Op, Program, texts
from logship.mapping import values
from logship.mapping.derived import Fields, Value
from logship.mapping.event import EventWriter, LeafChoice
from logship.mapping.event_keys import Path
from logship.mapping.matchers import Groups, Test, scale_of
from logship.mapping.plan import Condition, Leaf, Plan, Rule, leaves
from logship.mapping.redaction_places import Covers
from logship.mapping.remote_decision import Reason, RemoteDecision
from logship.mapping.remote_rules import RemoteRules
from logship.mapping.setting import Setting
from logship.mapping.template import Template
from logship.records import record

TIME: Path = ("request", "time")


@record
class Lowered:
    """A program with the logged fields that it reads, in the order of `program.fields`."""

    program: Program
    needed: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()  # of what the receiver's rules kept, where the program is traced


def lower(
    setting: Setting, plan: Plan, covers: Covers, rules: RemoteRules | None = None, *, is_traced: bool = False
) -> Lowered:
    """The program of a mapping for lines of a format, obeying the receiver's rules.

    `is_traced`: it says which rules matched.
    """
    return _Lowering(setting, plan, covers, rules, is_traced=is_traced).lower()


class _Lowering:
    def __init__(
        self, setting: Setting, plan: Plan, covers: Covers, rules: RemoteRules | None, *, is_traced: bool
    ) -> None:
        self._remote_rules = rules if rules is not None and rules.count else None
        self._setting = setting
        self._plan = plan
        self._covers = covers
        self._is_traced = is_traced
        self._assembler = Assembler()
        self._fields = Fields(setting, self._assembler)
        self._choices = {path: (self._assembler.flag(), [LeafChoice(0, leaf, {})]) for path, leaf in self._changeable()}
        self._is_kept = self._assembler.flag()
        self._weight = self._assembler.flag()  # 0: not sampled; n: sampled by rule n - 1
        self._weights: list[tuple[int, int, int]] = []

    def lower(self) -> Lowered:
        self._times()
        for rule in self._plan.rules:
            self._rule(rule)
        for name in (*self._named(), *self._covers.tokens):
            self._fields.value(name)
        samples = any(rule.share for rule in self._plan.rules)
        fields, event, remote = self._fields, self._plan.event, None
        if self._remote_rules is not None:
            remote = RemoteDecision(self._remote_rules, event, fields, self._covers.hashed, is_traced=self._is_traced)
        writer = EventWriter(fields, self._covers, self._choices, self._plan.max_body_bytes, remote)
        writer.write(event, self._weights if samples else None, self._is_kept)
        self._assembler.begin_reading()
        wanted = Wanted(fields.needed, fields.moments, fields.time_function)
        escaping = self._setting.format.emit_reading(self._assembler, wanted)
        if escaping is None:
            self._assembler.forget_reading()
        program = self._assembler.program(tuple(fields.needed.values()), escaping or Escaping.NONE)
        return Lowered(program, tuple(fields.needed), tuple(remote.reasons) if remote else ())

    def _times(self) -> None:
        """The request's times first: a line whose time is none does not fit, whatever the rules say."""
        for moment in (Moment.START, Moment.END):
            slot = self._setting.time_slot(moment)
            if slot is not None:
                self._fields.moment(slot)
        leaf = self._leaf(TIME)
        if leaf is not None and isinstance(leaf.value, Template) and leaf.value.only is not None:
            value = self._fields.value(leaf.value.only.name)
            if value.is_moment and value.register is not None:
                self._assembler.emit(Op.WINDOW, value.register)

    # -- rules

    def _rule(self, rule: Rule) -> None:
        for condition in rule.conditions:
            if condition.field not in rule.groups:
                self._fields.value(condition.field)
        skip = Label()
        if rule.drops or rule.share:
            self._assembler.emit(Op.UNLESS_FLAG, self._is_kept, 0, skip)
        if rule.share:
            self._assembler.emit(Op.UNLESS_FLAG, self._weight, 0, skip)
        groups: dict[str, Value] = {}
        for number, condition in enumerate(rule.conditions):
            subject = groups.get(condition.field) or self._fields.value(condition.field)
            groups |= self._condition(f"rule {rule.index}, {number}", condition, subject, skip)
        self._actions(rule, groups)
        self._assembler.place(skip)

    def _condition(self, name: str, condition: Condition, subject: Value, skip: Label) -> dict[str, Value]:
        """Goes on where the condition holds; gives the groups it filled."""
        matcher, assembler = condition.matcher, self._assembler
        register = self._fields.held(subject)
        if matcher.absence is not None:
            if matcher.absence and subject.is_always:
                assembler.emit(Op.JUMP, skip)
            elif matcher.absence:
                absent = Label()
                assembler.emit(Op.EMPTY, register, absent)
                assembler.emit(Op.JUMP, skip)
                assembler.place(absent)
            elif not subject.is_always:
                assembler.emit(Op.EMPTY, register, skip)
            return {}
        if matcher.texts is not None:
            assembler.emit(Op.UNLESS_IN, register, assembler.constant(texts(sorted(matcher.texts))), skip)
            return {}
        if matcher.prefix:
            assembler.emit(Op.UNLESS_PREFIX, register, assembler.constant(matcher.prefix), skip)
        if matcher.is_prefix:
            return {}
        scaled = lru_cache(4)(_scaled(subject, matcher.test))  # its groups are asked for right behind it
        matches = self._fields.function(name, lambda text: "" if scaled(text) is None else "1")
        assembler.emit(Op.EMPTY, self._fields.call(matches, register), skip)
        groups = {}
        for index, group in enumerate(matcher.groups):
            function = self._fields.function(f"{name}: {group}", _group(scaled, index))
            origin = subject.cut_from or (condition.field, subject)
            groups[group] = Value(Kind.TEXT, self._fields.call(function, register), cut_from=origin)
        return groups

    def _actions(self, rule: Rule, groups: Mapping[str, Value]) -> None:
        assembler = self._assembler
        if self._is_traced:
            assembler.emit(Op.VISIT, rule.index)
        for path, leaf in rule.sets:
            for changed, (flag, choices) in self._choices.items():
                if changed == path or (leaf.value is None and changed[: len(path)] == path):
                    choices.append(LeafChoice(len(choices), leaf, groups))
                    assembler.emit(Op.FLAG, flag, choices[-1].number)
        if rule.keeps:
            assembler.emit(Op.FLAG, self._is_kept, 1)
        if rule.drops:
            assembler.emit(Op.DROP, assembler.counter("dropped", rule.name))
        if rule.share is not None:
            assembler.emit(Op.FLAG, self._weight, rule.index + 1)
            if rule.share.weight > 1:
                threshold = assembler.constant(rule.share.threshold.to_bytes(8, "little"))
                assembler.emit(Op.SAMPLE, assembler.counter("sampled out", rule.name), threshold)
                self._weights.append((self._weight, rule.index + 1, rule.share.weight))

    # -- the event

    def _changeable(self) -> list[tuple[Path, Leaf]]:
        """Leaves that a rule may change: themselves or something above them is set."""
        set_paths = self._plan.set_paths
        return [(path, leaf) for path, leaf in leaves(self._plan.event) if any(path[: len(s)] == s for s in set_paths)]

    def _leaf(self, path: Path) -> Leaf | None:
        return next((leaf for known, leaf in leaves(self._plan.event) if known == path), None)

    def _named(self) -> list[str]:
        """The fields that the event's templates name, groups left out."""
        all_leaves = [(leaf, frozenset[str]()) for _, leaf in leaves(self._plan.event)]
        all_leaves += [(leaf, rule.groups) for rule in self._plan.rules for _, leaf in rule.sets]
        return [
            reference.name
            for leaf, groups in all_leaves
            if isinstance(leaf.value, Template)
            for reference in leaf.value.references
            if reference.name not in groups
        ]


def _scaled(subject: Value, test: Test) -> Test:
    """The test of a text whose limits are written in seconds."""
    scale = scale_of(subject.kind)
    if scale == 1.0:
        return test

    def scaled(text: str) -> Groups | None:
        seconds = values.number(text)
        return test("" if seconds is None else repr(seconds / scale))

    return scaled


def _group(test: Test, index: int) -> Callable[[str], str]:
    """A function from a text that matches to one of the groups."""

    def group(text: str) -> str:
        filled = test(text)
        return filled[index] if filled else ""

    return group
