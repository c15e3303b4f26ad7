"""`logship status --watch` on a terminal: it takes the alternate screen, stays inside of it, and gives it back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.rigs.daemon import logship_command
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

ROWS, COLUMNS = 12, 60
CONFIG = """
endpoint: {{url: "http://127.0.0.1:1", application_id: id}}
state_dir: {directory}/state
status: null
origin: web-1
sources: [{{paths: ["{directory}/*.log"], format: combined}}]
"""
LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 5 "-" "c"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "logship.yml"
    path.write_text(CONFIG.format(directory=tmp_path))
    return path


class Watching:
    """The command on a terminal of its own; `printed` grows as it writes."""

    def __init__(self, *arguments: str, term: str = "xterm") -> None:
        self.mine, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.set_blocking(self.mine, False)
        environ = {**os.environ, "TERM": term}
        for name in ("COLUMNS", "LINES"):  # the size of the terminal counts
            environ.pop(name, None)
        command = logship_command("status", "--watch", *arguments)
        self.process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environ)
        os.close(its)
        self.printed = ""

    def has_printed(self, text: str) -> bool:
        with contextlib.suppress(OSError):
            while part := os.read(self.mine, 65_536):
                self.printed += part.decode()
        return text in self.printed

    def end(self, signal_number: int) -> int:
        self.process.send_signal(signal_number)
        code = self.process.wait(30)
        self.has_printed("")
        os.close(self.mine)
        return code


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_screen_is_as_before_when_it_ends(config: Path, ending: signal.Signals) -> None:
    watching = Watching("-c", str(config))
    wait_until(lambda: watching.has_printed("STOPPED"), 30, "a snapshot is shown")
    assert watching.end(ending) == 1, "the daemon is stopped: somebody must act"
    assert watching.printed.startswith("\x1b[?1049h\x1b[?25l\x1b[H\x1b[J")
    assert watching.printed.endswith("\x1b[?25h\x1b[?1049l")
    assert "Traceback" not in watching.printed


def test_many_files_stay_inside_of_the_screen(config: Path, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.log").write_text(LINE)
    with Receiver() as receiver:
        config.write_text(config.read_text().replace("http://127.0.0.1:1", receiver.url))
        subprocess.run(logship_command("run", "--once", "-c", str(config)), capture_output=True, check=True)
    watching = Watching("--all", "-c", str(config))
    wait_until(lambda: watching.has_printed("without --watch"), 30, "what is missing is said")
    watching.end(signal.SIGINT)
    (first, *_) = watching.printed.split("\x1b[H\x1b[J")[1:]
    assert len(first.partition("\x1b[?25h")[0].splitlines()) < ROWS


def test_a_terminal_without_a_screen_and_json_are_written_to_line_by_line(config: Path) -> None:
    for arguments, term in ((), "dumb"), (("--json",), "xterm"):
        watching = Watching("-c", str(config), *arguments, term=term)
        wait_until(lambda: watching.has_printed("\n"), 30, "a snapshot is shown")  # noqa: B023  # called at once
        watching.end(signal.SIGINT)
        assert "\x1b[?1049" not in watching.printed
