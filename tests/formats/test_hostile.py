"""No line takes more than linear time: 100 kB of each kind would take minutes if anything were quadratic.

The time itself is measured by the benchmarks; here a quadratic step would run into the test's timeout.
"""

from __future__ import annotations

import pytest

from logship.formats import Format, compile_format, read_spec
from logship.formats.json_repair import repair
from logship.formats.request_line import split_request_line
from tests.formats.hostile import hostile_lines
from tests.formats.presets import preset, presets

SIZE = 100_000
AWKWARD: dict[str, object] = {
    "neighbours": {"apache": '%h "%m %U%q %H" %>s %{Referer}i %{User-Agent}i'},
    "unquoted": {"nginx": "$remote_addr:$remote_port $remote_user [$time_local] $request|$http_referer|$http_a"},
    "unescaped": {"nginx": "escape=none '$remote_addr \"$request\" \"$http_user_agent\" $status'"},
    "lists": {"nginx": "$upstream_addr $upstream_status $http_x_forwarded_for [$time_local] $status"},
    "strftime": {"apache": "%h %{%d/%b/%Y %T}t.%{usec_frac}t %r %>s"},
    "regex": {"regex": r'^(?P<a>.*) (?P<b>.*) \[(?P<c>.*)\] "(?P<d>.*)" (?P<status>\d+)$'},
    "json": {"json": {"time_received": "ts", "status": "status", "host": "a.b.c"}},
    "list": ["combined", "nginx_json", "ingress_nginx"],
}


def formats() -> dict[str, Format]:
    own = {name: compile_format(read_spec(tree), presets()) for name, tree in AWKWARD.items()}
    return {name: preset(name) for name in presets()} | own


@pytest.mark.parametrize("name", [*presets(), *AWKWARD])
def test_no_line_makes_a_format_slow(name: str) -> None:
    fmt = formats()[name]
    scanner = fmt.scanner([slot.field for slot in fmt.slots][:6])
    size = SIZE if name != "regex" else SIZE // 10  # RE2 is linear, at 80 ns a byte for such a pattern
    for _, line in hostile_lines(size):
        fits = fmt.parse(line) is not None
        assert (fmt.explain(line) is None) == fits
        scanner.scan(line + b"\n" + line + b"\n", [line, line])


def test_no_line_makes_the_mending_of_json_or_the_request_line_slow() -> None:
    for _, line in hostile_lines(SIZE):
        repair(line)
        split_request_line(line.decode("latin-1"))
