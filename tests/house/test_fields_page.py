"""docs/fields.md and `logship fields` are the vocabulary. The page is written anew by: python docs/vocabulary.py"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from logship.cli import execute

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_fields_is_fresh() -> None:
    made = runpy.run_path(str(DOCS / "vocabulary.py"))["markdown"]()
    assert (DOCS / "fields.md").read_text(encoding="utf-8") == made, "run: python docs/vocabulary.py"


def test_the_fields_of_one_format_are_those_that_its_lines_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["fields", "--format", "{nginx: '$remote_addr [$time_local] $status'}", "--json"]) == 0
    names = {one["field"] for one in json.loads(capsys.readouterr().out)}
    assert {"remote_host", "time_received", "status", "client_ip", "start_time"} <= names
    assert not {"request_body", "duration", "arg_…", "request_header_user_agent"} & names


def test_the_fields_of_a_source_are_its_formats_and_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = "{extends: default, lookups: {company: {from: $arg_key, table: {k: acme}}}}"
    source = f"{{name: shop, paths: [{tmp_path}/a.log], fields: {{host: a.example, shard: '7'}}, mapping: {mapping}}}"
    config = tmp_path / "logship.yml"
    config.write_text(
        f"state_dir: {tmp_path}\norigin: w\nendpoint: {{url: 'http://127.0.0.1:9'}}\nsources: [{source}]\n"
    )
    assert execute(["fields", "-c", str(config), "--source", "shop", "--json"]) == 0
    found = {one["field"]: one for one in json.loads(capsys.readouterr().out)}
    assert {"shard", "company", "arg_…", "request_header_referer"} <= set(found)
    assert found["company"]["spelled"] == "the mapping's"
    assert execute(["fields", "-c", str(config), "--source", "shp"]) == 2
    assert "did you mean 'shop'?" in capsys.readouterr().err
