"""What HAProxy, lighttpd and Tomcat write is recognised, and says what was asked of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from logship.conversion import detect
from logship.conversion.headed import headed_lines
from logship.event import LogFile
from logship.formats import Format
from tests.formats.presets import parsed, preset, presets
from tests.formats.test_oracle import HOSTILE, ORDINARY, converter, send
from tests.rigs.other_servers import Haproxy, Lighttpd, OtherServer, Tomcat
from tests.rigs.waiting import wait_until

FILE = LogFile(1, "access.log", "site", 0, "web-1")


def asked(server: OtherServer, *names: str) -> list[tuple[bytes, bytes]]:
    """Sends all requests, each once the logs that write at once have a line of the one before."""
    requests = [*ORDINARY, *HOSTILE]
    for number, (request, head) in enumerate(requests, 1):
        send(server.port, request, head)
        wait_until(partial(has_lines, server, names, number), what=f"{request!r}")
    return requests


def has_lines(server: OtherServer, names: Sequence[str], number: int) -> bool:
    return all(sum(not line.startswith(b"#") for line in server.lines(name)) >= number for name in names)


def claim(fmt: Format, lines: list[bytes], requests: list[tuple[bytes, bytes]]) -> int:
    """Each line fits, or was a hostile request's; what it says of verb, target, agent and client is what was sent."""
    made, fitting = converter(fmt), 0
    for number, (line, (request, head)) in enumerate(zip(lines, requests, strict=True)):
        if fmt.parse(line) is None:
            assert number >= len(ORDINARY), (line, fmt.explain(line))
            continue
        fitting += 1
        conversion = made.convert_lines([line], [line], [0, 1], FILE)
        event = json.loads(conversion.events[0])
        assert event["request"]["ip_address"] == "127.0.0.1"
        verb, target, *_ = [*request.decode("latin-1").split(" "), "", ""]
        assert event["request"]["verb"] in {verb, "UNKNOWN"}, line
        if number < len(ORDINARY):
            assert event["request"]["verb"] == verb
            assert event["request"]["uri"].partition("//")[2].partition("/")[2] == target[1:], line
            agent = head.partition(b"User-Agent: ")[2].partition(b"\r")[0].decode()
            assert event["request"]["headers"].get("User-Agent", agent) == agent
    return fitting


def test_haproxy_is_read(tmp_path: Path) -> None:
    with Haproxy(tmp_path / "haproxy") as server:
        requests = asked(server, "")
        lines = server.lines("")
    assert detect(lines[: len(ORDINARY)], presets())[0].name == "haproxy_http"
    assert claim(preset("haproxy_http"), lines, requests) >= len(ORDINARY)


def test_lighttpd_is_read(tmp_path: Path) -> None:
    with Lighttpd(tmp_path / "lighttpd") as server:
        requests = asked(server)
    lines = server.lines("access.log")
    assert detect(lines[: len(ORDINARY)], presets())[0].name == "lighttpd"
    assert claim(preset("lighttpd"), lines, requests) >= len(ORDINARY)


def test_tomcat_is_read_in_both_of_its_formats(tmp_path: Path) -> None:
    with Tomcat(tmp_path / "tomcat") as server:
        requests = asked(server, "access.log", "w3c.log")
        lines, raw = server.lines("access.log"), server.lines("w3c.log")
    assert claim(preset("combined"), lines, requests) >= len(ORDINARY)
    assert detect(raw, presets())[0].name == "w3c"
    headed = headed_lines(raw)
    assert claim(preset("w3c"), headed, requests) >= len(ORDINARY)
    assert parsed(preset("w3c"), headed[0])["request_header_host"] == "shop.example"
