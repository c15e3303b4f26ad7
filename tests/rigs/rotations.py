"""Programs that people rotate, copy and edit logs with, each as one way to treat a log that a server writes.

A way owns a directory with one log. `rotate(log, turn)` runs the real program once; `turn` counts from 0, each on its
own day for programs that name files by date.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.rigs.machine import require

FIRST_DAY = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)


@dataclass
class Log:
    """A log and the server that writes it through an open descriptor, as nginx and Apache do."""

    path: Path
    name: str
    written: int = 0

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = -1
        self.reopen()

    def write(self, count: int) -> None:
        """`count` combined lines, each with a path of its own."""
        if self._fd < 0:
            self.reopen()
        os.write(self._fd, b"".join(self.line(self.written + number) for number in range(count)))
        self.written += count

    def line(self, number: int) -> bytes:
        return (
            f'203.0.113.7 - - [28/Nov/2026:04:00:00 +0000] "GET {self.target(number)} HTTP/1.1" 200 17 "-" "curl/8"\n'
        ).encode()

    def target(self, number: int) -> str:
        return f"/{self.name}/{number:06d}"

    def aside(self, name: str) -> Path:
        """A file that belongs to this log and is no log."""
        folder = self.path.parents[2] / "aside" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def reopen(self) -> None:
        """What the server does at its signal."""
        self.close()
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@dataclass(frozen=True)
class Way:
    """One program with one configuration; `what` is for the table, `log` the log's file name."""

    program: str
    what: str
    rotate: Callable[[Log, int], None]
    log: str = "access.log"
    rotated: str = ""  # a glob for `rotated:`, relative to the log's directory
    paths: str = ""  # a glob for `paths:`, where it is not the log's name

    @property
    def name(self) -> str:
        words = "".join(letter if letter.isalnum() else " " for letter in f"{self.program} {self.what}").split()
        return "-".join(words).lower()


def run(*command: str | Path, turn: int | None = None, text: bytes | None = None) -> None:
    """Runs a program to its end; with `turn` on the day of that turn."""
    words = [str(word) for word in command]
    words[0] = require(words[0], PACKAGES.get(words[0], ""))
    if turn is not None:
        moment = FIRST_DAY + timedelta(days=turn, hours=turn)
        words = [require("faketime"), "-f", moment.strftime("@%Y-%m-%d %H:%M:%S"), *words]
    done = subprocess.run(words, capture_output=True, check=False, input=text, env={**os.environ, "TZ": "UTC"})
    assert done.returncode == 0, f"{words}: {done.stderr.decode(errors='replace')}"


PACKAGES = {"rotatelogs": "apache2-utils", "savelog": "debianutils", "vim.tiny": "vim-tiny"}

# logrotate: six ways to name what was rotated, four ways to do it

NAMINGS = {
    "numbers": "",
    "start 0": "start 0",
    "dateext": "dateext",
    "hourly dateext": "hourly\n  dateext",
    "dateformat -%s": "dateext\n  dateformat -%s",
    "extension .log": "extension .log",
}
MECHANICS = {
    "create": "create 0644",
    "copytruncate": "copytruncate",
    "olddir": "create 0644\n  olddir old\n  createolddir 0755",
    "compress": "create 0644\n  compress",
}


def _logrotate(options: str) -> Callable[[Log, int], None]:
    def rotate(log: Log, turn: int) -> None:
        config, state = log.aside("logrotate.conf"), log.aside("logrotate.state")
        config.write_text(f"{log.path} {{\n  rotate 9\n  {options}\n}}\n")
        config.chmod(0o644)
        run("logrotate", "-f", "-s", state, config, turn=turn)
        if "copytruncate" not in options:
            log.reopen()

    return rotate


def _savelog(*options: str) -> Callable[[Log, int], None]:
    def rotate(log: Log, turn: int) -> None:
        run("savelog", "-q", "-c", "9", *options, log.path, turn=turn)
        log.reopen()

    return rotate


def _kubelet(log: Log, turn: int) -> None:
    """Source: kubernetes pkg/kubelet/logs/container_log_manager.go: compress all but the newest, rename, reopen."""
    folder = log.path.parent
    for old in sorted(folder.glob(f"{log.path.name}.*")):
        if old.suffix != ".gz":
            packed = old.with_name(f"{old.name}.tmp")
            with packed.open("wb") as file:
                subprocess.run([require("gzip"), "-c", str(old)], stdout=file, check=True)
            packed.rename(old.with_name(f"{old.name}.gz"))
            old.unlink()
    moment = FIRST_DAY + timedelta(days=turn)
    log.path.rename(folder / f"{log.path.name}.{moment:%Y%m%d-%H%M%S}")
    log.reopen()


def _lumberjack(log: Log, turn: int) -> None:
    """Source: natefinch/lumberjack, backupName: NAME-2006-01-02T15-04-05.000.EXT."""
    moment = FIRST_DAY + timedelta(days=turn)
    log.path.rename(log.path.with_name(f"{log.path.stem}-{moment:%Y-%m-%dT%H-%M-%S}.123{log.path.suffix}"))
    log.reopen()


def _apache_recipe(log: Log, turn: int) -> None:
    """Source: Apache's documentation, Log Rotation: mv access_log access_log.old; apachectl graceful; gzip."""
    old = log.path.with_name(f"{log.path.name}.old")
    for packed in (Path(f"{old}.gz"),):
        if packed.exists():
            packed.rename(f"{old}.{turn}.gz")
    log.path.rename(old)
    log.reopen()
    run("gzip", old)


def _nginx_recipe(log: Log, turn: int) -> None:
    """Source: nginx's wiki, Log Rotation: mv access.log access.log.0; kill -USR1; gzip access.log.0."""
    old = log.path.with_name(f"{log.path.name}.{turn}")
    log.path.rename(old)
    log.reopen()
    run("gzip", old)


def _rotatelogs_link(log: Log, turn: int) -> None:
    """rotatelogs -L: files by time, the log's name is a hard link to the current one."""
    folder = log.path.parent
    first = folder / "access.2026-11-28-03_00"
    if turn == 0 and not first.exists():
        os.link(log.path, first)
    log.close()
    lines = b"".join(log.line(log.written + number) for number in range(ROTATELOGS_LINES))
    run("rotatelogs", "-L", log.path, folder / "access.%Y-%m-%d-%H_%M", "3600", turn=turn, text=lines)
    log.written += ROTATELOGS_LINES
    log.reopen()


ROTATELOGS_LINES = 20


def _rsync(*options: str) -> Callable[[Log, int], None]:
    """The log is a mirror of another machine's."""

    def rotate(log: Log, turn: int) -> None:
        far = log.aside("far.log")
        if turn == 0:
            shutil.copy2(log.path, far)
        else:
            far.write_bytes(log.path.read_bytes())
        with far.open("ab") as file:
            file.writelines(log.line(log.written + number) for number in range(10))
        log.written += 10
        log.close()
        run("rsync", "--times", *options, far, log.path)
        log.reopen()

    return rotate


def _vim(backup: str) -> Callable[[Log, int], None]:
    def rotate(log: Log, turn: int) -> None:
        log.close()
        commands = b"set %s\n$append\n%s.\nwrite!\nquit!\n" % (backup.encode(), log.line(log.written))
        log.written += 1
        run("vim.tiny", "-u", "NONE", "-n", "-e", "-s", log.path, text=commands)
        log.reopen()

    return rotate


def _sed(log: Log, turn: int) -> None:
    log.close()
    run("sed", "-i", "s/no such text/nothing/", log.path)
    log.reopen()


def _perl(option: str) -> Callable[[Log, int], None]:
    def rotate(log: Log, turn: int) -> None:
        log.close()
        run("perl", option, "-pe", "s/no such text/nothing/", log.path)
        log.reopen()

    return rotate


def _newsyslog(log: Log, turn: int) -> None:
    """Source: FreeBSD's newsyslog.conf(5), flags Z and B: log.0.gz is the newest, and is compressed at once."""
    for number in range(8, -1, -1):
        old = log.path.with_name(f"{log.path.name}.{number}.gz")
        if old.exists():
            old.rename(log.path.with_name(f"{log.path.name}.{number + 1}.gz"))
    newest = log.path.rename(log.path.with_name(f"{log.path.name}.0"))
    log.reopen()
    run("gzip", newest)


def _linked_and_removed(log: Log, turn: int) -> None:
    run("ln", log.path, log.path.with_name(f"{log.path.name}.{turn}"))
    run("rm", log.path)
    log.reopen()


def _copied_beside(log: Log, turn: int) -> None:
    run("cp", log.path, log.path.with_name(f"{log.path.name}.bak{turn}"))


def _directory_moved(log: Log, turn: int) -> None:
    folder = log.path.parent
    run("mv", folder, folder.with_name(f"{folder.name}.{turn}"))
    folder.mkdir()
    log.reopen()


def _copied_back(log: Log, turn: int) -> None:
    log.close()
    aside = log.aside("moved.log")
    run("mv", log.path, aside)
    run("cp", "-p", aside, log.path)
    aside.unlink()
    log.reopen()


def ways() -> Sequence[Way]:
    """Every program with every configuration."""
    made = [
        Way("logrotate", f"{naming}, {mechanics}", _logrotate("\n  ".join(filter(None, (options, how)))),
            rotated="old/*" if mechanics == "olddir" else "")
        for naming, options in NAMINGS.items()
        for mechanics, how in MECHANICS.items()
    ]  # fmt: skip
    return [
        *made,
        Way("logrotate", "dateformat -%Y%m%d-%H%M%S, delaycompress",
            _logrotate("dateext\n  dateformat -%Y%m%d-%H%M%S\n  create 0644\n  compress\n  delaycompress")),
        Way("logrotate", "extension .log dateext, compress zstd",
            _logrotate("extension .log\n  dateext\n  create 0644\n  compress\n  compresscmd zstd\n  compressext .zst"
                       "\n  compressoptions --rm -q")),
        Way("logrotate", "copy", _logrotate("copy")),
        Way("logrotate", "prerotate cp", _logrotate("create 0644\n  prerotate\n    cp $1 $1.before\n  endscript")),
        Way("savelog", "compressed later", _savelog()),
        Way("savelog", "-j", _savelog("-j")),
        Way("savelog", "-l", _savelog("-l")),
        Way("savelog", "-d", _savelog("-d", "-l")),
        Way("rotatelogs", "-L, hard link", _rotatelogs_link),
        Way("kubelet", "0.log", _kubelet, log="0.log"),
        Way("lumberjack", "time before the extension", _lumberjack),
        Way("Apache's recipe", "mv .old, gzip", _apache_recipe, log="access_log"),
        Way("nginx's recipe", "mv .N, gzip", _nginx_recipe),
        Way("newsyslog", "flags ZB", _newsyslog),
        Way("ln, rm", "a hard link", _linked_and_removed),
        Way("mv", "its directory", _directory_moved),
        Way("cp", "a backup, which paths match", _copied_beside, log="site.log", paths="site.log*"),
        Way("rsync", "new inode", _rsync()),
        Way("rsync", "--inplace", _rsync("--inplace")),
        Way("rsync", "--append", _rsync("--append")),
        Way("rsync", "--append-verify", _rsync("--append-verify")),
        Way("vim", "renames the old file", _vim("backupcopy=no")),
        Way("vim", "keeps a backup", _vim("backup backupcopy=no")),
        Way("vim", "writes in place", _vim("backupcopy=yes")),
        Way("sed", "-i", _sed),
        Way("perl", "-i", _perl("-i")),
        Way("perl", "-i.bak", _perl("-i.bak")),
        Way("mv, cp", "copied back", _copied_back),
    ]  # fmt: skip
