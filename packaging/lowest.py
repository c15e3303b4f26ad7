"""Prints a pip constraint for each library that logship runs with: the lowest version setup.cfg allows.

    python packaging/lowest.py > lowest.txt; pip install -c lowest.txt -e '.[collector,postgres,dev]'

A bound that is false shows in the tests then. What only the tests need is left to pip.
"""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

EXTRAS = ("collector", "postgres", "cluster")
BOUND = re.compile(r"(?P<name>[\w.-]+)(?P<extras>\[[\w,]+\])?>=(?P<version>[\d.]+)")


def constraints() -> list[str]:
    """`name==version`, as setup.cfg lists them. Raises: ValueError for a library without a lower bound."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    lists = [setup["options"]["install_requires"], *(setup["options.extras_require"][extra] for extra in EXTRAS)]
    found = []
    for line in "\n".join(lists).split("\n"):
        if not line.strip():
            continue
        bound = BOUND.match(line.strip())
        if bound is None:
            raise ValueError(f"setup.cfg: {line.strip()} has no lower bound")
        found.append(f"{bound['name']}=={bound['version']}")
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(constraints()) + "\n")
