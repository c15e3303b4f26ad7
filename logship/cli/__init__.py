"""The command line: one file per subcommand, loaded only when it is the one that was typed."""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import sys

from logship.process import startup

startup.hold(sys.argv[1:])  # before anything that takes time is imported
gc.set_threshold(20_000)  # new containers: imports make many, and searching them for garbage is 5 % of a start

import click  # noqa: E402

from logship import __version__  # noqa: E402
from logship.errors import ConfigError, Exit, LogshipError  # noqa: E402

COMMANDS = {
    "run": "the daemon: follow the logs and ship them",
    "backfill": "ship old logs, plain or compressed, once",
    "check": "find every mistake in config and mappings before the daemon does",
    "preview": "show lines beside the events they become",
    "playground": "write a format and a mapping in the browser, beside their events",
    "test": "run the examples of mapping files",
    "diff": "show which events a changed mapping changes",
    "init": "look at this machine's web servers and write a config",
    "formats": "list the format presets",
    "fields": "list the vocabulary of fields",
    "schema": "print the JSON Schema of logship.yml and mapping files",
    "completion": "print the completion script of bash, zsh or fish",
    "status": "show each file's position and what needs a person",
    "trace": "find out what became of a line",
    "dead-letters": "look at, retry or purge what was set aside",
    "collector": "the ingestion API itself, with a page to look at",
    "collector-report": "write a view of a collector's page as one HTML file",
    "collector-erase": "erase one user's events from a collector's store",
    "demo": "collector, live traffic and the daemon, all at once",
}


TYPE_NAMES = {  # click's name -> ours
    "is not a valid integer range": "is not a whole number",
    "is not a valid integer": "is not a whole number",
    "is not a valid float range": "is not a number",
    "is not a valid float": "is not a number",
}


class SeenEnough(Exception):  # noqa: N818 (no error: `logship fields | head`)
    """The reader of the output has closed it; click would exit with 1."""


class LazyGroup(click.Group):
    """Imports a subcommand's file when it is called, so that `--version` costs no YAML, HTTP or SQLite."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            raise SeenEnough from exc

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"logship.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"no command '{args[0]}'{hint}", ctx)
        return super().resolve_command(ctx, args)


def _show_version(context: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    """The version, and what converts lines."""
    if is_asked:
        from logship import kernel

        click.echo(f"logship {__version__}\n{kernel.described()}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
    help="Show the version and exit.",
)  # fmt: skip
def logship() -> None:
    """Web server access logs into API events: nothing lost, nothing twice."""


def main() -> None:
    """Console entry point: turns every expected error into its sentence and exit code."""
    _fill_closed_streams()
    code = execute(sys.argv[1:])
    gc.freeze()  # the interpreter searches all objects for garbage before it ends: 5 % of a short command
    sys.exit(code)


def _fill_closed_streams() -> None:
    """Opens closed standard streams (cron jobs, `>&-`) on /dev/null, so that no file opened later gets their numbers.

    A closed stdin stays None: there is nothing to read, which is said where it is asked for.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        with contextlib.suppress(OSError):
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number: the ones before it are open
            if opened == number:
                os.set_inheritable(opened, True)  # for worker processes, too
            else:
                os.close(opened)
        if name != "stdin":
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # for the process's life


def execute(arguments: list[str]) -> int:
    """Exit code of one command line; prints errors to stderr, never a traceback for a mistake that people can fix."""
    try:
        result = logship.main(args=arguments, prog_name="logship", standalone_mode=False)
        _flush()  # here a closed pipe is no error; at the interpreter's end it would be
    except click.exceptions.Abort:
        return 130  # what shells report for Ctrl-C
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        return Exit.USAGE
    except click.ClickException as exc:
        _complain(_sentence(exc))
        return Exit.USAGE
    except ConfigError as exc:
        _show(exc)
        return exc.exit_code
    except LogshipError as exc:
        _complain(str(exc))
        return exc.exit_code
    except (SeenEnough, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FINE
    except OSError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _complain(f"{exc.filename or 'the output'} can't be written: {exc.strerror}")
        return Exit.UNDELIVERED
    return result if isinstance(result, int) else Exit.FINE


def _flush() -> None:
    """Writes what is still buffered, unless the terminal was closed."""
    try:
        sys.stdout.flush()
    except OSError as exc:
        if exc.errno != errno.EIO:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())


def _complain(sentence: str) -> None:
    """Writes to stderr; if that is the journal, with the priority of an error."""
    from logship.process.journal import priority_of

    click.echo(f"{priority_of(sys.stderr, os.environ, 'error')}logship: {sentence}", err=True)


def _sentence(exc: click.ClickException) -> str:
    """click's message in the form of ours: one sentence, and what to do."""
    if isinstance(exc, click.NoSuchOption):
        hint = f"; did you mean '{exc.possibilities[0]}'?" if exc.possibilities else ""
        return _with_help(f"no option '{exc.option_name}'{hint}", exc.ctx)
    text = exc.format_message().removesuffix(".")
    for jargon, plain in TYPE_NAMES.items():
        text = text.replace(jargon, plain)
    text = text[:1].lower() + text[1:]
    return _with_help(text, exc.ctx if isinstance(exc, click.UsageError) else None)


def _with_help(text: str, context: click.Context | None) -> str:
    return f"{text}; see: {context.command_path} --help" if context else text


def _show(exc: ConfigError) -> None:
    """Each mistake with file:line:column, and the line with the mistake underlined."""
    from logship.cli.terminal import Terminal, underlined

    terminal = Terminal(stream=sys.stderr, level="error")
    for problem in exc.problems:
        terminal.line(str(problem))
        for line in underlined(problem):
            terminal.line("    ", line)
