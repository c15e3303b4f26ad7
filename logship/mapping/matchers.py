"""Matchers: what a rule asks of a field's value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from logship.errors import FormatError, Location, MappingError
from logship.fields import Kind, closest
from logship.formats.re2_door import compile_pattern
from logship.kernel.values import text_of
from logship.mapping import proxies, values
from logship.mapping.values import quantity
from logship.patterns import deferred
from logship.records import record

Groups = tuple[str, ...]
Test = Callable[[str], Groups | None]  # of a text ('' is absent): the matcher's groups, None: it doesn't hold

_WILD = deferred(r"[1-9]xx\Z")
_SIGNS = frozenset(r"\.^$*+?{}[]()|")
MATCHERS = ("matches", "in", "min", "max", "not", "absent")
MAX_ELEMENTS = 1_024  # looked at in a list; no honest list of proxies or upstreams has more
_OF_WHOLE = frozenset({"not", "absent"})  # tests of a list itself, the others are of one element
_BETWEEN_ELEMENTS = deferred(r",\s*| : ")  # nginx writes `a, b : c` behind an internal redirect
_MEANT = {
    "regex": "matches",
    "regexp": "matches",
    "re": "matches",
    "cidr": "in",
    "gte": "min",
    "lte": "max",
    "contains": "matches",
    "match": "matches",
    "like": "matches",
    "pattern": "matches",
    "startswith": "matches",
    "starts_with": "matches",
    "prefix": "matches",
    "endswith": "matches",
    "ends_with": "matches",
    "any": "in",
    "gt": "min",
    "ge": "min",
    "lt": "max",
    "le": "max",
    "exists": "absent",
    "present": "absent",
}  # what other tools call them


@record
class Matcher:
    """A test of one field.

    Shapes: `groups` are the named groups it fills, in the order of its Test's tuple. `texts` is set where the matcher
    is nothing but a list of exact texts, `absence` where it only asks for absence (True) or presence (False).
    """

    test: Test
    groups: tuple[str, ...] = ()
    texts: frozenset[str] | None = None
    absence: bool | None = None
    prefix: str = ""  # every text it matches begins so
    is_prefix: bool = False  # it matches all that do


def parse_matcher(
    tree: object, location: Location, errors: list[MappingError], *, is_list: bool = False
) -> Matcher | None:  # fmt: skip
    """The matcher that a tree writes: a scalar, a list (any of) or a map of tests (all of); None after an error.

    With `is_list` the text is a list as nginx writes it: a matcher holds where it holds for one of its elements.
    """
    if isinstance(tree, list):
        return _any_of(tree, location, errors, is_list)
    if isinstance(tree, dict):
        return _all_of(tree, location, errors, is_list)
    if tree is None:
        hint = "write {absent: true} for an absent field"
        errors.append(MappingError("matches nothing", location=location, hint=hint))
        return None
    matcher = _scalar(str(text_of(tree)))
    return _any_element(matcher) if is_list else matcher


def _any_element(matcher: Matcher) -> Matcher:
    def test(value: str) -> Groups | None:
        found = matcher.test(value)
        if found is None and ("," in value or " " in value):
            tested = map(matcher.test, _BETWEEN_ELEMENTS.split(value, MAX_ELEMENTS))
            found = next((groups for groups in tested if groups is not None), None)
        return found

    return Matcher(test, matcher.groups)


_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")


def _scalar(text: str) -> Matcher:
    if _WILD.match(text):
        first = text[0]

        def is_of_class(value: str) -> Groups | None:
            return () if len(value) == 3 and value[0] == first and value.isdigit() else None

        return Matcher(is_of_class)
    return _exact(frozenset({text, values.MAPPED + text}) if _IPV4.match(text) else frozenset({text}))


def _exact(texts: frozenset[str]) -> Matcher:
    return Matcher(lambda value: () if value in texts else None, texts=texts)


def _any_of(trees: list[object], location: Location, errors: list[MappingError], is_list: bool) -> Matcher | None:
    found = [parse_matcher(tree, (*location, index), errors, is_list=is_list) for index, tree in enumerate(trees)]
    matchers = [matcher for matcher in found if matcher is not None]
    if not trees:
        errors.append(MappingError("an empty list matches nothing", location=location))
    if len(matchers) < len(found) or not matchers:
        return None
    if all(matcher.texts is not None for matcher in matchers):
        return _exact(frozenset().union(*(matcher.texts or () for matcher in matchers)))
    groups = tuple(dict.fromkeys(name for matcher in matchers for name in matcher.groups))

    def test(value: str) -> Groups | None:
        for matcher in matchers:
            filled = matcher.test(value)
            if filled is not None:
                named = dict(zip(matcher.groups, filled, strict=True))
                return tuple(named.get(name, "") for name in groups)
        return None

    return Matcher(test, groups)


def _all_of(tree: dict[str, object], location: Location, errors: list[MappingError], is_list: bool) -> Matcher | None:
    matchers: list[Matcher | None] = []
    for key, value in tree.items():
        make = _MAKERS.get(str(key))
        if key == "not":
            matchers.append(_negated(value, (*location, key), errors, is_list))
        elif make is None:
            close = _MEANT.get(str(key)) or closest(str(key), MATCHERS)
            hint = f"did you mean '{close}'?" if close else f"known are {', '.join(MATCHERS)}"
            errors.append(MappingError(f"unknown matcher '{key}'", location=(*location, key), hint=hint))
            matchers.append(None)
        else:
            matchers.append(make(value, (*location, key), errors))
    if not tree:
        hint = f"known are {', '.join(MATCHERS)}"
        errors.append(MappingError("an empty map matches nothing", location=location, hint=hint))
    known = [matcher for matcher in matchers if matcher is not None]
    if len(known) < len(matchers) or not known:
        return None
    if is_list:
        of_whole = [matcher for key, matcher in zip(tree, known, strict=True) if key in _OF_WHOLE]
        of_element = [matcher for key, matcher in zip(tree, known, strict=True) if key not in _OF_WHOLE]
        known = [*of_whole, *([_any_element(_both(of_element))] if of_element else [])]
    return _both(known)


def _both(matchers: Sequence[Matcher]) -> Matcher:
    if len(matchers) == 1:
        return matchers[0]
    groups = tuple(name for matcher in matchers for name in matcher.groups)

    def test(value: str) -> Groups | None:
        filled: Groups = ()
        for matcher in matchers:
            more = matcher.test(value)
            if more is None:
                return None
            filled += more
        return filled

    return Matcher(test, groups)


def _matches(tree: object, location: Location, errors: list[MappingError]) -> Matcher | None:
    if not isinstance(tree, str):
        errors.append(MappingError("'matches' takes one RE2 pattern", location=location))
        return None
    try:
        pattern = compile_pattern(tree)
    except FormatError as exc:
        errors.append(MappingError(exc.message, location=location, column=exc.column, width=exc.width, hint=exc.hint))
        return None
    names = tuple(pattern.groups)
    bare = pattern if names else compile_pattern(tree, captures=False)

    def test(value: str) -> Groups | None:
        found = pattern.named(value.encode("utf-8", "replace"))
        if found is None:
            return None
        return tuple(found.get(name, b"").decode("utf-8", "replace") for name in names)

    def test_only(value: str) -> Groups | None:
        return () if bare.is_found(value.encode("utf-8", "replace")) else None

    prefix, rest = literal_prefix(tree)
    if prefix and not rest:
        return Matcher(lambda value: () if value.startswith(prefix) else None, prefix=prefix, is_prefix=True)
    return Matcher(test, names, prefix=prefix) if names else Matcher(test_only, prefix=prefix)


def literal_prefix(pattern: str) -> tuple[str, str]:
    """The plain text that `^text…` begins with, and the rest of the pattern; ('', pattern) where none is sure."""
    if not pattern.startswith("^") or not pattern.isascii() or "|" in pattern:
        return "", pattern
    end = next((index for index, char in enumerate(pattern) if index and char in _SIGNS), len(pattern))
    if pattern[end : end + 1] in ("*", "?", "{"):  # they speak of the character before
        end -= 1
    return str(pattern[1:end]), pattern[end:]


def _inside(tree: object, location: Location, errors: list[MappingError]) -> Matcher | None:
    texts = [text_of(text) for text in (tree if isinstance(tree, list) else [tree])]
    try:
        contains = proxies.Networks(texts)
    except ValueError as exc:
        if texts and not any(proxies.is_network(text) for text in texts):
            return _any_of([*texts], location, errors, is_list=False)  # a list of plain texts
        hint = "write a network such as 192.0.2.0/24, or private"
        errors.append(MappingError(str(exc), location=location, hint=hint))
        return None
    return Matcher(lambda value: () if contains(values.address(value)) else None)


def _limit(is_least: bool) -> Callable[[object, Location, list[MappingError]], Matcher | None]:
    def make(tree: object, location: Location, errors: list[MappingError]) -> Matcher | None:
        limit = quantity(text_of(tree))
        if limit is None:
            errors.append(MappingError(f"'{tree}' is no number", location=location, hint="write 400, 1.5s or 10kB"))
            return None
        bound = limit

        def test(value: str) -> Groups | None:
            found = values.number(value)
            if found is None:
                return None
            return () if (found >= bound if is_least else found <= bound) else None

        return Matcher(test)

    return make


def _negated(tree: object, location: Location, errors: list[MappingError], is_list: bool) -> Matcher | None:
    matcher = parse_matcher(tree, location, errors, is_list=is_list)
    if matcher is None:
        return None
    return Matcher(lambda value: () if matcher.test(value) is None else None)


def _absent(tree: object, location: Location, errors: list[MappingError]) -> Matcher | None:
    wanted = {"true": True, "false": False}.get(text_of(tree))
    if wanted is None:
        said = f"'{tree}' is neither true nor false"
        errors.append(MappingError(said, location=location, hint="write true or false"))
        return None
    return Matcher(lambda value: () if (value == "") == wanted else None, absence=wanted)


_MAKERS: dict[str, Callable[[object, Location, list[MappingError]], Matcher | None]] = {
    "matches": _matches,
    "in": _inside,
    "min": _limit(True),
    "max": _limit(False),
    "absent": _absent,
}


def scale_of(kind: Kind) -> float:
    """How many of a duration field's units make a second; limits are written in seconds."""
    return {Kind.DURATION_MS: 1e3, Kind.DURATION_US: 1e6, Kind.DURATION_NS: 1e9}.get(kind, 1.0)
