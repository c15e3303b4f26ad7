"""A Dockerfile's steps, done without Docker: each stage is a copy-on-write view of this machine.

    with Image(Path("configs/Dockerfile"), context, tmp_path, wheels=folder) as image:
        image.run("logship", "--version")           # as its USER, with its ENV, in its file system

This machine's Debian and Python stand in for the base image, its packages for Debian's mirror; pip takes what the steps
install from `wheels`, so that a step that needs the network says so. What runs sees a /proc and /dev,
and this machine's network.
Source: https://docs.docker.com/reference/dockerfile/; of .dockerignore only what ours has.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rigs.machine import lacking, require_root

PYTHON = "/usr/bin/python3"  # Debian's; the base image has its own under both names in /usr/local/bin
APT = """#!/bin/sh
case " $* " in *" install "*) ;; *) exit 0 ;; esac
for word; do case $word in -*|install) ;; *) dpkg -s "$word" >/dev/null || exit 100 ;; esac; done
"""
CLEAN = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """(`COPY`, `. /src`) and so on, continued lines joined, comments left out."""
    lines = "\n".join(line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


@dataclass
class Stage:
    """One FROM: a file system and what the instructions say of the process to be run in it."""

    root: Path
    environ: dict[str, str] = field(default_factory=lambda: dict(CLEAN))
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)


class Image:
    """The last stage, built; its folders are unmounted at the end."""

    def __init__(self, dockerfile: Path, context: Path, directory: Path, *, wheels: Path) -> None:
        self.dockerfile = dockerfile
        self.context = context
        self.directory = directory
        self.wheels = wheels
        self.stages: dict[str, Stage] = {}
        self._mounted: list[Path] = []

    @property
    def final(self) -> Stage:
        return list(self.stages.values())[-1]

    def __enter__(self) -> Self:
        require_root("file systems are mounted")
        try:
            self._build()
        except BaseException:
            self._unmount()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unmount()

    def argv(self, *command: str, wrapper: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> list[str]:
        """The command line that runs `command` in the image; `wrapper` stands inside, before it."""
        stage = self.final
        settings = [f"{name}={value}" for name, value in {**stage.environ, **(environ or {})}.items()]
        become = ["setpriv", f"--reuid={stage.user}", f"--regid={stage.user}", "--init-groups"]
        chosen = list(wrapper) or become
        return ["chroot", str(stage.root), "env", "-i", *settings, *chosen, *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(*command), capture_output=True, text=True, check=False)

    def mount(self, *arguments: str) -> None:
        """Undone at the end; the last argument is the place."""
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            lacking(f"this machine can't mount what an image needs: {done.stderr.strip()}")
        self._mounted.append(Path(arguments[-1]))

    def _build(self) -> None:
        for word, rest in instructions(self.dockerfile.read_text()):
            if word == "FROM":
                _, _, name = rest.partition(" AS ")
                self.stages[name or str(len(self.stages))] = self._stage(len(self.stages))
            elif word == "COPY":
                self._copy(rest)
            elif word == "RUN":
                self._run_step(rest)
            elif word == "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    self.final.environ[name] = value.replace("$PATH", self.final.environ["PATH"])
            elif word == "USER":
                self.final.user = rest
            elif word in ("ENTRYPOINT", "CMD"):
                setattr(self.final, "entrypoint" if word == "ENTRYPOINT" else "command", json.loads(rest))
            elif word == "HEALTHCHECK":
                self.final.healthcheck = json.loads(rest.partition("CMD ")[2])
            else:
                assert word in ("VOLUME", "EXPOSE", "STOPSIGNAL"), f"an instruction nobody has tried: {word} {rest}"

    def _stage(self, number: int) -> Stage:
        memory, root = (self.directory / f"{kind}-{number}" for kind in ("memory", "root"))
        for folder in (memory, root):
            folder.mkdir()
        self.mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(memory))
        for name in ("upper", "work"):
            (memory / name).mkdir()
        self.mount(
            "-t", "overlay", "-o", f"lowerdir=/,upperdir={memory}/upper,workdir={memory}/work", "overlay", str(root)
        )
        self.mount("-t", "proc", "proc", str(root / "proc"))
        self.mount("--bind", "/dev", str(root / "dev"))
        self.mount("-t", "tmpfs", "tmpfs", str(root / "tmp"))
        wheels = root / "tmp/wheels"
        wheels.mkdir()
        self.mount("--bind", str(self.wheels), str(wheels))
        apt = root / "usr/local/bin/apt-get"
        apt.write_text(APT)
        apt.chmod(0o755)
        for name in ("python", "python3"):
            (root / "usr/local/bin" / name).unlink(missing_ok=True)
            (root / "usr/local/bin" / name).symlink_to(PYTHON)
        return Stage(root)

    def _copy(self, rest: str) -> None:
        found = re.fullmatch(r"(?:--from=(\S+) )?(\S+) (\S+)", rest)
        assert found, f"a COPY nobody has tried: {rest}"
        stage, source, target = found.groups()
        into = self.final.root / target.lstrip("/")
        if stage:
            shutil.copytree(self.stages[stage].root / source.lstrip("/"), into, symlinks=True)
        else:
            into.mkdir(parents=True)
            patterns = Path(f"{self.dockerfile}.dockerignore").read_text().split()
            for path in self.context.iterdir():
                if _is_sent(path.name, patterns) and path.is_dir():
                    shutil.copytree(path, into / path.name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
                elif _is_sent(path.name, patterns):
                    shutil.copy2(path, into / path.name)

    def _run_step(self, script: str) -> None:
        environ = {**self.final.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/tmp/wheels", "TMPDIR": "/tmp"}
        settings = [f"{name}={value}" for name, value in environ.items()]
        done = subprocess.run(
            ["chroot", str(self.final.root), "env", "-i", *settings, "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {script}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    def _unmount(self) -> None:
        while self._mounted:
            subprocess.run(["umount", str(self._mounted.pop())], check=False, capture_output=True)


def _is_sent(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name at the top of the context reaches the build: the last pattern that fits decides."""
    sent = True
    for pattern in patterns:
        if fnmatch.fnmatchcase(name, pattern.removeprefix("!")):
            sent = pattern.startswith("!")
    return sent
