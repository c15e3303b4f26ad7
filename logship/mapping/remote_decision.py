"""The receiver's rules as instructions: behind the event's members, when all that they ask for is known.

event's members, the wanted ones noted
  → excluded user or company                  DROP
  → the first regex rule that fits, else the rate of the user, of the company, of all
  → by the user's place, else by that of the id that is sent: a mapping's, or the line's own   DROP, SAMPLE
  → the weight
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from fractions import Fraction
from typing import TYPE_CHECKING

from logship.formats.re2_door import compile_set
from logship.kernel.assembler import Label
from logship.kernel.program import MOST, Op, texts
from logship.mapping.event_keys import Path
from logship.mapping.plan import Branch, Leaf, steps
from logship.mapping.remote_rules import (
    ALL,
    ROUTE,
    RemoteRules,
    threshold_of,
    weight_of,
)
from logship.mapping.remote_texts import (
    EXCLUDED,
    KEPT,
    LEFT_OUT,
    drawing,
    fates,
    first_rule,
    inside_of,
    key_of,
    pattern_code,
    product,
    route,
    spelled_rate,
)
from logship.records import record
from logship.words import RECEIVER

if TYPE_CHECKING:
    from logship.mapping.derived import Fields

SHARED_ENTRIES = 16_384  # remembered of users: they are many
ID_ENTRIES = 64  # each stands once or twice

USER: Path = ("user_id",)
COMPANY: Path = ("company_id",)
ID: Path = ("transaction_id",)
WEIGHT: Path = ("weight",)
URI: Path = ("request", "uri")
RULE, USER_RATE, COMPANY_RATE, RATE = (f"{RECEIVER}{what}" for what in ("rule {}", "user rate", "company rate", "rate"))
OwnShares = Sequence[tuple[int, int, int]]  # (flag, value, weight) of what the mapping's own sampling kept


@record
class Reason:
    """Which of the receiver's rates kept an event: `name` is that of the counter of those it did not keep."""

    name: str
    rate: Fraction | None  # None: the user's own, or the company's


class RemoteDecision:
    """Emits the decision for one program.

    Shapes: `wanted` are the leaves of the event whose text is to be noted, each in its register; `bare` those
    that are noted as they are before they are hashed, too; `weight` holds the
    weight that the receiver's rate gives, as text, empty for 1.
    """

    def __init__(
        self, rules: RemoteRules, event: Branch, fields: Fields, hashed: Set[Path], *, is_traced: bool
    ) -> None:
        self._rules = rules
        self._fields = fields
        self._assembler = fields.assembler
        self._is_traced = is_traced
        self.reasons: list[Reason] = []
        self.wanted: dict[Path, int] = {}
        self._own: OwnShares = ()
        self._draw = drawing({rules.rate, *rules.companies.values(), *(rule.rate for rule in rules.regexes)})
        self._weight = self._assembler.register()
        self._scratch = self._assembler.register()
        self._loaded = self._assembler.register()
        self._user = self._noted(USER) if isinstance(event.get("user_id"), Leaf) else None
        self._id = self._noted(ID) if isinstance(event.get("transaction_id"), Leaf) else None
        has_company = bool(rules.companies) and isinstance(event.get("company_id"), Leaf)
        self._company = self._noted(COMPANY) if has_company else None
        self.bare = {path: self._assembler.register() for path in (USER, COMPANY) if path in hashed}
        self._base = self._noted(WEIGHT) if isinstance(event.get("weight"), Leaf) else None
        found = {rule.number: [_find(event, one.path) for one in rule.conditions] for rule in rules.regexes}
        self._regexes = [rule for rule in rules.regexes if all(found[rule.number])]  # what is nowhere never matches
        self._places: dict[str, tuple[Path, Path]] = {}
        for rule in self._regexes:
            for condition, place in zip(rule.conditions, found[rule.number], strict=True):
                assert place is not None
                self._places[condition.path] = place
                self._noted(place[0])

    def _noted(self, path: Path) -> int:
        if path not in self.wanted:
            self.wanted[path] = self._assembler.register()
        return self.wanted[path]

    def emit(self, is_kept: int, own: OwnShares) -> None:
        """Behind the members of the event: a line that a local rule keeps continues, any other is decided."""
        assembler, end = self._assembler, Label()
        self._own = own
        assembler.emit(Op.UNLESS_FLAG, is_kept, 0, end)
        fate, company_rate = self._exclusions()
        self._regex_rules(end)
        if fate is not None:
            self._user_rate(fate, end)
        if company_rate is not None:
            self._company_rates(company_rate, end)
        self._decide(Reason(RATE, self._rules.rate))
        assembler.place(end)

    def emit_weight(self) -> None:
        """The event's last member: the weight of all that sampled it, unless it is 1."""
        assembler, skip = self._assembler, Label()
        multiply = self._fields.function("product of weights", product, arity=2)
        base = self._base
        if self._own:
            base = assembler.register()
            for flag, value, weight in self._own:
                other = Label()
                assembler.emit(Op.UNLESS_FLAG, flag, value, other)
                assembler.emit(Op.LOAD, base, assembler.constant(str(weight)))
                assembler.place(other)
        weight = self._weight if base is None else self._fields.call(multiply, self._weight, base)
        assembler.emit(Op.EMPTY, weight, skip)
        assembler.write(',"weight":')
        assembler.emit(Op.PLAIN, weight)
        assembler.place(skip)

    # -- which rate

    def _exclusions(self) -> tuple[int | None, int | None]:
        """Nothing of an excluded user or company goes out.

        Shapes: gives the registers of the user's fate and of the company's rate.
        """
        rules, fields = self._rules, self._fields
        fate = company_rate = None
        if rules.users and self._user is not None:
            ids = self._spellings(USER, self._user)
            fate = fields.call(
                fields.function("receiver's user", fates(rules.users), arity=len(ids), entries=SHARED_ENTRIES), *ids
            )
            self._drop_if(fate, EXCLUDED, USER_RATE)
        if self._company is not None:
            companies = rules.companies
            ids = self._spellings(COMPANY, self._company)
            function = fields.function("receiver's company", spelled_rate(companies), arity=len(ids))
            company_rate = fields.call(function, *ids)
            if Fraction(0) in companies.values():
                self._drop_if(company_rate, "0", COMPANY_RATE)
        return fate, company_rate

    def _spellings(self, path: Path, sent: int) -> list[int]:
        """An id as it is sent and, where that is a hash, as the line has it: the receiver may know either."""
        return [sent, self.bare[path]] if path in self.bare else [sent]

    def _regex_rules(self, end: Label) -> None:
        if not self._regexes:
            return
        assembler, fields = self._assembler, self._fields
        codes: list[str | int] = []
        asked: dict[str, dict[str, int]] = {}  # path: pattern: its place in the path's code
        for path in self._places:
            patterns = dict.fromkeys(
                one.pattern for rule in self._regexes for one in rule.conditions if one.path == path
            )
            asked[path] = {pattern: at for at, pattern in enumerate(patterns)}
            function = fields.function(
                f"receiver's {path}", pattern_code(self._text(path), compile_set(tuple(patterns)))
            )
            codes += [fields.call(function, self._source(path)), "|"]
        wanted = [
            (str(rule.number), [(list(asked).index(one.path), asked[one.path][one.pattern]) for one in rule.conditions])
            for rule in self._regexes
        ]
        fitting = fields.function("receiver's rule", first_rule(wanted))
        number = fields.call(fitting, assembler.join(codes))
        none = Label()
        assembler.emit(Op.EMPTY, number, none)
        for rule in self._regexes:
            following = Label()
            assembler.emit(Op.UNLESS_IN, number, assembler.constant(texts([str(rule.number)])), following)
            self._decide(Reason(RULE.format(rule.number), rule.rate))
            assembler.emit(Op.JUMP, end)
            assembler.place(following)
        assembler.place(none)

    def _source(self, path: str) -> int:
        """The register in which a path's text is, or what it is taken from."""
        register = self.wanted[self._places[path][0]]
        if path != ROUTE:
            return register
        before, behind = self._assembler.register(), self._assembler.register()
        self._assembler.emit(Op.CUT, before, behind, register, ord("?"))  # queries are many, routes are few
        return before

    def _text(self, path: str) -> Callable[[str], str]:
        """From the noted text to that of the path: itself, the route of a URI, or what is inside of a JSON text."""
        inside = self._places[path][1]
        if path == ROUTE:
            return route
        return (lambda text: inside_of(text, inside)) if inside else str

    # -- by whom it is decided

    def _user_rate(self, fate: int, end: Label) -> None:
        assembler, none = self._assembler, Label()
        assembler.emit(Op.EMPTY, fate, none)
        self._drop_if(fate, LEFT_OUT, USER_RATE)
        self._visit(Reason(USER_RATE, None))
        self._set_weight_unless_kept(fate)
        assembler.emit(Op.JUMP, end)
        assembler.place(none)

    def _set_weight_unless_kept(self, fate: int) -> None:
        heavy, done = Label(), Label()
        self._assembler.emit(Op.UNLESS_IN, fate, self._assembler.constant(texts([KEPT])), heavy)
        self._assembler.emit(Op.JUMP, done)
        self._assembler.place(heavy)
        self._assembler.first(self._weight, [fate])
        self._assembler.place(done)

    def _company_rates(self, register: int, end: Label) -> None:
        for rate in sorted(set(self._rules.companies.values()) - {Fraction(0)}):
            other = Label()
            self._assembler.emit(Op.UNLESS_IN, register, self._assembler.constant(texts([str(rate)])), other)
            self._decide(Reason(COMPANY_RATE, rate))
            self._assembler.emit(Op.JUMP, end)
            self._assembler.place(other)

    def _decide(self, reason: Reason) -> None:
        """Goes on where the event is kept."""
        assembler, rate = self._assembler, reason.rate
        assert rate is not None
        counter = assembler.counter("sampled out", reason.name) if rate < ALL else 0
        if not threshold_of(rate):
            assembler.emit(Op.DROP, counter)
            return
        if rate < ALL:
            kept = Label()
            if self._user is not None:
                draw = self._fields.function("receiver's draw", self._draw, arity=2, entries=SHARED_ENTRIES)
                self._draw_by(self._user, draw, rate, counter, kept)
            if self._id is not None:
                draw = self._fields.function("receiver's draw of ids", self._draw, arity=2, entries=ID_ENTRIES)
                self._draw_by(self._id, draw, rate, counter, kept)
            self._sample(rate, counter)
            assembler.place(kept)
        self._visit(reason)
        if weight_of(rate) > 1:
            assembler.emit(Op.LOAD, self._weight, assembler.constant(str(weight_of(rate))))

    def _draw_by(self, register: int, function: int, rate: Fraction, counter: int, kept: Label) -> None:
        """Goes on where there is no such text; else the line is decided by it."""
        assembler, nobody, out = self._assembler, Label(), Label()
        assembler.emit(Op.EMPTY, register, nobody)
        assembler.emit(Op.LOAD, self._loaded, assembler.constant(str(rate)))
        assembler.emit(Op.CALL, self._scratch, function, register, self._loaded)
        assembler.emit(Op.EMPTY, self._scratch, out)
        assembler.emit(Op.JUMP, kept)
        assembler.place(out)
        assembler.emit(Op.DROP, counter)
        assembler.place(nobody)

    def _sample(self, rate: Fraction, counter: int) -> None:
        """By the line's place: of those that the mapping's own sampling kept by the same place, the same share."""
        assembler, done = self._assembler, Label()
        for flag, value, weight in self._own:
            other = Label()
            assembler.emit(Op.UNLESS_FLAG, flag, value, other)
            assembler.emit(Op.SAMPLE, counter, self._threshold(threshold_of(rate) // weight))
            assembler.emit(Op.JUMP, done)
            assembler.place(other)
        assembler.emit(Op.SAMPLE, counter, self._threshold(threshold_of(rate)))
        assembler.place(done)

    def _threshold(self, threshold: int) -> int:
        return self._assembler.constant(threshold.to_bytes(8, "little"))

    def _drop_if(self, register: int, text: str, name: str) -> None:
        other = Label()
        self._assembler.emit(Op.UNLESS_IN, register, self._assembler.constant(texts([text])), other)
        self._assembler.emit(Op.DROP, self._assembler.counter("sampled out", name))
        self._assembler.place(other)

    def _visit(self, reason: Reason) -> None:
        if self._is_traced:
            self.reasons.append(reason)
            self._assembler.emit(Op.VISIT, MOST + len(self.reasons))


def visited(number: int) -> int | None:
    """The index of the reason that a VISIT tells of, None where it tells of a rule of the mapping."""
    return number - MOST - 1 if number > MOST else None


def _find(event: Branch, path: str) -> tuple[Path, Path] | None:
    """The leaf that holds a dotted path, and the way on inside of its JSON; None: no event has it."""
    node: Leaf | Branch = event
    here: Path = ()
    rest = URI if path == ROUTE else steps(path)
    while rest and not isinstance(node, Leaf):
        key = key_of(node, rest[0])
        if key is None:
            return None
        node, here, rest = node[key], (*here, key), rest[1:]
    return (here, rest) if isinstance(node, Leaf) else None
