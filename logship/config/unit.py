"""Which service of systemd reads a configuration."""

from __future__ import annotations

from pathlib import Path

SYSTEM = Path("/etc/logship")  # where the services' configs are: logship.yml, and NAME.yml of logship@NAME


def unit_of(config: Path) -> str:
    """The service that reads this config; "" where none does."""
    if config.absolute().parent != SYSTEM or config.suffix != ".yml":
        return ""
    return "logship" if config.stem == "logship" else f"logship@{config.stem}"


def id_file_of(unit: str) -> Path:
    """Where the unit finds its application id."""
    return SYSTEM / ("application_id" if unit == "logship" else f"{unit.partition('@')[2]}.application_id")
