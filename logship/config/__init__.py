"""Makes settings and compiled converters of logship.yml and mapping files; the only reader of package data."""

from __future__ import annotations

from logship.config.loading import config_path, load_settings
from logship.config.settings import (
    BatchSettings,
    Settings,
    SourceSettings,
    StatusSettings,
)

__all__ = [
    "BatchSettings",
    "Settings",
    "SourceSettings",
    "StatusSettings",
    "config_path",
    "load_settings",
]
