"""Whether the service's user can read the logs. A process of that user tries, so ACLs and capabilities count."""

from __future__ import annotations

import contextlib
import errno
import grp
import json
import os
import pwd
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Literal

from logship.records import record

SYSTEM = Path("/etc/logship")  # where the services' configs are: logship.yml, and NAME.yml of logship@NAME
UNIT = "logship.service"
ASK_S = 5.0
BOOTED = Path("/run/systemd/system")  # there while systemd runs the machine: sd_booted(3)
HIDING = {  # setting -> (folders, values that leave them visible, what to write instead)
    "ProtectHome": (("/home", "/root", "/run/user"), ("no", "read-only"), "ProtectHome=read-only"),
    "PrivateTmp": (("/tmp", "/var/tmp"), ("no",), "PrivateTmp=no"),  # noqa: S108 # names of folders, nothing is made
}
SERVICE_USER = "logship"


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
    """Asks systemd; empty where systemd does not run or has no such unit."""
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


Deed = Literal["enter", "list", "read", "write", "see"]


@record
class User:
    """The user that the service runs as.

    Shapes: `hidden` maps folders that its unit hides to the setting that would show them.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    hidden: Mapping[str, str] = field(default_factory=dict)


@record
class Obstacle:
    """What keeps a user from a log: the first directory that can't be entered or listed, or the file itself.

    Shapes: `path` is the obstacle, `log` the file that is wanted; `mode` is '0700', owner and group are names;
    `setting` is what the unit needs where its sandbox hides the log.
    """

    log: str
    path: str
    deed: Deed
    mode: str
    owner: str
    group: str
    user: str
    setting: str = ""

    @property
    def message(self) -> str:
        if self.setting:
            return f"{self.log}: the service can't see it, its unit hides {self.path}"
        return f"{self.path}: user {self.user} can't {self.deed} it ({self.mode} {self.owner}:{self.group})"

    @property
    def hint(self) -> str:
        """The command that fixes it."""
        if self.setting:
            return f"run: systemctl edit logship   and write  [Service]  and  {self.setting}"
        if self.deed == "write":
            return f"run: chown {self.user} {self.path}"
        rights = {"enter": "x", "list": "rx", "read": "r"}[self.deed]
        setfacl = f"setfacl -m u:{self.user}:{rights} {shlex.quote(self.path)}"
        bit = 0o040 if self.deed != "enter" else 0o010
        if self.group != "root" and int(self.mode, 8) & bit:
            return f"run: usermod -aG {self.group} {self.user}   and restart it; or at once: {setfacl}"
        return f"run: {setfacl}"


def service_user(name: str = SERVICE_USER) -> User | None:
    """The daemon's user, if this process is root and the user exists; None: look as this process's user."""
    if os.geteuid() != 0:
        return None
    unit = service_unit()
    name = unit.user or name
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = {*os.getgrouplist(name, entry.pw_gid), *_gids(unit.groups)}
    return User(name, entry.pw_uid, entry.pw_gid, tuple(sorted(groups)), unit.hidden)


def _gids(names: Iterable[str]) -> Iterator[int]:
    for name in names:
        with contextlib.suppress(KeyError):  # systemd reports an unknown group, and starts no unit with one
            yield int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def obstacles(logs: Sequence[str], user: User | None) -> list[Obstacle]:
    """What keeps `user` (None: this process) from reading these files and directories; each obstacle once."""
    seen: dict[tuple[str, str], Obstacle] = {}
    for log in logs if user else ():
        if user and (folder := _hiding(log, user)):
            seen.setdefault((folder, "see"), _obstacle(log, folder, "see", user))
    visible = [log for log in logs if not (user and _hiding(log, user))]
    found = _try_all(visible) if user is None else _as_user(user, lambda: _try_all(visible))
    for log, path, deed in found:
        seen.setdefault((path, deed), _obstacle(log, path, deed, user))
    return list(seen.values())


def remedy(path: str, error: OSError) -> str:
    """The command that lets this process read a file or directory; "" where permission is not the cause."""
    if error.errno != errno.EACCES:
        return ""
    return next((obstacle.hint for obstacle in obstacles([path], None)), "")


def _hiding(log: str, user: User) -> str:
    """The folder that the unit hides and `log` is in; "" for none."""
    return next((folder for folder in user.hidden if log == folder or log.startswith(f"{folder}/")), "")


def state_obstacle(directory: str, user: User | None) -> Obstacle | None:
    """What keeps `user` from writing to an existing state directory; None if it can, or if there is none yet."""

    def refused() -> list[tuple[str, str, Deed]]:
        try:
            os.stat(directory)
        except PermissionError:
            return [(directory, *_who_refuses(directory))]
        except OSError:
            return []
        return [] if os.access(directory, os.W_OK | os.X_OK) else [(directory, directory, "write")]

    found = refused() if user is None else _as_user(user, refused)
    return _obstacle(*found[0], user) if found else None


def _try_all(logs: Sequence[str]) -> list[tuple[str, str, Deed]]:
    tried = ((log, _try(log)) for log in logs)
    return [(log, *blocked) for log, blocked in tried if blocked is not None]


def _try(log: str) -> tuple[str, Deed] | None:
    """The first directory or file that refuses access to `log`; None if it can be read, or is gone."""
    try:
        is_directory = os.path.isdir(log)
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except PermissionError:
        return _who_refuses(log)
    except OSError:
        return None
    os.close(descriptor)
    return (log, "enter") if is_directory and not os.access(log, os.X_OK) else None


def _who_refuses(log: str) -> tuple[str, Deed]:
    parts = log.split("/")
    for count in range(1, len(parts)):
        directory = "/".join(parts[:count]) or "/"
        if not os.access(directory, os.X_OK):
            return directory, "enter"
    return log, "list" if os.path.isdir(log) else "read"


def _obstacle(log: str, path: str, deed: Deed, user: User | None) -> Obstacle:
    try:
        found = os.stat(path)
        mode, owner, group = f"{stat.S_IMODE(found.st_mode):04o}", _user(found.st_uid), _group(found.st_gid)
    except OSError:
        mode, owner, group = "0000", "?", "?"
    setting = user.hidden[path] if user and deed == "see" else ""
    return Obstacle(log, path, deed, mode, owner, group, user.name if user else _user(os.geteuid()), setting)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _as_user(user: User, question: Callable[[], list[tuple[str, str, Deed]]]) -> list[tuple[str, str, Deed]]:
    """The answer of a child process that has become `user`.

    Raises: OSError when the child can't change its user or dies.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(user, question, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        content = answer.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise OSError(f"could not look at the logs as user {user.name} (uid {user.uid})")
    return [(log, path, deed) for log, path, deed in json.loads(content)]


def _answer(user: User, question: Callable[[], list[tuple[str, str, Deed]]], writing: int) -> None:
    """What the child does; it ends with _exit so that no buffer of the parent is flushed twice."""
    code = 1
    try:
        os.setgroups(user.groups)
        os.setgid(user.gid)
        os.setuid(user.uid)
        with os.fdopen(writing, "wb") as out:
            out.write(json.dumps(question()).encode())
        code = 0
    finally:
        os._exit(code)
