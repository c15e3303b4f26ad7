"""Random programs of a server, logrotate, a receiver and a daemon that dies, against a model of what must arrive.

The daemon is the real pipeline on real files; see lives.py for what the test has in its hand.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logship.checkpoint import Checkpoint
from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.event import key_digits
from logship.route.batcher import Batcher
from logship.state import State
from logship.state.folder import COPY, DATABASE, SIDE_FILES
from logship.tail.identity import digest, first_line_of
from logship.tail.tailer import Tailer
from tests.rigs.machine import in_soak, scaled
from tests.tail.debts import Debts
from tests.tail.lives import MAX_LINE_BYTES, Disk, HandClock, Killed, Life, Receiver, settings_for
from tests.tail.world import ANYWHERE, KINDS, PACK, ServerLog, World

MEMORY = Path("/dev/shm")
BASE = (MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir())) / f"tailing-{os.getpid()}"
WHICH = st.sampled_from([0, 0, 0, 1])
LENGTHS = st.sampled_from([0, 3, 30, 300, 1_500])
NEWLINES = st.sampled_from([b"\n", b"\n", b"\r\n"])
MOMENTS = [
    (owner, name, is_after)
    for owner, name in ((Batcher, "add"), (DeadLetters, "append"), (Tailer, "confirm"), (State, "save"))
    for is_after in (False, True)
]


def deadly(owner: type, name: str, is_after: bool) -> Callable[..., object]:
    """The method, with SIGKILL before or after it."""
    real = getattr(owner, name)

    def method(*args: object, **options: object) -> object:
        if is_after:
            real(*args, **options)
        raise Killed

    return method


class Tailing(RuleBasedStateMachine):
    """Every complete line arrives exactly once by id, nothing unconfirmed is passed, whatever happens to the files."""

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(BASE, ignore_errors=True)
        self.logs_dir = BASE / "logs"
        self.logs_dir.mkdir(parents=True)
        self.world = World(self.logs_dir, ["access.log", "shop.log"])
        self.receiver = Receiver(self.world.texts)
        self.clock = HandClock()
        self.disk = Disk()
        self.life: Life | None = None
        self.known_targets: set[Path] = set()
        self.debts = Debts(self.world)
        self.told_earlier = 0  # by lives that are over
        self.lost_bytes = 0  # that those counted
        self.has_damage = False

    @initialize(
        glob=st.sampled_from(["*.log", "*.log*", "{access,shop}.log"]),
        chunk=st.sampled_from([20, 400, 131_072]),
        is_deaf=st.booleans(),
    )
    def begin(self, glob: str, chunk: int, is_deaf: bool) -> None:
        self.chunk = patch("logship.route.pipeline.CHUNK_BYTES", chunk)
        self.chunk.start()
        self.is_deaf = is_deaf
        self.settings = settings_for(BASE, self.logs_dir / glob, self.world.link, rotated=self.world.olddir / "*")
        self.letters = DeadLetters(self.settings.state_dir, counters=Counters())
        self.letters_read: tuple[int, list[DeadLetter]] = 0, []
        self._start()
        self._step()

    # the server

    @rule(which=WHICH, length=LENGTHS, newline=NEWLINES)
    def write(self, which: int, length: int, newline: bytes) -> None:
        self.world.write(self.world.logs[which], length, newline)
        self._notice()

    @rule(which=WHICH, count=st.integers(2, 12), length=LENGTHS)
    def write_many(self, which: int, count: int, length: int) -> None:
        for _ in range(count):
            self.world.write(self.world.logs[which], length)
        self._notice()

    @rule(which=WHICH, length=LENGTHS, tenths=st.sampled_from([1, 5, 10]))
    def write_part(self, which: int, length: int, tenths: int) -> None:
        self.world.write_part(self.world.logs[which], length, tenths)
        self._notice()

    @rule(which=WHICH)
    def finish_line(self, which: int) -> None:
        self.world.finish(self.world.logs[which])
        self._notice()

    @rule(length=LENGTHS)
    def write_through_link(self, length: int) -> None:
        self.world.write(self.world.linked, length)
        self._notice()

    @rule()
    def swap_link(self) -> None:
        """A target that the daemon never saw while the link pointed to it is nobody's log."""
        if self.world.linked.path not in self.known_targets:
            self._lose(self.world.linked.writes_to.lines)
        self.world.swap_link()
        self._notice()

    # logrotate

    @rule(which=WHICH, is_told=st.booleans(), kind=st.sampled_from(KINDS))
    def rotate_by_rename(self, which: int, is_told: bool, kind: str) -> None:
        log = self.world.logs[which]
        self.world.rename(log, self._knowable(log, kind))
        self._prune(log)
        if is_told:
            self.world.reopen(log)
        self._notice()

    @rule(which=WHICH)
    def tell_server(self, which: int) -> None:
        self.world.reopen(self.world.logs[which])
        self._notice()

    @rule(which=WHICH, kind=st.sampled_from(KINDS), length=LENGTHS, count=st.integers(0, 5))
    def rotate_by_copytruncate(self, which: int, kind: str, length: int, count: int) -> None:
        log = self.world.logs[which]
        self._destroy(lambda: self.world.copytruncate(log, self._knowable(log, kind)))
        self._prune(log)
        for _ in range(count):
            self.world.write(log, length)
        self._notice()

    @rule(which=WHICH, kind=st.sampled_from(["hourly", "inside", "dated"]))
    def link_hard(self, which: int, kind: str) -> None:
        self.world.link_hard(self.world.logs[which], kind)
        self._notice()

    @rule(
        which=WHICH,
        kept=st.sampled_from([None, None, 1, 3, 7]),
        fresh=st.integers(0, 3),
        keeps_backup=st.booleans(),
    )
    def replace_by_copy(self, which: int, kept: int | None, fresh: int, keeps_backup: bool) -> None:
        """rsync, an editor, mv and cp; a shorter one from an older backup."""
        log = self.world.logs[which]
        self._destroy(lambda: self.world.replace_by_copy(log, kept, fresh, keeps_backup=keeps_backup))
        self._notice()

    @rule(which=WHICH, kept=st.sampled_from([1, 2, 5, 9]), count=st.integers(0, 12), length=LENGTHS)
    def cut_back(self, which: int, kept: int, count: int, length: int) -> None:
        log = self.world.logs[which]
        self._destroy(lambda: self.world.cut_back(log, kept))
        for _ in range(count):
            self.world.write(log, length)
        self._notice()

    @rule(
        which=WHICH,
        pick=st.integers(0, 3),
        tenths=st.sampled_from([0, 5, 9, 10, 10]),
        ending=st.sampled_from(sorted(PACK)),
    )
    def compress(self, which: int, pick: int, tenths: int, ending: str) -> None:
        self.world.finish_packing()
        plain = self.world.plain_rotated(self.world.logs[which])
        if plain:
            self.world.compress(plain[pick % len(plain)], tenths, ending)
        self._notice()

    @rule(which=WHICH, pick=st.integers(0, 3), tenths=st.sampled_from([1, 5, 9, 10]))
    def damage_archive(self, which: int, pick: int, tenths: int) -> None:
        self.world.finish_packing()
        archives = self.world.archives(self.world.logs[which])
        if archives:
            self._destroy(lambda: self.world.damage(archives[pick % len(archives)], tenths))
        self._notice()

    @rule(which=WHICH, count=st.integers(0, 12), length=LENGTHS, leaves_hole=st.booleans())
    def truncate_and_refill(self, which: int, count: int, length: int, leaves_hole: bool) -> None:
        log = self.world.logs[which]
        size = os.fstat(log.fd).st_size
        self._destroy(lambda: self.world.truncate(log))
        if leaves_hole:
            self.world.leave_hole(log, size)
        for _ in range(count):
            self.world.write(log, length)
        self._notice()

    @rule(which=WHICH, is_told=st.booleans())
    def delete(self, which: int, is_told: bool) -> None:
        log = self.world.logs[which]
        if log.path in self.world.bodies:
            self._delete(log.path)
        if is_told:
            self.world.reopen(log)
        self._notice()

    @rule(which=WHICH)
    def recreate(self, which: int) -> None:
        log = self.world.logs[which]
        if self.world.bodies.get(log.path) is log.writes_to:
            inode = log.path.stat().st_ino
            self.world.finish(log)
            self._destroy(lambda: self.world.recreate_with_same_inode(log), is_held=self._has_open(inode))
            self._notice()

    # the receiver

    @rule(mood=st.sampled_from(["up", "up", "down", "loses"]))
    def receiver_changes(self, mood: str) -> None:
        self.receiver.mood = mood

    @precondition(lambda self: self.life is not None)
    @rule()
    def sender_takes(self) -> None:
        assert self.life is not None
        for each in self.life.senders:
            each.take()

    @precondition(lambda self: self.life is not None and any(each.in_flight for each in self.life.senders))
    @rule(place=st.integers(0, 5))
    def answer_comes(self, place: int) -> None:
        assert self.life is not None
        for each in self.life.senders:
            if each.in_flight:
                each.answer(place, self.receiver)

    # the disk

    @rule(for_letters=st.booleans(), for_state=st.booleans())
    def disk_fills(self, for_letters: bool, for_state: bool) -> None:
        self.disk.is_full_for_letters, self.disk.is_full_for_state = for_letters, for_state

    # the daemon

    @precondition(lambda self: self.life is not None)
    @rule(count=st.integers(1, 6))
    def step(self, count: int) -> None:
        for _ in range(count):
            self._step()

    @precondition(lambda self: self.life is not None)
    @rule()
    def work(self) -> None:
        assert self.life is not None
        self.life.work()
        self._note_targets()

    @precondition(lambda self: self.life is not None)
    @rule(fate=st.sampled_from(["lost", "overflow", "reversed"]))
    def hints_suffer(self, fate: str) -> None:
        assert self.life is not None
        if fate == "reversed":
            self.life.watches.reverse()
        else:
            self.life.watches.lose(is_told=fate == "overflow")

    @precondition(lambda self: self.life is not None)
    @rule()
    def stop(self) -> None:
        assert self.life is not None
        self.life.stop()
        self._has_ended()

    @precondition(lambda self: self.life is not None)
    @rule(moment=st.sampled_from([None, *MOMENTS]), count=st.integers(1, 4))
    def kill(self, moment: tuple[type, str, bool] | None, count: int) -> None:
        """At once, or before or after something that one of the next steps does."""
        assert self.life is not None
        if moment is not None:
            with patch.object(moment[0], moment[1], deadly(*moment)):
                try:
                    for _ in range(count):
                        self._step()
                        self.life.send_all()
                except Killed:
                    pass
        self.life.kill()
        self._has_ended()

    @precondition(lambda self: self.life is None)
    @rule(fate=st.sampled_from(["kept", "kept", "kept", "lost", "damaged"]))
    def restart(self, fate: str) -> None:
        state = self.settings.state_dir
        if fate == "lost":
            for name in (DATABASE, COPY, *(DATABASE + suffix for suffix in SIDE_FILES)):
                (state / name).unlink(missing_ok=True)
        elif fate == "damaged":
            (state / DATABASE).write_bytes(b"\0" * 5_000)
        if fate != "kept":
            for log in self.world.logs:
                if any(self.world.bodies[path] is log.writes_to for path in self.world.vague):
                    self.world.reopen(log)  # whose it would be that is written to such a name nobody knows any more
            for path in (self.known_targets - {self.world.linked.path}) | self.world.vague:
                self._lose(self.world.bodies[path].lines)
            self.known_targets.clear()
            self.debts.forget()
        self._start()

    @precondition(lambda self: self.life is not None)
    @rule(seconds=st.sampled_from([0.3, 1, 6, 12, 61, 601]))
    def pass_time(self, seconds: float) -> None:
        """A server may leave a line half written for long: it has its file open for writing."""
        self._notice()
        if self.life is not None:
            self._step()
        self.clock.pass_s(seconds)
        if self.life is not None:
            self._step()

    @rule(seconds=st.sampled_from([-86_400, -60, 60, 86_400]))
    def clock_jumps(self, seconds: int) -> None:
        self.clock.wall_s += seconds

    # what must hold

    @invariant()
    def what_nobody_can_read_need_not_arrive(self) -> None:
        """A server may write on into a file that has no name; only a daemon that had it open can know."""
        for inode, body in self.world.orphans:
            if not self._has_open(inode):
                gone = [line for line in body.lines if not self.world.is_held(line)]
                self.debts.owe_held(self._lose(gone))

    @invariant()
    def no_checkpoint_passes_an_unconfirmed_line(self) -> None:
        """From the start of each confirmed range, line by line, to its end: every one stands at the receiver or among
        the dead letters, and the position is the end of the last."""
        if self.life is None:
            return
        letters = self._ends_of_letters()
        for row in self.life.state.load():
            if row.key is None or row.position == row.range_start:
                continue
            key = key_digits(row.key)
            settled = [self.receiver.settled.get(key, {}), letters.get(key, {})]
            starts = {row.range_start, *(self.world.holes if row.range_start == 0 else ())}
            reached: set[int] = set()
            while starts:
                reached |= starts
                ends = [end for each in settled for start in starts for end in each.get(start, ())]
                starts = {end for end in ends if end <= row.position + 1} - reached
            # a last line without newline counts in a file that nobody writes to any more
            assert {row.position, row.position + 1} & reached, f"{row.path}: not all before {row.position} is settled"

    def teardown(self) -> None:
        try:
            if hasattr(self, "settings"):
                self._finish()
        finally:
            if self.life is not None:
                self.life.kill()
            self.world.close()
            self.disk.close()
            if hasattr(self, "chunk"):
                self.chunk.stop()
            shutil.rmtree(BASE)

    def _finish(self) -> None:
        self.receiver.mood = "up"
        self.disk_fills(for_letters=False, for_state=False)
        if self.life is None:
            self._start()
        assert self.life is not None
        self.world.finish_packing()
        for log in (*self.world.logs, self.world.linked):
            self.world.write(log, 3)  # and a fresh line still flows
        self._notice()
        self.what_nobody_can_read_need_not_arrive()
        self.life.settle()
        self.no_checkpoint_passes_an_unconfirmed_line()
        assert not self.life.unsettled(), f"lines = sent + ... does not add up: {self.life.unsettled()}"
        set_aside = self._set_aside()
        self.life.stop()
        self._bury()
        got = [*self.receiver.lines, *set_aside]
        untold = self.debts.untold({line[:MAX_LINE_BYTES] for line in got}, self.told_earlier)
        assert not untold, f"destroyed without a word: {untold}"
        owed_bytes = self.debts.owed_bytes({line[:MAX_LINE_BYTES] for line in got})
        if not self.has_damage:
            assert owed_bytes <= self.lost_bytes, f"{owed_bytes} lost, {self.lost_bytes} counted"
            assert not owed_bytes or any(row.lost_bytes for row in self._rows()), "lost, and the state says nothing"
        assert self.world.must <= set(got), f"missing: {sorted(self.world.must - set(got))}"
        known = self.world.must | self.world.may | self.world.halves() | {b""}
        assert set(got) <= known, f"never written: {sorted(set(got) - known)}"
        self._assert_that_a_restart_repeats_nothing()
        whole = [line for line in got if line in self.world.must]
        assert len(whole) == len(set(whole)), f"twice: {sorted(line for line in whole if whole.count(line) > 1)}"

    def _assert_that_a_restart_repeats_nothing(self) -> None:
        repeats = self.receiver.repeats
        self._start()
        assert self.life is not None
        self.life.work()
        self.clock.pass_s(12)
        self.life.work()
        self.life.stop()
        self.life = None
        assert self.receiver.repeats == repeats, "everything was confirmed, and is sent again"

    # below

    def _start(self) -> None:
        self.life = Life(self.settings, self.clock, self.receiver, self.debts.look, is_deaf=self.is_deaf)
        self._notice()

    def _step(self) -> None:
        assert self.life is not None
        self.life.step()
        self._note_targets()

    def _notice(self) -> None:
        if self.life is not None:
            self.life.watches.notice(self.logs_dir, self.world.olddir)

    def _note_targets(self) -> None:
        """The daemon knows what the link points to once it has looked through it."""
        assert self.life is not None
        name = self.life.tailer._register.names.get(str(self.world.link))
        if name is not None and name.facts.inode == self.world.linked.path.stat().st_ino:
            self.known_targets.add(self.world.linked.path)

    @property
    def told(self) -> int:
        """How often a loss was told so far."""
        return self.told_earlier + (self.life.losses if self.life is not None else 0)

    def _bury(self) -> None:
        self.told_earlier = self.told
        if self.life is not None:
            self.lost_bytes += self.life.lost_bytes
            self.has_damage |= self.life.has_damage
        self.life = None

    def _has_ended(self) -> None:
        self._bury()
        self._forget_unsaved_targets()
        arrived = {*self.receiver.lines, *self._set_aside()}
        gone = [line for line in self.world.must - arrived if not self.world.is_held(line)]
        self.world.excuse(gone)
        self.debts.life_ended(self._rows(), gone, self.told)

    def _forget_unsaved_targets(self) -> None:
        """What the link pointed to is known to the next life only where the state could be written."""
        if not self.known_targets:
            return
        state = State.open(self.settings.state_dir, self.clock, daemon=False)
        inodes = {checkpoint.inode for checkpoint in state.load()}
        state.close()
        unsaved = {path for path in self.known_targets if path.stat().st_ino not in inodes}
        self.known_targets -= unsaved
        for path in unsaved - {self.world.linked.path}:
            self._lose(self.world.bodies[path].lines)

    def _set_aside(self) -> list[bytes]:
        """Dead letters, over-long lines as they were written."""
        return [self._text_of(letter)[0] for letter in self._letters()]

    def _text_of(self, letter: DeadLetter) -> tuple[bytes, bytes]:
        """The line and its newline; of one that was cut, as it was written."""
        found = ANYWHERE.search(letter.raw) if len(letter.raw) == MAX_LINE_BYTES else None
        known = self.world.texts[int(found[1])] if found else []
        whole = (each for each in known if each[0].startswith(letter.raw))
        return next(whole, (letter.raw.removesuffix(b"\r"), b"\n"))

    def _letters(self) -> list[DeadLetter]:
        size = self.letters.size().bytes
        if size != self.letters_read[0]:
            self.letters_read = size, list(self.letters)
        return self.letters_read[1]

    def _ends_of_letters(self) -> dict[str, dict[int, set[int]]]:
        """Ends by start of what was set aside, by the file key's digits."""
        ends: dict[str, dict[int, set[int]]] = {}
        for letter in self._letters():
            length = max(len(letter.raw) + 1, len(b"".join(self._text_of(letter))))
            of_file = ends.setdefault(key_digits(letter.file.key), {})
            of_file.setdefault(letter.position, set()).add(letter.position + length)
        return ends

    def _knowable(self, log: ServerLog, kind: str) -> str:
        """A name that says nothing is given only to what the daemon knows: nobody can tell whose the file is else.

        An empty first line, as what is left of a torn one, may be any file's.
        """
        if not kind.endswith("any") or log.path not in self.world.bodies:
            return kind
        with log.path.open("rb") as file:
            line = first_line_of(file)
        rows = self._rows()
        inode = log.path.stat().st_ino  # of two files that continue one log only the known one is looked for
        alike = [row for row in rows if row.key is not None and line and row.first_line == digest(line)]
        return kind if any(row.inode == inode for row in alike) else "dated"

    def _rows(self) -> list[Checkpoint]:
        if self.life is not None:
            return self.life.state.load()
        state = State.open(self.settings.state_dir, self.clock, daemon=False)
        try:
            return state.load()
        finally:
            state.close()

    def _prune(self, log: ServerLog) -> None:
        """logrotate's `rotate N`."""
        for path in self.world.rotated(log)[6:]:
            if all(self.world.bodies[path] is not each.writes_to for each in self.world.logs):
                self._delete(path)

    def _delete(self, path: Path) -> None:
        self._destroy(lambda: self.world.delete(path), is_held=self._has_open(path.stat().st_ino))

    def _destroy(self, act: Callable[[], list[bytes]], *, is_held: bool = False) -> None:
        """What `act` destroys need not arrive, but what was known must be told, unless the daemon has it still."""
        known = self.debts.known(self.life)
        gone = act()
        lost = [] if is_held else self._lose(gone)
        self.debts.owe(lost, known, self.told)
        self.debts.hold(set(gone).difference(lost), known, self.told)

    def _lose(self, lines: list[bytes]) -> list[bytes]:
        """Nothing holds these lines any more: they need not arrive, unless they are on their way already."""
        kept = {*self.receiver.lines, *self._set_aside(), *(self.life.read if self.life else ())}
        lost = [line for line in lines if line not in kept and line[:MAX_LINE_BYTES] not in kept]
        self.world.excuse(lost)
        return lost

    def _has_open(self, inode: int) -> bool:
        """Whether the daemon can read on in a file that has no name any more."""
        contents = [each.content for each in self.life.tailer._register.numbered.values()] if self.life else []
        return any(content is not None and content.facts().inode == inode for content in contents)


# The same 1,000 programs in every run, so that a failure belongs to the change under test, in parts that share the
# cores. New ones are drawn by the soak, and by
# TAIL_PROGRAMS=1000 pytest tests/tail/test_machine.py --hypothesis-seed=N
PARTS = 5


def part(number: int) -> type[TestCase]:
    """A fifth of the programs: those of the seed that hypothesis makes of the class's name."""
    machine: type[Tailing] = type(f"Tailing{number}", (Tailing,), {})
    machine.TestCase.settings = settings(
        stateful_step_count=30,
        max_examples=int(os.environ.get("TAIL_PROGRAMS", scaled(1_000, 20_000))) // PARTS,
        derandomize=not in_soak() and "TAIL_PROGRAMS" not in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        deadline=None,
    )
    return machine.TestCase


TestTailing0, TestTailing1, TestTailing2, TestTailing3, TestTailing4 = (part(number) for number in range(PARTS))

pytestmark = pytest.mark.timeout(scaled(900, 7_200))
