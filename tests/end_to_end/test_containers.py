"""Logs of containers through the real process: a line that docker cut in pieces is one event, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.end_to_end.site import LINE, Site, targets
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

SOURCE = """{{name: site, paths: ["{log}"], format: combined, start_at: beginning, envelope: %s, mapping: default}}"""
PIECE_BYTES = 30


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(params=["docker", "cri", "auto"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site(tmp_path: Path, receiver: Receiver, kind: str) -> Iterator[Site]:
    site = Site(tmp_path, receiver.url, sources=(SOURCE % kind,))
    site.start()
    yield site
    if site.daemon.is_running():
        assert site.daemon.terminate() == 0


def outer_lines(target: str, kind: str, stream: str = "stdout") -> list[bytes]:
    """A request's line as a container runtime cuts it, each piece with its newline."""
    text = LINE.format(target).rstrip("\n")
    pieces = [text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES)]
    made = []
    for number, piece in enumerate(pieces):
        is_last = number == len(pieces) - 1
        if kind == "cri":
            made.append(f"2026-10-10T13:55:36.{number:09d}Z {stream} {'F' if is_last else 'P'} {piece}\n")
        else:
            log = piece + "\n" * is_last
            made.append(json.dumps({"log": log, "stream": stream, "time": f"2026-10-10T13:55:36.{number}Z"}) + "\n")
    return [line.encode() for line in made]


def append(site: Site, *lines: bytes) -> None:
    with site.log.open("ab") as log:
        log.write(b"".join(lines))


def event_of(receiver: Receiver, target: str) -> dict[str, Any]:
    (event,) = (event for event in receiver.events if event["request"]["uri"].endswith(target))
    return event


def position_of(event: dict[str, Any]) -> int:
    return int(event["transaction_id"].rpartition("-")[2], 16)


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_a_restart_in_the_middle_of_a_cut_line_makes_one_event_at_its_first_outer_line(
    site: Site, receiver: Receiver, kind: str, end: str
) -> None:
    append(site, *outer_lines("/first", kind))
    wait_until(lambda: receiver.events, what="the first event")
    start = site.log.stat().st_size
    cut = outer_lines("/cut", kind)
    append(site, *cut[:2])
    if end == "SIGTERM":
        assert site.daemon.terminate() == 0
    else:
        site.daemon.kill()
    site.start()
    assert targets(receiver) == ["/first"]
    append(site, *cut[2:], *outer_lines("/last", kind))
    wait_until(lambda: len(receiver.events) >= 3, what="all events")
    assert sorted(targets(receiver)) == ["/cut", "/first", "/last"]
    event = event_of(receiver, "/cut")
    assert position_of(event) == start
    assert event["transaction_id"].startswith(f"{crc32(cut[0].rstrip(b'%c' % 10)):08x}-")
    assert receiver.conflicts == []


def test_streams_that_are_written_between_each_other_are_told_apart(site: Site, receiver: Receiver, kind: str) -> None:
    out, err = outer_lines("/out", kind), outer_lines("/err", kind, "stderr")
    append(site, *(line for pair in zip(out, err, strict=True) for line in pair), *outer_lines("/end", kind))
    wait_until(lambda: len(receiver.events) >= 3, what="all events")
    assert sorted(targets(receiver)) == ["/end", "/err", "/out"]
    assert position_of(event_of(receiver, "/out")) == 0
    assert position_of(event_of(receiver, "/err")) == len(out[0])
    assert site.daemon.terminate() == 0
    site.start()
    append(site, *outer_lines("/more", kind))
    wait_until(lambda: "/more" in targets(receiver), what="the event after the restart")
    assert receiver.repeats == 0


SAMPLED = """{{name: site, paths: ["{log}"], format: combined, start_at: beginning, envelope: %s,
     mapping: {{extends: default, rules: [
     {{name: half, if: {{path: {{matches: '^/many/'}}}}, sample: 50%%}}]}}}}"""


def test_traced_lines_have_the_ids_and_fates_they_had(site: Site, receiver: Receiver, kind: str) -> None:
    site.write_config(receiver.url, sources=(SAMPLED % kind,))
    site.daemon.hang_up()
    site.daemon.wait_for_log("reloaded sources=1")
    append(site, *(line for number in range(40) for line in outer_lines(f"/many/{number}", kind)))
    append(site, *outer_lines("/end", kind))
    wait_until(lambda: "/end" in targets(receiver), what="the last line")
    assert site.daemon.terminate() == 0
    append(site, *outer_lines("/many/cut", kind)[:-1])
    found = [json.loads(line) for line in site.run("trace", "/many/", "--json").stdout.splitlines()]
    by_fate: dict[str, list[str]] = {}
    for record in found:
        by_fate.setdefault(record["fate"], []).append(record["transaction_id"])
    assert sorted(by_fate) == ["confirmed", "sampled out", "waiting"]
    assert sorted([*by_fate["confirmed"], event_of(receiver, "/end")["transaction_id"]]) == sorted(receiver.ids)
    assert len(by_fate["confirmed"]) + len(by_fate["sampled out"]) == 40
    assert len(by_fate["waiting"]) == 1
