"""pydantic's findings as Problems: in plain words, with a place and the closest known name."""

from __future__ import annotations

import re
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from logship.config.document import Document
from logship.config.models import IncludedModel, LogshipModel
from logship.config.quantities import UnfitError, kind_of
from logship.errors import Location, Problem

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], tree: object, document: Document) -> tuple[Model | None, list[Problem]]:
    """The filled model, or None and every mistake."""
    try:
        return model.model_validate(tree), []
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
    misspelt = {
        (*location[:-1], close)
        for error in errors
        if error["type"] == "extra_forbidden" and (close := _meant(model, location := tuple(error["loc"]))) is not None
    }
    told = [error for error in errors if error["type"] != "missing" or tuple(error["loc"]) not in misspelt]
    return None, [_problem(model, error, document) for error in told]


def _problem(model: type[BaseModel], error: Any, document: Document) -> Problem:
    location: Location = tuple(error["loc"])
    kind: str = error["type"]
    name = spell(location)
    value = error.get("input")
    if kind == "extra_forbidden":
        return _unknown_key(model, location, document)
    if kind == "missing":
        return document.problem(location, f"{name} is missing", hint=_example(location), at_key=True)
    if kind == "value_error" and isinstance(unfit := error["ctx"]["error"], UnfitError):
        return document.problem(
            location, f"{name}: {unfit.message}", hint=unfit.hint, column=unfit.column, width=unfit.width
        )
    if kind == "literal_error":
        message, hint = _one_of(name, value, error["ctx"]["expected"])
        return document.problem(location, message, hint=hint)
    message, hint = _in_words(kind, value, error)
    return document.problem(location, f"{name}: {message}", hint=hint)


def spell(location: Location) -> str:
    """`sources[0].paths` as people read it."""
    text = ""
    for step in location:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the file"


VERIFIED = "certificates are always checked; an authority of your own goes into ca_file:"
FOREIGN_KEYS = {  # what other tools call it
    "app_id": "did you mean 'application_id'?", "api_key": "did you mean 'application_id'?",
    "verify": VERIFIED, "verify_ssl": VERIFIED, "ssl_verify": VERIFIED, "tls_verify": VERIFIED, "insecure": VERIFIED,
    "insecure_skip_verify": VERIFIED,
}  # fmt: skip
EXAMPLES = {"paths": 'add  paths: ["/var/log/nginx/*access.log"]'}


def _example(location: Location) -> str:
    return EXAMPLES.get(str(location[-1]), "add it")


def _one_of(name: str, value: object, expected: str) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    shown = f"'{value}'" if isinstance(value, str) else kind_of(value)
    close = closest(value, choices) if isinstance(value, str) else None
    options = ", ".join(choices[:-1]) + f" or {choices[-1]}"
    return f"{name}: {shown} is not {options}", f"did you mean '{close}'?" if close else f"write {options}"


def _in_words(kind: str, value: object, error: Any) -> tuple[str, str]:
    limits = error.get("ctx", {})
    found = kind_of(value)
    if kind.startswith("int_"):
        shown = f"'{value}'" if isinstance(value, str) else found
        return f"{shown} is not a whole number", "write digits only"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"{found} stands where a map belongs", "write  key: value  lines below it, or {key: value}"
    if kind == "string_type":
        return f"{found} stands where text belongs", "write one value"
    if kind in {"tuple_type", "list_type"}:
        return f"{found} stands where a list belongs", "write [one, two], or lines that begin with '- '"
    if kind in {"too_short", "string_too_short"}:
        return "it is empty", "give at least one value"
    for bound, word in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if bound in limits:
            return f"{_number(value)} is out of bounds", f"it must be {word} {limits[bound]:,}"
    return str(error["msg"]), ""


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    owner = _model_at(model, location)
    return list(owner.model_fields) if owner else []


def _meant(model: type[BaseModel], location: Location) -> str | None:
    return closest(str(location[-1]), _keys(model, location[:-1]))


def _unknown_key(model: type[BaseModel], location: Location, document: Document) -> Problem:
    parent, key = location[:-1], str(location[-1])
    known = _keys(model, parent)
    home = _home(key, _bare(parent))
    known_by_others = FOREIGN_KEYS.get(key.lower().replace("-", "_"))
    close = None if home else _meant(model, location)
    where = f" under {spell(parent)}" if parent else ""
    if model is IncludedModel and not parent:
        hint = "an included file holds sources: only; the rest belongs to logship.yml"
    elif known_by_others:
        hint = known_by_others
    elif close:
        hint = f"did you mean '{close}'?"
    elif home:
        hint = f"it belongs {home}"
    else:
        hint = f"the keys here are {', '.join(known)}"
    return document.problem(location, f"unknown key '{key}'{where}", hint=hint, at_key=True)


def _home(key: str, here: str) -> str | None:
    """Where a key of exactly this name does belong, other than here."""
    from logship.mapping.spec import MappingSpec

    for name, field in LogshipModel.model_fields.items():
        model = _model_in(field.annotation)
        if model and key in model.model_fields and name != here:
            return "to an entry of sources:" if name == "sources" else f"under {name}:"
    return "under the mapping: of a source" if key in MappingSpec.model_fields else None


def _bare(location: Location) -> str:
    """The first key of a location."""
    return str(location[0]) if location else ""


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for step in location:
        if isinstance(step, int):
            continue
        if here is None or step not in here.model_fields:
            return None
        here = _model_in(here.model_fields[step].annotation)
    return here


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model inside X, X | None, tuple[X, ...]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def closest(name: str, candidates: list[str]) -> str | None:
    """The candidate a person most likely meant, None if none is near."""
    from difflib import get_close_matches  # only mistakes pay for it

    folded = {candidate.lower().replace("-", "_"): candidate for candidate in candidates}
    found = get_close_matches(name.lower().replace("-", "_"), folded, 1, 0.6)
    return folded[found[0]] if found else None
