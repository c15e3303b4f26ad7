"""docs/configuration.md, made from the schema: `python docs/reference.py` writes it, a test fails when it is stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from logship.config.schema import config_schema, mapping_keys
from logship.sections import Schema

PAGE = Path(__file__).resolve().parent / "configuration.md"
HEAD = """\
# Configuration reference

Made from the schema (`logship schema`); a test fails when it is stale. `configs/logship.yml` shows every key in place,
`logship check` finds every mistake at once.

Every value is read as text and the key decides its type: `on`, `0017` and `+0200` stay as typed. `null`, `~` and an
empty value mean the same as leaving the key out, except where null turns something off. Durations: `500ms` `1s`
`5m` `24h` `30d`. Sizes: `250000` `250kB` `1GB`. `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` expand in any
value. Unknown keys are mistakes.
"""
TITLES = {
    "EndpointModel": "endpoint:",
    "BatchModel": "batch:",
    "DeliveryModel": "delivery:",
    "StatusModel": "status:",
    "SourceModel": "sources: (each entry)",
    "RuleSpec": "rules: (each entry)",
    "RedactSpec": "redact:",
    "KeepQuery": "redact.query: (as a map)",
    "ExampleSpec": "examples: (each entry)",
}


def markdown() -> str:
    """The whole page."""
    parts = [HEAD, "## logship.yml\n", *_file(config_schema()), "## Mapping files\n", *_file(mapping_keys())]
    return "\n".join(parts)


def _file(schema: Schema) -> Iterator[str]:
    definitions = schema["$defs"]
    yield _table(schema, definitions)
    for name, title in TITLES.items():
        if name in definitions and _is_used(name, schema):
            yield f"### {title}\n\n{definitions[name].get('description', '')}\n"
            yield _table(definitions[name], definitions)


def _is_used(name: str, schema: Schema) -> bool:
    """Whether a section belongs to this file: logship.yml's schema holds the mapping's, too."""
    own = {key: value for key, value in schema.items() if key != "$defs"}
    reached: set[str] = set()
    waiting = [_references(own)]
    while waiting:
        for reference in waiting.pop() - reached - {"Mapping", "Format"}:
            reached.add(reference)
            waiting.append(_references(schema["$defs"][reference]))
    return name in reached


def _references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        found = set().union(*(_references(value) for value in schema.values()))
        return found | ({schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set())
    return set().union(*map(_references, schema)) if isinstance(schema, list) else set()


def _table(schema: Schema, definitions: Schema) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = set(schema.get("required", ()))
    for key, about in schema["properties"].items():
        default = "needed" if key in required else _default(about)
        rows.append(f"| `{key}` | {_kind(about, definitions)} | {default} | {_cell(about.get('description', ''))} |")
    return "\n".join(rows) + "\n"


def _default(about: Schema) -> str:
    default = about.get("default")
    if default in (None, "", [], {}, False):
        return ""
    return f"`{default}`"


def _kind(about: Schema, definitions: Schema) -> str:
    """What may stand there, in words."""
    if "enum" in about:
        return " ".join(f"`{choice}`" for choice in about["enum"])
    if "anyOf" in about:
        kinds = [_kind(choice, definitions) for choice in about["anyOf"] if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in about:
        name = about["$ref"].rpartition("/")[2]
        return {"Format": "format", "Mapping": "map"}.get(name, "map")
    if "pattern" in about:
        return "duration" if "ms" in about["pattern"] else "size"
    kind = about.get("type", "any")
    if isinstance(kind, list):
        return "list" if "array" in kind else "text or null"
    return {"string": "text", "integer": "number", "boolean": "true or false", "object": "map", "array": "list"}.get(
        kind, "any"
    )


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(markdown(), encoding="utf-8")
