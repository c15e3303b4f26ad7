"""Man pages and completions, from the same sources as --help, the schema and /metrics.

python packaging/manual.py SHARE      writes SHARE/man/man1/logship.1, SHARE/man/man5/logship.yml.5 and the
                                      completions of bash, zsh and fish where Debian people look for them
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from logship import __version__
from logship.cli import COMMANDS, logship
from logship.cli.completion import script
from logship.cli.options import examples_of
from logship.config.models import EndpointModel, LogshipModel
from logship.mapping.spec import MappingSpec
from logship.sections import REQUIRED, Key, Section
from logship.status.metrics import METRICS, PROCESS

SHOWN_ONCE = {EndpointModel}  # a source's endpoint has the keys of endpoint:
COMPLETIONS = {
    "bash": "bash-completion/completions/logship",
    "zsh": "zsh/vendor-completions/_logship",
    "fish": "fish/vendor_completions.d/logship.fish",
}
EXIT_CODES = {
    "0": "Fine.",
    "1": "Something was not delivered, or needs a person, or an example failed.",
    "2": "The command line is wrong.",
    "78": "The configuration is wrong; systemd does not start the service again.",
}
SIGNALS = {
    "SIGTERM, SIGINT": "Drain for at most delivery.shutdown_timeout, write what was confirmed, stop.",
    "SIGHUP": "Reload. A wrong configuration is refused with an ERROR and the old one stays.",
    "SIGUSR1": "Log more (DEBUG: each chunk that is read, each batch that is settled); again: as before.",
}
ENVIRONMENT = {
    "LOGSHIP_CONFIG": "The configuration when -c is not given; else /etc/logship/logship.yml.",
    "LOGSHIP_LOG": "What the daemon logs: debug, info (the default), warning or error; see SIGUSR1.",
    "LOGSHIP_APPLICATION_ID": "The application id, when neither the configuration nor a credential names it.",
    "CREDENTIALS_DIRECTORY": "Where systemd puts the file application_id (LoadCredential=).",
    "STATE_DIRECTORY": "The state directory when state_dir is not set; systemd sets it.",
    "XDG_STATE_HOME": "Its subdirectory logship is the state directory when nothing else is set.",
    "HTTPS_PROXY, NO_PROXY": "Honoured when endpoint.proxy is not set.",
}
FILES = {
    "/etc/logship/logship.yml": "The configuration, see logship.yml(5).",
    "/etc/logship/application_id": "The application id, read by systemd for the service (mode 0600, root).",
    "/var/lib/logship": "How far each file is confirmed, and the dead letters.",
}


def manual_of_commands() -> str:
    """logship(1)."""
    page = [_title("LOGSHIP", 1, "User Commands"), _name("logship", "web server access logs into API events")]
    page += [".SH SYNOPSIS", r".B logship", r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]..."]
    page += [".SH DESCRIPTION", _text(logship.help or "")]
    page += [
        _text("The log file is the queue: lines are read, converted, posted and confirmed, and only then forgotten.")
    ]
    page += [".SH COMMANDS"]
    for name in COMMANDS:
        page += _command(name)
    page += _table("EXIT STATUS", EXIT_CODES) + _table("SIGNALS", SIGNALS) + _table("ENVIRONMENT", ENVIRONMENT)
    page += _table("FILES", FILES)
    page += _table(
        "METRICS", {_metric_head(metric.name, metric.labels): metric.help for metric in (*METRICS, *PROCESS)}
    )
    page += [".SH SEE ALSO", r"\fBlogship.yml\fR(5), \fBlogrotate\fR(8), \fBsystemctl\fR(1)"]
    return "\n".join(page) + "\n"


def manual_of_config() -> str:
    """logship.yml(5): both files people write."""
    page = [_title("LOGSHIP.YML", 5, "File Formats"), _name("logship.yml", "configuration and mappings of logship")]
    page += [".SH DESCRIPTION"]
    page += [
        _text(
            "YAML in UTF-8. Every scalar is read as text and the key gives it its type. ${env:NAME}, "
            "${env:NAME:-default} and ${file:PATH} expand in any string. Durations: 500ms 1s 5m 24h 30d. "
            "Sizes: 250000 250kB 1GB. Unknown keys are errors. Find every mistake with: logship check"
        )
    ]
    page += [".SH LOGSHIP.YML", *_keys(LogshipModel, ""), ".SH MAPPING FILES"]
    page += [
        _text("What `mapping:` of a source names: what event the fields of a line become."),
        *_keys(MappingSpec, ""),
    ]
    page += [".SH SEE ALSO", r"\fBlogship\fR(1); the JSON Schema of both for editors: logship schema"]
    return "\n".join(page) + "\n"


def _command(name: str) -> Iterator[str]:
    context = click.Context(logship, info_name="logship")
    command = logship.get_command(context, name)
    assert command is not None, name
    yield from _click_command(command, f"logship {name}", context)


def _click_command(command: click.Command, path: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_roff(path)} {_roff(usage)}"
    yield _text(textwrap.dedent(command.help or command.short_help or ""))
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            yield from (".TP", rf"\fB{_roff(record[0])}\fR", _text(record[1]))
    if examples := examples_of(command):
        yield from (".PP", "Examples:", ".PP", ".nf", *(f"  {_roff(line)}" for line in examples), ".fi")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _click_command(below, f"{path} {name}", context)


def _keys(model: type[Section], prefix: str) -> Iterator[str]:
    for name, about in model.keys.items():
        key, below = prefix + name, about.kind.section
        yield from (".TP", rf"\fB{_roff(key)}\fR{_default(about)}", _text(about.description))
        if below is not None and not (prefix and below in SHOWN_ONCE):
            yield from _keys(below, key + ("[]." if about.kind.is_list else "."))


def _default(about: Key) -> str:
    value = about.shown or about.default
    if value is REQUIRED:
        return " (required)"
    if value in (None, "", [], {}, False) or isinstance(value, Section):
        return ""
    return f" (default: {_roff(str(value))})"


def _metric_head(name: str, labels: tuple[str, ...]) -> str:
    return f"{name}{{{','.join(labels)}}}" if labels else name


def _title(name: str, section: int, manual: str) -> str:
    return f'.TH "{name}" "{section}" "" "logship {__version__}" "{manual}"'


def _name(name: str, purpose: str) -> str:
    return f".SH NAME\n{_roff(name)} \\- {purpose}"


def _table(head: str, rows: dict[str, str]) -> list[str]:
    lines = [f".SH {head}"]
    for name, meaning in rows.items():
        lines += [".TP", rf"\fB{_roff(name)}\fR", _text(meaning)]
    return lines


def _text(text: str) -> str:
    """Paragraphs; \\b of click marks one that keeps its lines."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if paragraph.lstrip().startswith("\b"):
            kept = [_roff(line) for line in paragraph.lstrip("\b \n").split("\n")]
            paragraphs.append("\n".join((".nf", *kept, ".fi")))
        else:
            paragraphs.append(_roff(" ".join(paragraph.split())))
    return "\n.sp\n".join(paragraphs)


def _roff(text: str) -> str:
    """Text that roff takes literally."""
    escaped = (
        text.replace("\\", r"\e").replace("-", r"\-").replace("^", r"\(ha").replace("~", r"\(ti").replace("`", r"\(ga")
    )
    escaped = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in escaped)
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


def main(share: Path) -> None:
    """Writes everything below `share`."""
    pages = {"man/man1/logship.1": manual_of_commands(), "man/man5/logship.yml.5": manual_of_config()}
    pages |= {path: script(shell) for shell, path in COMPLETIONS.items()}
    for name, text in pages.items():
        path = share / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
