"""What a mapping file may say: the models, their defaults, and every mistake in them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, StrictBool
from pydantic_core import ErrorDetails

from logship.errors import Exit, Location, LogshipError, MappingError

Tree = dict[str, object]

REDACT_LISTS = ("query", "path", "headers", "body", "hash")


class MappingErrors(LogshipError):  # noqa: N818 -- the plural says that it carries all of them
    """Every mistake of a mapping, in the order of the file."""

    exit_code = Exit.CONFIG

    def __init__(self, errors: Iterable[MappingError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(f"{_path(error.location)}: {error}" for error in self.errors))


def _path(location: Location) -> str:
    return ".".join(str(step) for step in location) or "mapping"


def _switch(value: object) -> object:
    """`true` and `false` as YAML 1.2 writes them; yes, on and quoted words are told apart."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _listed(value: object) -> object:
    """One text where a list may stand."""
    return [value] if isinstance(value, str) else value


def _text(value: object) -> object:
    """Scalars of callers that didn't read YAML as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Switch = Annotated[StrictBool, BeforeValidator(_switch)]
Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[list[Text], BeforeValidator(_listed)]


class Strict(BaseModel):
    """Unknown keys are mistakes."""

    # built when first used: then the mapping is built with all models in it at once, and not each of them before
    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=False, defer_build=True)


class RuleSpec(Strict):
    """One rule: if all its matchers hold, what it says is done."""

    name: Text = Field("", description="shown in status and metrics")
    condition: dict[str, Any] = Field(default_factory=dict, alias="if", description="field: matcher; all must hold")
    drop: Switch = Field(False, description="the line becomes no event")
    keep: Switch = Field(False, description="no later rule drops or samples it")
    sample: Text = Field("", description="keep this share: 10% or 1/20; kept events carry the weight")
    set: dict[str, Any] = Field(default_factory=dict, description="event key: template; null removes the key")


class KeepQuery(Strict):
    """All query values are redacted but these."""

    keep: Texts = Field(description="the names whose values stay; all others become [redacted]")


class RedactSpec(Strict):
    """What must not leave this machine; done last, after all rules."""

    query: Texts | KeepQuery = Field(
        default_factory=list, description="names whose values become [redacted]; token is token[] and user[token], too"
    )
    path: Texts = Field(default_factory=list, description="RE2 patterns whose groups are replaced")
    headers: Texts = Field(default_factory=list, description="headers whose values become [redacted]")
    body: Texts = Field(default_factory=list, description="keys of JSON and form bodies: password, card.number, **.pin")
    ip: Literal["keep", "truncate", "hash"] = Field("keep", description="client addresses: truncate is /24 and /48")
    hash: Texts = Field(default_factory=list, description="event keys that become HMACs with `key`")
    key: Text = Field("", description="the secret of `hash` and `ip: hash`", repr=False)


class LookupSpec(Strict):
    """A field that a table makes of others."""

    source: Text = Field(alias="from", description="a template: what is looked up, such as ${arg_api_key}")
    table: dict[str, Text] | Text = Field(description="a map of keys and values, or a CSV file relative to this one")
    key: Text = Field("", description="the CSV's column of keys; with key and value its first line names the columns")
    value: Text = Field("", description="the CSV's column of values")
    default: Text = Field("", description="where the table has no such key; without it the field is absent")


class JwtSpec(Strict):
    """Fields from the claims of a token, which is decoded, not verified, and never forwarded."""

    source: Text = Field(alias="from", description="a template: the token, with or without `Bearer `")
    claims: dict[str, Text] = Field(description="field: claim; dots for claims inside of claims")


class ExampleSpec(Strict):
    """A line and what it must become, run by `logship test`."""

    line: Text = Field(description="a line of a log, as it stands there")
    format: Any = Field("combined", description="its format, as in a source")
    fields: dict[str, Text] = Field(default_factory=dict, description="constants of the source")
    name: Text = Field("", description="shown when it fails")
    event: Any = Field(default_factory=dict, description="a subset that must hold; dropped; sampled out; unfit")


class MappingSpec(Strict):
    """A mapping file."""

    extends: Text = Field("", description="the mapping this one builds on: a shipped name or a path")
    defaults: dict[str, Text] = Field(default_factory=dict, description="values of fields nothing else knows")
    trusted_proxies: Texts = Field(default_factory=list, description="`private` and networks whose word is taken")
    client_ip_header: Text = Field("", description="where trusted proxies write the client; X-Forwarded-For")
    event: dict[str, Any] = Field(default_factory=dict, description="the event: templates, constants")
    lookups: dict[str, LookupSpec] = Field(default_factory=dict, description="fields that tables make of others")
    jwt: JwtSpec | None = Field(None, description="fields from the claims of a token")
    max_body_bytes: int | None = Field(None, ge=1, description="a larger logged body is left out of its event, counted")
    rules: list[RuleSpec] = Field(default_factory=list, description="in order")
    redact: RedactSpec = Field(
        default_factory=RedactSpec.model_construct, description="what must not leave this machine; done last"
    )
    examples: list[ExampleSpec] = Field(default_factory=list, description="what `logship test` runs")

    _warnings: tuple[MappingError, ...] = PrivateAttr(default=())  # set by review.parse_mapping

    @property
    def warnings(self) -> tuple[MappingError, ...]:
        """What is allowed but surely not meant, as far as the mapping alone shows it."""
        return self._warnings


def merge(base: Mapping[str, object], child: Mapping[str, object]) -> Tree:
    """`child` on top of `base`: maps merge, child's rules run after, lists of `redact` grow, all else is child's.

    Shapes: neither tree is changed; a null of the child removes what the base says.
    """
    merged = _merged(base, child)
    rules = [*_list(base.get("rules")), *_list(child.get("rules"))]
    if rules:
        merged["rules"] = rules
    redact = merged.get("redact")
    if isinstance(redact, dict):
        merged["redact"] = redact | _grown(base.get("redact"), child.get("redact"))
    merged.pop("examples", None)  # the base's examples speak of the base
    if "examples" in child:
        merged["examples"] = child["examples"]
    merged.pop("extends", None)
    return merged


def _merged(base: Mapping[str, object], child: Mapping[str, object]) -> Tree:
    result: Tree = dict(base)
    for key, value in child.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _grown(base: object, child: object) -> Tree:
    """Lists of both redactions joined: extending a mapping never redacts less by accident."""
    if not isinstance(base, dict) or not isinstance(child, dict):
        return {}
    grown: Tree = {}
    for key in REDACT_LISTS:
        below, above = _listed(base.get(key)), _listed(child.get(key))
        if isinstance(below, list) and isinstance(above, list):
            grown[key] = list(dict.fromkeys([*below, *above]))
    return grown


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_KEYS: dict[str, tuple[str, ...]] = {
    "rules": tuple(field.alias or name for name, field in RuleSpec.model_fields.items()),
    "redact": tuple(RedactSpec.model_fields),
    "examples": tuple(ExampleSpec.model_fields),
    "": tuple(MappingSpec.model_fields),
}
_SAID = {
    "missing": "is missing",
    "bool_type": "is not true or false",
    "bool_parsing": "is not true or false",
    "dict_type": "is not a map of keys",
    "model_type": "is not a map of keys",
    "list_type": "is not a list",
    "string_type": "is not a text",
    "literal_error": "is not one of: keep, truncate, hash",
}


_HINTS = {
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "dict_type": "write  key: value  lines below it, or {key: value}",
    "list_type": "write [one, two], or lines that begin with '- '",
}


def translated(detail: ErrorDetails, tree: Mapping[str, object]) -> MappingError:
    location = _location(detail["loc"], tree)
    key = str(location[-1]) if location else "mapping"
    if detail["type"] == "extra_forbidden":
        known = _KEYS.get(str(location[0]) if len(location) > 1 else "", ())
        from difflib import get_close_matches  # only mistakes pay for it

        close = get_close_matches(key, known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
        if location[0] == "rules" and not close:
            hint = f"known are {', '.join(known)}; fields to match go into if: {{{key}: …}}"
        return MappingError(f"unknown key '{key}'", location=location, hint=hint)
    said = _SAID.get(detail["type"], detail["msg"])
    value = detail["input"]
    shown = f" '{value}'" if isinstance(value, str) and "key" not in location else ""
    hint = _HINTS.get(detail["type"], "")
    if key == "if":
        hint = "write if: {path: /x}"
    return MappingError(f"{key}:{shown} {said}", location=location, hint=hint)


def _location(loc: tuple[int | str, ...], tree: Mapping[str, object]) -> Location:
    """pydantic's loc without the names of the union members it tried."""
    location: list[int | str] = []
    node: object = tree
    for step in loc:
        if isinstance(node, dict):
            if step in node:
                node = node[step]
            elif step == "KeepQuery" or "[" in str(step):
                continue
            else:
                node = None
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            continue
        location.append(step)
    return tuple(location)
