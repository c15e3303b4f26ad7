"""What the installed unit gives the daemon: its user, further groups, and the folders that its sandbox hides."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import field

from logship.records import record

UNIT = "logship.service"
ASK_S = 5.0
HIDING = {  # setting -> (folders, values that leave them visible, what to write instead)
    "ProtectHome": (("/home", "/root", "/run/user"), ("no", "read-only"), "ProtectHome=read-only"),
    "PrivateTmp": (("/tmp", "/var/tmp"), ("no",), "PrivateTmp=no"),  # noqa: S108 # names of folders, nothing is made
}


@record
class ServiceUnit:
    """The unit as systemd has it, drop-ins included.

    Shapes: `user` is "" where no unit is known; `hidden` folder -> the setting that would show it.
    """

    user: str = ""
    groups: tuple[str, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)


def service_unit(unit: str = UNIT) -> ServiceUnit:
    """Asks systemd; where none runs, or it knows no such unit, there is nothing to say."""
    names = ("User", "SupplementaryGroups", *HIDING)
    try:
        done = subprocess.run(  # noqa: S603 # fixed words; the program is wherever this system has it
            ["systemctl", "show", f"--property={','.join(names)}", unit],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=ASK_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ServiceUnit()
    shown = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    if done.returncode or not shown.get("User"):
        return ServiceUnit()
    hidden = {
        folder: instead
        for setting, (folders, visible, instead) in HIDING.items()
        if shown.get(setting, "no") not in visible
        for folder in folders
    }
    return ServiceUnit(shown["User"], tuple(shown.get("SupplementaryGroups", "").split()), hidden)
