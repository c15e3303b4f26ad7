"""Status of a daemon that does not run or does not answer: from what it saved in the state directory."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from logship import __version__, kernel
from logship.check.permissions import unit_of
from logship.checkpoint import Checkpoint
from logship.clock import iso_time
from logship.process.logs import escaped
from logship.status.advice import Faults, advise
from logship.status.model import Advice, FileReport, FileState, ReceiverReport, Status


def stopped_status(
    checkpoints: Iterable[Checkpoint],
    *,
    config: Path,
    state_dir: str,
    origin: str,
    wall_s: float,
    dead_letters: int,
    why: str,
    pid: int | None = None,
    is_off: bool = False,
    receivers: tuple[ReceiverReport, ...] = (),
) -> Status:
    """The status according to the state: saved positions against the current sizes of files.

    Shapes: `config` is the file it runs with; `why` is why no daemon answered; `pid` is a daemon that runs
    nevertheless, None without one; `is_off`: its status endpoint is off; `receivers` are those whose rules are known.
    The size of compressed generations is the last known one.
    """
    unit = unit_of(config)
    files = tuple(_file(checkpoint, wall_s) for checkpoint in checkpoints if not _is_done(checkpoint))
    if pid is None:
        cause = Advice("error", "", f"the daemon is stopped ({why})", f"start it: {_start(unit, config)}")
    else:
        text = f"the daemon runs as process {pid} but does not answer ({why}); this is what it has saved"
        look = "see its log" + (f": journalctl -u {unit}" if unit else "")
        cause = Advice("warning" if is_off else "error", "", text, look)
    return Status(
        state="stopped" if pid is None else "silent",
        pid=pid,
        taken_at=iso_time(wall_s),
        state_dir=state_dir,
        version=__version__,
        kernel=kernel.IMPLEMENTATION,
        origin=origin,
        files=files,
        receivers=receivers,
        dead_letters=dead_letters,
        advice=(cause, *advise(files, (), (), dead_letters, Faults())),
    )


def _start(unit: str, config: Path) -> str:
    return f"systemctl start {unit}" if unit else f"logship run -c {shlex.quote(str(config))}"


def _is_done(checkpoint: Checkpoint) -> bool:
    return checkpoint.is_finished and checkpoint.position >= checkpoint.size_bytes


def _file(checkpoint: Checkpoint, wall_s: float) -> FileReport:
    size, changed_s = checkpoint.size_bytes, checkpoint.mtime_ns / 1e9
    try:
        now = os.stat(checkpoint.path)
    except OSError:  # gone or closed to this user: the size last seen counts
        now = None
    if now and (now.st_dev, now.st_ino) == (checkpoint.device, checkpoint.inode) and now.st_size >= size:
        size = now.st_size
    lag = max(0, size - checkpoint.position)
    return FileReport(
        source=checkpoint.source,
        path=escaped(checkpoint.path),
        generation=checkpoint.generation,
        state=FileState.CATCHING_UP if lag else FileState.OK,
        position=checkpoint.position,
        size_bytes=size,
        lag_bytes=lag,
        lag_s=max(0.0, wall_s - changed_s) if lag else 0.0,
        lost_bytes=checkpoint.lost_bytes,
    )
