"""`logship init`: a first configuration, made from this machine's web server configurations and logs; --bodies."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.check.permissions import id_file_of, unit_of
from logship.cli.options import subcommand
from logship.errors import Exit, UsageError
from logship.process.whole_file import write_whole

if TYPE_CHECKING:
    from logship.servers.proposal import Proposal


STDOUT = Path("-")
FORWARDED = "{extends: default, trusted_proxies: [private]}"
HEAD = """\
# yaml-language-server: $schema=logship.schema.json
# Made by `logship init`. With `logship schema > logship.schema.json` beside it, editors complete and explain its keys.

endpoint:
  url: https://api.moesif.net
  # The application id is not here: {id_place}.
{state}
sources:
"""
FILES = ("logship-bodies.js", "logship-bodies.conf", "bodies.yml")
ODD = re.compile(r"[^\w./+@-]")  # what has to be quoted, in nginx.conf and in YAML
UNQUOTABLE = re.compile(r"[*?\[\x00-\x1f\x7f'\\]")  # `include` takes patterns, njs makes a script of the path
STEPS = """\
wrote {files} into {directory}; to continue:
  nginx.conf, first line      load_module modules/ngx_http_js_module.so;   # Debian: libnginx-mod-http-js
  nginx.conf, http block      include {conf};
  each location to log        js_body_filter logship_bodies.keep buffer_type=buffer;
                              sendfile off;
                              access_log /var/log/nginx/bodies.log logship_bodies;
  logship.yml                 max_line_bytes: 512kB
                              sources:
                                - name: bodies
                                  paths: [/var/log/nginx/bodies.log]
                                  mapping: {mapping}
                                  format:
                                    nginx: |
{log_format}
The log holds bodies as they are: let nobody but nginx and logship read it (chmod 640), and rotate it often."""


@subcommand(
    "logship init",
    "logship init --force -o /etc/logship/logship.yml",
    "logship init --bodies ./bodies logs/",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write here instead of to the terminal.")
@click.option("--force", is_flag=True, help="Replace FILE; the old one is kept as FILE.old.")
@click.option(
    "--base",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default="/",
    help="Look below this directory instead of / (an image, a mounted disk).",
)
@click.option(
    "--bodies",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write into DIR, instead, what makes nginx log bodies (njs script, log_format), and a mapping with masks.",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
def command(output: Path | None, force: bool, base: Path, bodies: Path | None, paths: tuple[Path, ...]) -> int:
    """Read nginx.conf, httpd.conf and log files, find their formats, and write a commented logship.yml.

    PATH is a log file, a directory of logs, or a server's configuration; without any, the usual places are looked at.
    Nothing is sent and nothing but FILE is written; then the commands that start it are printed.
    """
    if bodies is not None:
        if output is not None or paths:
            raise UsageError("--bodies DIR goes with no FILE and no PATH; its files go into DIR")
        from logship.cli.init import write_bodies

        return write_bodies(bodies, force=force)
    if output == STDOUT:
        output = None
    if output is not None and output.exists() and not force:
        raise UsageError(f"{output} is there already; name another file with -o, or replace it with --force")
    proposals, told = _look(base, paths)
    for line in told:
        click.echo(line, err=True)
    if not proposals:
        click.echo("no access log found; name a log file or a server's configuration: logship init PATH", err=True)
        return Exit.UNDELIVERED
    text = _head(output) + "\n".join(_source(proposal, name, base) for proposal, name in _names(proposals))
    if output is None:
        click.echo(text, nl=False)
        return Exit.FINE
    _write(output, text)
    used = sum(not (proposal.problem and proposal.kind) for proposal in proposals)
    for line in _disclosed(output):
        click.echo(f"! {line}", err=True)
    click.echo(f"wrote {output}: {used} source{'' if used == 1 else 's'}; to continue:", err=True)
    for line in _next(output):
        click.echo(f"  {line}", err=True)
    return Exit.FINE


def _disclosed(output: Path) -> list[str]:
    """What looks like a secret in the newest events that the config would send, with the YAML that redacts it."""
    from logship.check.logs import survey
    from logship.config import load_settings
    from logship.errors import ConfigError

    try:
        settings = load_settings(output, os.environ, sending=False)
    except ConfigError:
        return []  # `logship check`, the next command, reports it
    found = [(source.name, survey(source, settings.converters[source.name], None)) for source in settings.sources]
    return [f"{name}: {said}; {remedy}" for name, seen in found for said, remedy in seen.disclosed]


def _write(output: Path, text: str) -> None:
    """Raises: UsageError if it can't be written."""
    try:
        if output.is_file():
            output.replace(f"{output}.old")
        # whatever root's umask is: the service's user must be able to read it
        write_whole(output, text, 0o644 if unit_of(output) else None)
    except OSError as exc:
        raise UsageError(f"{output} can't be written: {exc.strerror}; name another file with -o") from exc


def _head(output: Path | None) -> str:
    """The part above the sources; a service's config names its state directory, for commands typed by hand."""
    unit = unit_of(output) if output else ""
    if not unit:
        return HEAD.format(id_place="it is taken from $LOGSHIP_APPLICATION_ID", state="")
    state = f"state_dir: /var/lib/{unit.replace('@', '-')}\n"
    if "@" in unit:
        state += 'status: {listen: "127.0.0.1:9641"}   # each instance needs a port of its own\n'
    return HEAD.format(id_place=f"it is in {id_file_of(unit)}, readable by root alone", state=state)


def _next(output: Path) -> list[str]:
    """The three commands that lead from the config to a running daemon."""
    unit = unit_of(output)
    if not unit:
        return [
            "export LOGSHIP_APPLICATION_ID=...      # the application id",
            f"logship check -c {output}",
            f"logship run -c {output}",
        ]
    config = "" if unit == "logship" else f" -c {output}"
    return [
        f"install -m 600 /dev/stdin {id_file_of(unit)}      # paste the application id, then Ctrl-D",
        f"logship check{config}",
        f"systemctl enable {unit} && systemctl restart {unit}",
    ]


def _look(base: Path, paths: Sequence[Path]) -> tuple[list[Proposal], list[str]]:
    """The sources to propose, and remarks."""
    from logship.check.server_configs import one_id
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
    whole = Served.joined(found)
    proposals = propose_served(whole, named, base) + [propose_file(log, named) for log in logs]
    told = [f"{passed.place}: {passed.reason}" for passed in whole.passed]
    return proposals, told + [f"{log.repeats_ids}: {one_id(log.path)}" for log in whole.logs if log.repeats_ids]


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


def _source(proposal: Proposal, name: str, base: Path) -> str:
    """One source as YAML; commented out where it can't be used as it is."""
    from logship.config.quoting import in_quotes
    from logship.config.values import zone_of

    paths = ", ".join(in_quotes(path) for path in proposal.paths)
    formats = [each.preset or f"{{{each.kind}: {in_quotes(each.text)}}}" for each in proposal.wordings] or ["auto"]
    fmt = formats[0] if len(formats) == 1 else f"[{', '.join(formats)}]   # each line by the first that fits"
    lines = [f"  - name: {name}", f"    paths: [{paths}]"]
    if proposal.exclude:
        lines.append(
            f"    exclude: [{', '.join(in_quotes(path) for path in proposal.exclude)}]   # logs of other things"
        )
    lines += [f"    envelope: {proposal.envelope}"] if proposal.envelope else []
    lines += [f"    format: {fmt}", f"    mapping: {FORWARDED if proposal.is_forwarded else 'default'}"]
    if proposal.is_forwarded:
        lines.append("    # private networks count as your proxies; add the addresses of others")
    if proposal.lacks_zone:
        zone = "local" if base == Path("/") else zone_of("local", base)
        lines.append(f"    timezone: {zone}    # these lines have no zone; write the server's zone if it is another")
    if proposal.wordings:
        if not proposal.has_host:
            lines.append("    # fields: {host: shop.example.com}    # these lines have no host; name it here")
        if not proposal.has_duration:
            lines.append("    # these lines have no duration: log $request_time (nginx) or %D (Apache)")
    if proposal.problem and proposal.kind:
        lines = [f"  # {line[2:]}" for line in lines]
    return "\n".join([*(f"  # {remark}" for remark in _remarks(proposal)), *lines]) + "\n"


def _remarks(proposal: Proposal) -> list[str]:
    remarks = [proposal.place] if proposal.place else []
    if proposal.problem:
        remarks.append(f"NOT USED: {proposal.problem}" if proposal.kind else f"not sure: {proposal.problem}")
    if proposal.lines:
        remarks.append(f"{proposal.fits} of the newest {proposal.lines} lines fit")
    remarks += proposal.assumed
    if proposal.others:
        remarks.append("would fit too: " + ", ".join(f"{other.name} ({other.fits})" for other in proposal.others))
    return remarks


def write_bodies(directory: Path, *, force: bool) -> int:
    """Writes the three files and says where they are named.

    Raises: UsageError where one is there already, or can't be written.
    """
    from logship.config.quoting import in_quotes
    from logship.config.shipped import SHIPPED

    directory = directory.absolute()
    if found := UNQUOTABLE.search(str(directory)):
        raise UsageError(f"{directory}: nginx takes no {found[0]} in the path of such a file; name another directory")
    script, conf, mapping = (directory / name for name in FILES)
    quoted = {"{script}": in_nginx_quotes(script), "{conf}": in_nginx_quotes(conf)}
    texts = {name: (SHIPPED / "bodies" / name).read_text(encoding="utf-8") for name in FILES}
    for name in FILES:
        if (directory / name).exists() and not force:
            raise UsageError(f"{directory / name} is there already; name another directory, or replace it with --force")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = directory / name
            if path.is_file():
                path.replace(f"{path}.old")
            write_whole(path, reduce(lambda made, name: made.replace(name, quoted[name]), quoted, text))
    except OSError as exc:
        raise UsageError(f"{exc.filename or directory} can't be written: {exc.strerror}") from exc
    found = re.search(r"^log_format .*?;$", texts["logship-bodies.conf"], re.MULTILINE | re.DOTALL)
    assert found is not None
    log_format = "\n".join(f"{'':38}{line}" for line in found[0].splitlines())
    names = {"conf": quoted["{conf}"], "mapping": in_quotes(str(mapping)) if ODD.search(str(mapping)) else mapping}
    click.echo(STEPS.format(files=", ".join(FILES), directory=directory, log_format=log_format, **names))
    return Exit.FINE


def in_nginx_quotes(path: Path) -> str:
    """A path as a word of nginx.conf: as it is where nothing in it means something there."""
    text = str(path)
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"' if ODD.search(text) else text
