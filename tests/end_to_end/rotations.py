"""docs/rotation.md: every program that rotates, copies or edits a log, its daemon running, stopped or killed.

`python -m tests.end_to_end.rotations` writes the page; test_rotations.py fails where it would be another.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.rigs.daemon import Daemon, logship_command
from tests.rigs.receiver import Receiver
from tests.rigs.rotations import Log, ways
from tests.rigs.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "rotation.md"
FATES = ("running", "stopped", "killed")
TURNS = 2
DEADLINE_S = 40.0
HEAD = """\
# Rotation

Each program below treats a log twice in a row, while logship runs, is stopped, or was killed in the middle of sending.
Lines are written before, between and after. Then `logship backfill --restart` sends every file once more, under the
name it has by then. **once** means: every line arrived, and none has a second id, neither from the daemon nor from the
backfill. The tests run the real programs and fail when this page would look different.
(`python -m tests.end_to_end.rotations` writes it.)

| program | configuration | files afterwards | running | stopped | killed |
|---|---|---|---|---|---|
"""


@dataclass
class Trial:
    """One life of a daemon over one log for each way.

    Shapes: `outcomes` says of each way what became of its lines; `errors` are the ERROR lines of the daemon's log.
    """

    directory: Path
    fate: str
    outcomes: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    repeats: int = 0

    def run(self) -> None:
        with Receiver() as receiver:
            self._receiver = receiver
            self._ways = ways()
            self._logs = {way.name: Log(self.directory / "logs" / way.name / way.log, way.name) for way in self._ways}
            self._config = self._write_config(receiver.url)
            with Daemon(self._config, self.directory) as daemon:
                self._play(daemon)
                self._arrive()
                self.statuses.append(self._command("status", "-c", str(self._config)))
                self.exits.append(daemon.terminate())
                self.repeats = receiver.repeats
                self.errors = [line for line in daemon.log().splitlines() if " ERROR " in line]
            self._judge()
            self._backfill()

    def _play(self, daemon: Daemon) -> None:
        """Lines that arrive, the daemon's fate, lines that nobody reads yet, two rotations with lines after each."""
        self._write(60)
        self._arrive()
        if self.fate == "killed":
            self._write(200)
            wait_until(lambda: len(self._receiver.ids) > len(self._logs) * 70, what="some of the lines")
            daemon.kill()
        elif self.fate == "stopped":
            self.exits.append(daemon.terminate())
        self._write(30)
        for turn in range(TURNS):
            for way in self._ways:
                way.rotate(self._logs[way.name], turn)
            self._write(20)
        if self.fate != "running":
            daemon.start()
        self._arrive()
        self.exits.append(daemon.terminate())  # what a look at everything from the state alone would send twice
        daemon.start()
        self._write(3)

    def _write(self, count: int) -> None:
        for log in self._logs.values():
            log.write(count)

    def _arrive(self) -> None:
        """Waits for every line, or for as long as it makes sense: then the comparison shows what is missing."""
        lines = sum(log.written for log in self._logs.values())
        try:
            wait_until(lambda: len(self._receiver.ids) >= lines, DEADLINE_S)
        except AssertionError:
            return

    def _judge(self) -> None:
        arrived = self._arrivals()
        for way in self._ways:
            log = self._logs[way.name]
            copies = [arrived[log.target(number)] for number in range(log.written)]
            missing, twice = copies.count(0), sum(count > 1 for count in copies)
            self.outcomes[way.name] = _said(log.written, missing, twice)
            self.files[way.name] = _names(log)

    def _backfill(self) -> None:
        """The same files with the ids they had; what got another is said instead."""
        before = self._arrivals()
        code = self._command("backfill", "-c", str(self._config), "--restart", *map(str, self._every_file()))
        self.exits.append(code)
        after = self._arrivals()
        for way in self._ways:
            log = self._logs[way.name]
            again = sum(after[log.target(number)] - before[log.target(number)] for number in range(log.written))
            if again:
                self.outcomes[way.name] += f", {again} under other ids in a backfill"

    def _every_file(self) -> list[Path]:
        return sorted(path for path in (self.directory / "logs").rglob("*") if path.is_file())

    def _arrivals(self) -> Counter[str]:
        return Counter(re.sub(r"^https?://[^/]+", "", event["request"]["uri"]) for event in self._receiver.events)

    def _command(self, *words: str) -> int:
        done = subprocess.run(logship_command(*words), capture_output=True, text=True, check=False)
        if done.returncode:
            self.errors.append(f"logship {words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode

    def _write_config(self, url: str) -> Path:
        logs = self.directory / "logs"
        paths = sorted({f"{logs}/*/{way.paths or way.log}" for way in self._ways})
        rotated = sorted({f"{logs}/*/{way.rotated}" for way in self._ways if way.rotated})
        path = self.directory / "logship.yml"
        path.write_text(
            f"""
endpoint: {{url: "{url}", application_id: rotation}}
batch: {{max_age: 100ms}}
state_dir: {self.directory}/state
origin: web-1
status: null
sources:
  - name: site
    paths: {paths}
    rotated: {rotated}
    format: combined
    fields: {{host: shop.example}}
    start_at: beginning
"""
        )
        return path


def _said(lines: int, missing: int, twice: int) -> str:
    wrong = [f"{missing} of {lines} lost"] if missing else []
    wrong += [f"{twice} of {lines} twice"] if twice else []
    return ", ".join(wrong) or "once"


def _names(log: Log) -> str:
    folder = log.path.parent
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path != log.path)
    return " ".join(f"`{name}`" for name in names) or "–"


def page(trials: Mapping[str, Trial]) -> str:
    """docs/rotation.md as these trials make it."""
    files = trials[FATES[0]].files
    rows = (
        (way.program, way.what, files[way.name], *(trials[fate].outcomes[way.name] for fate in FATES)) for way in ways()
    )
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def told(fate: str) -> dict[str, str]:
    """What the page says of every way for one fate."""
    column = 4 + FATES.index(fate)
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    names = [way.name for way in ways()]
    return dict(zip(names, (row[column].strip() for row in rows), strict=True))


def main() -> None:
    trials = {}
    for fate in FATES:
        with tempfile.TemporaryDirectory(prefix="logship-rotation-") as directory:
            trials[fate] = Trial(Path(directory), fate)
            trials[fate].run()
            sys.stderr.write("\n".join([fate, *trials[fate].errors, ""]))
    PAGE.write_text(page(trials), encoding="utf-8")


if __name__ == "__main__":
    main()
