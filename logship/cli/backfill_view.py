"""What a backfill shows: remarks, progress as a bar or as lines, the summary for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, field
from typing import Protocol, TextIO

from logship.backfill.paths import Remark
from logship.backfill.plan import BackfillPlan
from logship.backfill.reports import BackfillSummary, LogSummary, RunProgress
from logship.cli.terminal import Styled, Terminal, safe
from logship.counters import Tally
from logship.delivery import DeadLetter
from logship.records import record
from logship.words import bytes_words, rule_words

LINES_EVERY_S = 5.0  # between progress lines where there is no terminal
BAR_EVERY_S = 0.25
WIDEST_BAR, NARROWEST_BAR = 30, 6  # columns
SHOWN_LINE = 160  # bytes of a dead letter
MOST_ALIKE = 3  # notes of one text; a format is detected for each of a thousand logs
MOST_LOGS = 40  # lines of the table of logs; the rest is summed

Show = Callable[[RunProgress], None]


class Monotonic(Protocol):
    def monotonic(self) -> float: ...


@record(frozen=False)
class View:
    """For people. A stream that was closed (a pager, a terminal) ends the output, not the work."""

    out: Terminal
    err: Terminal
    clock: Monotonic
    _is_gone: bool = False

    def planned(self, plan: BackfillPlan) -> None:
        """The remarks about the plan."""
        alike: dict[str, list[Remark]] = {}
        for remark in plan.remarks:
            alike.setdefault(remark.message, []).append(remark)
        for message, remarks in alike.items():
            shown = [one for number, one in enumerate(remarks) if one.is_failure or number < MOST_ALIKE]
            for remark in shown:
                self._remark(remark)
            if len(remarks) > len(shown):
                head = message.partition("\n")[0]
                self._line(Styled("note  ", "dim"), f"… and {len(remarks) - len(shown):,} more: {head}")

    def _remark(self, remark: Remark) -> None:
        head, *more = remark.message.split("\n")
        mark = Styled("ERROR ", "error") if remark.is_failure else Styled("note  ", "dim")
        self._line(mark, f"{remark.path} {head}")
        for line in more:
            self._line("      ", line)

    @contextmanager
    def progress(self) -> Iterator[Show]:
        """A function that shows progress: a bar on a terminal, else a line now and then."""
        is_bar = self.out.is_terminal and self.err.is_terminal
        with self._bar() if is_bar else self._lines() as show:
            yield show

    def summary(self, summary: BackfillSummary) -> None:
        """The sums, per log and in all."""
        if len(summary.logs) > 1:
            for log in summary.logs[:MOST_LOGS]:
                self._log(log, dry=summary.is_dry)
            if len(summary.logs) > MOST_LOGS:
                self._line(f"… and {len(summary.logs) - MOST_LOGS:,} more; --json has them all")
        for log in summary.logs:
            if log.problem:
                self._line(Styled("ERROR ", "error"), f"{log.path} {log.problem}")
        for path, letter in summary.dead_letters:
            self._letter(path, letter)
        for month, events in sorted(summary.months.items()):
            self._line(f"{month}  {events:>14,} events")
        for said, remedy in summary.found.sentences():
            self._line(Styled("!     ", "warn"), f"{said}; {remedy}")
        tally = summary.tally
        for name, count in sorted(tally.dropped.items()):
            self._line(Styled(f"  dropped by {rule_words(name)}: {count:,}", "dim"))
        for name, count in sorted(tally.sampled_out.items()):
            self._line(Styled(f"  sampled out by {rule_words(name)}: {count:,}", "dim"))
        unread = sum(log.unread_bytes for log in summary.logs)
        if unread:
            self._line(f"outside --since and --until, not read: {bytes_words(unread)}")
        self._line(sum_text(summary))
        if tally.dead_letters and not summary.is_dry:
            self._line("dead letters and their reasons: logship dead-letters list")
        if summary.stopped_by:
            for line in summary.stopped_by.split("\n"):
                self._line(Styled(line, "error"))
        self._line(closing_text(summary))

    def _log(self, log: LogSummary, *, dry: bool) -> None:
        mark = Styled("ok    ", "ok") if log.is_done else Styled("open  ", "warn")
        self._line(mark, f"{log.path}  {tally_text(log.tally, dry=dry)}")

    def _letter(self, path: str, letter: DeadLetter) -> None:
        raw = letter.raw[:SHOWN_LINE].decode("utf-8", "replace") + ("…" if len(letter.raw) > SHOWN_LINE else "")
        self._line(Styled("dead letter", "warn"), f"  {path} at byte {letter.position:,}: {letter.reason}")
        self._line("      ", raw)

    @contextmanager
    def _lines(self) -> Iterator[Show]:
        shown_s = self.clock.monotonic()

        def show(progress: RunProgress) -> None:
            nonlocal shown_s
            if self.clock.monotonic() - shown_s >= LINES_EVERY_S:
                shown_s = self.clock.monotonic()
                self._line(progress_text(progress))

        yield show

    @contextmanager
    def _bar(self) -> Iterator[Show]:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        drawing, share = BarColumn(WIDEST_BAR), TextColumn("{task.percentage:>3.0f}%")
        bar = Bar(drawing, share, TextColumn("{task.description}", markup=False),
                  console=self.out.rich(), transient=True, auto_refresh=False)  # fmt: skip
        task = bar.add_task("", total=None)
        drawn_s = float("-inf")

        def show(progress: RunProgress) -> None:
            nonlocal drawn_s
            if self._is_gone or self.clock.monotonic() - drawn_s < BAR_EVERY_S:
                return
            drawn_s = self.clock.monotonic()
            room = bar.console.width - len(" 100% ")
            text = str(safe(bar_text(progress, room - NARROWEST_BAR)))
            drawing.bar_width = min(WIDEST_BAR, max(NARROWEST_BAR, room - len(text)))
            try:
                total = progress.bytes_total or None
                bar.update(task, completed=progress.bytes_done, total=total, description=text, refresh=True)
            except OSError:
                self._is_gone = True

        try:
            bar.start()
            yield show
        finally:
            self._quietly(bar.stop)

    def _line(self, *parts: str | Styled) -> None:
        def write() -> None:
            self.out.line(*parts)
            self.out.stream.flush()

        self._quietly(write)

    def _quietly(self, write: Callable[[], None]) -> None:
        if self._is_gone:
            return
        try:
            write()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._is_gone = True


@record(frozen=False)
class JsonView:
    """For machines: one object, at the end; in ASCII, so that file names that are no UTF-8 can be written."""

    stream: TextIO
    _remarks: list[dict[str, object]] = field(default_factory=list)

    def planned(self, plan: BackfillPlan) -> None:
        """Remarks come with the summary."""

    @contextmanager
    def progress(self) -> Iterator[Show]:
        yield lambda progress: None

    def summary(self, summary: BackfillSummary) -> None:
        document = {
            **tally_object(summary.tally),
            "exit": int(summary.exit_code),
            "dry_run": summary.is_dry,
            "stopped_by": summary.stopped_by,
            "elapsed_s": round(summary.elapsed_s, 3),
            "retries": summary.retries,
            "events_by_month": dict(sorted(summary.months.items())),
            "looks_secret": [{"found": said, "remedy": remedy} for said, remedy in summary.found.sentences()],
            "first_dead_letters": [letter_object(path, letter) for path, letter in summary.dead_letters],
            "remarks": [asdict(remark) for remark in summary.remarks],
            "logs": [log_object(log) for log in summary.logs],
        }
        try:
            self.stream.write(json.dumps(document, indent=2) + "\n")
            self.stream.flush()
        except OSError:
            return  # nobody reads it; the exit code still counts


def tally_object(tally: Tally) -> dict[str, object]:
    """The sum with its parts."""
    return {
        "lines": tally.lines,
        "sent": tally.sent,
        "dropped_by_rule": tally.dropped,
        "sampled_out": tally.sampled_out,
        "out_of_range": tally.out_of_range,
        "too_old": tally.too_old,
        "dead_letters": tally.dead_letters,
        "unmatched": tally.unmatched,
        "already_confirmed": tally.already_confirmed,
        "nul_bytes": tally.nul_bytes,
    }


def log_object(log: LogSummary) -> dict[str, object]:
    """One log with its sum."""
    return {
        "path": log.path,
        "source": log.source,
        "done": log.is_done,
        "problem": log.problem,
        "size_bytes": log.size_bytes,
        "unread_bytes": log.unread_bytes,
        **tally_object(log.tally),
    }


def letter_object(path: str, letter: DeadLetter) -> dict[str, object]:
    """A line that would be a dead letter."""
    line = letter.raw.decode("utf-8", "replace")
    return {"path": path, "position": letter.position, "reason": letter.reason, "line": line}


def sum_text(summary: BackfillSummary) -> str:
    """The sum of all logs; a dry run says what would be sent."""
    return tally_text(summary.tally, dry=summary.is_dry)


def closing_text(summary: BackfillSummary) -> str:
    """How long, how fast, which exit code."""
    done, what = (summary.tally.lines, "lines/s") if summary.is_dry else (summary.tally.sent, "events/s")
    rate = f"{done / max(summary.elapsed_s, 0.001):,.0f} {what}"
    return f"{span_text(summary.elapsed_s)} · {rate} · retries {summary.retries:,} · exit {summary.exit_code:d}"


def tally_text(tally: Tally, *, dry: bool = False) -> str:
    text = tally.sentence()
    return text.replace("= sent", "= would be sent", 1) if dry else text


def progress_text(progress: RunProgress) -> str:
    """One line about how far it is."""
    share = progress.bytes_done / progress.bytes_total if progress.bytes_total else 0.0
    return "  ".join([*([f"{share:.0%}"] if progress.bytes_total else []), *_progress_parts(progress).values()])


def bar_text(progress: RunProgress, columns: int) -> str:
    """The text behind the bar; where there is little room, only what matters now."""
    parts = _progress_parts(progress)
    text = "  ".join(parts.values())
    if len(text) <= columns:
        return text
    if progress.is_draining or progress.trouble:
        wanted = {"draining"} if progress.is_draining else {"retries", "trouble"}
    else:
        wanted = {"bytes", "rate", "eta", "in flight"}
        wanted |= {"retries"} if progress.retries else set()
        wanted |= {"dead letters"} if progress.tally.dead_letters else set()
    return "  ".join(part for name, part in parts.items() if name in wanted)


def _progress_parts(progress: RunProgress) -> dict[str, str]:
    parts = {
        "files": f"{progress.files_done:,}/{progress.files:,} files",
        "bytes": f"{bytes_words(progress.bytes_done)}/{bytes_words(progress.bytes_total)}",
        "rate": f"{progress.rate:,.0f}/s",
        "eta": f"ETA {span_text(progress.eta_s)}" if progress.eta_s is not None else "ETA -",
        "in flight": f"in flight {progress.in_flight}",
        "retries": f"retries {progress.retries:,}",
        "dead letters": f"dead letters {progress.tally.dead_letters:,}",
    }
    if progress.is_draining:
        parts["draining"] = "finishing what is in flight; Ctrl-C again stops at once"
    if progress.trouble:
        parts["trouble"] = progress.trouble
    return parts


def span_text(seconds: float) -> str:
    """`h:mm:ss`."""
    whole = int(seconds + 0.5)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
