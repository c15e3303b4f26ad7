"""`python -m benchmarks.backfill`: old logs in every form, one and two jobs, beside other shippers and mere reading.

All rows are run in turn, `--rounds` times; every figure is a median, every ratio is of two rows of the same round.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import lzma
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from backports import zstd

from benchmarks.generator import write_log
from benchmarks.measure import Run, run
from benchmarks.peers import PEERS
from benchmarks.rows import Bench
from benchmarks.sink import Sink, build
from benchmarks.table import row

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
    "zst": Form(".zst", zstd.compress, ["zstdcat"]),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A row: a backfill of a form with so many jobs, or (0 jobs) another program at it."""

    name: str
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """One measured run.

    Shapes: `lines_per_s` of a backfill counts from its first POST to its last: start-up is not in it.
    """

    run: Run
    lines: int
    lines_per_s: float

    @property
    def cpu_s_per_million(self) -> float:
        return self.run.cpu_s / self.lines * 1e6


Round = Mapping[Key, Result]


def main() -> int:
    """Prints the table; with --markdown writes it too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--jobs", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--directory", type=Path, default=Path("bench-data"))
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args()
    directory: Path = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    field = Field(directory, build(directory), options.lines)
    forms, jobs = options.forms.split(","), [int(one) for one in options.jobs.split(",")]
    with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:  # else its peak of memory would count as everyone's
        elsewhere.submit(field.prepare, forms).result()
    rounds = [field.round(forms, jobs, with_peers=not options.no_peers) for _ in range(options.rounds)]
    head = (
        f"{options.lines:,} lines in {GENERATIONS} files, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"medians of {options.rounds}"
    )
    text = f"{head}\n\n{table(rounds)}"
    print(f"\n{text}")
    if options.markdown:
        options.markdown.write_text(f"{text}\n")
    return 0


@dataclass(frozen=True, slots=True)
class Field:
    """Where logs of so many lines lie, and the sink's program."""

    directory: Path
    sink: Path
    lines: int

    def prepare(self, forms: Sequence[str]) -> None:
        """All logs, made before anything is measured."""
        for name in {*forms, "plain"}:
            self.logs(name)
        self._one_file()

    def round(self, forms: Sequence[str], jobs: Sequence[int], *, with_peers: bool) -> Round:
        """Each row once."""
        results: dict[Key, Result] = {}
        for name in forms:
            for count in jobs:
                results[Key(name, count)] = _said(f"{name} {count} jobs", self.backfill(name, count))
        for name in forms:
            if shutil.which(FORMS[name].floor[0]):
                results[Key(" ".join(FORMS[name].floor))] = self.floor(name)
        for peer in PEERS if with_peers else ():
            if peer.path():
                bench = Bench(self.directory, self.sink, self.lines)
                done = bench.peer(peer, self._one_file())
                results[Key(peer.name)] = _said(peer.name, Result(done.run, done.lines, done.lines_per_s))
        return results

    def logs(self, name: str) -> Path:
        """A directory with the log's generations in one form, made once."""
        logs = self.directory / f"backfill-{name}-{self.lines}"
        if logs.exists():
            return logs
        partial = logs.with_name(logs.name + ".partial")
        partial.mkdir(exist_ok=True)
        form = FORMS[name]
        for number in range(1, GENERATIONS + 1):
            plain = self.directory / f"generation-{self.lines}-{number}"
            if not plain.exists():
                write_log(plain, self.lines // GENERATIONS, "combined", number)
            path = partial / f"access.log.{number}{form.suffix}"
            path.write_bytes(form.compress(plain.read_bytes()))
            os.utime(path, (1_700_000_000, 1_700_000_000))  # nobody writes to it
        partial.rename(logs)
        return logs

    def backfill(self, name: str, jobs: int) -> Result:
        """One run of the command, on a state of its own."""
        logs = self.logs(name)
        work = self.directory / "work" / f"backfill-{name}-{jobs}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        with Sink(self.sink) as sink:
            config, output = work / "logship.yml", work / "out"
            config.write_text(CONFIG.format(url=sink.url, state=work / "state", logs=logs))
            command = [sys.executable, "-m", "logship", "backfill", "-c", str(config), "--jobs", str(jobs), str(logs)]
            done = run(command, log=output)
            stats = sink.stats()
        if done.exit_code != 0 or int(stats["events"]) != self.lines:
            raise RuntimeError(f"{name}: exit {done.exit_code}, {stats['events']} events\n{output.read_text()[-2000:]}")
        return Result(done, self.lines, self.lines / (stats["last_at"] - stats["first_at"]))

    def floor(self, name: str) -> Result:
        """The command that only reads the same files."""
        done = run([*FORMS[name].floor, *map(str, sorted(self.logs(name).iterdir()))], log=Path(os.devnull))
        return Result(done, self.lines, self.lines / done.wall_s)

    def _one_file(self) -> Path:
        """All plain generations in a row, for programs that follow one log."""
        path = self.directory / f"backfill-plain-{self.lines}.log"
        if not path.exists():
            partial = path.with_suffix(".partial")
            with partial.open("wb") as out:
                for log in sorted(self.logs("plain").iterdir()):
                    out.write(log.read_bytes())
            partial.rename(path)
        return path


def _said(name: str, result: Result) -> Result:
    text = f"{name}: {result.cpu_s_per_million:.2f} CPU s/M lines, {result.lines_per_s:,.0f} lines/s"
    print(f"{text}, {result.run.peak_mib:.0f} MiB", file=sys.stderr, flush=True)
    return result


def table(rounds: Sequence[Round]) -> str:
    """GitHub's Markdown; rows without jobs are other programs."""
    peers = [peer.name for peer in PEERS if Key(peer.name) in rounds[0]]
    head = ["", "jobs", "CPU s/M lines", "of plain", *(f"of {name}" for name in peers)]
    head += ["lines per CPU s", "lines/s", "of one job", "peak MiB"]
    text = [row(head), row(["---", *("---:" for _ in head[1:])])]
    for key in rounds[0]:
        cpu = [one[key].cpu_s_per_million for one in rounds]
        compared = [_ratio(rounds, key, Key("plain", key.jobs or 1), _cpu)]
        compared += [_ratio(rounds, key, Key(name), _cpu) for name in peers]
        cells = [key.name, str(key.jobs or "-"), f"{median(cpu):.2f}", *compared]
        cells += [f"{1e6 / median(cpu):,.0f}", f"{median(one[key].lines_per_s for one in rounds):,.0f}"]
        peak_mib = max(
            one[key].run.peak_mib for one in rounds
        )  # of what only reads it is this program's before exec(2)
        cells += [
            _ratio(rounds, key, Key(key.name, 1), _speed),
            f"{peak_mib:.0f}" if key.jobs or key.name in peers else "-",
        ]
        text.append(row(cells))
    return "\n".join(text)


def _cpu(result: Result) -> float:
    return result.cpu_s_per_million


def _speed(result: Result) -> float:
    return result.lines_per_s


def _ratio(rounds: Sequence[Round], key: Key, of: Key, figure: Callable[[Result], float]) -> str:
    """The median over the rounds; "-" where there is nothing to compare with."""
    if of not in rounds[0]:
        return "-"
    return f"{median(figure(one[key]) / figure(one[of]) for one in rounds):.2f}"


if __name__ == "__main__":
    sys.exit(main())
