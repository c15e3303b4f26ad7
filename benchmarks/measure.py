"""Whole processes, measured by the kernel's own account of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WITH_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}  # an installed package has it: its first run here writes it


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to end, its children included.

    Shapes: seconds; peak_mib is the largest single process.
    """

    cpu_s: float
    wall_s: float
    peak_mib: float
    exit_code: int


def run(
    command: Sequence[str],
    *,
    until: Callable[[], bool] | None = None,
    log: Path,
    limit_s: float = 600.0,
    environ: Mapping[str, str] | None = None,
) -> Run:
    """Run `command`, with `environ` added, to its end, or until `until()` and then end it with SIGTERM.

    Raises: RuntimeError when it is still there after `limit_s`, with the end of what it said.
    """
    start_s = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **WITH_BYTECODE, **(environ or {})},
        )
    done_s = 0.0
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        now_s = time.monotonic()
        if until is not None and not done_s and until():
            done_s = now_s
            child.send_signal(signal.SIGTERM)
        if now_s - start_s > limit_s:
            child.kill()
            os.wait4(child.pid, 0)
            raise RuntimeError(f"{command[0]} did not finish in {limit_s:g} s:\n{log.read_text()[-2000:]}")
        time.sleep(0.01)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Run(
        cpu_s=usage.ru_utime + usage.ru_stime,
        wall_s=(done_s or time.monotonic()) - start_s,
        peak_mib=usage.ru_maxrss / 1024,
        exit_code=child.returncode,
    )
