"""The pure functions that the receiver's rules are made of: from texts of an event to what they say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from logship import digits
from logship.kernel.values import text_of
from logship.mapping.event_keys import Path
from logship.mapping.remote_rules import MAX_WEIGHT, draws, threshold_of, weight_of
from logship.patterns import deferred

EXCLUDED, LEFT_OUT, KEPT = "x", "d", "k"  # a user's fate, else the weight
_ROUTE = deferred(r"https?://[^/?]*(/[^?]*)")


def route(uri: str) -> str:
    """The path of an absolute URI as it is spelled, '/' for all else: as the receiver's own clients have it."""
    found = _ROUTE.match(uri)
    return found[1] if found else "/"


def key_of(tree: Mapping[str, object], name: str) -> str | None:
    """The key of a name: exactly, else in any case."""
    return name if name in tree else next((key for key in tree if key.lower() == name.lower()), None)


def inside_of(text: str, way: Path) -> str:
    """The text at the end of a way through JSON; '' where it leads nowhere."""
    try:
        node: object = digits.loads(text)
    except ValueError:
        return ""
    for step in way:
        if isinstance(node, list):
            node = node[int(step)] if step.isdecimal() and len(step) < 10 and int(step) < len(node) else None
        elif isinstance(node, dict):
            key = key_of(node, step)
            node = None if key is None else node[key]
        else:
            node = None
    return "" if node is None or isinstance(node, dict | list) else text_of(node)


def fates(rates: Mapping[str, Fraction]) -> Callable[..., str]:
    """A function from a user to what becomes of all its events, '' for one without a rate of its own.

    Shapes: the user's id as it is sent, and perhaps another of the same user; the smaller rate holds.
    """
    return lambda user, *others: "" if (rate := _least(rates, (user, *others))) is None else _fate(user, rate)


def spelled_rate(rates: Mapping[str, Fraction]) -> Callable[..., str]:
    """A function from the ids of one company to its rate as text, the smaller one, '' for none."""
    return lambda *ids: "" if (rate := _least(rates, ids)) is None else str(rate)


def _least(rates: Mapping[str, Fraction], ids: Iterable[str]) -> Fraction | None:
    return min((rates[one] for one in ids if one in rates), default=None)


def _fate(user: str, rate: Fraction) -> str:
    if not threshold_of(rate):
        return EXCLUDED
    if draws(user) >= threshold_of(rate):
        return LEFT_OUT
    return str(weight_of(rate)) if weight_of(rate) > 1 else KEPT


def drawing(rates: Iterable[Fraction]) -> Callable[[str, str], str]:
    """A function of a user and a rate: '1' where the user's events are kept."""
    thresholds = {str(rate): threshold_of(rate) for rate in rates}
    return lambda user, rate: "1" if draws(user) < thresholds[rate] else ""


def pattern_code(text_at: Callable[[str], str], found_in: Callable[[bytes], Sequence[int]]) -> Callable[[str], str]:
    """A function from a text to the numbers of the patterns found in it, as `,0,7,`; in an absent text is nothing."""

    def code(text: str) -> str:
        inside = text_at(text) if text else ""
        numbers = found_in(inside.encode("utf-8", "replace")) if inside else ()
        return f",{','.join(map(str, numbers))}," if numbers else ""

    return code


def first_rule(wanted: Sequence[tuple[str, list[tuple[int, int]]]]) -> Callable[[str], str]:
    """A function from the joined codes to the number of the first rule whose conditions all hold, '' for none.

    Shapes: each condition is (which code, which number in it).
    """
    rules = [(number, [(path, f",{at},") for path, at in conditions]) for number, conditions in wanted]

    def first(joined: str) -> str:
        codes = joined.split("|")
        for number, conditions in rules:
            if all(one in codes[path] for path, one in conditions):
                return number
        return ""

    return first


def product(weight: str, other: str) -> str:
    """Both weights multiplied, '' for 1; what is no weight counts as 1."""
    made = 1
    for text in (weight, other):
        made *= int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 1
    return str(min(max(made, 1), MAX_WEIGHT)) if made > 1 else ""
