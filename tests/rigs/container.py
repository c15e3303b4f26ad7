"""A Debian with a real systemd, booted in a container: the machine of an administrator.

    with Container(rootfs(cache), tmp_path, read_only={deb: "/logship.deb"}) as machine:
        machine.run("dpkg", "-i", "/logship.deb")
        machine.reboot()

The root file system is built once and cached; what a test writes goes to an overlay of its own, which outlives reboots
and ends with the test. The container has its own network with nothing but loopback.
Source: systemd-nspawn(1), SYSTEMD_NSPAWN_UNIFIED_HIERARCHY in docs/ENVIRONMENT.md of systemd.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rigs.machine import lacking, require, require_root
from tests.rigs.waiting import wait_until

PACKAGES = (
    "systemd systemd-sysv dbus libpam-systemd python3 nginx-light logrotate ca-certificates procps iproute2 man-db"
)
SUITE = "bookworm"
NOISE = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "man-db.timer")
BOOT_S = 60.0
SHUT_DOWN_SIGNAL = signal.SIGRTMIN + 4  # systemd(1): poweroff.target
CGROUPS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")  # the hybrid layout; else /sys/fs/cgroup itself


def rootfs(cache: Path) -> Path:
    """A minimal Debian below `cache`, made by debootstrap (about 250 MB, once)."""
    require_root("containers are booted as root")
    for program, package in (("systemd-nspawn", "systemd-container"), ("nsenter", "util-linux")):
        require(program, package)
    root = cache / f"rootfs-{SUITE}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / ".made").exists():
            _debootstrap(root)
    return root


def _debootstrap(root: Path) -> None:
    program = require("debootstrap")
    shutil.rmtree(root, ignore_errors=True)
    include = PACKAGES.replace(" ", ",")
    done = subprocess.run(
        [program, "--variant=minbase", f"--include={include}", SUITE, str(root)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    if done.returncode:
        lacking(f"debootstrap can't make a root file system: {(done.stdout + done.stderr)[-300:]}")
    for unit in NOISE:
        (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (root / "etc/machine-id").write_text("")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/hostname").write_text("shop\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost shop\n::1 localhost\n")
    for archive in (root / "var/cache/apt/archives").glob("*.deb"):
        archive.unlink()
    (root / ".made").touch()


class Container:
    """One machine; commands run as its root."""

    def __init__(self, root: Path, directory: Path, *, read_only: Mapping[Path, str] | None = None) -> None:
        """Shapes: `read_only` are files and folders of this machine with their place inside."""
        self.lower = root
        self.directory = directory
        self.read_only = dict(read_only or {})
        self.name = f"logship-{os.getpid()}-{directory.name}"
        self.console = directory / "console"
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._groups: list[Path] = []

    def __enter__(self) -> Self:
        self._mount()
        try:
            self.boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(
        self, *command: str, check: bool = True, input_text: str | None = None, timeout_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside; with `check` a failure is an AssertionError that shows its output."""
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"]
        done = subprocess.run(
            ["nsenter", "-t", str(self._leader), "-a", "--", *clean, *command],
            input=input_text,
            stdin=subprocess.DEVNULL if input_text is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def shell(self, script: str, check: bool = True) -> str:
        """Standard output of a shell script."""
        return self.run("sh", "-ec", script, check=check).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file inside, with its folder."""
        self.run("sh", "-ec", f'mkdir -p "$(dirname {path})"; cat >{path}; chmod {mode:o} {path}', input_text=text)

    def journal(self, unit: str) -> str:
        """What a unit logged over all boots."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def boot(self) -> None:
        """Starts the machine and returns when systemd has started everything."""
        self._groups = _make_groups(self.name)
        enter = " ".join(f"echo $$ >{group}/cgroup.procs;" for group in self._groups)
        with self.console.open("ab") as console:
            self._supervisor = subprocess.Popen(
                ["sh", "-c", f'{enter} exec "$@"', "sh", "setsid", *self._nspawn()],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_LOCK": "0"},
            )
        wait_until(self._is_up, BOOT_S, f"the container boots; its console: {self.console}")
        self.run("systemctl", "is-system-running", "--wait", check=False, timeout_s=BOOT_S)

    def shut_down(self) -> None:
        """Powers the machine off in order, as `poweroff` does."""
        supervisor = self._supervisor
        if supervisor is None or supervisor.poll() is not None:
            return
        os.kill(self._leader or supervisor.pid, SHUT_DOWN_SIGNAL if self._leader else signal.SIGKILL)
        try:
            supervisor.wait(60)
        except subprocess.TimeoutExpired:
            for pid in filter(None, (self._leader, supervisor.pid)):
                os.kill(pid, signal.SIGKILL)
            supervisor.wait()
        self._leader = 0

    def reboot(self) -> None:
        """Powers off and boots again with the same disk."""
        self.shut_down()
        self._remove_groups()
        self.boot()

    def _nspawn(self) -> Sequence[str]:
        binds = [f"--bind-ro={outside}:{inside}" for outside, inside in self.read_only.items()]
        return (
            *("systemd-nspawn", "--quiet", f"--directory={self.directory}/root", f"--machine={self.name}"),
            *("--hostname=shop", "--register=no", "--keep-unit", "--private-network", "--capability=all"),
            *("--system-call-filter=@keyring bpf", "--console=pipe", "--resolv-conf=off", "--timezone=off"),
            *("--link-journal=no", *binds, "--boot"),
        )

    def _is_up(self) -> bool:
        assert self._supervisor is not None
        if self._supervisor.poll() is not None:
            lacking(f"systemd-nspawn can't boot here: {self.console.read_text(errors='replace')[-300:]}")
        children = subprocess.run(
            ["pgrep", "-P", str(self._supervisor.pid), "-x", "systemd"], capture_output=True, text=True, check=False
        )
        if not children.stdout.split():
            return False
        self._leader = int(children.stdout.split()[0])
        return self.run("test", "-S", "/run/dbus/system_bus_socket", check=False).returncode == 0

    def _mount(self) -> None:
        """An overlay in memory: overlayfs can't stand on another one, which a container of a CI often is."""
        memory, root = self.directory / "memory", self.directory / "root"
        for folder in (memory, root):
            folder.mkdir()
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(memory))
        for name in ("upper", "work"):
            (memory / name).mkdir()
        options = f"lowerdir={self.lower},upperdir={memory}/upper,workdir={memory}/work"
        _mount("-t", "overlay", "-o", options, "overlay", str(root))

    def _remove_groups(self) -> None:
        for group in self._groups:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)

    def _end(self) -> None:
        self.shut_down()
        for folder in (self.directory / "root", self.directory / "memory"):
            subprocess.run(["umount", str(folder)], check=False, capture_output=True)
        self._remove_groups()


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        lacking(f"this machine can't mount what a container needs: {done.stderr.strip()}")


def _make_groups(name: str) -> list[Path]:
    parents = [Path(group) for group in CGROUPS if Path(group).is_dir()] or [Path("/sys/fs/cgroup")]
    groups = [parent / name for parent in parents]
    try:
        for group in groups:
            group.mkdir(exist_ok=True)
    except OSError as exc:
        lacking(f"this machine allows no control group for a container: {exc}")
    return groups
