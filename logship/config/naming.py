"""Names of sources that were given none."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import PurePath

GLOB_SIGNS = re.compile(r"[*?{}\[\],]+")
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
