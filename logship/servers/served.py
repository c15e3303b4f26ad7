"""What the web servers' own configurations say of access logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from logship.records import record

EVERY_SCOPE = "*"
UNCLOSED = "the quote that begins here is not closed, what follows may be read wrongly"
MAX_CONF_BYTES = 4 << 20  # a configuration file is smaller; what is bigger is none


@record
class ServedLog:
    """A log as nginx.conf or httpd.conf have it.

    Shapes: `path` may be a glob, where the server makes names from variables or dates. `text` is the format string in
    one piece, as the server's own file would have it; `name` is the format's, "" for one written in place. `place` is
    file:line; `repeats_ids` is that of the directive by which several lines have one $request_id, "" for none.
    """

    path: str
    kind: Literal["nginx", "apache"]
    name: str
    text: str
    place: str
    repeats_ids: str = ""


@record
class Passed:
    """Something in a server's configuration that logship can't follow: where, and why."""

    place: str
    reason: str


@record
class Write:
    """That requests of one place of the configuration (a server, a virtual host) are written to a log.

    Shapes: `scope` identifies the place, EVERY_SCOPE is all of them; `condition` is what the directive says of
    which requests, "" for all.
    """

    scope: str
    path: str
    condition: str = ""


@record
class Served:
    """All that was found.

    Shapes: logs in the order of the files, each (path, format) once; `writes` as well. `errors` are the paths of error
    logs, globs where `path` may be one.
    """

    logs: tuple[ServedLog, ...]
    passed: tuple[Passed, ...]
    writes: tuple[Write, ...] = ()
    errors: tuple[str, ...] = ()

    @classmethod
    def joined(cls, found: Sequence[Served]) -> Served:
        """What several configurations say, each log and write once."""
        logs = dict.fromkeys(log for served in found for log in served.logs)
        writes = dict.fromkeys(write for served in found for write in served.writes)
        errors = dict.fromkeys(path for served in found for path in served.errors)
        passed = tuple(one for served in found for one in served.passed)
        return cls(tuple(logs), passed, tuple(writes), tuple(errors))


@record
class Word:
    """A word of a directive, quotes and the file's own escapes undone."""

    text: str
    is_quoted: bool = False


@record
class Directive:
    """One directive: its words, the first being its name, and where it is.

    Shapes: `blocks` are the names of the blocks around it, the outermost first, where the reader keeps them; `scope`
    tells the innermost place that requests belong to from others, "" for the main one.
    """

    words: tuple[Word, ...]
    path: Path
    line: int
    blocks: tuple[str, ...] = ()
    scope: str = ""

    @property
    def name(self) -> str:
        return self.words[0].text.lower()

    def argument(self, index: int) -> str:
        """The word after the name; '' where there are fewer."""
        return self.words[index + 1].text if index + 1 < len(self.words) else ""

    def place(self, base: Path) -> str:
        shown = self.path if base == Path("/") else Path("/") / self.path.relative_to(base)
        return f"{shown}:{self.line}"


def read_conf(path: Path) -> str:
    """The text of a configuration file; bytes that are not UTF-8 don't matter to us.

    Raises: OSError.
    """
    with path.open("rb") as file:
        return file.read(MAX_CONF_BYTES).decode("utf-8", "replace")


def below(base: Path, path: str) -> Path:
    """A path of the server's world, as seen from `base`."""
    return base / path.lstrip("/")


Rank = Callable[[str], tuple[object, ...]]


def left_out(writes: Iterable[Write], rank: Rank) -> dict[str, str]:
    """The paths that are not to be read, and which path holds their requests.

    Shapes: of each scope one log is chosen, among those that all of its requests go to if there are any; what is
    chosen for one scope is chosen for others too. `rank` says how good a log is, the greater the better.
    """
    scopes: dict[str, list[Write]] = {}
    for write in writes:
        scopes.setdefault(write.scope, []).append(write)
    everywhere = scopes.pop(EVERY_SCOPE, [])
    scopes = {scope: [*group, *everywhere] for scope, group in scopes.items()} or {"": everywhere}
    rivals = {scope: _paths(group) for scope, group in scopes.items()}
    chosen: dict[str, None] = {}
    for paths in sorted(rivals.values(), key=len):  # where there is no choice first
        if paths and not chosen.keys() & set(paths):
            twice = {path for others in rivals.values() if chosen.keys() & set(others) for path in others}
            chosen[max(paths, key=lambda path, twice=twice: (path not in twice, *rank(path)))] = None  # type: ignore[misc]
    holders: dict[str, str] = {}
    for scope, group in scopes.items():
        taken = next((path for path in rivals[scope] if path in chosen), "")
        for write in group:
            if taken and write.path != taken and write.path not in chosen:
                holders.setdefault(write.path, taken)
    return holders


def _paths(group: Sequence[Write]) -> list[str]:
    """The logs of a scope that hold all of its requests; none where each log has some of them."""
    return list(dict.fromkeys(write.path for write in group if not write.condition))
