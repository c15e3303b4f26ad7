"""Every error that logship reports to people.

LogshipError                 a sentence: what, where, which value, what to do
├── UsageError               the command line is wrong                                exit 2
├── ConfigError              logship.yml, a format or a mapping is wrong; carries Problems   exit 78
├── FormatError              a format string can't be compiled; carries the column
├── MappingError             one mistake in a mapping; carries where in the tree
├── StateError               the state can't be used (newer schema, another daemon)   exit 78
└── RefusedError             the receiver refuses, and somebody must act              exit 1
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from logship.records import record

Severity = Literal["error", "warning"]
Location = tuple[str | int, ...]  # path into a YAML document: ("sources", 0, "format")


class Exit(IntEnum):
    """Exit codes; fixed, people script against them."""

    FINE = 0
    UNDELIVERED = 1
    USAGE = 2
    CONFIG = 78  # EX_CONFIG of sysexits.h; systemd's RestartPreventExitStatus names it


@record
class Problem:
    """One mistake in a file, with its place.

    Shapes: line and column count from 1, None where the mistake has no place (a missing file).
    `excerpt` is the offending source line without its newline, `width` how many characters to underline.
    """

    path: str
    line: int | None
    column: int | None
    message: str
    hint: str = ""
    excerpt: str = ""
    width: int = 1
    severity: Severity = "error"
    location: Location = ()
    source: str = ""  # name of the source it belongs to, "" for none

    def place(self) -> str:
        """`file:line:column` as editors and grep understand it."""
        parts = [self.path]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        kind = "warning: " if self.severity == "warning" else ""
        return f"{self.place()}: {kind}{self.message}{hint}"


class LogshipError(Exception):
    """Root of all errors meant for people."""

    exit_code: Exit = Exit.UNDELIVERED


class UsageError(LogshipError):
    """The command line is wrong."""

    exit_code = Exit.USAGE


class ConfigError(LogshipError):
    """One or more Problems of severity error, possibly with warnings."""

    exit_code = Exit.CONFIG

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @property
    def mistakes(self) -> tuple[Problem, ...]:
        """The problems without the warnings."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


class FormatError(LogshipError):
    """A format string that is refused at load.

    Shapes: `column` counts characters of `text` from 0 (None: the text as a whole); `width` characters are at fault.
    """

    exit_code = Exit.CONFIG

    def __init__(
        self, message: str, *, text: str = "", column: int | None = None, width: int = 1, hint: str = ""
    ) -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.text = text
        self.column = column
        self.width = width
        self.hint = hint


class MappingError(LogshipError):
    """One mistake in a mapping; `location` is the path into the mapping's tree, `severity` may be a warning.

    Shapes: `column` counts characters from 0 inside the scalar at `location`, None for the scalar as a whole.
    """

    exit_code = Exit.CONFIG

    def __init__(
        self,
        message: str,
        *,
        location: Location = (),
        column: int | None = None,
        width: int = 1,
        hint: str = "",
        severity: Severity = "error",
    ) -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.location = location
        self.column = column
        self.width = width
        self.hint = hint
        self.severity = severity


class StateError(LogshipError):
    """The state directory can't be used, and changing it would lose something."""

    exit_code = Exit.CONFIG


class RefusedError(LogshipError):
    """The receiver refuses, and somebody must act; nothing is lost."""
