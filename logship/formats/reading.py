"""From YAML trees to format specs: `format:` and `formats:` of logship.yml, and the preset files."""

from __future__ import annotations

from dataclasses import replace

from logship.errors import FormatError
from logship.fields import closest
from logship.formats.spec import ESCAPES, KINDS, FormatSpec, KeySpec


def read_spec(tree: object) -> FormatSpec:
    """The format that a YAML tree (a name, a mapping with one key, a list) describes.

    Raises: FormatError saying what is wrong with the shape.
    """
    if isinstance(tree, str) and tree.strip():
        return FormatSpec("auto", "auto") if tree == "auto" else FormatSpec("named", str(tree))
    if isinstance(tree, list | tuple) and tree:
        return FormatSpec("list", members=tuple(read_spec(member) for member in tree))
    if isinstance(tree, dict) and tree:
        return _own_format(tree)
    raise FormatError(
        f"{tree!r} is no format",
        hint="write a preset's name, auto, a list of formats, or {apache: …}, {nginx: …}, {json: …}, {regex: …}",
    )


def _own_format(tree: dict[object, object]) -> FormatSpec:
    kinds = [key for key in tree if key in KINDS]
    strange = [key for key in tree if key not in KINDS and key not in {"fields", "escape"}]
    if strange or len(kinds) != 1:
        wrong = str(strange[0]) if strange else ", ".join(map(str, kinds)) or "fields"
        near = closest(wrong, KINDS) if strange else None
        raise FormatError(
            f"a format has one of the keys {', '.join(KINDS)}, not {wrong}", text=wrong, column=0, width=len(wrong),
            hint=f"did you mean {near}?" if near else "write for example {nginx: '$remote_addr …'}",
        )  # fmt: skip
    kind, value = kinds[0], tree[kinds[0]]
    if "fields" in tree and kind != "regex":
        raise FormatError("fields: gives time formats to a regex only", hint=f"write them inside {kind}:")
    escape = tree.get("escape", "none")
    if escape not in ESCAPES or ("escape" in tree and kind != "regex"):
        raise FormatError("escape: says how the values of a regex are escaped", hint=f"it is {', '.join(ESCAPES)}")
    if kind in {"json", "ltsv"}:
        return FormatSpec("json" if kind == "json" else "ltsv", keys=_json_keys(value, str(kind)))
    if kind == "w3c" and value == "auto":
        return FormatSpec("w3c")
    if not isinstance(value, str) or not value.strip():
        raise FormatError(f"{kind}: needs the format as text", hint=f"write {kind}: '…'")
    if kind == "regex":
        return FormatSpec("regex", str(value), _keys(tree.get("fields") or {}, "regex"), escape=str(escape))
    if kind == "w3c":
        return FormatSpec("w3c", str(value).strip().removeprefix("#Fields:").strip())
    return FormatSpec("apache" if kind == "apache" else "nginx", str(value))


def _json_keys(value: object, kind: str) -> dict[str, KeySpec] | None:
    if value == "auto":
        return None
    if not isinstance(value, dict) or not value:
        raise FormatError(
            f"{kind}: needs field: key pairs, or auto", hint=f"write {{{kind}: {{status: status_code, …}}}}"
        )
    return _keys(value, kind)


def _keys(tree: object, kind: str) -> dict[str, KeySpec]:
    if not isinstance(tree, dict):
        raise FormatError(f"the fields of {kind} are a mapping", hint="write field: key")
    return {str(field): _key(str(field), value, kind) for field, value in tree.items()}


def _key(field: str, value: object, kind: str) -> KeySpec:
    if isinstance(value, str) and value:
        return KeySpec(str(value))
    if isinstance(value, list) and value and all(isinstance(key, str) and key for key in value) and kind != "regex":
        return KeySpec(str(value[0]), others=tuple(map(str, value[1:])))
    if isinstance(value, dict) and set(value) <= {"key", "format"} and all(isinstance(v, str) for v in value.values()):
        return KeySpec(str(value.get("key", field)), str(value.get("format", "")))
    raise FormatError(
        f"{kind}: {field} needs a key, a list of keys, or {{key: …, format: …}}", text=field, column=0, width=len(field)
    )  # fmt: skip


def load_presets(tree: object) -> dict[str, FormatSpec]:
    """The presets of one parsed preset file (`configs/formats/*.yml`), by name.

    Shapes: name: {meaning: text, examples: [lines], and one of apache, nginx, json, regex}.
    Raises: FormatError for a file that is not shaped like one.
    """
    if not isinstance(tree, dict):
        raise FormatError("a preset file maps names to formats", hint="write name: {meaning: …, nginx: …}")
    return {str(name): _preset(str(name), entry) for name, entry in tree.items()}


def _preset(name: str, entry: object) -> FormatSpec:
    if not isinstance(entry, dict) or not isinstance(entry.get("meaning"), str):
        raise FormatError(f"preset {name} needs a meaning", text=name, column=0, width=len(name))
    examples = entry.get("examples") or []
    if not isinstance(examples, list) or not all(isinstance(line, str) for line in examples):
        raise FormatError(f"the examples of preset {name} are lines", text=name, column=0, width=len(name))
    own = {key: value for key, value in entry.items() if key not in {"meaning", "examples"}}
    spec = _own_format(own)
    return replace(spec, meaning=str(entry["meaning"]), examples=tuple(map(str, examples)))
