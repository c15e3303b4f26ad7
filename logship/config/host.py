"""Defaults from the host: its name, the state directory, names of sources."""

from __future__ import annotations

import re
import socket
from collections.abc import Container, Mapping
from pathlib import Path, PurePath

from logship.patterns import deferred

NO_NAMES = deferred(r"localhost(\..*)?|debian|ubuntu|raspberrypi|[0-9a-f]{12}|\(none\)|")  # images, containers


def host_name() -> str:
    """The host's name, `localhost` if it has none."""
    return socket.gethostname() or "localhost"


def is_no_name(name: str) -> bool:
    """Whether the name is not unique, or changes with the container."""
    return NO_NAMES.fullmatch(name) is not None


def state_dir(value: str | None, directory: Path, environ: Mapping[str, str]) -> Path:
    """The config's value (relative to its `directory`), else systemd's, else the XDG base directory."""
    if value is not None:
        return directory / value
    if systemd := environ.get("STATE_DIRECTORY"):
        return Path(systemd.split(":")[0])
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/root")) / ".local/state")
    return Path(home) / "logship"


GLOB_SIGNS = deferred(r"[*?{}\[\],]+")
NO_NAME = frozenset({"", "access", "log", "logs", "other_vhosts_access", "requests"})


def name_from_path(pattern: str) -> str:
    """`nginx` for /var/log/nginx/*access.log, `shop` for /var/log/nginx/shop.access.log."""
    for part in reversed(PurePath(pattern).parts):
        stem = GLOB_SIGNS.sub("", part.split(".log")[0])
        name = re.sub(r"[-_.]?access$", "", stem.strip("-_./")).strip("-_./")
        if name not in NO_NAME:
            return name
    return "source"


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with a number when another source has it."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
