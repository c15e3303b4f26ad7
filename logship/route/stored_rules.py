"""The receiver's rules in the state directory, for commands that do not ask the receiver."""

from __future__ import annotations

from pathlib import Path

from logship.clock import SystemClock
from logship.delivery.rules_feed import KnownRules, newest, note_prefix
from logship.endpoint import Endpoint
from logship.errors import StateError
from logship.state import State


def stored_rules(folder: Path, endpoint: Endpoint) -> KnownRules | None:
    """The last good rules of a receiver that is obeyed; None where there are none, or this user may not look."""
    return last_rules(folder, endpoint) if endpoint.obeys else None


def last_rules(folder: Path, endpoint: Endpoint) -> KnownRules | None:
    """The same of a receiver that may be obeyed no longer."""
    if not (folder / "state.db").exists():
        return None
    try:
        state = State.open(folder, SystemClock(), daemon=False)
    except (OSError, StateError):
        return None
    try:
        return newest(state.notes(note_prefix(endpoint.receiver)).values())
    finally:
        state.close()
