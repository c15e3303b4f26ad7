"""The snapshot as lines of text: one for the daemon, a table of files, one for everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from logship.logs import escaped
from logship.status.model import FileReport, FileState, ReceiverReport, Status
from logship.status.words import bytes_words, count_words, duration_words

HEAD = ("SOURCE", "FILE", "CONFIRMED", "LAG", "RATE", "SENT", "DROPPED", "SAMPLED OUT")
MARKS = {FileState.HELD: "HELD", FileState.UNREADABLE: "UNREADABLE", FileState.DELETED: "deleted"}
COLOURS = {FileState.HELD: "red", FileState.UNREADABLE: "red", FileState.CATCHING_UP: "yellow"}
MIN_PATH = 16  # columns; a path is cut at its beginning to fit the terminal, but not below


def lines(status: Status, width: int) -> list[str]:
    """What `logship status` prints, styled; `width` are the terminal's columns."""
    shown = [_daemon(status), *(_receiver(receiver) for receiver in status.receivers)]
    if status.files:
        shown += _table(status.files, width)
    elif status.state == "running":
        shown.append("no file is followed: no path of the sources exists yet")
    for advice in status.advice:
        colour = "red" if advice.severity == "error" else "yellow"
        shown.append(click.style(f"{'!' if advice.severity == 'error' else '·'} {escaped(str(advice))}", fg=colour))
    return shown


def _daemon(status: Status) -> str:
    if status.state == "running":
        head = click.style(f"running {duration_words(status.uptime_s)}", fg="green", bold=True)
        parts = [head, f"logship {status.version}", f"origin {status.origin}"]
    else:
        head = click.style("STOPPED" if status.state == "stopped" else "NO ANSWER", fg="red", bold=True)
        parts = [head, f"what {status.state_dir} says"]
    if status.dead_letters:
        parts.append(click.style(f"dead letters {status.dead_letters:,}", fg="red"))
    return " · ".join(parts)


def _receiver(receiver: ReceiverReport) -> str:
    words = [escaped(receiver.url), receiver.api]
    if receiver.last_status is not None and receiver.last_success_ago_s is not None and receiver.state == "ok":
        words.append(f"last {receiver.last_status} {duration_words(receiver.last_success_ago_s)} ago")
    elif receiver.state == "starting":
        words.append("nothing sent yet")
    else:
        words.append(click.style(receiver.state.upper(), fg="red" if receiver.state == "held" else "yellow"))
        if receiver.next_try_s is not None:
            words.append(f"next try in {duration_words(receiver.next_try_s)}")
    parts = [" ".join(word for word in words if word), f"{receiver.in_flight} in flight"]
    if receiver.retries:
        parts.append(f"{receiver.retries:,} retries")
    return " · ".join(parts)


def _table(files: Sequence[FileReport], width: int) -> list[str]:
    rows = [_row(file) for file in files]
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(len(HEAD))]
    spare = width - sum(widths) - 2 * (len(HEAD) - 1)
    if spare < 0:
        widths[1] = max(MIN_PATH, widths[1] + spare)
    shown = [click.style(_join(HEAD, widths), bold=True)]
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
    return (escaped(file.source), path, confirmed, lag, rate, *(count_words(count) for count in counts))
