"""rsyslog and syslog-ng doing the same job, where they are installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CONFIGS = Path(__file__).with_name("peers")
SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another shipper: `command(config, work)` starts it in the foreground."""

    name: str
    program: str
    package: str
    config: str
    command: Callable[[str, Path, Path], list[str]]

    def path(self) -> str | None:
        return shutil.which(self.program, path=SBIN)

    def prepare(self, log: Path, port: int, work: Path) -> list[str]:
        """Write the configuration and give the command line."""
        shutil.rmtree(work, ignore_errors=True)  # a state of an earlier run would make it begin at the log's end
        work.mkdir(parents=True)
        text = (CONFIGS / self.config).read_text()
        for name, value in {"LOG": log, "PORT": port, "WORK": work, "PEERS": CONFIGS}.items():
            text = text.replace(f"@{name}@", str(value))
        config = work / self.config
        config.write_text(text)
        return self.command(self.path() or self.program, config, work)


PEERS = (
    Peer(
        "rsyslog",
        "rsyslogd",
        "rsyslog rsyslog-elasticsearch",
        "rsyslog.conf",
        lambda program, config, work: [program, "-n", "-f", str(config), "-i", str(work / "pid")],
    ),
    Peer(
        "syslog-ng",
        "syslog-ng",
        "syslog-ng-core syslog-ng-mod-http",
        "syslog-ng.conf",
        lambda program, config, work: [
            *(program, "-F", "-f", str(config), "-R", str(work / "persist"), "-c", str(work / "ctl")),
            *("-p", str(work / "pid"), "--no-caps"),
        ],
    ),
)
