"""`logship collector`: the ingestion API itself, with a page to look at."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from logship.cli.options import subcommand
from logship.collector.options import MAX_BYTES, MAX_BYTES_V1, CollectorOptions
from logship.errors import UsageError


@subcommand(
    "logship collector",
    "logship collector --store events.db --application-id shop=ID --max-age 90",
    "logship collector --listen 0.0.0.0:8080 --application-id ID --page-token-file token",
)
@click.option("--listen", default="127.0.0.1:8080", show_default=True, metavar="ADDRESS:PORT", help="0: a free port")
@click.option(
    "--store", default="collector.db", show_default=True, metavar="FILE or URL", help="SQLite or postgresql://…"
)
@click.option(
    "--application-id",
    "application_ids",
    multiple=True,
    metavar="[NAME=]ID",
    envvar="LOGSHIP_APPLICATION_ID",
    help="an id that may post, and what the page calls it; may be given again; without it, any id (loopback only)",
)
@click.option(
    "--max-bytes", default=MAX_BYTES, show_default=True, type=click.IntRange(1), help="of a decoded body to /moesifapi"
)
@click.option("--max-bytes-v1", default=MAX_BYTES_V1, show_default=True, type=click.IntRange(1), help="of one to /v1")
@click.option(
    "--config",
    envvar="LOGSHIP_COLLECTOR_CONFIG",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="JSON: what GET /v1/config answers; read again when it changes",
)
@click.option("--page-token-file", type=click.Path(path_type=Path), metavar="FILE", help="holds the token for the page")
@click.option("--path-prefix", default="", metavar="/PREFIX", help="before every path")
@click.option(
    "--max-age",
    "max_age_days",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    help="days to keep events; 0: for ever",
)
@click.option("--max-store-bytes", type=click.IntRange(1), help="delete the oldest events above this size")
def command(
    listen: str,
    store: str,
    application_ids: tuple[str, ...],
    max_bytes: int,
    max_bytes_v1: int,
    config: Path | None,
    page_token_file: Path | None,
    path_prefix: str,
    max_age_days: float,
    max_store_bytes: int | None,
) -> None:
    """Take events in, store them, show them.

    Sockets that systemd passes are taken in place of --listen, and a credential page_token in place of
    --page-token-file.
    """
    with needing_extra("collector"):
        from logship.collector.applications import named_ids
        from logship.collector.listening import host_of, inherited

    host, port = split_address(listen)
    listeners = inherited(os.environ)
    token_file = page_token_file or credential("page_token", os.environ)
    names = named_ids(application_ids)
    options = CollectorOptions(
        store=store,
        host=host_of(listeners) if listeners else host,
        port=port,
        application_ids=tuple(names),
        application_names={one: name for one, name in names.items() if name},
        max_bytes=max_bytes,
        max_bytes_v1=max_bytes_v1,
        config=config,
        page_token=read_token(token_file) if token_file else None,
        path_prefix=path_prefix,
        max_age_days=max_age_days or None,
        max_store_bytes=max_store_bytes,
    )
    _serve(options, listeners)


def _serve(options: CollectorOptions, listeners: Sequence[socket.socket]) -> None:
    """Until it is stopped; says when it listens."""
    with needing_extra("collector"):
        from logship.collector.server import serve
    from logship.process.sdnotify import Notifier

    notifier = Notifier.from_environ(os.environ)
    with ExitStack() as start:
        start.enter_context(notifier.starting())  # a large store of an older version is migrated first

        def announce(url: str) -> None:
            """The first line of output: two words, for people and for programs that gave port 0."""
            start.close()
            click.echo(f"listening {url}")
            notifier.ready(f"listening {url}")

        def progress(text: str) -> None:
            click.echo(text, err=True)
            notifier.status(text)

        serve(options, announce, listeners, progress)


@contextmanager
def needing_extra(extra: str) -> Iterator[None]:
    """Turns the import error of a missing library into what to install.

    Raises: UsageError.
    """
    try:
        yield
    except ImportError as exc:
        raise UsageError(f"{exc.name} is missing; run: pip install 'logshipd[{extra}]'") from exc


def split_address(listen: str) -> tuple[str, int]:
    """Raises: UsageError for what is no ADDRESS:PORT."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"--listen {listen!r} is not ADDRESS:PORT; give 127.0.0.1:8080")
    return host.removeprefix("[").removesuffix("]"), int(port)


def credential(name: str, environ: Mapping[str, str]) -> Path | None:
    """The service manager's credential of this name; None where there is none, or an empty one, the unit's default."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / name if folder else None
    try:
        return path if path and path.read_text(encoding="utf-8").strip() else None
    except OSError:
        return None


def read_token(path: Path) -> str:
    """Raises: UsageError when there is no token in the file, or a guessable one."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise UsageError(f"--page-token-file {path}: {exc.strerror}") from exc
    if len(token) < 16:
        raise UsageError(f"--page-token-file {path}: the token is under 16 characters; make one: openssl rand -hex 32")
    return token
