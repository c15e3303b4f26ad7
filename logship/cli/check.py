"""`logship check`: finds mistakes before the daemon does."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship import kernel
from logship.cli.options import config_option, json_option, subcommand
from logship.cli.terminal import Styled, Terminal, clean
from logship.errors import Exit

if TYPE_CHECKING:
    from logship.check.inspection import Finding, Level
    from logship.cli.terminal import Style

WORDS: dict[Level, tuple[str, Style]] = {
    "ok": ("ok   ", "ok"),
    "warning": ("warn ", "warn"),
    "error": ("ERROR", "error"),
}
INDENT = " " * 20
LINE_SHOWN = 120  # bytes of a log line around the place where it stops fitting


@subcommand(
    "logship check",
    "logship check --connect --strict",
    "logship check -c logship.yml --base image",
)
@config_option("The configuration to check.")
@click.option(
    "--base",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Look for logs and server configs below this directory instead of / (an image, a mounted disk).",
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@json_option("One JSON object, for machines.")
@click.option(
    "--connect", is_flag=True, help="Try the receiver: name, TLS, its rules (GET /v1/config). Sends no event."
)
@click.option("--send-test", is_flag=True, help="Send one event, marked as a test.")
def command(config: Path | None, base: Path | None, strict: bool, as_json: bool, connect: bool, send_test: bool) -> int:
    """Find every mistake in logship.yml and its mappings, and whether the logs can be read and fit.

    As root, it reads the logs as the service's user would. Exit 78: the config is wrong. Exit 1: the config is right,
    but a log can't be read or the receiver can't be reached.
    """
    import os

    from logship.check.inspection import inspect

    loaded, findings = inspect(config, os.environ, base=base)
    if (connect or send_test) and loaded.settings is not None and not loaded.has_errors:
        from logship.check.receiver import reach

        for endpoint in dict.fromkeys(source.endpoint for source in loaded.settings.sources):
            origin = loaded.settings.origin
            findings += reach(endpoint, origin, send_test=send_test)
    errors = [finding for finding in findings if finding.level == "error"]
    warnings = [finding for finding in findings if finding.level == "warning"]
    is_config_wrong = loaded.has_errors or (strict and bool(warnings))
    code = Exit.CONFIG if is_config_wrong else Exit.UNDELIVERED if errors else Exit.FINE
    if as_json:
        print_json(findings, code)
    else:
        has_sent = any(finding.message.startswith("test event") for finding in findings)
        print_findings(Terminal(), findings, code, has_sent=has_sent)
    return code


def print_findings(terminal: Terminal, findings: list[Finding], code: Exit, *, has_sent: bool) -> None:
    """A line for each finding, mistakes underlined, the counts at the end."""
    width = max([8, *(len(finding.subject) for finding in findings)])
    for finding, following in zip_longest(findings, findings[1:]):
        is_same_place = following is not None and _place(finding) is not None and _place(finding) == _place(following)
        terminal.level = "info" if finding.level == "ok" else finding.level
        print_finding(terminal, finding, width, with_excerpt=not is_same_place)
    terminal.level = "info"
    if code is not Exit.CONFIG:
        terminal.line(kernel.described())
    counts = [_count(findings, "error", "error"), _count(findings, "warning", "warning")]
    sent = "one test event sent" if has_sent else "nothing sent"
    exit_code = f" (exit {int(code)})" if code else ""
    terminal.line(f"{', '.join(counts)}, {sent}{exit_code}")


def _place(finding: Finding) -> tuple[str, int | None, int | None, int] | None:
    """Where a mistake is underlined; mistakes at one place share the excerpt."""
    problem = finding.problem
    return None if problem is None else (problem.path, problem.line, problem.column, problem.width)


def print_finding(terminal: Terminal, finding: Finding, width: int, *, with_excerpt: bool = True) -> None:
    """One finding: level, subject, place, sentence; below it the excerpt."""
    from logship.cli.terminal import underlined

    word, style = WORDS[finding.level]
    place = f"{finding.problem.place()} " if finding.problem else ""
    separator = "; " if finding.problem else "   "
    hint = f"{separator}{finding.hint}" if finding.hint else ""
    terminal.line(
        Styled(word, style), " ", finding.subject.ljust(width), "  ", Styled(place, "bold"), finding.message, hint
    )
    if finding.problem and with_excerpt:
        for line in underlined(finding.problem):
            terminal.line(INDENT, line)
    elif finding.line:
        for line in _pointed(finding.line, finding.at):
            terminal.line(INDENT, line)


def _pointed(line: bytes, at: int) -> list[str]:
    """The log line and a caret under the byte that didn't fit."""
    start = max(0, at - LINE_SHOWN // 2)
    before = clean(line[start:at].decode("utf-8", "replace"))
    after = clean(line[at : start + LINE_SHOWN].decode("utf-8", "replace"))
    lead = "…" if start else ""
    return [lead + before + after, " " * (len(lead) + len(before)) + "^"]


def _count(findings: list[Finding], level: Level, word: str) -> str:
    number = sum(finding.level == level for finding in findings)
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def print_json(findings: list[Finding], code: Exit) -> None:
    """`{"exit": …, "kernel": …, "errors": …, "warnings": …, "findings": […]}`; of each its level, subject, message …"""
    import orjson

    rows = []
    for finding in findings:
        row: dict[str, object] = {
            "level": finding.level,
            "subject": finding.subject,
            "message": finding.message,
            "hint": finding.hint,
        }
        if finding.problem:
            problem = finding.problem
            row |= {"path": problem.path, "line": problem.line, "column": problem.column, "width": problem.width}
            row["excerpt"] = problem.excerpt
        if finding.line:
            row |= {"log_line": finding.line.decode("utf-8", "replace"), "at": finding.at}
        rows.append(row)
    counts = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning")}
    document = {
        "exit": int(code), "kernel": kernel.IMPLEMENTATION, "errors": counts["error"], "warnings": counts["warning"],
        "findings": rows,
    }  # fmt: skip
    click.echo(orjson.dumps(document).decode())
