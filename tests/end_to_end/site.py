"""One log, one receiver in the test's hand and a daemon between them, for what an administrator does to it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.rigs.daemon import Daemon, logship_command
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET {} HTTP/1.1" 200 17 "-" "curl/8"\n'
APPLICATION_ID = "site-application-id"
SOURCE = '{{name: site, paths: ["{log}"], format: combined, start_at: beginning, mapping: default}}'
READY = "ready files"


class Site:
    """`directory` with a log, a state and a configuration; the daemon is started by the test."""

    def __init__(self, directory: Path, url: str, *, sources: Sequence[str] = (SOURCE,), shutdown: str = "2s") -> None:
        """Shapes: `sources` and `shutdown` as write_config() takes them."""
        self.directory = directory
        self.log = directory / "access.log"
        self.log.touch()
        self.config = directory / "logship.yml"
        self.write_config(url, sources=sources, shutdown=shutdown)
        self.daemon = Daemon(self.config, directory)
        self.written: list[str] = []

    def write_config(
        self,
        url: str,
        *,
        sources: Sequence[str] = (SOURCE,),
        shutdown: str = "2s",
        timeout: str = "30s",
        max_bytes: int = 20_000,
        status: str = "null",
    ) -> None:
        """Shapes: `sources` are YAML, with {log} and {here} to be filled in."""
        named = "\n".join(f"  - {each.format(log=self.log, here=self.directory)}" for each in sources)
        self.config.write_text(
            f"""
endpoint: {{url: "{url}", application_id: {APPLICATION_ID}, timeout: {timeout}}}
delivery: {{retry_initial: 50ms, retry_max: 200ms, shutdown_timeout: {shutdown}}}
batch: {{max_age: 50ms, max_bytes: {max_bytes}}}
state_dir: {self.directory}/state
origin: web-1
status: {status}
sources:
{named}
"""
        )

    def write(self, lines: int, to: Path | None = None) -> None:
        """So many lines at the end of the log (or of `to`), each with a target of its own."""
        targets = [f"/{len(self.written) + number}" for number in range(lines)]
        with (to or self.log).open("a") as log:
            log.write("".join(map(LINE.format, targets)))
        self.written += targets

    def start(self) -> None:
        """Returns when the daemon has looked at everything once."""
        starts = self.daemon.log().count(READY)
        self.daemon.start()
        self.daemon.wait_for_log(READY, times=starts + 1)

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Another command of logship on the same configuration."""
        command = logship_command(arguments[0], "-c", str(self.config), *arguments[1:])
        whole = {**os.environ, **(environ or {})}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=whole, timeout=60)

    def wait_for_all(self, *receivers: Receiver) -> None:
        """Until every line that was written has come to one of the receivers, each once."""
        wait_until(
            lambda: sum(len(each.events) for each in receivers) >= len(self.written),
            30,
            f"{len(self.written)} events; the daemon's log:\n{self.daemon.log()[-3000:]}",
        )
        assert sorted(target for each in receivers for target in targets(each)) == sorted(self.written)


def targets(receiver: Receiver) -> list[str]:
    """Paths of the events that stand in a receiver."""
    return [event["request"]["uri"].removeprefix("https://web-1") for event in receiver.events]
