"""What the daemon must say is lost: lines that it knew of, which the outside world destroyed before it read them.

Lines that came and went between two looks, or in a file that was never seen, nobody can know of.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from logship.checkpoint import Checkpoint
from logship.tail.content import Content, PlainContent, has_anchor, open_content
from logship.tail.rotation import first_line_hash
from tests.tail.lives import MAX_LINE_BYTES, Life
from tests.tail.world import World

NUMBER = re.compile(rb"/(\d+)[- ]")  # of a line
WHOLE_BYTES = 1_000_000  # more than any file here has


@dataclass
class Debt:
    """A destroyed line, and what tells of it: no file has any more what was read, and as much as was seen."""

    line: bytes
    end: int  # its position
    inode: int
    begins: bytes  # what was read of the file
    size_bytes: int  # of the file when it was seen last
    told: int = 0  # how often a loss was told before
    is_visible: bool = False

    @property
    def was_seen(self) -> bool:
        """Whether somebody saw all of the line, who only knows that more was written else."""
        return self.end <= self.size_bytes

    def look(self, contents: Iterable[bytes]) -> bool:
        """Whether somebody who looks now can see that something is destroyed."""
        alike = (data for data in contents if len(data) >= self.size_bytes and data.startswith(self.begins))
        self.is_visible = next(alike, None) is None
        return self.is_visible


class Debts:
    """Destroyed lines that must be followed by a report."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._debts: list[Debt] = []
        self._held: dict[bytes, Debt] = {}  # read and not confirmed, or in a deleted file that is still open
        self._rows: list[Checkpoint] = []  # while stopped

    def known(self, life: Life | None) -> dict[bytes, Debt]:
        """Lines that would be missed if they went now."""
        known: dict[bytes, Debt] = {}
        for each in list(life.tailer._register.open) if life is not None else ():
            if isinstance(each.content, PlainContent) and each.key is not None and not each.is_finished:
                known |= _unconfirmed(each.content, each.checkpoint(), each.read_to, each.size_bytes)
        files = self._files() if life is None else {}
        for row in self._rows:
            content = open_content(str(files[row.inode])) if row.inode in files else None
            if isinstance(content, PlainContent):
                known |= _unconfirmed(content, row, row.position, None)
            if content is not None:
                content.close()
        return known

    def owe(self, lines: Iterable[bytes], known: Mapping[bytes, Debt], told: int) -> None:
        """These are destroyed; those of them that were known must be told."""
        for line in lines:
            if line in known:
                known[line].told = told
                self._debts.append(known[line])

    def hold(self, lines: Iterable[bytes], known: Mapping[bytes, Debt], told: int) -> None:
        """The daemon has them, for as long as it lives."""
        for line in lines:
            if line in known:
                known[line].told = told
                self._held[line] = known[line]

    def owe_held(self, lines: Iterable[bytes]) -> None:
        """The daemon let go of these."""
        self._debts += [self._held.pop(line) for line in lines if line in self._held]

    def look(self, life: Life) -> None:
        """A full look begins: what it can't see it need not tell."""
        pending = [debt for debt in self._debts if not debt.is_visible]
        if not pending:
            return
        named = [open_content(str(path)) for path in self._files().values()]
        opened = [each.content for each in life.tailer._register.open]
        deleted = [each for each in opened if isinstance(each, PlainContent)]  # and others: looking moves an archive on
        contents = [_whole(each) for each in (*named, *deleted)]
        unseen = [debt for debt in pending if not debt.look(contents)]
        self._debts = [debt for debt in self._debts if debt not in unseen]
        for each in named:
            each.close()

    def life_ended(self, rows: Sequence[Checkpoint], gone: Iterable[bytes], told: int) -> None:
        """What only the daemon still had is destroyed with it; what no state knows nobody misses.

        A state knows what was seen of a file a minute before, or when something of it was confirmed.
        """
        self._rows = [row for row in rows if row.key is not None and not row.is_finished]
        self.owe_held(gone)
        self._held.clear()
        sizes = {row.inode: row.size_bytes for row in self._rows}
        self._debts = [debt for debt in self._debts if debt.told < told or debt.end <= sizes.get(debt.inode, 0)]
        for debt in self._debts:
            debt.size_bytes = min(debt.size_bytes, sizes.get(debt.inode, debt.size_bytes))

    def forget(self) -> None:
        """The state is lost: nobody knows what there was."""
        self._debts.clear()
        self._rows.clear()

    def untold(self, got: Collection[bytes], told: int) -> list[bytes]:
        """Lines that came nowhere, and after whose end nothing was told as lost."""
        lines = {debt.line for debt in self._debts if debt.told == told}
        return sorted(line for line in lines if line[:MAX_LINE_BYTES] not in got)

    def owed_bytes(self, got: Collection[bytes]) -> int:
        """How much of what was seen is destroyed and came nowhere: as much at least must be counted.

        What is written to a log after it was cut back hides as much of that, and is taken off.
        """
        lines = {debt.line for debt in self._debts if debt.is_visible and debt.was_seen}
        owed = [line for line in lines if line[:MAX_LINE_BYTES] not in got]
        first = min(map(_number, owed), default=0)
        hidden = sum(len(line) + 1 for line in got if owed and _number(line) > first)
        return max(bool(owed), sum(len(line) + 1 for line in owed) - hidden)

    def _files(self) -> dict[int, Path]:
        return {path.stat().st_ino: path for path in self._world.bodies}


def _number(line: bytes) -> int:
    found = NUMBER.search(line)
    return int(found[1]) if found else 0


def _whole(content: Content) -> bytes:
    with suppress(OSError):  # a damaged archive
        return content.read_at(0, WHOLE_BYTES)
    return b""


def _unconfirmed(content: PlainContent, row: Checkpoint, read_to: int, size_bytes: int | None) -> dict[bytes, Debt]:
    """Whole lines after the position of a content that is the row's, up to what was seen (None: to its end)."""
    end = content.facts().size_bytes if size_bytes is None else size_bytes
    if content.facts().size_bytes < read_to:
        return {}  # what it has now nobody saw
    if first_line_hash(content) != row.first_line or not all(has_anchor(content, each) for each in row.anchors[-1:]):
        return {}
    begins = content.read_at(0, read_to)
    lines = content.read_at(row.position, max(0, end - row.position)).split(b"\n")[:-1]
    ends = accumulate((len(line) + 1 for line in lines), initial=row.position)
    next(ends)
    size_bytes = size_bytes or row.size_bytes
    return {
        (text := line.removesuffix(b"\r")): Debt(text, at, row.inode, begins, size_bytes)
        for line, at in zip(lines, ends, strict=True)
    }
