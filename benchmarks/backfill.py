"""`python -m benchmarks.backfill`: old logs in every form, one and two jobs, beside the floors that only read them."""

from __future__ import annotations

import argparse
import bz2
import gzip
import lzma
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from benchmarks.generator import write_log
from benchmarks.measure import Run, run
from benchmarks.sink import Sink, build
from benchmarks.table import _row as row_text

GENERATIONS = 8  # a log of years is many files; compressed ones are shared among jobs file by file
CONFIG = """
endpoint: {{url: "{url}", application_id: benchmark, max_event_age: 36500d}}
state_dir: {state}
origin: web-1
status: null
sources: [{{name: bench, paths: ["{logs}/access.log"], format: combined}}]
"""


@dataclass(frozen=True, slots=True)
class Form:
    """How logs are stored, and the command that only reads them."""

    suffix: str
    compress: Callable[[bytes], bytes]
    floor: Sequence[str]


FORMS: Mapping[str, Form] = {
    "plain": Form("", bytes, ["wc", "-l"]),
    "gz": Form(".gz", lambda data: gzip.compress(data, 6), ["zcat"]),
    "bz2": Form(".bz2", bz2.compress, ["bzcat"]),
    "xz": Form(".xz", lambda data: lzma.compress(data, preset=1), ["xzcat"]),
    "zst": Form(".zst", zstandard.ZstdCompressor(level=3).compress, ["zstdcat"]),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One measured backfill; posting_s is from the first POST to the last: start-up is not in it."""

    form: str
    jobs: int
    run: Run
    lines: int
    events: int
    posting_s: float

    @property
    def cpu_s_per_million(self) -> float:
        return self.run.cpu_s / self.lines * 1e6

    @property
    def lines_per_s(self) -> float:
        return self.lines / self.posting_s


def main() -> int:
    """Prints the table; with --markdown writes it too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--jobs", default="1,2")
    parser.add_argument("--directory", type=Path, default=Path("bench-data"))
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args()
    directory: Path = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    sink = build(directory)
    results, floors = [], {}
    for name in options.forms.split(","):
        logs = logs_of(directory, name, options.lines)
        floors[name] = floor(directory, FORMS[name], logs)
        for jobs in map(int, options.jobs.split(",")):
            results.append(backfill(directory, sink, name, logs, jobs, options.lines))
            print(f"{name} {jobs} jobs: {results[-1].lines_per_s:,.0f} lines/s", file=sys.stderr, flush=True)
    head = f"{options.lines:,} lines in {GENERATIONS} files, {os.cpu_count()} cores, Python {platform.python_version()}"
    text = f"{head}\n\n{table(results, floors, options.lines)}"
    print(f"\n{text}")
    if options.markdown:
        options.markdown.write_text(f"{text}\n")
    return 0


def logs_of(directory: Path, name: str, lines: int) -> Path:
    """A directory with the log's generations in one form, made once."""
    logs = directory / f"backfill-{name}-{lines}"
    if logs.exists():
        return logs
    partial = logs.with_name(logs.name + ".partial")
    partial.mkdir(exist_ok=True)
    form = FORMS[name]
    for number in range(1, GENERATIONS + 1):
        plain = partial / "generation"
        write_log(plain, lines // GENERATIONS, "combined", number)
        path = partial / f"access.log.{number}{form.suffix}"
        path.write_bytes(form.compress(plain.read_bytes()))
        os.utime(path, (1_700_000_000, 1_700_000_000))  # nobody writes to it
        plain.unlink()
    partial.rename(logs)
    return logs


def backfill(directory: Path, sink_program: Path, name: str, logs: Path, jobs: int, lines: int) -> Result:
    """One run of the command, on a state of its own."""
    work = directory / "work" / f"backfill-{name}-{jobs}"
    (work / "state").mkdir(parents=True, exist_ok=True)
    for left in (work / "state").rglob("*"):
        left.unlink()
    with Sink(sink_program) as sink:
        config = work / "logship.yml"
        config.write_text(CONFIG.format(url=sink.url, state=work / "state", logs=logs))
        command = [sys.executable, "-m", "logship", "backfill", "-c", str(config), "--jobs", str(jobs), str(logs)]
        output = work / "out"
        done = run(command, log=output)
        stats = sink.stats()
    if done.exit_code not in (0, 1):  # 1: some generated lines fit no format
        raise RuntimeError(f"{name}: exit {done.exit_code}\n{output.read_text()[-2000:]}")
    return Result(name, jobs, done, lines, int(stats["events"]), stats["last_at"] - stats["first_at"])


def floor(directory: Path, form: Form, logs: Path) -> Run | None:
    """The command that only reads the same files; None where it is not installed."""
    try:
        return run([*form.floor, *map(str, sorted(logs.iterdir()))], log=Path(os.devnull))
    except FileNotFoundError:
        return None


def table(results: Sequence[Result], floors: Mapping[str, Run | None], lines: int) -> str:
    """GitHub's Markdown; every ratio is of this one run."""
    names = ("", "jobs", "CPU s/M lines", "of plain", "lines/s", "of one job", "peak MiB a job", "floor CPU s/M lines")
    text = [row_text(names), row_text(["---", *("---:" for _ in names[1:])])]
    first = {result.form: result for result in reversed(results)}
    for result in results:
        only_read = floors[result.form]
        plain = first.get("plain", result)
        cells = [
            result.form,
            str(result.jobs),
            f"{result.cpu_s_per_million:.2f}",
            f"{result.cpu_s_per_million / plain.cpu_s_per_million:.2f}",
            f"{result.lines_per_s:,.0f}",
            f"{result.lines_per_s / first[result.form].lines_per_s:.2f}",
            f"{result.run.peak_mib:.0f}",
            f"{' '.join(FORMS[result.form].floor)} {only_read.cpu_s / lines * 1e6:.2f}" if only_read else "-",
        ]
        text.append(row_text(cells))
    return "\n".join(text)


if __name__ == "__main__":
    sys.exit(main())
