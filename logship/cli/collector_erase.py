"""`logship collector-erase`: removes one user's events, for people who ask for it."""

from __future__ import annotations

import click

from logship.cli.collector import needing_extra
from logship.errors import Exit
from logship.words import counted


@click.command()
@click.option(
    "--store", default="collector.db", show_default=True, metavar="FILE or URL", help="SQLite file or postgresql://…"
)
@click.option("--user-id", required=True, help="whose events go, as it stands in them")
@click.option("--application-id", metavar="ID", help="only this application's")
@click.option("--yes", is_flag=True, help="don't ask")
def command(store: str, user_id: str, application_id: str | None, yes: bool) -> int:
    """Erase every event of a user, also from the figures; works beside a running collector.

    SQLite overwrites what is deleted (secure_delete). Backups of the file still have it: correct them yourself.
    """
    with needing_extra("collector"):
        from logship.collector.retention import erase, events_of
        from logship.collector.server import open_existing

    database = open_existing(store)
    try:
        count = sum(map(len, events_of(database, user_id, application_id).values()))
        if not count:
            click.echo(f"no event of user {user_id!r} is stored")
            return Exit.FINE
        if not yes:
            click.confirm(f"Erase {counted(count, 'event')} of user {user_id!r}? There is no way back", abort=True)
        click.echo(f"erased {counted(erase(database, user_id, application_id), 'event')} of user {user_id!r}")
    finally:
        database.close()
    return Exit.FINE
