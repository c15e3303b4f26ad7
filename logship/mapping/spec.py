"""What a mapping file may say: the models, their defaults, and every mistake in them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from logship.errors import Exit, Location, LogshipError, MappingError
from logship.mapping.stricter import stricter
from logship.mapping.values import size
from logship.sections import (
    REQUIRED,
    AnyTree,
    Choice,
    Converted,
    Inner,
    ListOf,
    MapOf,
    MapOr,
    Mistake,
    OrNull,
    Section,
    Switch,
    Text,
    UnfitError,
    declare,
)

Keys = dict[str, object]


class MappingErrors(LogshipError):  # noqa: N818 -- the plural says that it carries all of them
    """Every mistake of a mapping, in the order of the file."""

    exit_code = Exit.CONFIG

    def __init__(self, errors: Iterable[MappingError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(f"{_path(error.location)}: {error}" for error in self.errors))


def _path(location: Location) -> str:
    return ".".join(str(step) for step in location) or "mapping"


def _size(value: object) -> int:
    found = size(value) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float) or not 1 <= found < 2**63:
        raise UnfitError("is no size", "write 100000, 100kB or 1MB")
    return int(found)


_SIZE = {"type": ["integer", "string"], "minimum": 1, "pattern": r"^[0-9]+(\.[0-9]+)? *([KkMmGg]?[Ii]?[Bb])?$"}
TEXT = Text()
TEXTS = ListOf(TEXT)
TEXT_MAP = MapOf(TEXT)
TREES = MapOf(AnyTree())


class RuleSpec(Section):
    """One rule: if all its matchers hold, what it says is done."""

    name: str = declare(TEXT, "", "shown in status and metrics")
    condition: dict[str, Any] = declare(TREES, {}, "field: matcher; all must hold", written="if")
    drop: bool = declare(Switch(), False, "the line becomes no event")
    keep: bool = declare(Switch(), False, "no later rule drops or samples it")
    sample: str = declare(TEXT, "", "keep this share: 10% or 1/20; kept events carry the weight")
    set: dict[str, Any] = declare(TREES, {}, "event key: template; null removes the key")


class KeepQuery(Section):
    """All query values are redacted but these."""

    keep: list[str] = declare(TEXTS, REQUIRED, "the names whose values stay; all others become [redacted]")


class RedactSpec(Section):
    """What must not leave this machine; done last, after all rules."""

    query: list[str] | KeepQuery = declare(
        MapOr(Inner(KeepQuery), TEXTS),
        [],
        "names whose values become [redacted]; token is token[] and user[token], too",
    )
    path: list[str] = declare(TEXTS, [], "RE2 patterns whose groups are replaced")
    headers: list[str] = declare(TEXTS, [], "headers whose values become [redacted]")
    body: list[str] = declare(TEXTS, [], "keys of JSON and form bodies: password, card.number, **.pin")
    ip: Literal["keep", "truncate", "hash"] = declare(
        Choice("keep", "truncate", "hash"), "keep", "client addresses: truncate is /24 and /48"
    )
    hash: list[str] = declare(TEXTS, [], "event keys that become HMACs with `key`")
    key: str = declare(TEXT, "", "the secret of `hash` and `ip: hash`")


class LookupSpec(Section):
    """A field that a table makes of others."""

    source: str = declare(TEXT, REQUIRED, "a template: what is looked up, such as ${arg_api_key}", written="from")
    table: dict[str, str] | str = declare(
        MapOr(TEXT_MAP, TEXT), REQUIRED, "a map of keys and values, or a CSV file relative to this one"
    )
    key: str = declare(TEXT, "", "the CSV's column of keys; with key and value its first line names the columns")
    value: str = declare(TEXT, "", "the CSV's column of values")
    default: str = declare(TEXT, "", "where the table has no such key; without it the field is absent")


class JwtSpec(Section):
    """Fields from the claims of a token, which is decoded, not verified, and never forwarded."""

    source: str = declare(TEXT, REQUIRED, "a template: the token, with or without `Bearer `", written="from")
    claims: dict[str, str] = declare(TEXT_MAP, REQUIRED, "field: claim; dots for claims inside of claims")


class ExampleSpec(Section):
    """A line and what it must become, run by `logship test`."""

    line: str = declare(TEXT, REQUIRED, "a line of a log, verbatim")
    format: Any = declare(AnyTree(), "combined", "its format, as in a source")
    fields: dict[str, str] = declare(TEXT_MAP, {}, "constants of the source")
    name: str = declare(TEXT, "", "shown when it fails")
    event: Any = declare(AnyTree(), {}, "a subset that must hold; dropped; sampled out; unmatched")


class MappingSpec(Section):
    """A mapping file."""

    extends: str = declare(TEXT, "", "the mapping this one builds on: a shipped name or a path")
    defaults: dict[str, str] = declare(TEXT_MAP, {}, "values of fields nothing else knows")
    trusted_proxies: list[str] = declare(TEXTS, [], "`private` and networks whose word is taken")
    client_ip_header: str = declare(TEXT, "", "where trusted proxies write the client; X-Forwarded-For")
    event: dict[str, Any] = declare(TREES, {}, "the event: templates, constants")
    lookups: dict[str, LookupSpec] = declare(MapOf(Inner(LookupSpec)), {}, "fields that tables make of others")
    jwt: JwtSpec | None = declare(OrNull(Inner(JwtSpec)), None, "fields from the claims of a token")
    max_body_bytes: int | None = declare(
        OrNull(Converted(_size, _SIZE)), None, "a larger logged body is left out of its event, counted: 100000, 100kB"
    )
    rules: list[RuleSpec] = declare(ListOf(Inner(RuleSpec)), [], "in order")
    redact: RedactSpec = declare(Inner(RedactSpec), RedactSpec(), "what must not leave this machine; done last")
    examples: list[ExampleSpec] = declare(ListOf(Inner(ExampleSpec)), [], "what `logship test` runs")

    warnings: tuple[MappingError, ...] = ()  # allowed but surely not meant, as the mapping alone shows it

    def __eq__(self, other: object) -> bool:
        """Equal mappings make equal events; what is remarked about them does not count."""
        return type(other) is type(self) and {**vars(other), "warnings": ()} == {**vars(self), "warnings": ()}

    __hash__ = None


def merge(base: Mapping[str, object], child: Mapping[str, object]) -> Keys:
    """`child` on top of `base`: maps merge, child's rules run after, `redact` gets stricter, all else is child's.

    Shapes: neither tree is changed; a null of the child removes what the base says.
    """
    merged = _merged(base, child)
    rules = [*_list(base.get("rules")), *_list(child.get("rules"))]
    if rules:
        merged["rules"] = rules
    below, above = base.get("redact"), child.get("redact")
    if isinstance(below, dict) and (above is None or isinstance(above, dict)):
        merged["redact"] = stricter(below, above or {})
    merged.pop("examples", None)  # the base's examples speak of the base
    if "examples" in child:
        merged["examples"] = child["examples"]
    merged.pop("extends", None)
    return merged


def _merged(base: Mapping[str, object], child: Mapping[str, object], *, is_headers: bool = False) -> Keys:
    """Names of headers have no case: the child's spelling takes the place of the base's."""
    result: Keys = dict(base)
    for key, value in child.items():
        if is_headers:
            result = {name: one for name, one in result.items() if name == key or name.lower() != str(key).lower()}
        below = result.get(key)
        are_maps = isinstance(below, dict) and isinstance(value, dict)
        result[key] = _merged(below, value, is_headers=key == "headers") if are_maps else value  # type: ignore[arg-type]
    return result


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_SAID: dict[str, tuple[str, str]] = {
    "missing": ("is missing", ""),
    "switch": ("is not true or false", "write true or false"),
    "map": ("is not a map of keys", "write  key: value  lines below it, or {key: value}"),
    "list": ("is not a list", "write [one, two], or lines that begin with '- '"),
    "text": ("is not a text", ""),
    "number": ("is not a whole number", "write digits only"),
}


_IF = "did you mean 'if'?"
_RULE_WORDS = {  # of the rules of other tools
    "when": _IF,
    "where": _IF,
    "match": _IF,
    "condition": _IF,
    "unless": "write if: {path: {not: /x}}",
    "action": "write drop: true, keep: true, sample: 10% or set: {…}",
    "do": "write drop: true, keep: true, sample: 10% or set: {…}",
    "exclude": "did you mean 'drop'?",
    "discard": "did you mean 'drop'?",
    "rate": "did you mean 'sample'?",
    "add": "did you mean 'set'?",
}


def as_error(mistake: Mistake) -> MappingError:
    """What is wrong, in words."""
    location = mistake.location
    key = str(location[-1]) if location else "mapping"
    if mistake.wrong == "unknown":
        return _unknown_key(key, location)
    said, hint = _SAID.get(mistake.wrong) or _limits(mistake)
    value = mistake.value
    shown = f" '{value}'" if isinstance(value, str | int | float) and "key" not in location else ""
    if key == "if":
        hint = "write if: {path: /x}"
    return MappingError(f"{key}:{shown} {said}", location=location, hint=hint)


def _limits(mistake: Mistake) -> tuple[str, str]:
    if mistake.unfit is not None:
        return mistake.unfit.message, mistake.unfit.hint
    if mistake.wrong == "choice":
        return f"is not one of: {', '.join(mistake.choices)}", ""
    return "is out of bounds", f"it must be {mistake.bound}"


def _unknown_key(key: str, location: Location) -> MappingError:
    known = MappingSpec.keys_at(location[:-1])
    from difflib import get_close_matches  # only mistakes pay for it

    close = get_close_matches(key, known, 1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
    if location[0] == "rules" and key in _RULE_WORDS:
        hint = _RULE_WORDS[key]
    elif location[0] == "rules" and not close:
        hint = f"known are {', '.join(known)}; fields to match go into if: {{{key}: …}}"
    return MappingError(f"unknown key '{key}'", location=location, hint=hint)
