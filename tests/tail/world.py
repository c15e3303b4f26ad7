"""A server, its logs and logrotate on real files, and a model that knows which lines must arrive."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data, 1),
    ".bz2": bz2.compress,
    ".xz": lambda data: lzma.compress(data, preset=0),
}
KINDS = ["numbered", "dated", "hourly", "word", "inside", "any", "olddir", "olddir any"]  # of rotated names
ANYWHERE = re.compile(rb"-(\d+)-")  # a long line's number, wherever it was cut


@dataclass(eq=False)
class Body:
    """One file's content: the complete lines in it, and the beginning of one that is being written."""

    lines: list[bytes] = field(default_factory=list)
    partial: bytes = b""


@dataclass(eq=False)
class ServerLog:
    """A log as the server sees it: it appends to what it opened, whatever that is called by now."""

    path: Path
    fd: int
    writes_to: Body
    rest: bytes = b""  # of the line that is half written, its newline included
    number: int = 0  # of that line
    is_torn: bool = False  # its beginning was truncated away


class World:
    """What exists on disk and what the model expects.

    `must`: complete lines that have to arrive; `may`: halves, and lines destroyed before anybody could read them;
    `texts`: every line that was begun, with the newline it has or will have, by its number; and what a truncation left
    of it to be written.
    """

    def __init__(self, directory: Path, names: Iterable[str]) -> None:
        self.directory = directory
        self.olddir = directory / "old"
        self.olddir.mkdir()
        self.bodies: dict[Path, Body] = {}
        self.homes: dict[Path, Path] = {}  # of rotated files: the log they were
        self.vague: set[Path] = set()  # rotated files whose names say nothing: known by content or not at all
        self.orphans: list[tuple[int, Body]] = []  # deleted: inode and content
        self.must: set[bytes] = set()
        self.may: set[bytes] = set()
        self.packing: tuple[Path, Path, bytes] | None = None  # plain, compressed so far, what is missing of that
        self.holes: set[int] = set()  # their sizes
        self.texts: dict[int, list[tuple[bytes, bytes]]] = {}
        self.rotations = 0
        self.logs = [self._open(directory / name) for name in names]
        self.link = directory / "current.log"  # points to what its server writes to
        self.linked = self._open(directory / "app-0")
        self.link.symlink_to(self.linked.path)

    # the server

    def write(self, log: ServerLog, length: int, newline: bytes = b"\n") -> None:
        self.finish(log)
        line = self._line(length, newline)
        os.write(log.fd, line + newline)
        log.writes_to.lines.append(line)
        self.must.add(line)

    def write_part(self, log: ServerLog, length: int, tenths: int) -> None:
        """A server that buffers writes at any byte; ten tenths are all but the newline."""
        self.finish(log)
        line = self._line(length, b"\n")
        cut = max(1, len(line) * tenths // 10)
        os.write(log.fd, line[:cut])
        log.writes_to.partial, log.rest, log.number = line[:cut], line[cut:] + b"\n", len(self.texts)

    def finish(self, log: ServerLog) -> None:
        if not log.rest:
            return
        os.write(log.fd, log.rest)
        line = (log.writes_to.partial + log.rest)[:-1]
        log.writes_to.lines.append(line)
        (self.may if log.is_torn else self.must).add(line)
        log.writes_to.partial, log.rest, log.is_torn = b"", b"", False

    def reopen(self, log: ServerLog) -> None:
        """USR1."""
        self.finish(log)
        os.close(log.fd)
        fresh = self._open(log.path)
        log.fd, log.writes_to = fresh.fd, fresh.writes_to

    def swap_link(self) -> None:
        """The server begins with a new file, and the link points to it at once."""
        self.finish(self.linked)
        os.close(self.linked.fd)
        self.linked = self._open(self.directory / f"app-{len(self.texts)}-{len(self.bodies)}")
        fresh = self.directory / "link.new"
        fresh.symlink_to(self.linked.path)
        fresh.replace(self.link)

    # logrotate

    def rotated_name(self, log: ServerLog, kind: str) -> Path:
        """A name that a rotator of this kind would give next."""
        self.rotations += 1
        date, hour = f"202601{self.rotations // 24 + 1:02d}", f"{self.rotations % 24:02d}"
        stem, name = log.path.stem, log.path.name
        made = {
            "numbered": log.path.with_name(f"{name}.1"),
            "dated": log.path.with_name(f"{name}-{date}-{hour}"),
            "hourly": log.path.with_name(f"{name}-{date}{hour}"),
            "word": log.path.with_name(f"{name}.old.{self.rotations}"),
            "inside": log.path.with_name(f"{stem}-{date}{hour}.log"),
            "any": log.path.with_name(f"{stem}_kept_as_{self.rotations}x"),
            "olddir": self.olddir / f"{name}-{date}{hour}",
            "olddir any": self.olddir / f"kept_as_{self.rotations}x",
        }
        return made[kind]

    def rename(self, log: ServerLog, kind: str) -> None:
        self.finish_packing()
        if log.path in self.bodies:
            target = self._room_for(log, kind)
            self._move(log.path, target)
            self._note_rotated(log, target, kind)

    def copytruncate(self, log: ServerLog, kind: str) -> list[bytes]:
        """Gives the lines that no file holds any more: none."""
        if log.path not in self.bodies or self.bodies[log.path] is not log.writes_to:
            return []
        self.finish_packing()
        copy = self._room_for(log, kind)
        shutil.copyfile(log.path, copy)
        body = log.writes_to
        self.bodies[copy] = Body(list(body.lines), body.partial)
        self._note_rotated(log, copy, kind)
        self._empty(log)
        return []

    def link_hard(self, log: ServerLog, kind: str) -> None:
        """rotatelogs -L: the log has a second name, which stays with its content."""
        if log.path in self.bodies:
            target = self._room_for(log, kind)
            os.link(log.path, target)
            self.bodies[target] = self.bodies[log.path]
            self._note_rotated(log, target, kind)

    def replace_by_copy(self, log: ServerLog, kept: int | None, fresh: int, *, keeps_backup: bool) -> list[bytes]:
        """rsync or an editor: a file with the log's first `kept` lines (None: all) and `fresh` ones takes its name.

        Its server continues there. Gives the lines that no file holds any more.
        """
        if self.bodies.get(log.path) is not log.writes_to or log.is_torn:
            return []
        self.finish(log)
        old = log.writes_to
        data = log.path.read_bytes()
        gone: list[bytes] = []
        body = Body(list(old.lines))
        if kept is not None and kept < len(old.lines):
            data, gone = self._first_lines(data, old, kept)
            body = Body(old.lines[:kept])
        temporary = self.directory.parent / "temporary"
        temporary.write_bytes(data)
        inode = log.path.stat().st_ino
        if keeps_backup:
            backup = log.path.with_name(f"{log.path.name}~")
            if backup in self.bodies:
                self.delete(backup)
            self._move(log.path, backup)
            self._note_rotated(log, backup, "word")
        else:
            self.orphans.append((inode, old))
        temporary.replace(log.path)
        self.bodies[log.path] = body
        os.close(log.fd)
        opened = self._open(log.path)
        log.fd, log.writes_to = opened.fd, opened.writes_to
        for _ in range(fresh):
            self.write(log, 3)
        return [line for line in gone if not self.is_held(line)]

    def cut_back(self, log: ServerLog, kept: int) -> list[bytes]:
        """Power loss, or truncate(1): only the first lines are there. Gives the lines that no file holds any more."""
        if self.bodies.get(log.path) is not log.writes_to or log.is_torn or not log.writes_to.lines:
            return []
        self.finish(log)
        data, gone = self._first_lines(log.path.read_bytes(), log.writes_to, kept)
        os.ftruncate(log.fd, len(data))
        log.writes_to.lines = log.writes_to.lines[:kept]
        return [line for line in gone if not self.is_held(line)]

    @staticmethod
    def _first_lines(data: bytes, body: Body, kept: int) -> tuple[bytes, list[bytes]]:
        lines = data.lstrip(b"\0").splitlines(keepends=True)
        holes = len(data) - len(data.lstrip(b"\0"))
        return data[: holes + len(b"".join(lines[:kept]))], body.lines[kept:]

    def truncate(self, log: ServerLog) -> list[bytes]:
        """`: > log`; gives the lines that no file holds any more."""
        if self.bodies.get(log.path) is not log.writes_to:
            return []
        gone = list(log.writes_to.lines)
        self._empty(log)
        return [line for line in gone if not self.is_held(line)]

    def leave_hole(self, log: ServerLog, size: int) -> None:
        """What the next write of a server leaves behind it that does not append: NUL bytes up to its old position."""
        if self.bodies.get(log.path) is log.writes_to and not os.fstat(log.fd).st_size:
            os.ftruncate(log.fd, size)
            self.holes.add(size)

    def compress(self, path: Path, tenths: int = 10, ending: str = ".gz") -> None:
        """gzip(1); with less than ten tenths it is still at it, until logrotate does anything else."""
        self.finish_packing()
        packed = path.with_name(path.name + ending)
        if packed in self.bodies:
            return  # gzip overwrites nothing
        data = PACK[ending](path.read_bytes())
        cut = len(data) * tenths // 10
        packed.write_bytes(data[:cut])
        self.packing = path, packed, data[cut:]
        if tenths == 10:
            self.finish_packing()

    def finish_packing(self) -> None:
        if self.packing is None:
            return
        path, packed, rest = self.packing
        self.packing = None
        with packed.open("ab") as file:
            file.write(rest)
        shutil.copystat(path, packed)
        path.unlink()
        self._renamed(path, packed)

    def damage(self, path: Path, tenths: int) -> list[bytes]:
        """An archive is cut; ten tenths: followed by garbage. Gives the lines that may be lost with that."""
        data = path.read_bytes()
        path.write_bytes(data + b"garbage" if tenths == 10 else data[: len(data) * tenths // 10])
        body = self.bodies[path]
        if tenths == 10:
            return []
        self.bodies[path] = Body()
        return [line for line in body.lines if not self.is_held(line)]

    def delete(self, path: Path) -> list[bytes]:
        """Gives the lines that no name holds any more."""
        if self.packing is not None and self.packing[0] == path:
            self.packing[1].unlink()
            self.packing = None
        inode = path.stat().st_ino
        path.unlink()
        body = self.bodies.pop(path)
        self.homes.pop(path, None)
        self.vague.discard(path)
        self.orphans.append((inode, body))
        return [line for line in body.lines if not self.is_held(line)]

    def recreate_with_same_inode(self, log: ServerLog) -> list[bytes]:
        """Deletes and makes anew until the inode number comes back (or a bounded number of tries is over)."""
        inode = log.path.stat().st_ino
        gone = self.delete(log.path)
        self.finish(log)
        os.close(log.fd)
        for _ in range(20):
            log.path.touch()
            if log.path.stat().st_ino == inode:
                break
            log.path.unlink()
        fresh = self._open(log.path)
        log.fd, log.writes_to = fresh.fd, fresh.writes_to
        return gone

    def rotated(self, log: ServerLog) -> list[Path]:
        return sorted(path for path, home in self.homes.items() if home == log.path)

    def plain_rotated(self, log: ServerLog) -> list[Path]:
        """Rotated files that the server is done with."""
        written = [each.writes_to for each in self.logs]
        return [p for p in self.rotated(log) if p.suffix not in PACK and all(self.bodies[p] is not w for w in written)]

    # the model

    def archives(self, log: ServerLog) -> list[Path]:
        return [path for path in self.rotated(log) if path.suffix in PACK]

    def is_held(self, line: bytes) -> bool:
        return any(line in body.lines for body in self.bodies.values())

    def excuse(self, lines: Iterable[bytes]) -> None:
        """These were destroyed before anybody could read them."""
        for line in lines:
            self.must.discard(line)
            self.may.add(line)

    def halves(self) -> set[bytes]:
        return {body.partial for body in self.bodies.values() if body.partial} | {
            body.partial for _, body in self.orphans if body.partial
        }

    def _empty(self, log: ServerLog) -> None:
        body = log.writes_to
        os.ftruncate(log.fd, 0)
        if body.partial:
            self.may.add(body.partial)
            log.is_torn = True
            self.texts[log.number].append((log.rest[:-1], b"\n"))
        body.lines, body.partial = [], b""

    def _room_for(self, log: ServerLog, kind: str) -> Path:
        if kind == "numbered":
            for number in range(99, 0, -1):
                for ending in ("", *PACK):
                    old = Path(f"{log.path}.{number}{ending}")
                    if old in self.bodies:
                        self._move(old, Path(f"{log.path}.{number + 1}{ending}"))
        target = self.rotated_name(log, kind)
        assert target not in self.bodies
        return target

    def _note_rotated(self, log: ServerLog, target: Path, kind: str) -> None:
        self.homes[target] = log.path
        if kind.endswith("any"):
            self.vague.add(target)

    def _move(self, old: Path, new: Path) -> None:
        old.rename(new)
        self._renamed(old, new)

    def _renamed(self, old: Path, new: Path) -> None:
        self.bodies[new] = self.bodies.pop(old)
        if old in self.homes:
            self.homes[new] = self.homes.pop(old)
        if old in self.vague:
            self.vague.remove(old)
            self.vague.add(new)

    def _open(self, path: Path) -> ServerLog:
        if path not in self.bodies:
            self.bodies[path] = Body()
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        return ServerLog(path, fd, self.bodies[path])

    def _line(self, length: int, newline: bytes) -> bytes:
        number = len(self.texts) + 1
        target = b"/%d%s" % (number, (b"-%d" % number * length)[:length])
        line = b'192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET %s HTTP/1.1" 200 17 "-" "-"' % target
        self.texts[number] = [(line, newline)]
        return line

    def close(self) -> None:
        for log in (*self.logs, self.linked):
            os.close(log.fd)
