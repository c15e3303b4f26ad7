"""`logship status`: each file's position, the receiver, and what needs attention."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli.options import config_option, json_option, subcommand

if TYPE_CHECKING:
    from logship.config import Settings
    from logship.status.model import ReceiverReport, Status

WATCH_S = 2.0  # between two snapshots
UNCUT = 10_000  # columns
ENTER_SCREEN, LEAVE_SCREEN = (
    "\x1b[?1049h\x1b[?25l",
    "\x1b[?25h\x1b[?1049l",
)  # xterm's alternate screen, without a cursor
TOP = "\x1b[H\x1b[J"
ASK_S = 8.0  # longer than the 5 s after which the daemon reports that it is stuck


@subcommand(
    "logship status",
    "logship status --watch",
    "logship status --all --json",
)
@config_option()
@json_option("The snapshot as JSON, as /status gives it; one a line.")
@click.option("--all", "shows_all", is_flag=True, help="Every file, also those that are read to their end.")
@click.option("--watch", is_flag=True, help="Refresh every 2 seconds, until Ctrl-C.")
def command(config: Path | None, as_json: bool, shows_all: bool, watch: bool) -> int:
    """Show each file's position, the receiver, and what needs attention; of many files only those that need it.

    Asks the running daemon; if none answers, reads the state directory and says so. Exit 1 when somebody must act.
    """
    import os

    from logship.config import load_settings

    settings = load_settings(config, os.environ, sending=False, converting=False)
    if watch:
        return _watch(settings, as_json=as_json, shows_all=shows_all)
    status = _status(settings)
    _print(status, as_json=as_json, shows_all=shows_all)
    return 1 if status.needs_a_person else 0


def _watch(settings: Settings, *, as_json: bool, shows_all: bool) -> int:
    """A snapshot every WATCH_S, until Ctrl-C or SIGTERM; on a terminal in its alternate screen, so nothing is left."""
    import signal
    import sys
    import time

    from logship.cli.terminal import Terminal

    has_screen = Terminal().is_terminal and not as_json
    status = None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        click.echo(ENTER_SCREEN if has_screen else "", nl=False)
        while True:
            status = _status(settings)
            if has_screen:
                click.echo(TOP + "\n".join(_fitting(status, shows_all=shows_all)), nl=False)
            else:
                _print(status, as_json=as_json, shows_all=shows_all)
                if not as_json:
                    click.echo()
            sys.stdout.flush()
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        return 1 if status is None or status.needs_a_person else 0
    finally:
        click.echo(LEAVE_SCREEN if has_screen else "", nl=False)


def _fitting(status: Status, *, shows_all: bool) -> list[str]:
    """The lines that the screen has rows for, and how many there are below them."""
    import shutil

    from logship.cli.status_table import lines

    columns, rows = shutil.get_terminal_size()
    shown = lines(status, width=columns, shows_all=shows_all)
    fitting: list[str] = []
    for line in shown:
        rows -= max(1, -(-len(click.unstyle(line)) // columns))
        if rows < 1:  # the last one says what is missing
            return [*fitting, f"  {len(shown) - len(fitting):,} more lines, without --watch"]
        fitting.append(line)
    return fitting


def _print(status: Status, *, as_json: bool, shows_all: bool) -> None:
    if as_json:
        click.echo(status.to_json())
    else:
        _show(status, shows_all=shows_all)


def _show(status: Status, *, shows_all: bool) -> None:
    from logship.cli.status_table import lines

    for line in lines(status, width=_width(), shows_all=shows_all):
        click.echo(line)


def _width() -> int:
    """Columns of the terminal; without one (a pipe, cron's mail) paths are not cut."""
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else UNCUT


def _status(settings: Settings) -> Status:
    """The daemon's snapshot, or one made from the state directory."""
    if settings.status is None:
        return _stopped(settings, "it offers no status endpoint: status is null")
    where = f"{settings.status.host}:{settings.status.port}"
    try:
        status = _ask(settings.status.host, settings.status.port)
    except (OSError, ValueError) as exc:
        return _stopped(settings, f"no daemon answers on {where}: {_reason(exc)}")
    if status.state_dir != str(settings.state_dir):
        return _stopped(settings, f"the daemon on {where} is another one, its state is in {status.state_dir}")
    return status


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def _ask(host: str, port: int) -> Status:
    """Raises: OSError, or ValueError for an answer that is none of ours."""
    import http.client

    from logship.status.model import Status

    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # "any" is asked at loopback
    connection = http.client.HTTPConnection(address, port, timeout=ASK_S)
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as exc:
        raise ValueError(f"no HTTP answer ({type(exc).__name__})") from exc
    finally:
        connection.close()
    if not (answer.getheader("Server") or "").startswith("logship"):
        raise ValueError(f"another program does, HTTP {answer.status}")
    if answer.status != 200:
        raise ValueError(body.decode(errors="replace").strip()[:200] or f"HTTP {answer.status}")
    return Status.from_json(body)


def _stopped(settings: Settings, why: str) -> Status:
    import time

    from logship.clock import SystemClock
    from logship.counters import Counters
    from logship.delivery import DeadLetters
    from logship.errors import StateError
    from logship.state import State, lock_holder
    from logship.status.stopped import stopped_status

    checkpoints, letters, pid = [], 0, None
    if settings.state_dir.is_dir():
        pid = lock_holder(settings.state_dir)
        try:
            state = State.open(settings.state_dir, SystemClock(), daemon=False)
        except StateError as exc:
            raise StateError(f"{why}; and the state: {exc}") from exc
        try:
            checkpoints = state.load()
        finally:
            state.close()
        letters = sum(1 for _ in DeadLetters(settings.state_dir, counters=Counters()))
    else:
        why = f"{why}; and {settings.state_dir} does not exist: it never ran with this config"
    return stopped_status(
        checkpoints,
        config=settings.path,
        state_dir=str(settings.state_dir),
        origin=settings.origin,
        wall_s=time.time(),
        dead_letters=letters,
        why=why,
        pid=pid,
        is_off=settings.status is None,
        receivers=_receivers(settings, time.time()),
    )


def _receivers(settings: Settings, wall_s: float) -> tuple[ReceiverReport, ...]:
    """The receivers of which the state knows rules."""
    endpoints = {source.endpoint.receiver: source.endpoint for source in settings.sources if source.endpoint.obeys}
    if not endpoints:
        return ()
    from logship.route.stored_rules import stored_rules
    from logship.status.model import STOPPED, ReceiverReport

    known = {
        name: rules for name, endpoint in endpoints.items() if (rules := stored_rules(settings.state_dir, endpoint))
    }
    return tuple(
        ReceiverReport(name, name, STOPPED, rules=one.rules.count, rules_age_s=max(0.0, wall_s - one.at_s))
        for name, one in known.items()
    )
