"""How the daemon is doing: one snapshot that `logship status`, /status, /metrics, /healthz and /readyz all show.

observer.observe(...) -> Status     on the work thread, from files, deliveries and counters
board.post(status)                  the work thread leaves it where others can read
StatusServer(board, host, port)     threads that only read snapshots
"""

from __future__ import annotations

from logship.status.board import StatusBoard
from logship.status.model import Advice, FileReport, FileState, ReceiverReport, SourceReport, Status
from logship.status.observer import Faults, Observer, Receiver
from logship.status.server import StatusServer
from logship.status.stopped import stopped_status

__all__ = [
    "Advice",
    "Faults",
    "FileReport",
    "FileState",
    "Observer",
    "Receiver",
    "ReceiverReport",
    "SourceReport",
    "Status",
    "StatusBoard",
    "StatusServer",
    "stopped_status",
]
