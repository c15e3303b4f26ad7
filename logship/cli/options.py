"""What the commands share: the same options everywhere, completion of values, examples in every --help."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
CONFIG_DEFAULT = "[default: $LOGSHIP_CONFIG, else /etc/logship/logship.yml]"


def subcommand(*examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help ends with these command lines; a test parses each of them."""
    return click.command(epilog=as_epilog(examples))


def as_epilog(examples: Iterable[str]) -> str:
    """The examples below a help text, each on a line of its own. (A line of \\b tells click not to join lines.)"""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples)


def examples_of(command: click.Command) -> list[str]:
    """The command lines that a command's help ends with."""
    return [line.strip() for line in (command.epilog or "").splitlines()[2:]]


def config_option(text: str = "The configuration.", *, may_lack: bool = False) -> Decorator:
    """-c FILE. `may_lack`: the command also works without a configuration."""
    ends = CONFIG_DEFAULT if not may_lack else f"{CONFIG_DEFAULT[:-1]}, where there is one]"
    return click.option("-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help=f"{text}  {ends}")


def source_option(text: str) -> Decorator:
    return click.option("--source", default="", metavar="NAME", help=text, shell_complete=_sources)


def format_option(text: str = "A preset, a format of the configuration, or {nginx: '…'}.") -> Decorator:
    return click.option("--format", "format_", default="", metavar="FORMAT", help=text, shell_complete=complete_formats)


def mapping_option(text: str = "A shipped mapping, or a file.") -> Decorator:
    return click.option("--mapping", default="", metavar="MAPPING", help=text, shell_complete=complete_mappings)


def field_option(text: str = "A constant field, e.g. host=shop.example.com; may be repeated.") -> Decorator:
    return click.option("--field", "fields", multiple=True, metavar="KEY=VALUE", help=text)


def json_option(text: str) -> Decorator:
    return click.option("--json", "as_json", is_flag=True, help=text)


def complete_formats(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The presets, with descriptions."""
    from click.shell_completion import CompletionItem

    from logship.config.shipped import presets

    return [CompletionItem(name, help=spec.meaning) for name, spec in presets().items() if name.startswith(begun)]


def complete_mappings(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The shipped mappings, or files if no mapping's name begins so."""
    from click.shell_completion import CompletionItem

    from logship.config.shipped import mapping_names

    names = [CompletionItem(name) for name in mapping_names() if name.startswith(begun)]
    return names or [CompletionItem(begun, type="file")]


def complete_files(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Completion by the shell itself: files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type="file")]


def _sources(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The sources of the command's configuration; none if it can't be read."""
    from click.shell_completion import CompletionItem

    from logship.config.loading import examine
    from logship.errors import LogshipError

    try:
        names = examine(context.params.get("config"), os.environ, sending=False, converting=False).names
    except (LogshipError, OSError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(begun)]
