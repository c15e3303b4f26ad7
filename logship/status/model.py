"""A snapshot of the daemon, complete and immutable; every view shows the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import orjson

from logship.counters import Times
from logship.records import record
from logship.words import bytes_words, counted

PROGRAM = "logship"
STOPPED = "stopped"
PAUSED, HELD = "paused", "held"  # states of a receiver without delivery: the first needs no action, the second does


class FileState(StrEnum):
    """The state of a file."""

    OK = "ok"
    CATCHING_UP = "catching up"
    HELD = "held"  # its lines fit no format, or its receiver is held
    UNREADABLE = "unreadable"
    DELETED = "deleted"  # has no name any more, and is read to its end while it is open


@record
class FileReport:
    """One generation of a log.

    Shapes: position, size and lag count decompressed bytes; lag_s is the age of the oldest byte not confirmed, as far
    as this process has seen it, None where it is unknown; rate is lines per second; counts are of the running daemon,
    None where it is stopped: they are not stored; `confirmed_at` is ISO 8601 or '';
    `problem_for_s` and `tries` are of a problem that is retried, None for others.
    """

    source: str
    path: str
    generation: int
    state: FileState
    position: int
    size_bytes: int
    lag_bytes: int
    lag_s: float | None
    rate: float | None = None
    sent: int | None = None
    dropped: int | None = None
    sampled_out: int | None = None
    dead_letters: int | None = None
    lost_bytes: int = 0
    held_bytes: int = 0
    confirmed_at: str = ""
    problem: str = ""
    problem_for_s: float | None = None
    tries: int | None = None


@record
class ReceiverReport:
    """One receiver.

    Shapes: `state` is starting, ok, paused or held, or stopped where no daemon was asked; `*_ago_s` and `next_try_s`
    are seconds from the snapshot's moment, None where there is no such moment. `rules` is how many of the receiver's
    rules are obeyed and rules_age_s how long ago it last confirmed them, None where there are none; `kept_share` of the
    events that they were asked about are sent, 0 to 1; `rules_problem` is why the newest request for them failed;
    `waits_for_rules`: nothing is shipped until they are known.
    """

    name: str
    url: str
    state: str
    api: str = ""
    compression: str = ""
    last_status: int | None = None
    last_success_ago_s: float | None = None
    trouble_for_s: float | None = None  # for how long it has not been ok
    last_error: str = ""
    hint: str = ""
    next_try_s: float | None = None
    rules: int | None = None
    rules_age_s: float | None = None
    rules_problem: str = ""
    kept_share: float | None = None
    waits_for_rules: bool = False
    in_flight: int = 0
    posts: int = 0
    retries: int = 0
    sources: tuple[str, ...] = ()


@record
class SourceReport:
    """What became of the lines of a source since the daemon started; the parts and `waiting` add up to `lines`."""

    name: str
    lines: int = 0
    sent: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    sampled_out: Mapping[str, int] = field(default_factory=dict)
    out_of_range: int = 0
    too_old: int = 0
    dead_letters: int = 0
    unmatched: int = 0
    looked_at: int = 0
    disclosing: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    already_confirmed: int = 0
    nul_bytes: int = 0
    lost_bytes: int = 0


@record
class Advice:
    """Something that is wrong, in one sentence, and what to do about it.

    Shapes: for an `error` somebody must act, a `warning` needs no action or has no remedy; `where` is a source,
    receiver or ''.
    """

    severity: Literal["error", "warning"]
    where: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{where}{self.text}" + (f"; {self.remedy}" if self.remedy else "")


@record
class Status:
    """The whole snapshot.

    Shapes: `state` is running; read from the state directory it is stopped, or silent where a daemon runs and does not
    answer; `counts` are process totals by name (see Counters); `taken_at`, `started_at` are ISO 8601, started_at ''
    where no daemon was asked.
    """

    state: Literal["running", "stopped", "silent"]
    taken_at: str
    state_dir: str
    version: str
    pid: int | None = None
    started_at: str = ""
    uptime_s: float = 0.0
    origin: str = ""
    files: tuple[FileReport, ...] = ()
    receivers: tuple[ReceiverReport, ...] = ()
    sources: tuple[SourceReport, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    answer_times: Times = field(default_factory=Times)
    confirmation_times: Times = field(default_factory=Times)
    dead_letters: int = 0  # in the store now
    is_state_writable: bool = True
    stuck: str = ""  # which thread doesn't move any more
    advice: tuple[Advice, ...] = ()
    kernel: str = ""  # what converts lines: native or python
    program: str = PROGRAM

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody must act."""
        return any(advice.severity == "error" for advice in self.advice)

    @property
    def obstacle(self) -> str:
        """Why nothing is delivered now, '' while it is."""
        for receiver in self.receivers:
            if receiver.state in (PAUSED, HELD):
                return f"{receiver.url}: {receiver.last_error or receiver.state}"
            if receiver.waits_for_rules:
                return f"{receiver.url}: its rules are not known: {receiver.rules_problem or 'no answer yet'}"
        return "the daemon is stopped" if self.state == STOPPED else ""

    def sentence(self, files: int, lag_bytes: int) -> str:
        """One line for `systemctl status`, with the number of files and how far they are behind."""
        parts = [
            f"{counted(files, 'file')}, {bytes_words(lag_bytes)} behind",
            f"{counted(sum(source.sent for source in self.sources), 'event')} sent",
        ]
        if self.obstacle:
            parts.append(self.obstacle)
        if self.dead_letters:
            parts.append(counted(self.dead_letters, "dead letter"))
        return " · ".join(parts)

    def to_json(self) -> bytes:
        """What /status answers; keys are the field names."""
        return orjson.dumps(self, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, text: bytes) -> Status:
        """The snapshot that to_json() wrote.

        Raises: ValueError when `text` is no status of this program.
        """
        tree = orjson.loads(text)
        if not isinstance(tree, dict) or tree.get("program") != PROGRAM:
            raise ValueError("not the status of a logship daemon")
        return _from_tree(tree)


def _from_tree(tree: dict[str, Any]) -> Status:
    try:
        return Status(
            **{
                **tree,
                "files": tuple(FileReport(**{**file, "state": FileState(file["state"])}) for file in tree["files"]),
                "receivers": tuple(
                    ReceiverReport(**{**receiver, "sources": tuple(receiver["sources"])})
                    for receiver in tree["receivers"]
                ),
                "sources": tuple(SourceReport(**source) for source in tree["sources"]),
                "answer_times": Times(**tree["answer_times"]),
                "confirmation_times": Times(**tree["confirmation_times"]),
                "advice": tuple(Advice(**advice) for advice in tree["advice"]),
            }
        )
    except (KeyError, TypeError) as exc:
        raise ValueError(f"the daemon's status is of another version of logship: {exc}") from exc


if TYPE_CHECKING:  # snapshots are made by others, and not before somebody asks
    from logship.status.model import Status


class StatusBoard:
    """The newest snapshot. The work thread makes one when asked, which also shows that it is not stuck.

    The work thread calls `is_asked()` on each pass, observes if so, and calls `post()`. Others call `ask()`.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        """`wake` ends the work thread's wait, so that an idle daemon needs no timer."""
        self._wake = wake
        self._changed = threading.Condition()
        self._status: Status | None = None
        self._asked = 0
        self._answered = 0

    def is_asked(self) -> bool:
        """True when somebody waits for a snapshot; cheap, without a lock."""
        return self._asked != self._answered

    def post(self, status: Status) -> None:
        """The work thread's newest snapshot."""
        with self._changed:
            self._status = status
            self._answered = self._asked
            self._changed.notify_all()

    @property
    def last(self) -> Status | None:
        """The newest snapshot, however old."""
        with self._changed:
            return self._status

    def ask(self, timeout_s: float) -> Status | None:
        """A snapshot made after this call; None if the work thread did not answer within `timeout_s`."""
        with self._changed:
            self._asked += 1
            mine = self._asked
        self._wake()
        with self._changed:
            moved = self._changed.wait_for(lambda: self._answered >= mine, timeout_s)
            return self._status if moved else None
