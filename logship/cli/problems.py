"""Mistakes of a config as people read them: place, sentence, hint, the line and what is wrong in it underlined."""

from __future__ import annotations

from logship.cli.terminal import Styled, Terminal, clean
from logship.errors import Problem

LONGEST_EXCERPT = 160  # characters; a longer line is shown around its mistake


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
    """The offending line and carets under what is wrong in it; nothing where there is no line to show."""
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
