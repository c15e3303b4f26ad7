"""Random programs of a server, logrotate, a receiver and a daemon that dies, against a model of what must arrive."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logship.checkpoint import Range
from logship.state.folder import COPY, DATABASE, SIDE_FILES
from logship.state.schema import merged
from logship.tail.aging import FINISHED_AFTER_S
from tests.rigs.machine import in_soak, scaled
from tests.tail.driver import Rig, source
from tests.tail.world import ServerLog, World

MEMORY = Path("/dev/shm")
WHICH = st.sampled_from([0, 0, 0, 1])
LENGTHS = st.sampled_from([0, 3, 30, 300, 1500])


class Tailing(RuleBasedStateMachine):
    """Every complete line arrives exactly once by id, nothing unconfirmed is passed, whatever happens to the files."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None, prefix="tailing-"))
        self.logs_dir = self.base / "logs"
        self.logs_dir.mkdir()
        self.world = World(self.logs_dir, ["access.log", "shop.log"])
        self.is_running = True
        self.dates = 0
        self.untold_s = 0.0  # since the servers were told for sure
        self.delivered: dict[int, list[Range]] = {}
        self.read_to: dict[int, int] = {}

    @initialize(
        glob=st.sampled_from(["*.log", "*.log*", "{access,shop}.log"]), chunk=st.sampled_from([20, 400, 262_144])
    )
    def start(self, glob: str, chunk: int) -> None:
        self.chunk = chunk
        self.rig = Rig(self.base / "state", source(self.logs_dir / glob, self.world.link))
        self.known_targets: set[Path] = set()
        self._look()

    # the server

    @rule(which=WHICH, length=LENGTHS, newline=st.sampled_from([b"\n", b"\n", b"\r\n"]))
    def write(self, which: int, length: int, newline: bytes) -> None:
        self.world.write(self.world.logs[which], length, newline)

    @rule(which=WHICH, length=LENGTHS)
    def write_half(self, which: int, length: int) -> None:
        self.world.write_half(self.world.logs[which], length)

    @rule(which=WHICH)
    def finish_line(self, which: int) -> None:
        self.world.finish(self.world.logs[which])

    @rule(length=LENGTHS)
    def write_through_link(self, length: int) -> None:
        self.world.write(self.world.linked, length)

    @rule()
    def swap_link(self) -> None:
        """A target that the daemon never saw while the link pointed to it is nobody's log."""
        if self.world.linked.path not in self.known_targets:
            self._lose(self.world.linked.writes_to.lines)
        self.world.swap_link()

    # logrotate

    @rule(which=WHICH, is_told=st.booleans(), dated=st.booleans())
    def rotate_by_rename(self, which: int, is_told: bool, dated: bool) -> None:
        log = self.world.logs[which]
        self.world.rename(log, self._suffix(dated))
        self._prune(log)
        if is_told:
            self.world.reopen(log)

    @rule(which=WHICH)
    def tell_server(self, which: int) -> None:
        self.world.reopen(self.world.logs[which])

    @rule(which=WHICH, dated=st.booleans())
    def rotate_by_copytruncate(self, which: int, dated: bool) -> None:
        log = self.world.logs[which]
        self.world.copytruncate(log, self._suffix(dated))
        self._prune(log)

    @rule(which=WHICH, pick=st.integers(0, 3))
    def compress(self, which: int, pick: int) -> None:
        plain = self.world.plain_rotated(self.world.logs[which])
        if plain:
            self.world.compress(plain[pick % len(plain)])

    @rule(which=WHICH)
    def truncate(self, which: int) -> None:
        self._lose(self.world.truncate(self.world.logs[which]))

    @rule(which=WHICH, is_told=st.booleans())
    def delete(self, which: int, is_told: bool) -> None:
        log = self.world.logs[which]
        if log.path in self.world.bodies:
            self._delete(log.path)
        if is_told:
            self.world.reopen(log)

    @rule(which=WHICH)
    def recreate(self, which: int) -> None:
        log = self.world.logs[which]
        if self.world.bodies.get(log.path) is log.writes_to:
            inode = log.path.stat().st_ino
            self.world.finish(log)
            is_open = self._has_open(inode)
            gone = self.world.recreate_with_same_inode(log)
            if not is_open:
                self._lose(gone)

    # the daemon

    @precondition(lambda self: self.is_running)
    @rule()
    def look(self) -> None:
        self._look()

    @precondition(lambda self: self.is_running)
    @rule(count=st.integers(1, 5))
    def read(self, count: int) -> None:
        self._look()
        for _ in range(count):
            chunk = self.rig.read(self.chunk)
            if chunk is None:
                return
            known = self.read_to.get(chunk.file.file_id, chunk.start)
            assert chunk.start == known, "read in order and without gaps"
            self.read_to[chunk.file.file_id] = chunk.end

    @precondition(lambda self: self.is_running and self.rig.waiting)
    @rule(pick=st.integers(0, 9), everything=st.booleans())
    def deliver(self, pick: int, everything: bool) -> None:
        chosen = range(len(self.rig.waiting)) if everything else [pick % len(self.rig.waiting)]
        for index in chosen:
            span = self.rig.waiting[index][1]
            ranges = self.delivered.setdefault(span.file.key, [])
            self.delivered[span.file.key] = merged([*ranges, Range(span.start, span.end)])
        self.rig.deliver(*chosen)

    @precondition(lambda self: self.is_running)
    @rule(is_killed=st.booleans())
    def stop(self, is_killed: bool) -> None:
        self.rig.kill() if is_killed else self.rig.stop()
        self.is_running = False
        self.read_to = {}
        got = set(self.rig.receiver.by_id.values())
        self.world.excuse([line for line in self.world.must - got if not self.world.is_held(line)])

    @precondition(lambda self: not self.is_running)
    @rule(fate=st.sampled_from(["kept", "kept", "kept", "lost", "damaged"]))
    def restart(self, fate: str) -> None:
        if fate == "lost":
            for name in (DATABASE, COPY, *(DATABASE + suffix for suffix in SIDE_FILES)):
                (self.base / "state" / name).unlink(missing_ok=True)
        elif fate == "damaged":
            (self.base / "state" / DATABASE).write_bytes(b"\0" * 5000)
        if fate != "kept":
            for path in self.known_targets - {self.world.linked.path}:
                self._lose(self.world.bodies[path].lines)
            self.known_targets.clear()
        self.rig.start()
        self.is_running = True

    @precondition(lambda self: self.is_running)
    @rule(seconds=st.sampled_from([1, 12, 61, 601]))
    def pass_time(self, seconds: int) -> None:
        """A server that writes nothing into a rotated file for FINISHED_AFTER_S has been told by then."""
        self.untold_s += seconds
        for log in self.world.logs:
            self.world.finish(log)
            if self.untold_s >= FINISHED_AFTER_S:
                self.world.reopen(log)
        if self.untold_s >= FINISHED_AFTER_S:
            self.untold_s = 0.0
        self._look()
        self.rig.clock.pass_s(seconds)
        self._look()

    @rule(seconds=st.sampled_from([-86_400, -60, 60, 86_400]))
    def clock_jumps(self, seconds: int) -> None:
        self.rig.clock.wall_s += seconds

    # what must hold

    @invariant()
    def what_nobody_can_read_need_not_arrive(self) -> None:
        """A server may write on into a file that has no name; only a daemon that had it open can know."""
        if not hasattr(self, "rig"):
            return
        for inode, body in self.world.orphans:
            if not self._has_open(inode):
                self._lose([line for line in body.lines if not self.world.is_held(line)])

    @invariant()
    def no_checkpoint_passes_an_unconfirmed_line(self) -> None:
        if not (hasattr(self, "rig") and self.is_running):
            return
        for row in self.rig.state.load():
            ranges = self.delivered.get(row.key or 0, [])
            assert row.position == row.range_start or any(
                each.start <= row.range_start and row.position <= each.end for each in ranges
            ), f"{row.path}: [{row.range_start}, {row.position}) of {ranges}"

    @invariant()
    def every_position_is_a_line_start(self) -> None:
        if not (hasattr(self, "rig") and self.is_running):
            return
        for generation in self.rig.tail._register.numbered.values():
            content, position = generation.content, generation.positions.confirmed
            if content is None or content.is_archive or not position or generation.is_final:
                continue
            if generation.still_holds():
                assert content.read_at(position - 1, 1) in (b"\n", b"\0")

    def teardown(self) -> None:
        try:
            if hasattr(self, "rig"):
                self._finish()
        finally:
            self.world.close()
            shutil.rmtree(self.base)

    def _finish(self) -> None:
        if not self.is_running:
            self.rig.start()
        for log in self.world.logs:
            self.world.finish(log)
        self.what_nobody_can_read_need_not_arrive()
        self.rig.settle()
        self.rig.stop()
        got = self.rig.receiver.lines
        assert self.world.must <= set(got), f"missing: {sorted(self.world.must - set(got))}"
        known = self.world.must | self.world.may | self.world.halves()
        assert set(got) <= known, f"never written: {sorted(set(got) - known)}"
        whole = [line for line in got if line in self.world.must]
        assert len(whole) == len(set(whole)), f"twice: {sorted(line for line in whole if whole.count(line) > 1)}"

    # below

    def _look(self) -> None:
        self.rig.look()
        self.known_targets.add(self.world.linked.path)

    def _suffix(self, dated: bool) -> str:
        if not dated:
            return ".1"
        self.dates += 1
        return f"-202601{self.dates // 24 + 1:02d}-{self.dates % 24:02d}"

    def _prune(self, log: ServerLog) -> None:
        """logrotate's `rotate N`."""
        for path in self.world.rotated(log)[6:]:
            if all(self.world.bodies[path] is not each.writes_to for each in self.world.logs):
                self._delete(path)

    def _delete(self, path: Path) -> None:
        is_open = self._has_open(path.stat().st_ino)
        _, gone = self.world.delete(path)
        if not is_open:
            self._lose(gone)

    def _lose(self, lines: list[bytes]) -> None:
        """Nothing holds these lines any more: they need not arrive, unless they are on their way already."""
        on_the_way = b"".join(chunk.data for chunk, _ in self.rig.waiting) if self.is_running else b""
        got = set(self.rig.receiver.by_id.values())
        self.world.excuse([line for line in lines if line not in got and line not in on_the_way])

    def _has_open(self, inode: int) -> bool:
        """Whether the daemon can read on in a file that has no name any more."""
        contents = [each.content for each in self.rig.tail._register.numbered.values()] if self.is_running else []
        return any(content is not None and content.facts().inode == inode for content in contents)


# The same 1,000 programs (30 s of CPU) in every run, so that a failure belongs to the change under test. New ones are
# drawn by the soak, and by TAIL_PROGRAMS=1000 pytest tests/tail/test_machine.py --hypothesis-seed=N.
Tailing.TestCase.settings = settings(
    stateful_step_count=30,
    max_examples=int(os.environ.get("TAIL_PROGRAMS", scaled(1_000, 20_000))),
    derandomize=not in_soak() and "TAIL_PROGRAMS" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    deadline=None,
)


TestTailing = Tailing.TestCase

pytestmark = pytest.mark.timeout(scaled(900, 7_200))
