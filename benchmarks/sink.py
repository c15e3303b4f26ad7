"""The counting receiver: sink.c, built once, one process a row."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

SOURCE = Path(__file__).with_name("sink.c")


def build(directory: Path) -> Path:
    """The sink's program.

    Raises: RuntimeError with what to install.
    """
    program = directory / "sink"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler for the counting sink; on Debian: apt-get install gcc libc6-dev zlib1g-dev")
    built = subprocess.run(
        [compiler, "-O2", "-o", str(program), str(SOURCE), "-lz"], capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise RuntimeError(f"the sink does not build; on Debian: apt-get install zlib1g-dev\n{built.stderr[-1000:]}")
    return program


class Sink:
    """One counting receiver on a free port of loopback."""

    def __init__(self, program: Path, delay_ms: int = 0, *, digests: bool = False) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        # A session of its own: Linux shares cores out among sessions, and niced workers beside it would be cheated.
        self._process = subprocess.Popen(
            [program, str(self.port), str(delay_ms), *(["digest"] if digests else [])],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # "listening"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def stats(self) -> dict[str, float]:
        """requests, body_bytes, events, first_at, last_at, cpu_s."""
        return {name: number for name, number in self._stats().items() if isinstance(number, int | float)}

    def events(self) -> int:
        return int(self.stats()["events"])

    def digest(self) -> str:
        """Of all events, in whatever order and bodies they came; for a sink that `digests`."""
        return str(self._stats()["digest"])

    def _stats(self) -> dict[str, object]:
        with urllib.request.urlopen(f"{self.url}/stats", timeout=10) as answer:
            stats: dict[str, object] = json.load(answer)
        return stats
