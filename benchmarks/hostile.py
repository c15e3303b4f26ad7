"""`python -m benchmarks.hostile`: CPU milliseconds of the slowest line of `max_line_bytes`, for each configuration.

What a client may write is fed to every preset, to awkward formats of one's own and to mappings that use everything: to
the converter (which is what the daemon spends), to what sets a line aside, and to what preview shows of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import orjson

from logship.config.shipped import mapping_path, presets
from logship.config.yaml_door import parse
from logship.conversion import PathFields, SourceConverter
from logship.conversion.detection import MAX_SAMPLE_BYTES
from logship.event import LogFile
from logship.formats import Format, compile_format, read_spec
from logship.formats.json_repair import repaired_once
from logship.mapping import Constants, merge, parse_mapping
from logship.mapping.redaction import redacted_once
from tests.formats.awkward import AWKWARD, XFF
from tests.formats.hostile import aimed_lines, hostile_lines, ordinary_line

LINE_BYTES = 65_536  # max_line_bytes; a longer line is never looked at
LIMIT_MS = 5.0
FILE = LogFile(1, "/var/log/access.log", "bench", 0x123_4567_89AB, "web-1")
EVERYTHING = r"""
extends: default
trusted_proxies: [private, 192.0.2.0/24, 203.0.113.0/24]
defaults: {scheme: https, host: shop.example}
event:
  request:
    uri: ${scheme}://${host}${path}?${query}
    headers:
      X-Forwarded-For: $request_header_x_forwarded_for
      X-All: "${request_header_user_agent:-none} ${request_header_referer:-none} ${target} ${method} ${client_ip}"
  metadata: {agent: $request_header_user_agent, deep: {deeper: {deepest: "a $request_header_referer b"}}}
rules:
  - {name: many, if: {path: [/a, /b, {matches: 'xx+$'}, {matches: '^/.*y$'}, {not: {matches: '/'}}]}, drop: true}
  - {name: agent, if: {request_header_user_agent: {matches: '(?i)(bot|crawl|spider).*[0-9]$'}}, keep: true}
  - {name: referer, if: {request_header_referer: {matches: '(?P<p>[^/?]*)\?', not: z}}, set: {company_id: $p}}
  - {name: query, if: {query: {matches: '(?:^|&)user=(?P<who>[^&]+)'}}, set: {user_id: $who}}
  - {name: inside, if: {request_header_x_forwarded_for: {not: {in: [private]}}}, set: {metadata.outside: yes}}
  - {name: size, if: {response_bytes_clf: {min: 1}}, set: {metadata.big: "$target"}}
redact:
  query: [token, password, api_key]
  path: ['/reset/([^/]+)', '([A-Za-z0-9._%+-]+(?:@|%40)[A-Za-z0-9.-]+\.[A-Za-z]{2,})', '/([0-9a-f]{32})(?:/|$)']
  headers: [Referer]
  ip: hash
  hash: [user_id, company_id]
  key: not-a-secret
"""
KEEP = """
extends: default
event: {request: {headers: {X-Forwarded-For: $request_header_x_forwarded_for}}}
redact: {query: {keep: [page, sort]}, ip: truncate}
"""
BODIES = """
extends: default
event: {request: {body: $request_body}, response: {body: $response_body}, metadata: {all: $request_headers}}
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A format with a mapping and an envelope."""

    format: object
    mapping: str = "extends: default"
    envelope: Literal["none", "docker", "cri", "auto"] = "none"

    def source(self) -> SourceConverter:
        named = presets()
        spec = read_spec(self.format)
        fmt = None if spec.kind == "auto" else compile_format(spec, named)
        constants = Constants("web-1", "bench")
        return SourceConverter(
            "bench", fmt, parse_mapping(_whole(_tree(self.mapping))), constants, PathFields(), named, self.envelope
        )

    def lines(self, fmt: Format) -> list[tuple[str, bytes]]:
        """A name and a line each, wrapped; what an envelope makes longer than `max_line_bytes` is left out."""
        size = LINE_BYTES - 200
        inner = [*hostile_lines(size), *aimed_lines(fmt, size)]
        wraps = self.envelope in ("docker", "auto")
        samples = MAX_SAMPLE_BYTES if self.format == "auto" else 0  # longer lines tell nothing of a format
        for shorter in (size // 2 if wraps else 0, samples, getattr(fmt, "longest", 0)):
            if 0 < shorter < size:
                inner += [*hostile_lines(shorter - 100), *aimed_lines(fmt, shorter)]
        wrapped = [(name, self.wrapped(line)) for name, line in inner]
        return [(name, line) for name, line in wrapped if len(line) <= LINE_BYTES]

    def wrapped(self, line: bytes) -> bytes:
        if self.envelope == "cri":
            return b"2024-06-10T00:00:00.000000000Z stdout F " + line
        if self.envelope == "none":
            return line
        return orjson.dumps({"log": line.decode("latin-1") + "\n", "stream": "stdout", "time": "2024-06-10T00:00:00Z"})


def _whole(tree: Mapping[str, object]) -> Mapping[str, object]:
    """The mapping on top of what it extends."""
    base = tree.get("extends")
    return merge(_whole(_tree(mapping_path(str(base)).read_text())), tree) if base else tree


def _tree(text: str) -> dict[str, object]:
    document = parse(text, "benchmark.yml")
    assert not document.problems, document.problems
    tree = document.tree()
    assert isinstance(tree, dict)
    return dict(tree)


def cases() -> dict[str, Case]:
    plain = {name: Case(name) for name in presets()} | {name: Case(tree) for name, tree in AWKWARD.items()}
    return plain | {
        "auto": Case("auto"),
        "privacy": Case("combined", "extends: privacy"),
        "api": Case({"apache": XFF}, "extends: api"),
        "everything": Case({"apache": XFF}, EVERYTHING),
        "everything, json": Case("nginx_json", EVERYTHING),
        "keep": Case({"apache": XFF}, KEEP),
        "bodies": Case(AWKWARD["bodies"], BODIES),
        "docker": Case("combined", envelope="docker"),
        "cri": Case("combined", envelope="cri"),
        "auto envelope": Case("nginx_json", envelope="auto"),
    }


def main() -> int:
    """A row each; exit 1 when the converter took longer than the limit for any line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--rows", help="names, separated by semicolons; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=LIMIT_MS, metavar="MS")
    parser.add_argument("--verbose", action="store_true", help="every line over the limit")
    options = parser.parse_args()
    wanted = options.rows.split(";") if options.rows else list(cases())
    over = 0
    print(f"{'configuration':20} {'lines':>6} {'convert':>8} {'explain':>8} {'trace':>8}  ms; the slowest line")
    for name in wanted:
        case = cases()[name]
        slowest: dict[str, tuple[float, str]] = {}
        fmt = compile_format(read_spec("combined" if case.format == "auto" else case.format), presets())
        lines = case.lines(fmt)
        source = case.source()
        source.convert(case.wrapped(ordinary_line(fmt)) + b"\n", 0, FILE)  # detects and compiles
        for label, line in lines:
            for what, spent_ms in _spent(source, line, options.rounds).items():
                slowest[what] = max(slowest.get(what, (0.0, "")), (spent_ms, label))
                if options.verbose and spent_ms > options.limit:
                    print(f"    {what} {spent_ms:.2f} ms: {label}")
                over += what == "convert" and spent_ms > options.limit
        shown = "".join(f" {slowest[what][0]:8.2f}" for what in ("convert", "explain", "trace"))
        print(f"{name:20} {len(lines):6,}{shown}  {slowest['convert'][1]}", flush=True)
    print(f"{over} lines took the converter more than {options.limit:g} ms")
    return 1 if over else 0


def _spent(source: SourceConverter, line: bytes, rounds: int) -> dict[str, float]:
    """Milliseconds of CPU for one line, the best of some rounds: other work on the machine only adds."""
    works: dict[str, Callable[[], object]] = {
        "convert": lambda: source.convert(line + b"\n", 0, FILE),
        "explain": lambda: source.explain(line, FILE.path),
        "trace": lambda: source.trace(line, 0, FILE),
    }
    return {what: _best(work, rounds if what == "convert" else 1) for what, work in works.items()}


def _best(work: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        for remembers in (repaired_once, redacted_once):  # a hostile line need not come twice
            remembers.cache_clear()
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best * 1e3


if __name__ == "__main__":
    sys.exit(main())
