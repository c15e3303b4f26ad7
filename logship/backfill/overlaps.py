"""Files that hold the same log, or a part of it: twins left by compression, copies, grown files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import field

from logship.backfill.paths import Remark
from logship.backfill.reading import bytes_before, open_log
from logship.backfill.run_settings import BackfillLog
from logship.records import record
from logship.tail.identity import Place

MEASURE_BYTES = 1_048_576


@record
class Resolved:
    """The logs that are left, what is said about the others, and the logs that share a key with a different log."""

    logs: list[BackfillLog]
    remarks: list[Remark]
    unsure: frozenset[int]


@record(frozen=False)
class Overlaps:
    """Logs by place and first line."""

    _first_lines: dict[int, bytes] = field(default_factory=dict)
    _places: dict[int, Place] = field(default_factory=dict)

    def add(self, number: int, place: Place, first_line: bytes) -> None:
        self._places[number] = place
        self._first_lines[number] = first_line

    def resolved(self, logs: Iterable[BackfillLog]) -> Resolved:
        """Of logs with one key the longest is read; what is a part of it is left out.

        Logs elsewhere that begin alike are different logs, but worth a hint: copies need --original-dir.
        """
        by_key: dict[int, list[BackfillLog]] = defaultdict(list)
        for log in logs:
            by_key[log.file.key].append(log)
        result = Resolved([], [], frozenset())
        unsure: set[int] = set()
        for group in by_key.values():
            kept = self._distinct(group, result.remarks)
            result.logs.extend(kept)
            if len(kept) > 1:
                unsure |= {log.number for log in kept}
        self._hint_at_copies(result)
        return Resolved(result.logs, result.remarks, frozenset(unsure))

    def _distinct(self, group: list[BackfillLog], remarks: list[Remark]) -> list[BackfillLog]:
        if len(group) == 1:
            return group
        lengths = {log.number: length_of(log) for log in group}
        kept: list[BackfillLog] = []
        for log in sorted(group, key=lambda log: (-lengths[log.number], bool(log.compression), log.number)):
            length = lengths[log.number]
            whole = next((other for other in kept if tail_before(other, length) == tail_before(log, length)), None)
            if whole is None:
                kept.append(log)
            else:
                remarks.append(Remark(log.path, f"is the same log as {whole.path}; read once", is_failure=False))
        return kept

    def _hint_at_copies(self, result: Resolved) -> None:
        seen: dict[bytes, BackfillLog] = {}
        for log in result.logs:
            first_line = self._first_lines[log.number]
            other = seen.setdefault(first_line, log)
            if other is not log and self._places[other.number] != self._places[log.number]:
                differs = "but lives elsewhere, so its ids differ; if it is a copy, give --original-dir"
                message = f"starts like {other.path} {differs}"
                result.remarks.append(Remark(log.path, message, is_failure=False))


def length_of(log: BackfillLog) -> int:
    """Bytes of log in it, up to a damage if there is one."""
    if log.is_plain:
        return log.size_bytes
    content, length = open_log(log.path), 0
    try:
        while data := content.read_at(length, MEASURE_BYTES):
            length += len(data)
    except OSError:
        return length  # its worker reports the damage
    finally:
        content.close()
    return length


def tail_before(log: BackfillLog, position: int) -> bytes:
    """The last bytes before a position: they decide whether two logs that begin alike are one."""
    content = open_log(log.path)
    try:
        return bytes_before(content, position)
    finally:
        content.close()
