"""Fields that a mapping makes of others: claims of a token (`jwt:`), values of a table (`lookups:`)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from logship import digits
from logship.digits import Digits
from logship.errors import Location, MappingError
from logship.fields import Kind, canonical
from logship.fields import lookup as field_of
from logship.kernel.values import text_of
from logship.mapping.spec import LookupSpec, MappingSpec
from logship.mapping.template import NAME, Template, parse_template
from logship.records import record


@record
class MadeField:
    """A field of a mapping's own: what `call` gives for the text of `source`, '' for absent.

    Shapes: `label` names the function among those of a program; `location` is where the source is written.
    """

    name: str
    source: Template
    location: Location
    label: str
    call: Callable[[str], str]


def made_fields(spec: MappingSpec, errors: list[MappingError]) -> tuple[MadeField, ...]:
    """Every field that the mapping makes, in the order in which they are made; mistakes go to `errors`."""
    made: dict[str, MadeField] = {}
    for location, field in _fields(spec, errors):
        refusal = _refusal(field, made)
        if refusal is None:
            made[field.name] = field
        else:
            errors.append(MappingError(refusal[0], location=location, hint=refusal[1]))
    for number, field in enumerate(made.values()):
        errors += _too_early(field, [*made][number:])
    return tuple(made.values())


def _too_early(field: MadeField, later: Sequence[str]) -> Iterator[MappingError]:
    for reference in field.source.references:
        if reference.name in later:
            yield MappingError(
                f"'{reference.name}' is not made yet",
                location=field.location,
                column=reference.column,
                width=reference.width,
                hint="claims come first, then lookups in their order",
            )


def _refusal(field: MadeField, made: Mapping[str, MadeField]) -> tuple[str, str] | None:
    if not NAME.match(field.name) or "." in field.name:
        return f"'{field.name}' is no name for a field", "write letters, digits and _"
    if canonical(field.name) is not None:
        return f"'{field.name}' is a field of every log", "give it another name"
    return (f"'{field.name}' is made twice", "remove one") if field.name in made else None


def _fields(spec: MappingSpec, errors: list[MappingError]) -> Iterator[tuple[Location, MadeField]]:
    if spec.jwt is not None:
        at: Location = ("jwt", "from")
        source = _template(spec.jwt.source, at, errors)
        errors += _no_token(source, at) if source else ()
        for name, claim in spec.jwt.claims.items() if source else ():
            assert source is not None
            yield ("jwt", "claims", name), MadeField(name, source, at, f"claim {claim}", claim_reader(claim))
    for name, lookup in spec.lookups.items():
        at = ("lookups", name, "from")
        source = _template(lookup.source, at, errors)
        if isinstance(lookup.table, str):
            errors.append(MappingError("no table was read", location=("lookups", name, "table"), hint="give a map"))
        if source is not None:
            yield ("lookups", name), MadeField(name, source, at, f"lookup {name}", _reader(lookup))


def _no_token(source: Template, location: Location) -> Iterator[MappingError]:
    """Fields that are no text can't hold a token, and one in capital or small letters can't be decoded."""
    for reference in source.references:
        known = field_of(canonical(reference.name) or reference.name)
        said = ""
        if known is not None and known.kind not in (Kind.TEXT, Kind.TOKEN):
            said = f"a {known.kind} holds no token: ${known.name}"
        elif {"lower", "upper"}.intersection(reference.filters):
            said = f"a token in one case can't be decoded: ${{{'|'.join((reference.name, *reference.filters))}}}"
        if said:
            yield MappingError(
                said,
                location=location,
                column=reference.column,
                width=reference.width,
                hint="write $http_authorization",
            )


def _template(text: str, location: Location, errors: list[MappingError]) -> Template | None:
    try:
        template = parse_template(text, location)
    except MappingError as exc:
        errors.append(exc)
        return None
    if not template.references:
        close = f"${{{text}}}" if NAME.match(text) else "${arg_api_key}"
        errors.append(MappingError(f"'{text}' names no field", location=location, hint=f"write {close}"))
        return None
    return template


def _reader(lookup: LookupSpec) -> Callable[[str], str]:
    table = lookup.table if isinstance(lookup.table, dict) else {}
    default = lookup.default
    return lambda text: table.get(text, default)


def claim_reader(claim: str) -> Callable[[str], str]:
    """A function from a token to one of its claims as text; '' where the token is broken or has no such claim.

    Claims whose names hold dots (`https://shop.example/tenant`) are found as they are, else a dot leads inside. A list
    of texts is joined with commas. Source: RFC 7519, 7515; the signature is not looked at.
    """

    def read(token: str) -> str:
        found = _inside(_payload(token), claim)
        if isinstance(found, list) and all(isinstance(one, str | int | float | Digits) for one in found):
            return ",".join(map(text_of, found))
        return "" if found is None or isinstance(found, dict | list) else text_of(found)

    return read


def _inside(node: object, claim: str) -> object:
    """The longest name first."""
    if not isinstance(node, dict):
        return None
    if claim in node:
        return node[claim]
    end = claim.rfind(".")
    while end > 0:
        if claim[:end] in node:
            return _inside(node[claim[:end]], claim[end + 1 :])
        end = claim.rfind(".", 0, end)
    return None


@lru_cache(8)
def _payload(token: str) -> object:
    """The claims of a token; None where it is broken. Several fields are made of one token."""
    word, _, rest = token.strip().rpartition(" ")
    if word.strip().lower() not in ("", "bearer"):
        return None
    parts = rest.split(".")
    if len(parts) != 3 or not _is_encoded(parts[2].rstrip("=") or "x"):
        return None
    header, payload = map(_decoded, parts[:2])
    return payload if isinstance(header, dict) and isinstance(payload, dict) else None


def _decoded(part: str) -> object:
    """The JSON of a part, None where it is broken."""
    plain = part.rstrip("=")
    if not _is_encoded(plain):
        return None
    try:
        return digits.loads(urlsafe_b64decode(plain + "=" * (-len(plain) % 4)))
    except (Base64Error, ValueError):
        return None


def _is_encoded(text: str) -> bool:
    return text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()
