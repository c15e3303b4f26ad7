"""Formats, mappings and files that tests of the converter are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from logship.config.shipped import mapping_path, presets
from logship.config.yaml_door import parse
from logship.conversion import Converter, compile_mapping
from logship.event import Conversion, LogFile, Window
from logship.formats import Format, compile_format, read_spec
from logship.mapping import Constants, MappingSpec, merge, parse_mapping
from logship.mapping.remote_rules import RemoteRules
from tests.rigs.executors import without_kernel

KEY = 0x2A_BCDE_F012
LOG = LogFile(1, "/var/log/nginx/access.log", "api", KEY, "web-1")
LINE = b'203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x?a=1 HTTP/1.1" 200 2326 "-" "curl/8"'
TIMED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time "$http_x_forwarded_for" $host $scheme $server_port $request_id'
)


def yaml(text: str) -> dict[str, object]:
    """A mapping as its file's tree: every scalar is text."""
    document = parse(text, "test.yml")
    assert not document.problems, document.problems
    tree = document.tree()
    assert isinstance(tree, dict)
    return dict(tree)


@cache
def format_named(name: str) -> Format:
    return compile_format(read_spec(name), presets())


@cache
def nginx(text: str = TIMED) -> Format:
    return compile_format(read_spec({"nginx": text}), presets())


@cache
def default_tree() -> dict[str, object]:
    return yaml(mapping_path("default").read_text())


def mapping(text: str = "{}") -> MappingSpec:
    """The default mapping with `text` on top."""
    return parse_mapping(merge(default_tree(), yaml(text)))


def converter(
    text: str = "{}",
    fmt: Format | None = None,
    fields: Mapping[str, str] | None = None,
    rules: RemoteRules | None = None,
) -> Converter:
    constants = Constants("web-1", "api", fields or {})
    return compile_mapping(mapping(text), fmt or format_named("combined"), constants, rules)


def convert(made: Converter, *lines: bytes, start: int = 0, window: Window | None = None) -> Conversion:
    return made.convert(b"".join(line + b"\n" for line in lines), start, LOG, window)


def event(
    line: bytes, text: str = "{}", fmt: Format | None = None, fields: Mapping[str, str] | None = None
) -> dict[str, object]:
    """The one event of a line, the same without the kernel."""
    made = converter(text, fmt, fields)
    conversion = convert(made, line)
    assert conversion.events, conversion
    assert exact(made, line) == conversion.events
    found = json.loads(conversion.events[0])
    assert isinstance(found, dict)
    return found


def exact(made: Converter, *lines: bytes, start: int = 0) -> list[str]:
    """Events without the kernel."""
    with without_kernel():
        return convert(made, *lines, start=start).events


def combined(
    request: str = "GET /x HTTP/1.1", *, ip: str = "203.0.113.9", user: str = "-", status: str = "200",
    referer: str = "-", agent: str = "curl/8",
) -> bytes:  # fmt: skip
    text = f'{ip} - {user} [10/Oct/2000:13:55:36 -0700] "{request}" {status} 2326 "{referer}" "{agent}"'
    return text.encode("latin-1")


def at(tree: object, *path: str) -> object:
    """What stands at a path of an event."""
    for step in path:
        assert isinstance(tree, dict)
        tree = tree.get(step)
    return tree
