"""The rows of the table: a log, a configuration, a command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from benchmarks.generator import CUSTOM_FORMAT, write_log
from benchmarks.measure import Run, run
from benchmarks.nginx_log import write_with_nginx
from benchmarks.peers import Peer
from benchmarks.sink import Sink

COMBINED = "combined"
JSON_FORMAT = "{json: auto}"
RICH_MAPPING = """
      extends: default
      trusted_proxies: [private]
      rules:
        - {name: probes, if: {path: [/health, /robots.txt]}, drop: true}
        - {name: errors, if: {status: [4xx, 5xx]}, keep: true}
        - {name: assets, if: {path: {matches: '^/assets/'}}, sample: 50%}
        - {name: users, if: {path: {matches: '^/api/v2/users/(?P<user>[0-9]+)/'}}, set: {user_id: $user}}
      redact: {query: [q, utm_campaign], headers: [Referer], ip: truncate}
"""
UNUSED_MAPPING = """
      extends: default
      max_body_bytes: 100kB
      lookups: {company: {from: $arg_api_key, table: {k1: acme}}, plan: {from: $company, table: {acme: gold}}}
      jwt: {from: $http_authorization, claims: {who: sub}}
      redact: {body: [password, card.number]}
"""  # features that no key of the event uses: the row is to cost what plain does
LANGUAGE_MAPPING = """
      extends: default
      lookups: {company: {from: $arg_page, table: {"1": acme, "2": globex}, default: unknown}}
      event: {company_id: $company, session_token: "${remote_user|lower:-nobody}", metadata: {page: $arg_page}}
      redact: {query: [token, password]}
"""
FORWARDED_MAPPING = "{extends: default, trusted_proxies: [private]}"
CONFIG = """
endpoint: {{url: "{url}", application_id: benchmark, compression: {compression}, max_event_age: 36500d}}
delivery: {{concurrency: {concurrency}}}
state_dir: {work}/state
origin: web-1
status: null
sources:
  - name: bench
    paths: ["{paths}"]
    format: {format}
    mapping: {mapping}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `kind` names the generator's kind of log."""

    name: str
    kind: str = COMBINED
    format: str = COMBINED
    mapping: str = "default"
    compression: str = "none"
    concurrency: int = 4
    delay_ms: int = 0
    lines: int | None = None  # None: as many as the whole run has
    files: int = 1  # the log's lines stand in so many
    environ: Mapping[str, str] = field(default_factory=dict)


FEWER = 100_000  # lines where Python converts them: a million take half a minute
WITHOUT_KERNEL = {"LOGSHIP_KERNEL": "off"}
CUSTOM = "{apache: '" + CUSTOM_FORMAT + "'}"
CONVERSIONS = (  # what costs more or less to convert; each has a row without the kernel, and the same events there
    Row("plain"),
    Row("unused features", mapping=UNUSED_MAPPING),
    Row("common", kind="common", format="common"),
    Row("custom LogFormat", kind="custom", format=CUSTOM),
    Row("X-Forwarded-For, trusted proxies", kind="custom", format=CUSTOM, mapping=FORWARDED_MAPPING),
    Row("rich mapping", kind="custom", format=CUSTOM, mapping=RICH_MAPPING),
    Row("JSON log", kind="json", format=JSON_FORMAT),
    Row("nginx JSON", kind="nginx", format=JSON_FORMAT),
    Row("every line with escapes", kind="escaped"),
    Row("hostile lines", kind="hostile", lines=FEWER),
)
START = Row("start", lines=1)  # one line: what a start and an end cost
ROWS = (
    *CONVERSIONS,
    *(replace(row, name=f"{row.name} (no kernel)", environ=WITHOUT_KERNEL, lines=FEWER) for row in CONVERSIONS),
    Row("gzip", compression="gzip"),
    Row("100 files", files=100),
    Row("10k files", files=10_000),
    Row("concurrency 1", concurrency=1),
    Row("concurrency 16", concurrency=16),
    Row("100 ms away, concurrency 1", delay_ms=100, concurrency=1, lines=50_000),
    Row("100 ms away, concurrency 4", delay_ms=100, concurrency=4, lines=100_000),
    Row("100 ms away, concurrency 16", delay_ms=100, concurrency=16, lines=200_000),
)


@dataclass(frozen=True, slots=True)
class Result:
    """A measured row.

    Shapes: `lines` in the log, `events` at the sink, `log_bytes` of input.
    """

    name: str
    run: Run
    lines: int
    events: int
    log_bytes: int
    posts: int

    @property
    def cpu_s_per_million(self) -> float:
        return self.run.cpu_s / self.lines * 1e6

    @property
    def lines_per_s(self) -> float:
        return self.lines / self.run.wall_s

    @property
    def mb_per_s(self) -> float:
        return self.log_bytes / self.run.wall_s / 1e6


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a run of the table keeps its files, and how many lines its logs have."""

    directory: Path
    sink: Path
    lines: int

    def log(self, kind: str, lines: int) -> Path:
        """The log of a kind, made once."""
        path = self.directory / f"{kind}-{lines}.log"
        if not path.exists():
            partial = path.with_suffix(".partial")
            (write_with_nginx if kind == "nginx" else write_log)(partial, lines, kind)
            partial.rename(path)
        return path

    def files(self, log: Path, files: int) -> Path:
        """A directory with the log's lines in so many files, made once."""
        directory = log.with_name(f"{log.stem}-{files}-files")
        if not directory.exists():
            partial = directory.with_name(f"{directory.name}.partial")
            partial.mkdir()
            with log.open("rb") as whole:
                each = -(-sum(1 for _ in whole) // files)
                whole.seek(0)
                for number in range(files):
                    # line by line: a child's peak counts what its parent held at the fork
                    with (partial / f"{number}.log").open("wb") as part:
                        part.writelines(islice(whole, each))
            partial.rename(directory)
        return directory

    def ship(self, row: Row) -> Result:
        """One row: `logship run --once` over its log."""
        lines = min(row.lines or self.lines, self.lines)
        log = self.log(row.kind, lines)
        if row.files > 1:
            self.files(log, row.files)
        work = self.directory / "work" / row.name.replace(" ", "-").replace(",", "")
        return self._measure(
            row.name,
            log,
            lines,
            row.delay_ms,
            lambda sink: self._command(row, log, work, sink.url),
            environ=row.environ,
        )

    def digest(self, row: Row) -> str:
        """Of all events that the row's log becomes; not measured, as hashing takes the sink longer than counting."""
        lines = min(row.lines or self.lines, self.lines)
        log = self.log(row.kind, lines)
        with Sink(self.sink, digests=True) as sink:
            command = self._command(row, log, self.directory / "work" / "digest", sink.url)
            run(command, log=self.directory / "digest.out", environ=row.environ)
            return sink.digest()

    def peer(self, peer: Peer, log: Path | None = None) -> Result:
        """The same log (or another of as many lines) through another shipper, ended once the sink has everything."""
        log = log or self.log(COMBINED, self.lines)
        work = self.directory / "work" / peer.name
        return self._measure(
            peer.name, log, self.lines, 0, lambda sink: peer.prepare(log, sink.port, work), is_daemon=True
        )

    def floor(self, name: str, command: list[str]) -> Result:
        """A command that only touches the log."""
        log = self.log(COMBINED, self.lines)
        output = self.directory / "floor.log"
        done = run([*command, str(log)], log=output)
        if done.exit_code:
            raise RuntimeError(f"{name}: exit {done.exit_code}\n{output.read_text()[-2000:]}")
        return Result(name, done, self.lines, 0, log.stat().st_size, 0)

    def _measure(
        self,
        name: str,
        log: Path,
        lines: int,
        delay_ms: int,
        command: Callable[[Sink], list[str]],
        is_daemon: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> Result:
        with Sink(self.sink, delay_ms) as sink:
            output = self.directory / f"{name.replace(' ', '-')}.out"
            until = (lambda: sink.events() >= lines) if is_daemon else None
            done = run(command(sink), until=until, log=output, environ=environ)
            stats = sink.stats()
        if done.exit_code not in (0, 1):  # 1: dead letters, which hostile logs have
            raise RuntimeError(f"{name}: exit {done.exit_code}\n{output.read_text()[-2000:]}")
        return Result(name, done, lines, int(stats["events"]), log.stat().st_size, int(stats["requests"]))

    def _command(self, row: Row, log: Path, work: Path, url: str) -> list[str]:
        state = work / "state"
        state.mkdir(parents=True, exist_ok=True)
        for left in state.rglob("*"):
            left.unlink()
        config = work / "logship.yml"
        config.write_text(
            CONFIG.format(
                url=url,
                compression=row.compression,
                concurrency=row.concurrency,
                work=work,
                paths=log if row.files == 1 else self.files(log, row.files) / "*.log",
                format=row.format,
                mapping=row.mapping,
            )
        )
        return [sys.executable, "-m", "logship", "run", "--once", "-c", str(config)]
