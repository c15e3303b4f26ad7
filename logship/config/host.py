"""What this host gives where the config is silent: its name, and a place for the state."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from pathlib import Path

NO_NAMES = re.compile(r"localhost(\..*)?|debian|ubuntu|raspberrypi|[0-9a-f]{12}|\(none\)|")  # images, containers


def host_name() -> str:
    """The host's name, `localhost` if it has none."""
    return socket.gethostname() or "localhost"


def is_no_name(name: str) -> bool:
    """Whether many hosts are called so, or the next container will be called otherwise."""
    return NO_NAMES.fullmatch(name) is not None


def state_dir(value: str | None, directory: Path, environ: Mapping[str, str]) -> Path:
    """What the config says (relative to its `directory`), else what systemd gives, else the XDG base directory."""
    if value is not None:
        return directory / value
    if systemd := environ.get("STATE_DIRECTORY"):
        return Path(systemd.split(":")[0])
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/root")) / ".local/state")
    return Path(home) / "logship"
