"""One pass at a time: nothing is confirmed before the receiver said so, and nothing is forgotten when a part fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from logship.clock import SystemClock
from logship.config.shipped import mapping_path, presets
from logship.config.yaml_door import parse
from logship.conversion import PathFields, SourceConverter
from logship.counters import Counters, Tally
from logship.delivery import DeadLetter, DeadLetters, Delivery, DeliveryState, DeliveryStatus
from logship.event import Batch, Chunk, Conversion, LogFile, Outcome, RefusedEvent, Window, transaction_id
from logship.formats import compile_format, read_spec
from logship.formats.directives import Heading
from logship.mapping import Constants, parse_mapping
from logship.mapping.remote_rules import RemoteRules
from logship.route.batcher import Batcher
from logship.route.dead_letter_writer import DeadLetterWriter
from logship.route.output import LineConverter, Output, Route
from logship.route.pipeline import Pipeline
from logship.route.unmatched import RUN_LIMIT
from logship.state import State
from logship.tail.identity import anchor_of, file_key
from logship.tail.source import TailSource
from logship.tail.tailer import Tailer

RECEIVER = "http://receiver.example"


class Clock(SystemClock):
    """Real waits, a monotonic time that the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class ByHand:
    """A delivery whose answers the test gives."""

    failure: BaseException | None = None
    max_body_bytes: int = 10_000
    taken: list[Batch] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)

    def room(self) -> int:
        return 8 - len(self.taken)

    def begin(self, batch: Batch) -> None:
        self.taken.append(batch)

    def status(self) -> DeliveryStatus:
        return DeliveryStatus(DeliveryState.OK, "moesifapi", "none")

    def rest(self) -> None: ...

    def outcomes(self) -> list[Outcome]:
        settled, self.settled = self.settled, []
        return settled

    def accept_all(self, refused: Sequence[int] = ()) -> None:
        """Every batch is confirmed; events with these indexes are refused."""
        for batch in self.taken:
            bad = tuple(RefusedEvent(index, 400, "no") for index in refused if index < len(batch))
            self.settled.append(Outcome(batch, bad))
        self.taken = []


class Lines:
    """A converter: a line is a number of x for its event, `!` fits no format, `-` is dropped."""

    rules: RemoteRules | None = None

    def obey(self, rules: RemoteRules | None) -> None:
        self.rules = rules

    def heading_unknown(self, start: int, file: LogFile) -> Heading | None:
        return None

    def pass_over(self, chunk: Chunk) -> None:
        """Nothing is below anything here."""

    def convert(
        self, data: bytes, start: int, file: LogFile, window: Window | None = None, heading: bytes = b""
    ) -> Conversion:
        events, lines, starts, unmatched, dashes = [], [], [start], [], 0
        for number, line in enumerate(data.split(b"\n")[:-1]):
            if line.startswith(b"!"):
                unmatched.append(number)
            elif line.startswith(b"-"):
                dashes += 1
            else:
                events.append(json.dumps({"text": line.decode(), "id": transaction_id(line, file.key, starts[-1])}))
                lines.append(number)
            starts.append(starts[-1] + len(line) + 1)
        conversion = Conversion.of(events, lines, starts, unmatched)
        conversion.dropped = {"dash": dashes} if dashes else {}
        return conversion


COMBINED = '203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 2326 "-" "curl/8"'


def container_lines() -> SourceConverter:
    """The converter of a container's log of combined lines."""
    fmt = compile_format(read_spec("combined"), presets())
    tree = parse(mapping_path("default").read_text(), "default.yml").tree()
    assert isinstance(tree, dict)
    mapping, constants = parse_mapping(dict(tree)), Constants("web-1", "site")
    return SourceConverter("site", fmt, mapping, constants, PathFields(), presets(), "cri")


class World:
    """A log, a state, a pipeline over them and a receiver in the test's hand."""

    def __init__(self, directory: Path, **route: bool) -> None:
        self.log = directory / "access.log"
        self.log.touch()
        self.clock = Clock()
        self.state = State.open(directory / "state", self.clock)
        source = TailSource("site", (str(self.log),), RECEIVER, lambda path: "web-1", start_at="beginning")
        self.tailer = Tailer([source], self.state, clock=self.clock, use_hints=False)
        self.counters = Counters()
        self.letters = DeadLetters(directory / "state", counters=self.counters)
        self.receiver = ByHand()
        output = Output(cast(Delivery, self.receiver), Batcher(10_000, 1.0, self.tailer.span), frozenset({"site"}))
        routes = {"site": Route("site", Lines(), "output", **route)}
        dead_letters = DeadLetterWriter(self.letters, self.counters, self.clock)
        self.pipeline = Pipeline(routes, {"output": output}, self.tailer, dead_letters, self.counters, self.clock)

    def route(self, converter: LineConverter) -> None:
        """Another converter from now on."""
        self.pipeline.routes["site"] = Route("site", converter, "output")

    def write(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(text)

    def pass_on(self, passes: int = 6) -> None:
        """Some passes, each a second after the other: everything that can move has moved."""
        for _ in range(passes):
            self.pipeline.step()
            self.clock.now_s += 1.1

    @property
    def position(self) -> int:
        """What a restart would go on from."""
        (checkpoint,) = self.state.load()
        return checkpoint.position

    @property
    def set_aside(self) -> list[DeadLetter]:
        return list(self.letters)

    def sent(self) -> list[str]:
        taken = [batch.event(index) for batch in self.receiver.taken for index in range(len(batch))]
        return [json.loads(event)["text"] for event in taken]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.tailer.close()
    world.state.close()


def test_the_position_moves_only_after_the_receiver_said_yes(world: World) -> None:
    world.write("a\nbb\n")
    world.pass_on()
    assert world.sent() == ["a", "bb"]
    assert world.position == 0
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == 5
    assert world.counters.total().waiting == 0


def test_a_dropped_line_is_confirmed_with_what_stands_before_it(world: World) -> None:
    world.write("a\n-\n-\n")
    world.pass_on()
    assert world.position == 0
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == 6
    assert world.counters.total().dropped == {"dash": 2}


def test_an_id_too_long_for_the_api_is_counted_and_warned_about_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class LongIds(Lines):
        def convert(
            self, data: bytes, start: int, file: LogFile, window: Window | None = None, heading: bytes = b""
        ) -> Conversion:
            conversion = super().convert(data, start, file, window)
            conversion.left_out = {"user_id": len(conversion.ends)}
            return conversion

    world.route(LongIds())
    for text in ("a\nb\n", "c\n"):
        world.write(text)
        world.pass_on()
    world.receiver.accept_all()
    world.pass_on()
    assert world.sent() == []
    assert world.counters.total().sent == 3
    assert world.counters.total().left_out == {"user_id": 3}
    assert "user_id left out of 3" in world.counters.total().sentence()
    assert caplog.text.count("more than 256 characters") == 1


def test_an_unmatched_line_is_on_disk_before_the_position_passes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(self: DeadLetters, letters: Sequence[DeadLetter]) -> None:
        raise OSError(28, "No space left on device")

    world.write("a\n!odd\nb\n")
    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "append", full_disk)
        world.pass_on()
        assert world.sent() == ["a", "b"]
        world.receiver.accept_all()
        world.pass_on()
        assert world.position == 0
        assert "No space left" in world.pipeline.dead_letters.problem
    world.pass_on()
    assert world.position == 9
    assert [(letter.raw, letter.position) for letter in world.set_aside] == [(b"!odd", 2)]
    assert world.pipeline.dead_letters.problem == ""


def test_dead_letters_that_can_not_be_written_stop_reading_before_they_fill_the_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def full_disk(self: DeadLetters, letters: Sequence[DeadLetter]) -> None:
        nonlocal tries
        tries += 1
        raise OSError(28, "No space left on device")

    lines = "".join(f"{number}\n!{'x' * 30_000}\n" for number in range(1_000))
    world.write(lines + "last\n")
    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "append", full_disk)
        for _ in range(1_200):
            world.pipeline.step()
            world.receiver.accept_all()
            world.clock.now_s += 0.1
        owed = world.pipeline.dead_letters._owed
        assert 3_500_000 < sum(len(letter.raw) for letter in owed) < 4_500_000
        assert tries <= 121, "at most once a second"
        tally = world.counters.total()
        assert (tally.dead_letters, tally.waiting) == (0, len(owed)), "what is on no disk is no dead letter yet"
    while world.position < world.log.stat().st_size:
        world.pass_on()
        world.receiver.accept_all()
    assert len(world.set_aside) == 1_000
    tally = world.counters.total()
    assert (tally.sent, tally.dead_letters, tally.waiting) == (1_001, 1_000, 0)


def test_the_first_dead_letter_of_a_reason_is_logged_at_once_and_the_others_once_a_minute(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def logged() -> list[str]:
        found = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
        caplog.clear()
        return [one for one in found if "dead letter" in one]

    for number in range(5):
        world.write(f"a\n!{number}\nbad\n{'x' * 11_000}{number}\nb\n")
    world.pass_on()
    world.receiver.accept_all(refused=[1, 4])
    world.pass_on()
    first = logged()
    assert len(first) == 3
    for text in ("fits no format", "over batch.max_bytes", "the receiver refused it (HTTP 400)"):
        assert any(text in one for one in first)
    world.clock.now_s += 61
    world.pass_on()
    assert [one for one in logged() if "no format" in one] == [
        "more lines are dead letters: fits no format source=site count=4"
    ]
    world.clock.now_s += 61
    world.pass_on()
    assert logged() == []


def test_an_event_the_receiver_refuses_is_a_dead_letter_with_its_line(world: World) -> None:
    world.write("a\nbad\nc\n")
    world.pass_on()
    world.receiver.accept_all(refused=[1])
    world.pass_on()
    assert world.position == 8
    (letter,) = world.set_aside
    assert (letter.raw, letter.position, letter.status, letter.answer) == (b"bad", 2, 400, "no")
    assert json.loads(letter.event)["id"] == letter.id
    tally = world.counters.total()
    assert (tally.lines, tally.sent, tally.dead_letters, tally.waiting) == (3, 2, 1, 0)


def test_an_event_over_the_limit_alone_is_a_dead_letter(world: World) -> None:
    world.write("a\n" + "x" * 11_000 + "\nb\n")
    world.pass_on()
    assert world.sent() == ["a", "b"]
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == world.log.stat().st_size
    assert [letter.position for letter in world.set_aside] == [2]


def test_a_file_that_recovers_behind_several_chunks_is_not_held_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write(f"!{'x' * 1_000}\n" * 400)
    world.pass_on(9)
    world.write("a\n")
    world.pass_on(9)
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == world.log.stat().st_size
    assert len(world.set_aside) == 400
    assert caplog.text.count("lines stopped fitting the format") == 1


@pytest.mark.parametrize("kept", ["before", ""], ids=["behind a line", "alone"])
def test_a_line_that_goes_on_in_the_next_chunk_is_settled_with_it(world: World, kept: str) -> None:
    """A container's runtime parts long lines: what waits for its rest stands before the next chunk."""
    world.route(container_lines())
    stamp, line = "2024-06-10T00:00:00.000000000Z stdout", COMBINED
    world.write((f"{stamp} F {line}\n" if kept else "") + f"{stamp} P {line[:40]}\n")
    world.pass_on()
    world.receiver.accept_all()
    world.pass_on()
    world.write(f"{stamp} F {line[40:]}\n{stamp} F {line}\n")
    world.pass_on()
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == world.log.stat().st_size
    assert world.counters.total().sent == (3 if kept else 2)


def test_a_file_whose_lines_stop_fitting_is_held_and_recovers(world: World) -> None:
    world.write("a\n" + "!\n" * RUN_LIMIT)
    world.pass_on()
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == 2
    assert list(world.pipeline.held_files.values()) == [2]
    assert world.set_aside == []
    world.write("good\n")
    world.pass_on()
    assert world.sent() == ["good"]
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == world.log.stat().st_size
    assert len(world.set_aside) == RUN_LIMIT
    assert not world.pipeline.held_files
    tally = world.counters.total()
    assert (tally.lines, tally.sent, tally.dead_letters) == (RUN_LIMIT + 2, 2, RUN_LIMIT)


def test_unmatched_lines_at_the_end_of_a_rotated_file_are_decided_without_a_successor(world: World) -> None:
    world.write("a\n!odd\n")
    world.pass_on()
    world.receiver.accept_all()
    world.pass_on()
    assert world.set_aside == []
    world.log.rename(world.log.with_suffix(".log.1"))
    world.write("b\n")
    world.pass_on(20)
    assert [letter.raw for letter in world.set_aside] == [b"!odd"]
    assert world.sent() == ["b"]


def test_unmatched_lines_may_be_dropped_by_wish(tmp_path: Path) -> None:
    world = World(tmp_path, drops_unmatched=True)
    world.write("!\n" * (RUN_LIMIT + 5))
    world.pass_on()
    assert world.position == 2 * (RUN_LIMIT + 5)
    assert world.counters.total().unmatched == RUN_LIMIT + 5
    assert world.set_aside == []


def test_a_rule_may_be_called_as_what_is_dropped_unmatched(tmp_path: Path) -> None:
    class Named(Lines):
        def convert(
            self, data: bytes, start: int, file: LogFile, window: Window | None = None, heading: bytes = b""
        ) -> Conversion:
            conversion = super().convert(data, start, file, window)
            conversion.dropped = {"unmatched": sum(conversion.dropped.values())}
            return conversion

    world = World(tmp_path)
    world.pipeline.routes["site"] = Route("site", Named(), "output", drops_unmatched=True)
    world.write("a\n-\n!\n-\n!\n-\nb\n")
    world.pass_on()
    world.receiver.accept_all()
    world.pass_on()
    total = world.counters.total()
    assert (total.lines, total.sent, total.dropped, total.unmatched, total.waiting) == (7, 2, {"unmatched": 3}, 2, 0)
    assert total.sentence().endswith(" + dead letters 0 + dropped unmatched 2")


def test_lost_bytes_follow_the_sum() -> None:
    assert Tally(lines=1, sent=1, lost_bytes=4_200_000).sentence().endswith(" + dead letters 0 · LOST 4.2 MB")


def test_what_a_sender_thread_died_of_ends_the_pass(world: World) -> None:
    world.receiver.failure = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        world.pipeline.step()


def test_batches_of_a_receiver_that_a_reload_replaced_go_to_its_successor(world: World) -> None:
    class Closable(ByHand):
        def close(self, within_s: float) -> list[Batch]:
            return self.taken

    old = Closable()
    world.pipeline.outputs["output"].delivery = cast(Delivery, old)
    world.write("a\n")
    world.pass_on()
    assert len(old.taken) == 1
    new = ByHand()
    output = Output(cast(Delivery, new), Batcher(10_000, 1.0, world.tailer.span), frozenset({"site"}))
    world.pipeline.reroute({"site": Route("site", Lines(), "new")}, {"new": output})
    world.pass_on()
    assert [batch.body for batch in new.taken] == [batch.body for batch in old.taken]
    new.accept_all()
    world.pass_on()
    assert world.position == 2


def test_half_an_hour_of_outage_drops_nothing_and_costs_no_memory(world: World) -> None:
    """The log is the queue: what is read stops at a few batches, however much is written meanwhile."""
    for second in range(1800):
        world.write("".join(f"{second} {number} {'x' * 200}\n" for number in range(20)))
        world.pipeline.step()
        world.clock.now_s += 1.0
        if second == 300:
            taken = len(world.receiver.taken)
            waiting = world.counters.total().waiting
    assert len(world.receiver.taken) == taken == 8
    assert world.counters.total().waiting == waiting
    assert world.position == 0
    arrived: list[str] = []
    while world.position < world.log.stat().st_size:
        arrived += world.sent()
        world.receiver.accept_all()
        world.pass_on(2)
    assert len(arrived) == len(set(arrived)) == 36_000
    assert world.counters.total().waiting == 0
    assert world.set_aside == []


@pytest.mark.parametrize("text", ["a\nbb\nccc\ndd\n", "a\nbb\n!\ndd\n", "!\nbb\nccc\ndd\n"])
def test_lines_that_a_backfill_has_confirmed_are_passed_over_and_counted(world: World, text: str) -> None:
    world.write(text)
    end = text.index("dd")
    key = file_key("web-1", str(world.log.parent), "access.log", text.encode().partition(b"\n")[0])
    world.state.add_range(RECEIVER, key, 2, end, anchor_of(text[:end].encode()))
    world.state.add_range("http://another.example", key, 0, 2, anchor_of(text[:2].encode()))
    world.pass_on()
    assert world.sent() == [line for line in ("a", "dd") if line in text]
    world.receiver.accept_all()
    world.pass_on()
    assert world.position == len(text)
    total = world.counters.total()
    assert (total.already_confirmed, total.waiting, total.lines) == (2, 0, 2)


def test_a_confirmed_range_of_another_generation_with_the_same_first_line_does_not_count(world: World) -> None:
    world.write("a\nbb\nccc\n")
    key = file_key("web-1", str(world.log.parent), "access.log", b"a")
    world.state.add_range(RECEIVER, key, 2, 9, anchor_of(b"a\nbb\ncc!\n"))
    world.pass_on()
    assert world.sent() == ["a", "bb", "ccc"]


def test_a_confirmed_range_that_ends_in_half_a_line_is_sent_whole(world: World) -> None:
    world.write("a\nbb\ncc")
    key = file_key("web-1", str(world.log.parent), "access.log", b"a")
    world.state.add_range(RECEIVER, key, 0, 7, anchor_of(b"a\nbb\ncc"))
    world.write("c\n")
    world.pass_on()
    assert world.sent() == ["a", "bb", "ccc"]


def test_unmatched_lines_at_the_end_of_a_rotated_file_leave_an_anchor_that_finds_it_after_a_restart(
    world: World,
) -> None:
    world.write("a\n!\n")
    world.pass_on()
    world.receiver.accept_all()
    world.log.rename(world.log.with_name("access.log.1"))
    world.pass_on(20)
    assert [letter.raw for letter in world.set_aside] == [b"!"]
    assert world.position == 4
    (checkpoint,) = world.state.load()
    assert checkpoint.anchors[-1].digest == anchor_of(b"a\n!\n")


def test_unmatched_lines_at_the_end_of_a_log_that_is_truncated_without_a_copy_are_set_aside(world: World) -> None:
    world.write("a\n!\n")
    world.pass_on()
    world.write("never read")
    world.tailer.look(world.clock.now_s + 1)
    world.log.write_text("b\n")
    world.pass_on(20)
    world.receiver.accept_all()
    world.pass_on()
    assert [letter.raw for letter in world.set_aside] == [b"!"]
    total = world.counters.total()
    assert (total.lines, total.sent, total.dead_letters, total.lost_bytes) == (3, 2, 1, 10)


def test_the_sum_of_a_file_that_is_gone_while_its_lines_are_in_flight_adds_up(world: World) -> None:
    world.write("a\nbb\n")
    world.pass_on()
    world.log.write_text("")
    world.pass_on(20)
    world.receiver.accept_all()
    world.pass_on()
    assert world.counters.total().sent == 2
    assert [tally.waiting for tally in world.counters.files.values() if tally.waiting] == []


def test_unmatched_lines_of_a_source_that_is_taken_away_and_brought_back_are_still_decided(world: World) -> None:
    other = world.log.with_name("other.log")
    site = TailSource("site", (str(world.log),), RECEIVER, lambda path: "web-1", start_at="beginning")
    more = replace(site, name="more", paths=(str(other),))
    other.write_text("x\n")
    world.pipeline.routes["more"] = replace(world.pipeline.routes["site"], source="more")
    world.pipeline.outputs["output"].sources = frozenset({"site", "more"})
    world.tailer.follow([site, more])
    world.write("a\n!\n")
    world.pass_on()
    world.receiver.accept_all()
    world.tailer.follow([more])
    world.pipeline.reread_undecided()
    other.unlink()
    world.pass_on()
    world.clock.now_s += 1_000
    world.pass_on()
    assert world.tailer.is_gone(2)
    assert not world.set_aside
    world.tailer.follow([site])
    world.pipeline.reread_undecided()
    world.write("b\n")
    world.pass_on()
    world.receiver.accept_all()
    world.pass_on()
    assert [letter.raw for letter in world.set_aside] == [b"!"]
    assert world.state.load()[0].position == 6
