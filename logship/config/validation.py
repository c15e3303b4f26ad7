"""Wrong keys and values as Problems: in plain words, with a place and the closest known name."""

from __future__ import annotations

from typing import TypeVar

from logship.config.document import Document
from logship.config.models import A_MAP, IncludedModel, LogshipModel
from logship.config.values import kind_of
from logship.errors import Location, Problem
from logship.fields import closest
from logship.sections import Mistake, Section

Model = TypeVar("Model", bound=Section)


def validate(model: type[Model], tree: object, document: Document) -> tuple[Model | None, list[Problem]]:
    """The filled model, or None and every mistake."""
    filled, mistakes = model.parse(tree)
    misspelt = {
        (*mistake.location[:-1], close)
        for mistake in mistakes
        if mistake.wrong == "unknown" and (close := _meant(model, mistake.location)) is not None
    }
    reported = [one for one in mistakes if one.wrong != "missing" or one.location not in misspelt]
    return filled, [_problem(model, one, document) for one in reported]


def _problem(model: type[Section], mistake: Mistake, document: Document) -> Problem:
    location, name = mistake.location, spell(mistake.location)
    if mistake.wrong == "unknown":
        return _unknown_key(model, location, document)
    if mistake.wrong == "missing":
        return document.problem(location, f"{name} is missing", hint=_example(location), at_key=True)
    if mistake.unfit is not None:
        unfit = mistake.unfit
        return document.problem(
            location, f"{name}: {unfit.message}", hint=unfit.hint, column=unfit.column, width=unfit.width
        )
    message, hint = _in_words(mistake)
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


def _in_words(mistake: Mistake) -> tuple[str, str]:
    value = mistake.value
    found = kind_of(value)
    shown = f"'{value}'" if isinstance(value, str) else found
    if mistake.wrong == "choice":
        options = ", ".join(mistake.choices[:-1]) + f" or {mistake.choices[-1]}"
        close = closest(value, mistake.choices) if isinstance(value, str) else None
        return f"{shown} is not {options}", f"did you mean '{close}'?" if close else f"write {options}"
    if mistake.wrong == "bound":
        return f"{_number(value)} is out of bounds", f"it must be {mistake.bound}"
    return {
        "number": (f"{shown} is not a whole number", "write digits only"),
        "switch": (f"{shown} is not true or false", "write true or false"),
        "text": (f"this is {found}, not text", "write one value"),
        "empty": ("it is empty", "give at least one value"),
        "list": (f"this is {found}, not a list", "write [one, two], or lines that begin with '- '"),
        "map": (f"this is {found}, not a map", A_MAP),
    }[mistake.wrong]


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _meant(model: type[Section], location: Location) -> str | None:
    return closest(str(location[-1]), model.keys_at(location[:-1]))


def _unknown_key(model: type[Section], location: Location, document: Document) -> Problem:
    parent, key = location[:-1], str(location[-1])
    known = model.keys_at(parent)
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

    for name, key_there in LogshipModel.keys.items():
        section = key_there.kind.section
        if section and key in section.keys and name != here:
            return "to an entry of sources:" if name == "sources" else f"under {name}:"
    return "under the mapping: of a source" if key in MappingSpec.keys else None


def _bare(location: Location) -> str:
    """The first key of a location."""
    return str(location[0]) if location else ""
