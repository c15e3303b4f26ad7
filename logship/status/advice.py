"""What is wrong, in one sentence each, and what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence

from logship.records import record
from logship.status.model import Advice, FileReport, FileState, ReceiverReport, SourceReport
from logship.words import bytes_words, duration_words

DOWN_TOO_LONG_S = 300.0  # longer than a receiver's restart takes


@record
class Faults:
    """What the daemon knows to be wrong with itself; '' for nothing."""

    reload: str = ""  # why the newest reload was refused
    state: str = ""  # why positions can't be saved
    state_removed: str = ""  # the state directory that was removed or replaced since the start or a reload
    dead_letters: str = ""  # why dead letters can't be written
    stuck: str = ""  # which thread makes no progress


def advise(
    files: Sequence[FileReport],
    receivers: Sequence[ReceiverReport],
    sources: Sequence[SourceReport],
    dead_letters: int,
    faults: Faults,
) -> tuple[Advice, ...]:
    """Everything that is wrong, errors first."""
    found = [
        *_of_daemon(faults),
        *(advice for receiver in receivers for advice in _of_receiver(receiver)),
        *(advice for receiver in receivers for advice in _of_rules(receiver)),
        *(advice for file in files for advice in _of_file(file)),
        *_of_dead_letters(dead_letters),
        *(advice for source in sources for advice in _of_source(source)),
    ]
    return tuple(sorted(found, key=lambda advice: advice.severity != "error"))


def _of_daemon(faults: Faults) -> Iterator[Advice]:
    if faults.stuck:
        yield Advice("error", "daemon", f"it is stuck: {faults.stuck}; nothing is lost", "restart it, and keep its log")
    if faults.reload:
        yield Advice("error", "config", f"reload refused, the old one is in use: {faults.reload}", "see: logship check")
    if faults.state:
        yield Advice(
            "error",
            "state",
            f"positions can't be saved: {faults.state}",
            "shipping continues; a restart now would send again what was not saved. Make room or fix its permissions",
        )
    if faults.state_removed:
        yield Advice(
            "error",
            "state",
            f"{faults.state_removed} was removed or replaced while logship runs; it was made again, nothing is lost",
            "ranges of backfills and dead letters in it are gone; a reload (SIGHUP) ends this message",
        )
    if faults.dead_letters:
        yield Advice("error", "state", f"dead letters can't be written: {faults.dead_letters}", "positions wait for it")


def _of_rules(receiver: ReceiverReport) -> Iterator[Advice]:
    """About the receiver's rules, if it doesn't give them."""
    if not receiver.rules_problem:
        return
    if receiver.waits_for_rules:
        text = f"its rules are not known, nothing is sent before they are: {receiver.rules_problem}; nothing is lost"
        yield Advice("error", receiver.name, text, "see: logship check --connect, or set endpoint.remote_config: off")
        return
    age = "" if receiver.rules_age_s is None else f" of {duration_words(receiver.rules_age_s)} ago"
    yield Advice("warning", receiver.name, f"its rules are not available, those{age} stay: {receiver.rules_problem}")


def _of_receiver(receiver: ReceiverReport) -> Iterator[Advice]:
    if receiver.state not in ("held", "paused"):
        return
    seconds = receiver.trouble_for_s or 0.0
    since = f" for {duration_words(seconds)}" if seconds >= 1 else ""
    error = receiver.last_error or "no answer"
    if receiver.state == "held":
        yield Advice("error", receiver.name, f"{error}{since}; nothing is lost", receiver.hint)
    else:
        severe = seconds > DOWN_TOO_LONG_S
        wait = "" if receiver.next_try_s is None else f"; next try in {duration_words(receiver.next_try_s)}"
        yield Advice(
            "error" if severe else "warning", receiver.name, f"{error}{since}; nothing is lost{wait}", receiver.hint
        )


def _of_file(file: FileReport) -> Iterator[Advice]:
    if file.state is FileState.UNREADABLE:
        text = f"{file.path}: {file.problem}{_tried(file)}"
        yield Advice("error", file.source, text, _permit(file) or "see: logship check")
    elif file.state is FileState.HELD and file.problem:  # without a problem its receiver is held
        text = f"{file.path} is held: {file.problem}; nothing is lost"
        yield Advice("error", file.source, text, f"see: logship preview {file.path}")


def _tried(file: FileReport) -> str:
    """For how long and how often it was tried."""
    if file.problem_for_s is None or not file.tries:
        return ""
    tries = f"tried {file.tries:,} times" if file.tries > 1 else "tried once"
    return f" for {duration_words(file.problem_for_s)}, {tries}; nothing is lost while it exists"


def _permit(file: FileReport) -> str:
    """The command that lets this process read the file; "" where permission is not the cause."""
    if os.strerror(errno.EACCES) not in file.problem:
        return ""
    from logship.check.permissions import remedy  # loaded only when permission is missing

    return remedy(file.path, PermissionError(errno.EACCES, file.problem))


def _of_dead_letters(count: int) -> Iterator[Advice]:
    if count:
        noun = "line was" if count == 1 else "lines were"
        yield Advice("error", "", f"{count:,} {noun} set aside undelivered", "see: logship dead-letters list")


def _of_source(source: SourceReport) -> Iterator[Advice]:
    if source.lost_bytes:
        yield Advice(
            "error",
            source.name,
            f"at least {bytes_words(source.lost_bytes)} of its logs were not read and are in no file any more",
            "see its log for the files; rotation by rename loses nothing",
        )
