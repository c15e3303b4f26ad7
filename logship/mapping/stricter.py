"""Two redactions, one on top of the other: what a mapping adds to the one it extends never lets more out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from logship.errors import Location
from logship.mapping.masked_names import plain

Keys = dict[str, object]
LISTS = ("query", "path", "headers", "body", "hash")
_STRENGTH = {"keep": 0, "truncate": 1, "hash": 2}
Weaker = tuple[Location, str, str]  # where it is written, what is wrong, what to write


def stricter(base: Mapping[str, object], child: Mapping[str, object]) -> Keys:
    """Both together: lists grow, what may be kept shrinks; see weaker() for what the child can't take back."""
    both: Keys = {**base, **{key: value for key, value in child.items() if value is not None}}
    for key in LISTS:
        below, above = _listed(base.get(key)), _listed(child.get(key))
        if isinstance(below, list) and isinstance(above, list):
            both[key] = list(dict.fromkeys([*below, *above]))
    query = _query(base.get("query"), child.get("query"))
    if query is not None:
        both["query"] = query
    if _strength(base.get("ip")) > _strength(child.get("ip")):
        both["ip"] = base["ip"]
    return both


def weaker(base: object, child: object) -> Iterator[Weaker]:
    """What a child writes that would let out what the mapping it extends redacts; locations begin with `redact`."""
    if not isinstance(base, dict) or not base:
        return
    if child is None:
        yield ("redact",), "redact: null would send what the extended mapping redacts", "leave it out"
    if not isinstance(child, dict):
        return
    for key, value in child.items():
        if value is None and base.get(key) and key != "key":
            said = f"{key}: null would send what the extended mapping redacts"
            yield ("redact", key), said, "leave it out"
    if "ip" in child and _strength(base.get("ip")) > _strength(child["ip"]):
        said = f"ip: {child['ip']} is less than the {base['ip']} of the extended mapping"
        yield ("redact", "ip"), said, "leave it out"
    before, kept = base.get("query"), _kept(child.get("query"))
    allowed = None if _kept(before) is None else {plain(str(name)) for name in _kept(before) or ()}
    masked = {plain(str(name)) for name in _names(before)}
    for index, name in enumerate(kept or ()):
        if plain(str(name)) in masked or (allowed is not None and plain(str(name)) not in allowed):
            said = f"'{name}' is redacted by the extended mapping"
            yield ("redact", "query", "keep", index), said, "leave it out"


def _query(base: object, child: object) -> object:
    """What both say of a query where one of them says what may be kept; None: neither does, or only one speaks."""
    below, above = _kept(base), _kept(child)
    if base is None or child is None or (below is None and above is None):
        return None
    names = {plain(str(name)) for name in (*_names(base), *_names(child))}
    kept = below if above is None else above
    also = None if below is None or above is None else {plain(str(name)) for name in below}
    stays = [name for name in kept or () if plain(str(name)) not in names]
    return {"keep": [name for name in stays if also is None or plain(str(name)) in also]}


def _kept(query: object) -> list[object] | None:
    keep = _listed(query.get("keep")) if isinstance(query, dict) else None
    return keep if isinstance(keep, list) else None


def _names(query: object) -> list[object]:
    listed = _listed(query)
    return listed if isinstance(listed, list) else []


def _listed(value: object) -> object:
    """One text where a list may be."""
    return [value] if isinstance(value, str) else value


def _strength(ip: object) -> int:
    return _STRENGTH.get(str(ip), 0)
