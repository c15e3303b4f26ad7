"""The snapshot as lines of text: one for the daemon, a table of files, one for each problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from logship.process.logs import escaped
from logship.status.model import STOPPED, FileReport, FileState, ReceiverReport, Status
from logship.words import bytes_words, count_words, counted, duration_words

HEAD = ("SOURCE", "FILE", "CONFIRMED", "LAG", "RATE", "SENT", "DROPPED", "SAMPLED OUT")
MARKS = {FileState.HELD: "HELD", FileState.UNREADABLE: "UNREADABLE", FileState.DELETED: "deleted"}
COLOURS = {FileState.HELD: "red", FileState.UNREADABLE: "red", FileState.CATCHING_UP: "yellow"}
PAGE = 20  # files; if there are more, those that need attention are shown, then the busiest
MOST_TROUBLED = 100  # files that need attention, and problems; --all shows every one
MIN_PATH = 16  # columns; a path is cut at its beginning to fit the terminal, but not shorter


def lines(status: Status, width: int, *, shows_all: bool = False) -> list[str]:
    """What `logship status` prints, styled; `width` are the terminal's columns.

    With many files: those that need attention, the busiest, and how many more there are.
    """
    files = list(status.files) if shows_all or len(status.files) <= PAGE else _page(status.files)
    advices = status.advice if shows_all else status.advice[:MOST_TROUBLED]
    shown = [_daemon(status), *(_receiver(receiver) for receiver in status.receivers)]
    if files:
        shown += _table(files, width)
    elif status.state == "running" and not status.files:
        shown.append("no file is followed: none of the sources' paths exists yet")
    for advice in advices:
        colour = "red" if advice.severity == "error" else "yellow"
        shown.append(click.style(f"{'!' if advice.severity == 'error' else '·'} {escaped(str(advice))}", fg=colour))
    if left := len(status.advice) - len(advices):
        shown.append(f"  {left:,} more of these (--all)")
    return shown + _rest(status.files, files)


def _page(files: Sequence[FileReport]) -> list[FileReport]:
    """The files that need attention, most urgent first, then the busiest."""
    troubled = sorted((file for file in files if _needs_attention(file)), key=_urgency)[:MOST_TROUBLED]
    calm = (file for file in files if not _needs_attention(file))
    busy = sorted((file for file in calm if file.rate), key=lambda file: -(file.rate or 0.0))
    return troubled + busy[: max(0, PAGE - len(troubled))]


def _needs_attention(file: FileReport) -> bool:
    return file.state is not FileState.OK or bool(file.lost_bytes or file.problem)


def _urgency(file: FileReport) -> tuple[bool, bool, int]:
    needs_a_person = file.state in (FileState.UNREADABLE, FileState.HELD)
    return not needs_a_person, not file.lost_bytes, -file.lag_bytes


def _rest(files: Sequence[FileReport], shown: Sequence[FileReport]) -> list[str]:
    """How many files are not shown, and their state."""
    seen = set(map(id, shown))
    noun = "more file" if shown else "file"
    rest = [file for file in files if id(file) not in seen]
    behind = [file for file in rest if _needs_attention(file)]
    words = []
    if behind:
        lag = bytes_words(sum(file.lag_bytes for file in behind))
        words.append(f"  {counted(len(behind), noun)} {_are(behind)} behind or can't be read, {lag} (--all)")
    if at_end := rest[len(behind) :]:
        words.append(f"  {counted(len(at_end), noun)} {_are(at_end)} at {_their(at_end)} end (--all)")
    return words


def _are(files: Sequence[FileReport]) -> str:
    return "is" if len(files) == 1 else "are"


def _their(files: Sequence[FileReport]) -> str:
    return "its" if len(files) == 1 else "their"


def _daemon(status: Status) -> str:
    if status.state == "running":
        head = click.style(f"running {duration_words(status.uptime_s)}", fg="green", bold=True)
        parts = [head, f"logship {status.version}", f"origin {status.origin}"]
    else:
        head = click.style("STOPPED" if status.state == "stopped" else "NO ANSWER", fg="red", bold=True)
        parts = [head, f"according to {status.state_dir}"]
    if status.kernel:
        parts.append(f"kernel: {status.kernel}")
    if status.dead_letters:
        parts.append(click.style(f"dead letters {status.dead_letters:,}", fg="red"))
    return " · ".join(parts)


def _receiver(receiver: ReceiverReport) -> str:
    if receiver.state == STOPPED:
        return " · ".join([escaped(receiver.url), *_rules(receiver)])
    words = [escaped(receiver.url), receiver.api]
    if receiver.last_status is not None and receiver.last_success_ago_s is not None and receiver.state == "ok":
        words.append(f"last {receiver.last_status} {duration_words(receiver.last_success_ago_s)} ago")
    elif receiver.state == "starting":
        words.append("nothing sent yet")
    else:
        words.append(click.style(receiver.state.upper(), fg="red" if receiver.state == "held" else "yellow"))
        if receiver.next_try_s is not None:
            words.append(f"next try in {duration_words(receiver.next_try_s)}")
    parts = [" ".join(word for word in words if word), f"{receiver.in_flight} in flight", *_rules(receiver)]
    if receiver.retries:
        parts.append(f"{receiver.retries:,} retries")
    return " · ".join(parts)


def _rules(receiver: ReceiverReport) -> list[str]:
    """`rules: 12 from the receiver, 40 s old, 18 % kept`."""
    if receiver.waits_for_rules:
        return [click.style("waits for the receiver's rules", fg="yellow")]
    if receiver.rules is None:
        return []
    age = "" if receiver.rules_age_s is None else f", {duration_words(receiver.rules_age_s)} old"
    kept = "" if receiver.kept_share is None else f", {100 * receiver.kept_share:.0f} % kept"
    return [f"rules: {receiver.rules:,} from the receiver{age}{kept}"]


def _table(files: Sequence[FileReport], width: int) -> list[str]:
    has_lost = any(file.lost_bytes for file in files)
    head = (*HEAD, "LOST") if has_lost else HEAD
    rows = [_row(file)[: len(head)] for file in files]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    spare = width - sum(widths) - 2 * (len(head) - 1)
    if spare < 0:
        widths[1] = max(MIN_PATH, widths[1] + spare)
    shown = [click.style(_join(head, widths), bold=True)]
    for file, row in zip(files, rows, strict=True):
        colour = COLOURS.get(file.state)
        shown.append(click.style(_join(row, widths), fg=colour) if colour else _join(row, widths))
    return shown


def _join(cells: Iterable[str], widths: Sequence[int]) -> str:
    fitted = (
        (cell if len(cell) <= width else "…" + cell[len(cell) - width + 1 :]).ljust(width)
        for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(fitted).rstrip()


def _row(file: FileReport) -> tuple[str, ...]:
    mark = MARKS.get(file.state, "")
    path = escaped(file.path) + (f" {mark}" if mark else "")
    lag = f"{bytes_words(file.lag_bytes)}, " + ("?" if file.lag_s is None else duration_words(file.lag_s))
    rate = "-" if not file.rate else f"{file.rate:,.0f}/s" if file.rate >= 1 else f"{file.rate * 60:.1f}/min"
    confirmed = f"{bytes_words(file.position)} of {bytes_words(file.size_bytes)}"
    counts = (file.sent, file.dropped, file.sampled_out)
    lost = bytes_words(file.lost_bytes) if file.lost_bytes else ""
    return (escaped(file.source), path, confirmed, lag, rate, *(count_words(count) for count in counts), lost)
