"""A W3C log on its way: its directives are found wherever reading begins, and make no events and no dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logship.config.shipped import mapping_path, presets
from logship.config.yaml_door import parse
from logship.conversion import PathFields, SourceConverter
from logship.event import LogFile
from logship.formats import compile_format, read_spec
from logship.mapping import Constants, parse_mapping
from tests.pipeline.test_pipeline import World

SOFTWARE = "#Software: Microsoft Internet Information Services 10.0\r\n"
FIRST = f"{SOFTWARE}#Fields: date time c-ip cs-method cs-uri-stem sc-status\r\n"
SECOND = "#Fields: time date cs-method c-ip cs-uri-stem sc-status time-taken\r\n"
Seen = tuple[str, str, str]  # path, address and second of an event


def first(number: int) -> str:
    return f"2023-01-02 00:00:{number:02d} 203.0.113.9 GET /{number} 200\r\n"


def second(number: int) -> str:
    return f"00:00:{number:02d} 2023-01-02 GET 203.0.113.9 /{number} 200 15\r\n"


def converter(format_name: str = "w3c") -> SourceConverter:
    fmt = None if format_name == "auto" else compile_format(read_spec(format_name), presets())
    tree = parse(mapping_path("default").read_text(), "default.yml").tree()
    assert isinstance(tree, dict)
    constants = Constants("web-1", "site", {"host": "a.example"})
    return SourceConverter("site", fmt, parse_mapping(dict(tree)), constants, PathFields(), presets())


def opened(directory: Path, format_name: str) -> Iterator[World]:
    world = World(directory)
    world.route(converter(format_name))
    yield world
    world.tailer.close()
    world.state.close()


@pytest.fixture(params=["w3c", "auto"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    yield from opened(tmp_path, request.param)


def settle(world: World) -> list[dict[str, Any]]:
    """The events of what has been written."""
    world.pass_on()
    taken = [json.loads(batch.event(index)) for batch in world.receiver.taken for index in range(len(batch))]
    world.receiver.accept_all()
    world.pass_on()
    return taken


def seen(events: list[dict[str, Any]]) -> list[Seen]:
    ends = [(one["request"], one["response"]) for one in events]
    return [
        (request["uri"].partition("a.example")[2], request["ip_address"], response["time"][17:19])
        for request, response in ends
    ]


def expected(*numbers: int) -> list[Seen]:
    return [(f"/{number}", "203.0.113.9", f"{number:02d}") for number in numbers]


def test_fields_change_within_a_log_and_no_directive_is_an_event(world: World) -> None:
    world.write(FIRST + first(1) + SECOND + second(2) + "#Date: 2023-01-02\r\n" + second(3))
    assert seen(settle(world)) == expected(1, 2, 3)
    assert world.position == world.log.stat().st_size
    tally = world.counters.total()
    assert (tally.lines, tally.sent, tally.dead_letters) == (3, 3, 0)


def test_directives_alone_hold_nothing_up(world: World) -> None:
    world.write(FIRST)
    settle(world)
    world.write(first(1))
    assert seen(settle(world)) == expected(1)
    world.write("#Date: 2023-01-02 00:10:00\r\n" + FIRST)
    assert settle(world) == []
    assert world.position == world.log.stat().st_size
    assert world.set_aside == []


@pytest.mark.parametrize("format_name", ["w3c", "auto"])
def test_a_restart_in_the_middle_finds_the_directives_above(tmp_path: Path, format_name: str) -> None:
    sent: list[dict[str, Any]] = []
    text = ""
    for piece in (FIRST + first(1), first(2), SECOND + second(3), second(4)):
        text += piece
        (tmp_path / "access.log").open("ab").write(piece.encode())
        for world in opened(tmp_path, format_name):
            sent += settle(world)
            assert world.position == len(text)
            assert world.set_aside == []
    assert seen(sent) == expected(1, 2, 3, 4)
    whole = converter().convert(text.encode(), 0, LogFile(1, "", "site", 0, "web-1"))
    starts = [whole.line_starts[line] for line in whole.event_lines]
    assert [int(one["transaction_id"][-12:], 16) for one in sent] == starts


def test_a_rotated_log_begins_without_the_directives_of_the_one_before(world: World) -> None:
    world.write(FIRST + first(1))
    assert seen(settle(world)) == expected(1)
    world.log.rename(world.log.with_name("access.log.1"))
    world.log.write_text(SECOND + second(2))
    assert seen(settle(world)) == expected(2)


def test_a_line_that_does_not_fit_is_set_aside_with_its_directives_and_its_own_id(world: World) -> None:
    world.write(FIRST + first(1) + "2023-01-02 00:00:02 203.0.113.9 GET /2\r\n" + first(3))
    assert seen(settle(world)) == expected(1, 3)
    (letter,) = world.set_aside
    assert letter.position == int(letter.id[-12:], 16) == len(FIRST + first(1))
    heading, line = letter.raw.rsplit(b"\n", 1)
    assert line == b"2023-01-02 00:00:02 203.0.113.9 GET /2"
    made = converter().convert(first(3).encode(), letter.position, letter.file, heading=heading + b"\n")
    assert len(made.ends) == 1


def test_a_line_too_long_between_directives_and_lines_leaves_them_in_force(world: World) -> None:
    world.write(FIRST + first(1))
    settle(world)
    world.write("x" * 70_000 + "\n" + first(2))
    assert seen(settle(world)) == expected(2)


def test_a_hundred_lines_without_directives_hold_the_log(world: World) -> None:
    world.write("".join(map(first, range(1, 60))) * 3)
    settle(world)
    assert world.position == 0
    assert world.pipeline.held_files
