"""The schema, the reference page and the commented config are the same keys; none of them is stale.

Written anew by: UPDATE_EXPECTED=1 pytest tests/config/test_schema.py
"""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from logship.cli import execute
from logship.config import load_settings
from logship.config.models import BatchModel, DeliveryModel, EndpointModel, LogshipModel, SourceModel
from logship.config.schema import config_schema, mapping_schema
from logship.config.shipped import SHIPPED

ROOT = Path(__file__).parents[2]
markdown = runpy.run_path(str(ROOT / "docs/reference.py"))["markdown"]


def text_of(schema: Any) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("path", "make"),
    [
        (SHIPPED / "schema/logship.schema.json", lambda: text_of(config_schema())),
        (SHIPPED / "schema/mapping.schema.json", lambda: text_of(mapping_schema())),
        (ROOT / "docs/configuration.md", markdown),
    ],
    ids=["logship.yml", "mapping", "reference"],
)
def test_what_is_made_from_the_models_is_fresh(path: Path, make: Any) -> None:
    if os.environ.get("UPDATE_EXPECTED"):
        path.write_text(make(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == make()


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == config_schema()
    assert execute(["schema", "mapping"]) == 0
    assert json.loads(capsys.readouterr().out) == mapping_schema()


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


@pytest.mark.parametrize("schema", [config_schema(), mapping_schema()], ids=["logship.yml", "mapping"])
def test_every_reference_leads_somewhere(schema: Any) -> None:
    assert {reference.removeprefix("#/$defs/") for reference in references(schema)} <= set(schema["$defs"])


def test_every_key_has_a_meaning() -> None:
    for model in (LogshipModel, EndpointModel, BatchModel, DeliveryModel, SourceModel):
        for key, field in model.keys.items():
            assert field.description, f"{model.__name__}.{key}"


def test_the_commented_config_shows_every_key() -> None:
    text = (SHIPPED / "logship.yml").read_text()
    for model in (LogshipModel, EndpointModel, BatchModel, DeliveryModel, SourceModel):
        for key in model.keys:
            assert re.search(rf"\b{key}:", text), f"{model.__name__}.{key}"


def test_the_commented_config_loads(tmp_path: Path) -> None:
    settings = load_settings(SHIPPED / "logship.yml", {"MOESIF_ID": "an-id"})
    assert settings.endpoint.url == "https://api.moesif.net"


def test_the_comments_of_the_config_are_right(tmp_path: Path) -> None:
    lines = (SHIPPED / "logship.yml").read_text().splitlines()
    shown = [uncommented(line) for line in lines]
    text = "\n".join(shown).replace("include: ", "#").replace("/etc/", "/nowhere/")
    files = re.compile(r" *(ca_file|client_cert|client_key|application_id_file|endpoint): [{/]")
    kept = [line for line in text.splitlines() if not files.match(line)]
    (tmp_path / "logship.yml").write_text("\n".join(kept))
    settings = load_settings(tmp_path / "logship.yml", {"MOESIF_ID": "an-id"})
    assert settings.held_max == 1_000_000_000
    assert settings.sources[0].fields == {"host": "shop.example.com"}


def uncommented(line: str) -> str:
    """`# key: value` as it would stand without the #; comments that are prose stay."""
    match = re.match(r"( *)# ( *[a-z_]+:.*)", line)
    return match[1] + match[2] if match else line


SHIPPED_FILES = [SHIPPED / "logship.yml", *sorted((SHIPPED / "mappings").glob("*.yml"))]


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=lambda path: path.name)
def test_shipped_files_name_their_schema(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match is not None
    schema = SHIPPED / "schema" / ("logship.schema.json" if path.name == "logship.yml" else "mapping.schema.json")
    assert (path.parent / match[1]).resolve() == schema.resolve()


def test_the_shipped_files_are_right_by_their_schema() -> None:
    jsonschema.validate(yaml.safe_load((SHIPPED / "logship.yml").read_text()), config_schema())
    for path in (SHIPPED / "mappings").glob("*.yml"):
        jsonschema.validate(yaml.safe_load(path.read_text()), mapping_schema())


MARKED = {  # what an editor underlines, without any log, and where
    "rule: []": "",
    "extends: defualt": "extends",
    "event: {request: {method: $method}}": "event.request",
    "event: {userId: x}": "event",
    "event: {request: {uri: null}}": "event.request.uri",
    "event: {company_id: '${lower(host)}'}": "event.company_id",
    "event: {company_id: '${host|lowr}'}": "event.company_id",
    "event: {company_id: 'costs 5$'}": "event.company_id",
    "event: {metadata: {a: {b: '${duration * 2}'}}}": "event.metadata",
    "rules: [{if: {status: 5XX}, keep: true}]": "rules.0.if.status",
    "rules: [{if: {status: '>=500'}, keep: true}]": "rules.0.if.status",
    "rules: [{if: {status: [200, 5XX]}, keep: true}]": "rules.0.if.status",
    "rules: [{if: {client_ip: 10.0.0.0/8}, keep: true}]": "rules.0.if.client_ip",
    "rules: [{if: {client_ip: {in: office}}, keep: true}]": "rules.0.if.client_ip",
    "rules: [{if: {path: '/api/*'}, keep: true}]": "rules.0.if.path",
    "rules: [{if: {path: {matches: '^/(?!admin)'}}, keep: true}]": "rules.0.if.path",
    "rules: [{if: {path: {match: '^/x'}}, keep: true}]": "rules.0.if.path",
    "rules: [{if: {duration: 500ms}, keep: true}]": "rules.0.if.duration",
    "rules: [{if: {duration: {min: 1 second}}, keep: true}]": "rules.0.if.duration",
    "rules: [{if: {method: get}, keep: true}]": "rules.0.if.method",
    "rules: [{if: {path: /x}, sample: 0.1}]": "rules.0.sample",
    "rules: [{if: {path: /x}, sample: 10}]": "rules.0.sample",
    "rules: [{if: {path: /x}, set: {company: x}}]": "rules.0.set",
    "lookups: {a: {from: 'costs 5$', table: {}}}": "lookups.a.from",
    "redact: {ip: hide}": "redact.ip",
}


@pytest.mark.parametrize("text", MARKED)
def test_an_editor_underlines_what_needs_no_log_to_see(text: str) -> None:
    found = jsonschema.Draft202012Validator(mapping_schema()).iter_errors(yaml.safe_load(text))
    assert {".".join(map(str, one.absolute_path)) for one in found} == {MARKED[text]}


BLOCK = re.compile(r"cat > (\S+\.yml) <<'YAML'\n((?:>.*\n)*)")
SHOWN = [
    (path.name, block[1], block[2])
    for path in (ROOT / "docs").glob("*.md")
    for block in BLOCK.finditer(path.read_text())
]


@pytest.mark.parametrize(
    ("document", "name", "block"), SHOWN, ids=[f"{document}-{name}" for document, name, _ in SHOWN]
)
def test_an_editor_underlines_nothing_in_what_the_documents_show(document: str, name: str, block: str) -> None:
    tree = yaml.safe_load("\n".join(line[2:] for line in block.splitlines() if line != "> YAML"))
    schema = config_schema() if "sources" in tree or "endpoint" in tree else mapping_schema()
    jsonschema.validate(tree, schema)
