"""The terminal: everything that is printed passes here, so no log line can move the cursor or fake a prompt.

Shapes: texts given to this module are raw; control bytes are escaped here and nowhere else. Lines and colours need no
rich; tables, progress bars and live screens load it when they are asked for on a real terminal.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, TextIO

from logship.errors import Problem, UsageError
from logship.patterns import deferred
from logship.process.journal import Level, priority_of
from logship.records import record

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


Style = Literal["plain", "ok", "warn", "error", "dim", "bold", "accent"]
ANSI: Mapping[str, str] = {"ok": "32", "warn": "33", "error": "1;31", "dim": "2", "bold": "1", "accent": "36"}
RICH: Mapping[str, str] = {
    "ok": "green", "warn": "yellow", "error": "bold red", "dim": "dim", "bold": "bold", "accent": "cyan"
}  # fmt: skip
# C0, DEL, C1; what turns the direction of text or hides in it; halves of surrogate pairs.
UNSAFE = deferred("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
PLAIN_WIDTH = 200  # columns of a table in a file
LONGEST_EXCERPT = 160  # characters; of a longer line the part around the mistake is shown


class Styled(NamedTuple):
    """A text and its style."""

    text: str
    style: Style = "plain"


Text = str | Styled


def standard_input() -> BinaryIO:
    """The bytes of stdin. Raises: UsageError where it was closed (cron jobs, `<&-`)."""
    if sys.stdin is None:
        raise UsageError("- reads stdin, and stdin is closed; name a FILE, or redirect one:  - < FILE")
    return sys.stdin.buffer


def clean(text: str) -> str:
    """The text with everything escaped that a terminal would interpret: `\\x1b`, `\\n`, `\\u202e`."""
    return UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    return known or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")


@record(frozen=False)
class Terminal:
    """One output stream: plain text for files and pipes, colours and live screens for people."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    level: Level = "info"  # of the next lines, if the stream is the journal

    @property
    def is_terminal(self) -> bool:
        return self.stream.isatty() and self.environ.get("TERM") != "dumb"

    @property
    def has_colours(self) -> bool:
        return self.is_terminal and not self.environ.get("NO_COLOR")

    @property
    def width(self) -> int:
        """The terminal's columns; PLAIN_WIDTH without one."""
        if not self.is_terminal:
            return PLAIN_WIDTH
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80

    def line(self, *parts: Text) -> None:
        """One line made of the parts, without anything between them."""
        priority = priority_of(self.stream, self.environ, self.level)
        self.stream.write(priority + "".join(self._painted(part) for part in parts) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Text]], *, right: Sequence[int] = ()) -> None:
        """A table with a head; `right` are the indexes of columns that hold numbers."""
        cells = [[Styled(name, "bold") for name in columns]] if any(columns) else []
        cells += [[part if isinstance(part, Styled) else Styled(part) for part in row] for row in rows]
        widths = [max((len(clean(row[at].text)) for row in cells), default=0) for at in range(len(columns))]
        for row in cells:
            self._row(row, widths, right)

    def rich(self) -> Console:
        """A rich console on this stream, for live screens; texts given to it go through `safe` first."""
        from rich.console import Console

        return Console(file=self.stream, highlight=False, markup=False, emoji=False, no_color=not self.has_colours)

    def _row(self, row: Sequence[Styled], widths: Sequence[int], right: Sequence[int]) -> None:
        pieces: list[Text] = []
        for at, part in enumerate(row):
            padding = " " * (widths[at] - len(clean(part.text)))
            is_last = at == len(row) - 1
            if at in right:
                pieces += [padding, part]
            else:
                pieces += [part, "" if is_last else padding]
            if not is_last:
                pieces.append("  ")
        self.line(*pieces)

    def _painted(self, part: Text) -> str:
        text, style = part if isinstance(part, Styled) else (part, "plain")
        if style == "plain" or not self.has_colours:
            return clean(text)
        return f"\x1b[{ANSI[style]}m{clean(text)}\x1b[0m"


def safe(text: str, style: Style = "plain") -> RenderableType:
    """Text for a rich table or screen, control bytes escaped, markup left alone."""
    from rich.text import Text as RichText

    return RichText(clean(text), style=RICH.get(style, ""))


def print_problem(terminal: Terminal, problem: Problem, *, indent: str = "") -> None:
    """Two to four lines about one mistake."""
    is_error = problem.severity == "error"
    hint = f"; {problem.hint}" if problem.hint else ""
    terminal.line(
        Styled("ERROR " if is_error else "warn  ", "error" if is_error else "warn"),
        indent,
        Styled(problem.place(), "bold"),
        f" {problem.message}{hint}",
    )
    for line in underlined(problem):
        terminal.line("        ", line)


def underlined(problem: Problem) -> list[str]:
    """The line with carets under the mistake; nothing if there is no line to show."""
    if not problem.excerpt.strip() or problem.column is None:
        return []
    start = problem.column - 1
    before = clean(problem.excerpt[:start].replace("\t", "  "))
    wrong = clean(problem.excerpt[start : start + problem.width].replace("\t", "  "))
    after = clean(problem.excerpt[start + problem.width :].replace("\t", "  "))
    stripped = before.lstrip()
    if len(stripped) + len(wrong) + len(after) > LONGEST_EXCERPT:
        stripped = "…" + stripped[-40:] if len(stripped) > 41 else stripped
        room = max(20, LONGEST_EXCERPT - len(stripped))
        wrong = wrong if len(wrong) <= room else wrong[: room - 1] + "…"
        after = after[: max(0, room - len(wrong))]
    return [stripped + wrong + after, " " * len(stripped) + "^" * max(1, len(wrong))]
