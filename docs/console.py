"""The blocks of README and docs: found, run, compared, pasted.

A block that begins with ```console holds commands (`$ …`, continued by `> …`) and under each what it prints. All blocks
of a document run in order in one shell, in an empty directory; `<!-- before: … -->` holds what is run in its place and
not seen by the reader. A command that ends with `&` is waited for until it has printed a line.
`python docs/console.py` pastes what they print now where that differs, ids and times aside; where it does,
tests/house/test_documents.py fails, and where a block of any other kind is held by nothing.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md")))
FENCE = re.compile(r"^ *(```+|~~~+)(.*)$")
RUN = re.compile(r"^```console\n(?P<block>.*?)^```$|^<!-- before: (?P<before>.*?)\s-->$", re.MULTILINE | re.DOTALL)
LIMIT_S = 120.0
MARK = "--- end of command 7f3a ---"
PORTS = ("8080", "8081", "9640", "8786")  # typed in a document, or listened on where none is typed; run with free ones
LISTENING = (
    (re.compile(r"^logship collector(?= )(?!.* --listen)"), "logship collector --listen 127.0.0.1:8080"),
    (re.compile(r"^dask scheduler\b"), "dask scheduler --port 8786 --no-dashboard"),
    (re.compile(r"^(endpoint: .*\n)(?=YAML$)", re.MULTILINE | re.DOTALL), r'\1status: {listen: "127.0.0.1:9640"}\n'),
)
PROGRESS = re.compile(r"^ *\d+%  .* ETA .*\n", re.MULTILINE)  # comes or not, as the machine is slow or fast
DEMO = re.compile(r"^make demo SECONDS=(\d+)$")  # in a test `make` would build an environment first
UNSTEADY = tuple(
    (re.compile(pattern, re.MULTILINE), name)
    for pattern, name in (
        (r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "<id>"),
        (r"^[\d-]{10}T\S+Z(?= (?:INFO|WARNING|ERROR) )|(?<=<id>  )[\d-]{10}T\S+Z(?=  )", "<now>"),
        (r"^\d+:\d\d:\d\d · [\d,]+ (?=lines/s|events/s)", "<time> · <speed> "),
        (r"(?<=logship-demo-)\w+", "<name>"),
        (r"(?<=, written by ).+", "<nginx, or what stands in for it>"),
        (r"[\d,]+ of at most", "<size> of at most"),  # dead letters name the directory
    )
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a document, and where it stands."""

    document: str
    line: int
    heading: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One command and what the document says it prints; nothing is said where it is run unseen."""

    command: str
    shown: str | None


def blocks(path: Path) -> Iterator[Block]:
    """Every fenced block of a document, whatever its language.

    Raises: ValueError where one is not closed.
    """
    heading, opened = "", None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = FENCE.match(line)
        if opened is None and match:
            opened = (number, match.group(1), match.group(2).strip(), list[str]())
        elif opened is None:
            heading = line.lstrip("# ") if line.startswith("#") else heading
        elif match and match.group(1) == opened[1] and not match.group(2):
            yield Block(path.name, opened[0], heading, opened[2], "".join(f"{one}\n" for one in opened[3]))
            opened = None
        else:
            opened[3].append(line)
    if opened:
        raise ValueError(f"{path.name}:{opened[0]}: the block is not closed")


def prose(path: Path) -> str:
    """A document without its fenced blocks and comments."""
    lines, is_inside = list[str](), False
    for line in path.read_text().splitlines():
        if FENCE.match(line):
            is_inside = not is_inside
        elif not is_inside:
            lines.append(line)
    return re.sub(r"<!--.*?-->", "", "\n".join(lines), flags=re.DOTALL)


def steps(block: str) -> list[Step]:
    """The commands of a block, in order."""
    found: list[Step] = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Step(line[2:], ""))
        elif line.startswith("> ") and found and not found[-1].shown:
            found[-1] = Step(found[-1].command + line[2:], "")
        elif found:
            found[-1] = Step(found[-1].command, (found[-1].shown or "") + line)
    return found


def all_steps(document: str) -> list[Step]:
    """The commands of a document, in order, with those that the reader does not see."""
    found: list[Step] = []
    for match in RUN.finditer(document):
        found += steps(match["block"]) if match["before"] is None else [Step(match["before"], None)]
    return found


def outputs(commands: list[str], environ: Mapping[str, str]) -> list[str]:
    """What each command prints, run one after the other in one shell in an empty directory."""
    ports = _free_ports()
    with tempfile.TemporaryDirectory(prefix="logship-docs-") as directory, tempfile.TemporaryFile("w+") as printed:
        with tempfile.TemporaryDirectory() as aside:
            typed = (_runnable(command, ports, f"{aside}/{number}") for number, command in enumerate(commands))
            script = "".join(f"{command}\necho '{MARK}'\n" for command in typed)
            shell = subprocess.Popen(  # noqa: S603
                ["/bin/bash", "-c", f"{script}kill $(jobs -p) 2>/dev/null; wait"],
                cwd=directory,
                env={**environ, "HOME": directory, "TERM": "dumb", "COLUMNS": "110"},
                stdin=subprocess.DEVNULL,
                stdout=printed,  # a file: a pipe would be held open by what runs in the background
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                shell.wait(LIMIT_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()
        printed.seek(0)
        text = _at_home(printed.read(), directory)
    for documented, free in ports.items():
        text = text.replace(f":{free}", f":{documented}")
    return PROGRESS.sub("", text).split(f"{MARK}\n")[: len(commands)]


def _free_ports() -> dict[str, str]:
    """A free port for each of PORTS, of four digits too, so that columns stay where they are."""
    chosen: dict[str, str] = {}
    while len(chosen) < len(PORTS):
        port = random.randint(2_000, 9_999)  # below those that the kernel hands out
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if str(port) not in (*PORTS, *chosen.values()):
                chosen[PORTS[len(chosen)]] = str(port)
    return chosen


def _at_home(text: str, directory: str) -> str:
    """The text with the directory called /home/you; the columns of a table stay where they are."""
    lack = " " * (len(directory) - len("/home/you"))
    text = re.sub(rf"{re.escape(directory)}(/\S*)(?=  )(?!  lines )", rf"/home/you\1{lack}", text)
    return text.replace(directory, "/home/you")


def _runnable(command: str, ports: Mapping[str, str], said: str) -> str:
    """The command on free ports; one in the background writes to the file `said`, and has written when this ends."""
    command = DEMO.sub(r"logship demo --seconds \1 --listen 127.0.0.1:0", command.rstrip("\n"))
    for pattern, listening in LISTENING:
        command = pattern.sub(listening, command)
    for documented, free in ports.items():
        command = re.sub(rf"(?<=[: ]){documented}\b", free, command)
    if not command.endswith(" &") or ">" in command:
        return command
    wait = f"until read -r _ < {said} || ! kill -0 $! 2>/dev/null; do sleep 0.05; done 2>/dev/null"
    return f"{command.removesuffix('&')} > {said} 2>&1 &\n{wait}\ncat {said}"


def environment() -> dict[str, str]:
    """This process's, with the logship of this Python first on PATH and nothing that would configure it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOGSHIP_", "XDG_"))}
    return clean | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}


def fresh(document: str) -> Iterator[tuple[Step, str]]:
    """Each step that the document shows, with what it prints now.

    Raises: RuntimeError where the shell ended before the last one.
    """
    found = all_steps(document)
    if not found:
        return
    printed = outputs([step.command for step in found], environment())
    if len(printed) < len(found):
        raise RuntimeError(f"the shell ended before: {found[len(printed)].command}{printed[-1]}")
    for step, output in zip(found, printed, strict=True):
        if step.shown is not None:
            yield step, output


def pasted(document: str) -> str:
    """The document with what its commands print now, where it shows something else."""
    now = iter(list(fresh(document)))

    def paste(match: re.Match[str]) -> str:
        if match["block"] is None:
            return match.group()
        lines = ["```console\n"]
        for step in steps(match["block"]):
            _, output = next(now)
            first, *more = step.command.splitlines(keepends=True)
            lines += [f"$ {first}", *(f"> {line}" for line in more)]
            lines.append((step.shown or "") if is_as_shown(step, output) else output)
        return "".join([*lines, "```"])

    return RUN.sub(paste, document)


def is_as_shown(step: Step, output: str) -> bool:
    """Whether a command prints what the document shows; a demo prints other numbers each time."""
    now, then = (_steady(text) for text in (output, step.shown or ""))
    if DEMO.match(step.command):
        now, then = (re.sub(r"\d+", "0", text) for text in (now, then))
    return now == then


def _steady(text: str) -> str:
    """Text without what differs from run to run: ids of places, moments, speeds, the width of columns."""
    for pattern, name in UNSTEADY:
        text = pattern.sub(name, text)
    return re.sub(r"[ \t]+", " ", text).strip()


def main() -> None:
    """Pastes anew what the documents named show, or all of them."""
    for path in [Path(name).resolve() for name in sys.argv[1:]] or DOCUMENTS:
        before = path.read_text()
        after = pasted(before)
        if after != before:
            path.write_text(after)
            print(f"{path.relative_to(REPOSITORY)}: pasted anew")  # noqa: T201


if __name__ == "__main__":
    main()
