"""A daemon on one log, with every view of it: the command, /metrics, /healthz, /readyz."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.rigs.daemon import Daemon, logship_command
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /p/{} HTTP/1.1" 200 17 "-" "curl/8"\n'


END_OF_PICTURE = b"\n\n"


def without_numbers(text: str) -> str:
    """A picture without what differs between two looks: how long ago, how often, and the blanks that make columns."""
    steady = re.sub(r"[;·] next try in [\d.]+ \w+| (?:next try in|for) [\d.]+ \w+", "", text)
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.,]*(?: (?:s|min)\b|/s|/min)?|-(?= )", "N", steady)).strip()


@dataclass(frozen=True)
class Views:
    """All views of one moment at which nothing moved."""

    status: dict[str, Any]
    printed: str
    exit_code: int
    metrics: dict[str, float]
    health: int
    readiness: int

    @property
    def advice(self) -> str:
        return "\n".join(f"{each['where']}: {each['text']}; {each['remedy']}" for each in self.status["advice"])

    def sum_of_lines(self) -> float:
        """The parts of the sum, from /metrics."""
        parts = [name for name in self.metrics if name.startswith("logship_lines_") and "lines_total" not in name]
        return sum(self.metrics[name] for name in parts)


class Following:
    """`site`: one log, one receiver, one state directory, one daemon."""

    def __init__(
        self, directory: Path, receiver: Receiver, wrapper: Sequence[str] = (), state: Path | None = None
    ) -> None:
        self.directory = directory
        self.log = directory / "logs/access.log"
        self.state = state or directory / "state"
        self.port = free_port()
        self.receiver = receiver
        self.config = directory / "logship.yml"
        self.log.parent.mkdir()
        self.log.touch()
        self.write_config()
        self.daemon = Daemon(self.config, directory, wrapper=wrapper)
        self.written = 0

    def write_config(self, form: str = "combined") -> None:
        self.config.write_text(
            f"""
endpoint: {{url: "{self.receiver.url}", application_id: some-id}}
delivery: {{retry_initial: 50ms, retry_max: 200ms, concurrency: 1}}
batch: {{max_age: 50ms, max_bytes: 20000}}
state_dir: {self.state}
origin: web-1
status: {{listen: "127.0.0.1:{self.port}"}}
sources:
  - name: site
    paths: ["{self.log}"]
    format: {form}
    start_at: beginning
    mapping: {{extends: default, rules: [{{name: probes, if: {{path: /p/0}}, drop: true}}]}}
"""
        )

    def write(self, lines: int) -> None:
        """So many lines at the end of the log; the first line of all is a probe, which is dropped."""
        with self.log.open("a") as log:
            log.write("".join(LINE.format(self.written + number) for number in range(lines)))
        self.written += lines

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(self.get("/status")[1])
        return tree

    def wait(self, condition: Callable[[dict[str, Any]], object], what: str) -> None:
        """Until the daemon's own status fulfils `condition`."""

        def holds() -> bool:
            try:
                return bool(condition(self.status()))
            except (OSError, ValueError):  # it is starting
                return False

        wait_until(holds, 30, f"{what}; its log:\n{self.daemon.log()[-2000:]}", every_s=0.05)

    def wait_until_idle(self) -> None:
        self.wait(lambda status: status["files"] and not any(file["lag_bytes"] for file in status["files"]), "all sent")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            logship_command("status", "-c", str(self.config), *arguments), capture_output=True, text=True, check=False
        )

    def watch(self) -> tuple[str, int]:
        """The first picture of `status --watch`, and its exit code after Ctrl-C."""
        watching = subprocess.Popen(
            logship_command("status", "-c", str(self.config), "--watch"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert watching.stdout is not None
        os.set_blocking(watching.stdout.fileno(), False)
        shown = b""

        def is_whole() -> bool:
            nonlocal shown
            shown += watching.stdout.read() or b""  # type: ignore[union-attr] # it was asserted
            return shown.endswith(END_OF_PICTURE)

        wait_until(is_whole, 30, "a picture", every_s=0.05)
        watching.send_signal(signal.SIGINT)
        watching.communicate()
        return shown.split(END_OF_PICTURE)[0].decode(), watching.returncode

    def views(self) -> Views:
        shown, tree, (watched, watch_code) = self.command(), self.command("--json"), self.watch()
        assert shown.returncode == tree.returncode == watch_code, shown.stdout + shown.stderr
        assert without_numbers(watched) == without_numbers(shown.stdout), f"{watched}\n{shown.stdout}"
        metrics = {
            f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1].decode())
            for sample in family.samples
        }
        return Views(
            status=json.loads(tree.stdout),
            printed=shown.stdout,
            exit_code=shown.returncode,
            metrics=metrics,
            health=self.get("/healthz")[0],
            readiness=self.get("/readyz")[0],
        )
