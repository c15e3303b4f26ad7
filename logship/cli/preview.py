"""`logship preview`: lines and the events they become."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from logship.cli.options import (
    config_option,
    field_option,
    format_option,
    json_option,
    mapping_option,
    source_option,
    subcommand,
)
from logship.cli.terminal import standard_input
from logship.errors import Exit, LogshipError, UsageError

if TYPE_CHECKING:
    from logship.check.newest import LogLine
    from logship.conversion import LineTrace
    from logship.mapping.disclosure import Disclosures
    from logship.preview import Bench, Lens, Wishes

DEFAULT_LINES = 10
LOOK_S = 0.3  # between looks at the files of --watch


@subcommand(
    "logship preview access.log",
    "logship preview --format combined --field host=shop.example -n 3 access.log",
    "logship preview -c logship.yml --source shop --watch",
)
@click.argument("file", required=False, type=click.Path(), metavar="[FILE or -]")
@config_option(may_lack=True)
@source_option("Treat FILE as a log of this source.")
@format_option()
@mapping_option()
@field_option()
@click.option("-n", "--lines", type=click.IntRange(min=0), help="How many lines; 0: all.  [default: 10, stdin: all]")
@json_option("One object a line, for machines.")
@click.option("--watch", is_flag=True, help="Show again whenever the config or a mapping is saved.")
def command(
    file: str | None,
    config: Path | None,
    source: str,
    format_: str,
    mapping: str,
    fields: tuple[str, ...],
    lines: int | None,
    as_json: bool,
    watch: bool,
) -> int:
    """Show lines beside the events they become. Sends nothing.

    Without FILE it shows the newest lines of each source; `-` is stdin. FILE may be compressed. It belongs to the
    source whose paths match it, else to --source, else to the only source; else its format is detected and the mapping
    is `default`.
    """
    from logship.config.overrides import Overrides, fields_of
    from logship.preview import Wishes

    wishes = Wishes(config, Overrides(source, format_, mapping, fields_of(fields)))
    show = Show(file, lines, as_json)
    with quiet_pipe():
        if watch:
            if file == "-":
                raise UsageError("--watch needs a FILE: stdin can be read only once")
            return watched(wishes, show)
        return show.once(wishes)


@contextlib.contextmanager
def quiet_pipe() -> Iterator[None]:
    """A reader that stops reading (`| head`) ends the command silently."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # drops what is still buffered


def opened_stream(file: str) -> contextlib.AbstractContextManager[BinaryIO]:
    """open_stream() as a context that closes the stream, unless it is stdin."""
    stream = open_stream(file)
    return contextlib.nullcontext(stream) if file == "-" else contextlib.closing(stream)


def open_stream(file: str) -> BinaryIO:
    """Raises: UsageError for a file that can't be read."""
    if file == "-":
        return standard_input()
    from logship.tail.archives import open_log

    try:
        if Path(file).is_dir():
            raise UsageError(f"{file} is a directory; give a log in it")
        return open_log(file)  # type: ignore[return-value]  # it has read(), which is all that is used
    except OSError as exc:
        raise UsageError(f"{file}: {exc.strerror}") from exc


class Show:
    """Prints lines and events; the files are read again each time."""

    def __init__(self, file: str | None, lines: int | None, as_json: bool) -> None:
        self._file = file
        self._lines = lines
        self._as_json = as_json
        self._found: Disclosures | None = None

    def once(self, wishes: Wishes) -> int:
        from logship.preview import Bench

        return self.with_bench(Bench(wishes, os.environ))

    def with_bench(self, bench: Bench) -> int:
        from logship.cli.terminal import Styled, Terminal
        from logship.mapping.disclosure import Disclosures

        self._found = None if self._as_json else Disclosures()
        code = self._newest(bench) if self._file is None else self._from_file(bench, self._file)
        for said, remedy in self._found.sentences() if self._found else ():
            Terminal().line(Styled(f"! {said}; {remedy}", "warn"))
        return code

    def _newest(self, bench: Bench) -> int:
        count = 0
        for lens, lines in bench.newest(self._lines or DEFAULT_LINES):
            self._head(lens)
            for line in lines:
                self._print(lens, line)
                count += 1
        if not count and not self._as_json:
            click.echo("no source has a line yet", err=True)
        return Exit.FINE

    def _from_file(self, bench: Bench, file: str) -> int:
        from logship.check.newest import lines_of
        from logship.preview import SAMPLE_LINES, sampled, unwrapped

        with opened_stream(file) as stream:
            samples, lines = sampled(lines_of(stream), 1 if file == "-" else SAMPLE_LINES)
            if not samples:
                click.echo(f"{file}: no lines", err=True)
                return Exit.FINE
            lens = bench.lens("stdin" if file == "-" else file, samples)
            self._head(lens)
            limit = self._lines if self._lines is not None else (0 if file == "-" else DEFAULT_LINES)
            inner = unwrapped(lines, lens.envelope)
            for line in islice(inner, limit or None):
                self._print(lens, line)
            if limit and self._lines is None and next(inner, None) is not None and not self._as_json:
                click.echo(f"the first {limit} lines; -n 0 shows all", err=True)
        return Exit.FINE

    def _head(self, lens: Lens) -> None:
        from logship.cli.terminal import Styled, Terminal

        if not self._as_json:
            detected = f" · {lens.detected}" if lens.detected else ""
            Terminal().line(Styled(f"{lens.file.source} · {lens.file.path}{detected}", "accent"))
            if lens.rules:
                Terminal().line(Styled(f"  {lens.rules}", "dim"))
            for doubt in lens.doubts:
                Terminal().line(Styled(f"! {doubt}", "warn"))

    def _print(self, lens: Lens, line: LogLine) -> None:
        trace = lens.trace(line)
        if self._as_json:
            import json

            click.echo(json.dumps(as_record(trace), ensure_ascii=False, separators=(",", ":")))
            return
        from logship.cli.line_view import print_trace

        print_trace(trace, lens)
        if self._found is not None and trace.event is not None:
            self._found.look_at(trace.event)


def as_record(trace: LineTrace) -> dict[str, object]:
    """A line as JSON: its fields, its event, the reasons."""
    error = trace.error
    return {
        "line": trace.line.decode("utf-8", "replace"),
        "fields": printable(dict(trace.fields)),
        "event": printable(trace.event),
        "dropped_by": trace.dropped_by,
        "sampled_out_by": trace.sampled_out_by,
        "kept_by": trace.kept_by or None,
        "error": None if error is None else {"at": error.at, "expected": error.expected},
        "transaction_id": trace.transaction_id,
        "position": trace.position,
        "format": trace.format,
        "rules": list(trace.rules),
    }


def printable(value: object) -> object:
    """The value without halves of surrogate pairs, which JSON can't hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {printable(key): printable(below) for key, below in value.items()}
    return [printable(below) for below in value] if isinstance(value, list) else value


def watched(wishes: Wishes, show: Show, sleep: Callable[[float], None] = time.sleep, rounds: int | None = None) -> int:
    """Shows lines or mistakes again whenever a config or mapping file is saved, until Ctrl-C."""
    from logship.cli.terminal import Terminal, print_problem
    from logship.errors import ConfigError
    from logship.preview import Bench

    given = (wishes.config, Path(wishes.overrides.mapping))
    known: frozenset[Path] = frozenset(path for path in given if path and path.is_file())
    done = 0
    while rounds is None or done < rounds:
        terminal = Terminal()
        if terminal.is_terminal:
            click.clear()
        try:
            bench = Bench(wishes, os.environ)
            known |= bench.watched
            show.with_bench(bench)
        except ConfigError as exc:
            for problem in exc.problems:
                print_problem(terminal, problem)
        except LogshipError as exc:
            terminal.line(str(exc))
        sys.stdout.flush()
        done += 1
        if rounds is None or done < rounds:
            _await_change(known, sleep)
    return Exit.FINE


def _await_change(paths: frozenset[Path], sleep: Callable[[float], None]) -> None:
    before = _stamps(paths)
    while _stamps(paths) == before:
        sleep(LOOK_S)


def _stamps(paths: frozenset[Path]) -> dict[Path, tuple[int, int]]:
    """Change times and sizes; a file may be missing for a moment while an editor replaces it."""
    stamps = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.stat()
            stamps[path] = (status.st_mtime_ns, status.st_size)
    return stamps
