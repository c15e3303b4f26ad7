"""Whatever stands where, `check` explains it: no value of a config, however wrong its shape, is a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from logship.config import load_settings
from logship.errors import ConfigError, Problem
from tests.rigs.machine import in_soak

WHOLE: dict[str, object] = {
    "endpoint": {
        "url": "http://127.0.0.1:9", "api": "v1", "application_id": "x", "compression": "none", "max_event_age": "1d",
        "timeout": "1s", "proxy": "http://127.0.0.1:9",
    },
    "batch": {"max_bytes": "1MB", "max_age": "1s"},
    "delivery": {"concurrency": "2", "retry_initial": "1s", "retry_max": "2s", "shutdown_timeout": "1s"},
    "state_dir": "state", "origin": "web-1", "status": {"listen": "127.0.0.1:9640"}, "max_line_bytes": "64kB",
    "held_max": "1GB", "include": ["*.more"], "formats": {"own": {"apache": "%h %t %r %s"}},
    "sources": [
        {
            "name": "api", "paths": ["access.log"], "exclude": ["x"], "rotated": ["y"], "format": "own",
            "fields": {"host": "h"}, "path_fields": "(?P<host>x)", "envelope": "none", "start_at": "end",
            "timezone": "UTC", "on_unmatched": "drop", "endpoint": {"timeout": "1s"},
            "mapping": {
                "extends": "default", "defaults": {"scheme": "http"}, "trusted_proxies": ["private"],
                "client_ip_header": "X-Real-IP",
                "event": {"user_id": "$remote_user", "request": {"headers": {"A": "b"}}},
                "rules": [
                    {"name": "a", "if": {"path": {"matches": "x", "not": {"in": ["/x", "/y"]}}}, "keep": "true"},
                    {"name": "b", "sample": "10%", "set": {"company_id": "$host"}},
                ],
                "redact": {
                    "query": ["a"], "path": ["(b)"], "headers": ["A"], "ip": "hash", "hash": ["user_id"], "key": "k",
                },
                "examples": [{"line": "x", "format": "combined", "fields": {"a": "b"}, "event": "unmatched"}],
            },
        },
        {"paths": ["b.log"], "format": {"json": {"time_received": {"key": "t", "format": "%s"}, "status": ["s"]}}},
        {"paths": ["c.log"], "format": {"regex": "(?P<status>x) (?P<t>.*)", "fields": {"time_received": {"key": "t"}}}},
        {"paths": ["d.log"], "format": ["combined", {"nginx": "$msec $status"}]},
    ],
}  # fmt: skip
WRONG: tuple[object, ...] = (None, "x", [{}], {"x": {}})
MORE: tuple[object, ...] = (
    "$", [], {}, "", "${env:NOPE}", "0", "-1", "1e999", "true", ["x"], [[]], [None], {"x": "y"}, "\u2028", "x" * 5_000,
)  # fmt: skip
LONG = "x" * 300  # no file has such a name


def places(tree: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, below in pairs:
        yield from places(below, (*at, key))


def put(at: tuple[str | int, ...], value: object) -> object:
    """The whole config with another value at one place."""
    if not at:
        return value
    changed: object = copy.deepcopy(WHOLE)
    node = changed
    for step in at[:-1]:
        node = node[step]  # type: ignore[index]  # the places are of this tree
    node[at[-1]] = value  # type: ignore[index]
    return changed


@pytest.mark.parametrize("section", [*WHOLE, ""])
def test_a_value_of_any_shape_is_explained(section: str, tmp_path: Path) -> None:
    path = tmp_path / "logship.yml"
    for at in places(WHOLE):
        if (str(at[0]) if at else "") != section:
            continue
        for value in (*WRONG, *(MORE if in_soak() else ())):
            path.write_text(json.dumps(put(at, value)), encoding="utf-8")
            said = explained(path)
            assert said is None or all(problem.message for problem in said), (at, value)


def explained(path: Path) -> tuple[Problem, ...] | None:
    """What is wrong with the config, None if nothing is; any other way out is a failure that names the config."""
    try:
        load_settings(path, {})
    except ConfigError as exc:
        return exc.problems
    except Exception as exc:
        raise AssertionError(path.read_text(encoding="utf-8")) from exc
    return None


def test_the_whole_config_is_right(tmp_path: Path) -> None:
    path = tmp_path / "logship.yml"
    path.write_text(json.dumps(WHOLE), encoding="utf-8")
    assert len(load_settings(path, {}).sources) == 4


@pytest.mark.parametrize("at", [("sources", 0, "mapping"), ("sources", 0, "format"), ("include",)])
def test_a_text_too_long_for_a_name_is_explained(at: tuple[str | int, ...], tmp_path: Path) -> None:
    path = tmp_path / "logship.yml"
    path.write_text(json.dumps(put(at, LONG)), encoding="utf-8")
    explained(path)
