"""`logship dead-letters`: what was set aside and why; retry or purge."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli.options import as_epilog, config_option, json_option, source_option
from logship.errors import ConfigError, Exit, UsageError

if TYPE_CHECKING:
    from logship.cli.terminal import Terminal
    from logship.config import Settings
    from logship.delivery import DeadLetter, DeadLetters
    from logship.route.redelivery import Retried

SHORTEST_ID = 8  # characters of an id that are enough to name a letter
REASON_WIDTH = 60

_of_source = source_option("Only dead letters of this source.")


@click.group(
    epilog=as_epilog(["logship dead-letters list", "logship dead-letters show 1f9e0c74", "logship dead-letters retry"])
)
def command() -> None:
    """Show dead letters and their reasons; retry or purge them."""


@command.command("list", epilog=as_epilog(["logship dead-letters list --source shop --json"]))
@config_option()
@_of_source
@json_option("One object a line, for machines.")
def list_letters(config: Path | None, source: str, as_json: bool) -> int:
    """One line for each dead letter, oldest first."""
    from logship.cli.terminal import Terminal
    from logship.words import counted

    store = _store(_settings(config))
    letters = _chosen(store, (), source)
    if as_json:
        _print_json(letters)
        return Exit.FINE
    terminal = Terminal()
    if letters:
        rows = [(letter.id, letter.time, letter.file.source, _place(letter), _reason(letter)) for letter in letters]
        terminal.table(("ID", "TIME", "SOURCE", "FILE:POSITION", "REASON"), rows)
    size = store.size()
    terminal.line(f"{counted(len(letters), 'dead letter')}, {size.bytes:,} of at most {size.max_bytes:,} bytes")
    if size.overflow:
        terminal.line(f"{size.overflow:,} more did not fit into the store and were only counted")
    return Exit.FINE


@command.command(epilog=as_epilog(["logship dead-letters show 1f9e0c74"]))
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@config_option()
@json_option("One object a line, for machines.")
def show(ids: tuple[str, ...], config: Path | None, as_json: bool) -> int:
    """Everything that is stored of these letters: reason, answer, raw line, event."""
    from logship.cli.terminal import Terminal

    letters = _chosen(_store(_settings(config)), ids, "")
    if as_json:
        _print_json(letters)
        return Exit.FINE
    terminal = Terminal()
    for letter in letters:
        _show(terminal, letter)
    return Exit.FINE


@command.command(epilog=as_epilog(["logship dead-letters retry --source shop"]))
@click.argument("ids", nargs=-1, metavar="[ID...]")
@config_option()
@_of_source
def retry(ids: tuple[str, ...], config: Path | None, source: str) -> int:
    """Convert the raw lines again, with the mapping as it is now, and deliver them.

    Without ID all are retried. Letters that are delivered, or that the mapping drops now, leave the store. Ids stay the
    same, so an event that had arrived before is not doubled. Exit 1 when a letter is left.
    """
    from logship.cli.terminal import Terminal
    from logship.config import load_settings

    settings = load_settings(config, os.environ)
    store = _store(settings)
    letters = _chosen(store, ids, source)
    known = {each.name for each in settings.sources}
    tried = [_retry_of_output(settings, store, sources, letters) for sources in _outputs(settings)]
    orphans = [letter for letter in letters if letter.file.source not in known]
    return _report(Terminal(), tried, orphans)


@command.command(epilog=as_epilog(["logship dead-letters purge --yes 1f9e0c74"]))
@click.argument("ids", nargs=-1, metavar="[ID...]")
@config_option()
@_of_source
@click.option("--yes", is_flag=True, help="Don't ask.")
def purge(ids: tuple[str, ...], config: Path | None, source: str, yes: bool) -> int:
    """Delete letters for good; without ID all of them."""
    from logship.words import counted

    store = _store(_settings(config))
    letters = _chosen(store, ids, source)
    if not yes:
        click.confirm(f"delete {counted(len(letters), 'dead letter')} for good?", abort=True)
    everything = not ids and not source
    gone = store.purge() if everything else store.remove(letter.id for letter in letters)
    click.echo(f"{counted(gone, 'dead letter')} deleted")
    return Exit.FINE


def _settings(config: Path | None) -> Settings:
    from logship.config import load_settings

    return load_settings(config, os.environ, sending=False, converting=False)


def _store(settings: Settings) -> DeadLetters:
    from logship.counters import Counters
    from logship.delivery import DeadLetters

    return DeadLetters(settings.state_dir, counters=Counters())


def _chosen(store: DeadLetters, ids: Sequence[str], source: str) -> list[DeadLetter]:
    """The letters with these ids (or beginnings of ids), or all; of one source.

    Raises: UsageError for an id that names none or is too short; ConfigError when the store can't be read.
    """
    for wanted in ids:
        if len(wanted) < SHORTEST_ID:
            raise UsageError(f"'{wanted}' is too short for an id; give at least {SHORTEST_ID} characters of it")
    try:
        letters = [letter for letter in store if not source or letter.file.source == source]
    except OSError as exc:
        raise _unreadable(exc) from exc
    if not ids:
        return letters
    for wanted in ids:
        if not any(letter.id.startswith(wanted) for letter in letters):
            raise UsageError(f"no dead letter has the id '{wanted}'; see logship dead-letters list")
    return [letter for letter in letters if letter.id.startswith(tuple(ids))]


def _unreadable(exc: OSError) -> ConfigError:
    from logship.errors import Problem

    problem = Problem(str(exc.filename), None, None, str(exc.strerror), "run it as the service's user or as root")
    return ConfigError((problem,))


def _outputs(settings: Settings) -> list[frozenset[str]]:
    """The names of the sources that share an endpoint."""
    by_endpoint: dict[object, set[str]] = {}
    for source in settings.sources:
        by_endpoint.setdefault(source.endpoint, set()).add(source.name)
    return [frozenset(names) for names in by_endpoint.values()]


def _retry_of_output(
    settings: Settings, store: DeadLetters, names: frozenset[str], letters: Iterable[DeadLetter]
) -> Retried:
    """Retries the letters of sources that share an endpoint."""
    import math
    import random

    from logship.backfill.receiver_rules import ReceiverRules
    from logship.clock import SystemClock, iso_time
    from logship.counters import Counters
    from logship.delivery import Delivery
    from logship.event import Conversion, Window
    from logship.formats.directives import headed
    from logship.route.batcher import Batcher, span
    from logship.route.output import Output
    from logship.route.redelivery import Retried, redeliver

    mine = [letter for letter in letters if letter.file.source in names]
    if not mine:
        return Retried()
    clock = SystemClock()
    sources = {source.name: source for source in settings.sources if source.name in names}
    endpoint = next(iter(sources.values())).endpoint
    age_s = endpoint.max_event_age_s
    window = Window(oldest=iso_time(clock.time() - age_s)) if age_s is not None else None
    converters = {name: settings.compile_source(source) for name, source in sources.items()}
    rules = ReceiverRules([endpoint], settings.state_dir, clock)
    try:
        rules.begin()
        for converter in converters.values():
            converter.obey(rules.of(endpoint))
    finally:
        rules.close()

    def convert(letter: DeadLetter) -> Conversion:
        heading, line = headed(letter.raw)
        converter = converters[letter.file.source]
        return converter.convert(line + b"\n", letter.position, letter.file, window, heading)

    delivery = Delivery(endpoint, settings.delivery, clock=clock, random=random.Random(), counters=Counters())
    try:
        output = Output(delivery, Batcher(settings.batch.max_bytes, math.inf, span))
        return redeliver(mine, convert, output, store, clock=clock)
    finally:
        delivery.close(0.0)


def _report(terminal: Terminal, tried: Sequence[Retried], orphans: Sequence[DeadLetter]) -> int:
    delivered, dropped, excluded, dead, waiting = (
        sum(len(getattr(one, name)) for one in tried)
        for name in ("delivered", "dropped", "excluded", "dead", "waiting")
    )
    by_rules = f" · left out by the receiver's rules {excluded:,}" if excluded else ""
    terminal.line(
        f"delivered {delivered:,} · dropped by the mapping {dropped:,}{by_rules} · still dead {dead:,}"
        f" · not retried {waiting + len(orphans):,}"
    )
    for one in tried:
        for letter in one.dead:
            terminal.line(f"{letter.id}  {_place(letter)}  {_reason(letter)}")
        if one.trouble:
            terminal.line(f"stopped: {one.trouble}")
    for name in sorted({letter.file.source for letter in orphans}):
        terminal.line(f"there is no source '{name}' any more; add one of that name to retry its letters, or purge them")
    return Exit.UNDELIVERED if dead or waiting or orphans else Exit.FINE


def _place(letter: DeadLetter) -> str:
    return f"{letter.file.path}:{letter.position}"


def _reason(letter: DeadLetter) -> str:
    status = f" ({letter.status})" if letter.status is not None else ""
    text = f"{letter.reason}{status}"
    return text if len(text) <= REASON_WIDTH else text[: REASON_WIDTH - 1] + "…"


def _show(terminal: Terminal, letter: DeadLetter) -> None:
    facts = {
        "id": letter.id,
        "time": letter.time,
        "source": letter.file.source,
        "file": f"{_place(letter)} on {letter.file.origin}",
        "reason": letter.reason,
        "status": "" if letter.status is None else str(letter.status),
        "answer": letter.answer,
        "line": letter.raw.decode("utf-8", "replace") + (" …" if letter.is_cut else ""),
    }
    for name, value in facts.items():
        if value:
            terminal.line(f"{name:<7} {value}")
    if letter.event:
        for line in json.dumps(json.loads(letter.event), indent=2).splitlines():
            terminal.line(f"        {line}")
    terminal.line()


def _print_json(letters: Iterable[DeadLetter]) -> None:
    from logship.delivery.dead_letter import to_json

    for letter in letters:
        line = json.dumps(json.loads(to_json(letter)))  # ASCII: nothing in it can drive a terminal
        click.echo(line.replace("\x7f", "\\u007f"))
