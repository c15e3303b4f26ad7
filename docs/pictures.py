"""docs/pictures/: `logship preview`, `logship status` and the collector's page, taken of a running demo.

`python docs/pictures.py` takes them anew. It needs nginx for the traffic and Debian's chromium for the page.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from logship.demo import Demo

PICTURES = Path(__file__).resolve().parent / "pictures"
COLUMNS = 170
SECONDS = 8.0  # of traffic
PAGE_SIZE = "1480,1180"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REMOTE_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # a picture loads nothing from elsewhere


def printed(*arguments: str, cwd: Path) -> str:
    """What `logship` prints on a terminal, with its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    child = subprocess.Popen(  # noqa: S603 # our own program
        [sys.executable, "-m", "logship", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(PICTURES.parents[1])},
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # EIO is how a terminal says that nobody writes to it any more
        while block := os.read(ours, 65_536):
            output += block
    os.close(ours)
    child.wait()
    return output.decode().replace("\r\n", "\n")


def drawn(text: str, title: str) -> str:
    """A picture of a terminal with this text."""
    width = max(Text.from_ansi(line).cell_len for line in text.splitlines())
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(text.strip("\n")), soft_wrap=True)
    svg = REMOTE_FONT.sub("", console.export_svg(title=title, unique_id=title.split()[-1]))
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def photograph(url: str, target: Path, directory: Path) -> None:
    """The page as a browser shows it.

    Raises: SystemExit without a browser.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit("no chromium here: apt-get install chromium")
    command = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", f"--window-size={PAGE_SIZE}"]
    command += ["--no-sandbox"] if os.geteuid() == 0 else []
    command += ["--virtual-time-budget=4000", f"--user-data-dir={directory}/browser", f"--screenshot={target}", url]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)  # noqa: S603


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logship-pictures-") as name:
        directory = Path(name)
        demo = Demo(directory)
        try:
            demo.start("127.0.0.1", 0)
            for _ in demo.moments(SECONDS):
                pass
            status = printed("status", "-c", "logship.yml", cwd=directory)
            preview = printed("preview", "-n", "1", "-c", "logship.yml", "access.log", cwd=directory)
            photograph(demo.page, PICTURES / "collector.png", directory)
        finally:
            demo.finish()
            demo.stop()
        for title, text in (("logship status", status), ("logship preview", preview)):
            log = str(demo.log_path)
            text = text.replace(log, "/var/log/demo/access.log".ljust(len(log)))
            (PICTURES / f"{title.split()[-1]}.svg").write_text(drawn(text, title), encoding="utf-8")


if __name__ == "__main__":
    main()
