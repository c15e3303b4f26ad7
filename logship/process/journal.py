"""journald's native protocol, so that `journalctl SOURCE=shop` finds entries by field.

Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from typing import Literal, TextIO

Level = Literal["info", "warning", "error"]
PRIORITIES: Mapping[Level, int] = {"error": 3, "warning": 4, "info": 6}
SOCKET = "/run/systemd/journal/socket"


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream goes to journald. Source: JOURNAL_STREAM in systemd.exec(5)."""
    if not environ.get("JOURNAL_STREAM"):  # cheap: this is called for every line
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or a test's own
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def priority_of(stream: TextIO, environ: Mapping[str, str], level: Level) -> str:
    """The prefix of a line of this level for journald; "" for other streams. Source: sd-daemon(3)."""
    return f"<{PRIORITIES[level]}>" if is_journal(stream, environ) else ""


class Journal:
    """Sends entries; it neither buffers nor waits."""

    def __init__(self, path: str = SOCKET) -> None:
        """Raises: OSError where no journal listens."""
        import socket  # only a daemon under systemd needs it

        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def send(self, fields: Mapping[str, str]) -> None:
        """Sends one entry. Raises: OSError if it fails, also for an entry too large for a datagram."""
        self._socket.send(b"".join(encoded(name, text) for name, text in fields.items()))

    def close(self) -> None:
        self._socket.close()


def encoded(name: str, text: str) -> bytes:
    """A field in the protocol's form: with its length if the value contains a line break."""
    value = text.encode("utf-8", "backslashreplace")
    if b"\n" not in value:
        return b"%b=%b\n" % (name.encode(), value)
    return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)
