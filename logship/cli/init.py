"""`logship init`: a first configuration, from what this machine's web servers say and what their logs hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.errors import Exit, UsageError

if TYPE_CHECKING:
    from logship.servers.proposal import Proposal

HEAD = """\
# yaml-language-server: $schema=logship.schema.json
# Made by `logship init`. With `logship schema > logship.schema.json` beside it, editors complete and explain its keys.

endpoint:
  url: https://api.moesif.net
  # Where the application id comes from; better a file or systemd's credentials than the id itself.
  application_id: "${env:LOGSHIP_APPLICATION_ID}"

sources:
"""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write here instead of to the terminal.")
@click.option(
    "--base",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default="/",
    help="Look below this directory instead of / (an image, a mounted disk).",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
def command(output: Path | None, base: Path, paths: tuple[Path, ...]) -> int:
    """Look at nginx.conf, httpd.conf and log files, find out formats, and write a commented logship.yml.

    PATH is a log file, a directory of logs, or a server's configuration; without any, the usual places are looked at.
    Nothing is sent and nothing but FILE is written.
    """
    if output is not None and output.exists():
        raise UsageError(f"{output} is there already; name another file with -o, or move it away")
    proposals, told = _look(base, paths)
    for line in told:
        click.echo(line, err=True)
    if not proposals:
        click.echo("no access log found; name a log file or a server's configuration: logship init PATH", err=True)
        return Exit.UNDELIVERED
    text = HEAD + "\n".join(_source(proposal, name) for proposal, name in _names(proposals))
    if output is None:
        click.echo(text, nl=False)
        return Exit.FINE
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{output} can't be written: {exc.strerror}; name another file with -o") from exc
    click.echo(f"wrote {output}: {len(proposals)} source{'' if len(proposals) == 1 else 's'}", err=True)
    click.echo(f"next: put in the application id, then  logship check -c {output}", err=True)
    return Exit.FINE


def _look(base: Path, paths: Sequence[Path]) -> tuple[list[Proposal], list[str]]:
    """The sources to propose, and what a person should know beside them."""
    from logship.config.shipped import presets
    from logship.servers import Served, read_conf_file, served_logs
    from logship.servers.proposal import USUAL_LOGS, propose_file, propose_served

    named = presets()
    logs = [path for path in paths if path.is_file() and not _is_conf(path)]
    logs += [log for path in paths if path.is_dir() for log in sorted(path.glob("*access*log"))]
    confs = [path for path in paths if path.is_file() and _is_conf(path)]
    try:
        found = [read_conf_file(conf, base.absolute()) for conf in confs]
    except OSError as exc:
        raise UsageError(f"{exc.filename}: {exc.strerror}") from exc
    if not paths:
        found.append(served_logs(base.absolute()))
        if not found[0].logs:
            logs += [log for pattern in USUAL_LOGS for log in sorted(base.glob(pattern))]
    whole = Served(
        tuple(log for served in found for log in served.logs), tuple(one for served in found for one in served.passed)
    )  # fmt: skip
    proposals = propose_served(whole.logs, named, base) + [propose_file(log, named) for log in logs]
    return proposals, [f"{passed.place}: {passed.reason}" for passed in whole.passed]


def _is_conf(path: Path) -> bool:
    return path.suffix == ".conf"


def _names(proposals: Sequence[Proposal]) -> list[tuple[Proposal, str]]:
    """Each with a name of its own: from its format, or from its file."""
    named: list[tuple[Proposal, str]] = []
    taken: set[str] = set()
    for proposal in proposals:
        stem = Path(proposal.paths[0]).name.replace("*", "").removesuffix(".log").strip("._-") or "log"
        first = f"{proposal.kind}-{stem}" if proposal.kind else stem
        name, number = first, 2
        while name in taken:
            name, number = f"{first}-{number}", number + 1
        taken.add(name)
        named.append((proposal, name))
    return named


def _source(proposal: Proposal, name: str) -> str:
    """One source as YAML; commented out where it can't be used as it is."""
    from logship.config.quoting import in_quotes

    paths = ", ".join(in_quotes(path) for path in proposal.paths)
    fmt = proposal.preset or (f"{{{proposal.kind}: {in_quotes(proposal.text)}}}" if proposal.kind else "auto")
    lines = [f"  - name: {name}", f"    paths: [{paths}]", f"    format: {fmt}", "    mapping: default"]
    if proposal.preset or proposal.kind:
        if not proposal.has_host:
            lines.append("    # fields: {host: shop.example.com}    # these lines hold no host; say which it is")
        if not proposal.has_duration:
            lines.append("    # these lines hold no duration: log $request_time (nginx) or %D (Apache) to have it")
    if proposal.problem and proposal.kind:
        lines = [f"  # {line[2:]}" for line in lines]
    return "\n".join([*(f"  # {remark}" for remark in _remarks(proposal)), *lines]) + "\n"


def _remarks(proposal: Proposal) -> list[str]:
    remarks = [proposal.place] if proposal.place else []
    if proposal.problem:
        remarks.append(f"NOT USED: {proposal.problem}" if proposal.kind else f"not sure: {proposal.problem}")
    if proposal.lines:
        remarks.append(f"{proposal.fits} of the newest {proposal.lines} lines fit")
    if proposal.others:
        remarks.append("would fit too: " + ", ".join(f"{other.name} ({other.fits})" for other in proposal.others))
    return remarks
