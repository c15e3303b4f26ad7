"""The service of systemd that reads a configuration, and what its unit gives the daemon: a user, groups, a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from logship.records import record

SYSTEM = Path("/etc/logship")  # where the services' configs are: logship.yml, and NAME.yml of logship@NAME
UNIT = "logship.service"
ASK_S = 5.0
BOOTED = Path("/run/systemd/system")  # there while systemd runs the machine: sd_booted(3)
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


def unit_of(config: Path) -> str:
    """The service that reads this config; "" where none does."""
    if config.absolute().parent != SYSTEM or config.suffix != ".yml":
        return ""
    return "logship" if config.stem == "logship" else f"logship@{config.stem}"


def id_file_of(unit: str) -> Path:
    """Where the unit finds its application id."""
    return SYSTEM / ("application_id" if unit == "logship" else f"{unit.partition('@')[2]}.application_id")


def service_unit(unit: str = UNIT) -> ServiceUnit:
    """Asks systemd; where none runs, or it knows no such unit, there is nothing to say."""
    if not BOOTED.is_dir():
        return ServiceUnit()
    import subprocess  # 10 ms, and asking takes 15 more

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
