"""A W3C log is cut into pieces, each of which knows the directives that are in force where it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from logship.backfill.reading import LogReading
from logship.backfill.run_settings import converter_of
from logship.backfill.split import Split
from logship.event import Window
from logship.formats import read_spec
from tests.backfill.receiver import Receiver
from tests.backfill.run_settings import log_of
from tests.backfill.world import World, write_old

HEADS = (
    "#Fields: date time c-ip cs-method cs-uri-stem sc-status",
    "#Fields: c-ip time date cs-method cs-uri-stem sc-status",
)


def w3c_lines(count: int) -> list[str]:
    """A log whose fields change with every 40 lines."""
    lines = ["#Software: Microsoft Internet Information Services 10.0"]
    for number in range(count):
        which = number // 40 % 2
        if number % 40 == 0:
            lines.append(HEADS[which])
        day, second = "2023-11-14", f"00:{number // 60 % 60:02d}:{number % 60:02d}"
        columns = ("203.0.113.9", second, day) if which else (day, second, "203.0.113.9")
        lines.append(f"{' '.join(columns)} GET /{number} 200")
    return lines


def test_each_piece_reads_what_it_would_have_read_behind_the_others(tmp_path: Path) -> None:
    path = write_old(tmp_path / "u_ex.log", "".join(f"{line}\r\n" for line in w3c_lines(200)).encode())
    log = log_of(str(path), path.stat().st_size)
    log = replace(log, converter_spec=replace(log.converter_spec, format=read_spec({"w3c": "auto"})))
    pieces = list(Split(Window()).pieces(log, (), lambda line: None, lambda rest: 500))
    assert len(pieces) > 10
    events: list[str] = []
    for piece in pieces:
        assert piece.end is not None
        reading = LogReading(log, piece.start, 65_536)
        passage = reading.passage(1 << 20, piece.end)
        assert passage is not None
        made = converter_of(log.converter_spec).convert(
            passage.chunk.data, piece.start, log.file, heading=piece.heading.text
        )
        assert reading.heading(piece.start, piece.heading) == piece.heading.text
        events += made.events
        assert not made.unmatched
        reading.close()
    data = path.read_bytes()
    assert events == converter_of(log.converter_spec).convert(data, 0, log.file).events
    assert len(events) == 200


def test_a_backfill_of_it_sends_each_line_once_and_no_directive(tmp_path: Path, receiver: Receiver) -> None:
    world = World(tmp_path, receiver.url)
    lines = w3c_lines(200)
    path = write_old(world.logs / "u_ex.log", "".join(f"{line}\r\n" for line in [*lines, "odd"]).encode())
    target = {"since": "2023-11-14T00:00:10Z", "until": "2023-11-14T00:02:30Z"}
    dry = world.summary("--dry-run", "--format", "w3c", "--since", target["since"], "--until", target["until"], path)
    assert (dry["sent"], dry["out_of_range"], dry["dead_letters"], dry["lines"]) == (140, 60, 1, 201)
    summary = world.summary("--format", "auto", path)
    assert (summary["sent"], summary["dead_letters"], summary["lines"]) == (200, 1, 201)
    assert len(receiver.ids) == 200
