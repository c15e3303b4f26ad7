"""The command blocks of README and docs: run, compared, pasted.

A block that begins with ```console holds commands (`$ …`, continued by `> …`) and under each what it prints. All blocks
of a document run in order in one shell, in an empty directory. `python docs/console.py` pastes what they print now;
tests/house/test_documents.py fails where a document says something else, numbers aside.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 120.0
MARK = "--- end of command 7f3a ---"
DEMO = re.compile(r"^make demo SECONDS=(\d+)$")  # in a test `make` would build an environment first


@dataclass(frozen=True, slots=True)
class Step:
    """One command and what the document says it prints."""

    command: str
    shown: str


def steps(block: str) -> list[Step]:
    """The commands of a block, in order."""
    found: list[Step] = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Step(line[2:], ""))
        elif line.startswith("> ") and found and not found[-1].shown:
            found[-1] = Step(found[-1].command + line[2:], "")
        elif found:
            found[-1] = Step(found[-1].command, found[-1].shown + line)
    return found


def outputs(commands: list[str], environ: Mapping[str, str]) -> list[str]:
    """What each command prints, run one after the other in one shell in an empty directory."""
    script = "".join(f"{_runnable(command)}\necho '{MARK}'\n" for command in commands)
    with tempfile.TemporaryDirectory(prefix="logship-docs-") as directory:
        done = subprocess.run(  # noqa: S603
            ["/bin/bash", "-c", script],
            cwd=directory,
            env={**environ, "HOME": directory, "TERM": "dumb", "COLUMNS": "110"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        text = _at_home(done.stdout, directory)
    return text.split(f"{MARK}\n")[: len(commands)]


def _at_home(text: str, directory: str) -> str:
    """The text with the directory called /home/you; the columns of a table stay where they are."""
    lack = " " * (len(directory) - len("/home/you"))
    text = re.sub(rf"{re.escape(directory)}(/\S*)(?=  )", rf"/home/you\1{lack}", text)
    return text.replace(directory, "/home/you")


def _runnable(command: str) -> str:
    command = command.rstrip("\n")
    return DEMO.sub(r"logship demo --seconds \1 --listen 127.0.0.1:0", command)


def environment() -> dict[str, str]:
    """This process's, with the logship of this Python first on PATH and nothing that would configure it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOGSHIP_", "XDG_"))}
    return clean | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}


def fresh(document: str) -> Iterator[tuple[Step, str]]:
    """Each step of a document with what it prints now."""
    found = [step for block in BLOCK.findall(document) for step in steps(block)]
    if found:
        yield from zip(found, outputs([step.command for step in found], environment()), strict=True)


def pasted(document: str) -> str:
    """The document with what its commands print now."""
    now = iter(list(fresh(document)))

    def paste(match: re.Match[str]) -> str:
        lines = ["```console\n"]
        for step in steps(match.group(1)):
            _, output = next(now)
            first, *more = step.command.splitlines(keepends=True)
            lines += [f"$ {first}", *(f"> {line}" for line in more), output]
        return "".join([*lines, "```"])

    return BLOCK.sub(paste, document)


def alike(text: str) -> str:
    """Text with everything that differs from run to run made equal: numbers, hex digits, spaces."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "<id>", text)
    text = re.sub(r"(?<=logship-demo-)\w+", "<name>", text)
    text = re.sub(r"(?<=the daemon is stopped )\(.+?\);", "(<what stands on its port>);", text)
    text = re.sub(r"(?<=, written by ).+", "<nginx, or what stands in for it>", text)
    text = re.sub(r"\d+(?:[,.]\d+)*", "0", text)
    return re.sub(r"[ \t]+", " ", text).strip()


def main() -> None:
    for path in DOCUMENTS:
        before = path.read_text()
        after = pasted(before)
        if after != before:
            path.write_text(after)
            print(f"{path.relative_to(REPOSITORY)}: pasted anew")  # noqa: T201


if __name__ == "__main__":
    main()
