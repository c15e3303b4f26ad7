"""`logship collector-erase`: removes what is stored of one user, for people who ask for it."""

from __future__ import annotations

import click

from logship.cli.collector import needing_extra
from logship.cli.options import subcommand
from logship.errors import Exit


@subcommand(
    "logship collector-erase --user-id alice",
    "logship collector-erase --store events.db --user-id alice --yes",
)
@click.option(
    "--store", default="collector.db", show_default=True, metavar="FILE or URL", help="SQLite file or postgresql://…"
)
@click.option("--user-id", required=True, help="whose events go, as it stands in them")
@click.option("--application-id", metavar="ID", help="only this application's")
@click.option("--yes", is_flag=True, help="don't ask")
def command(store: str, user_id: str, application_id: str | None, yes: bool) -> int:
    """Erase a user: every event, also from the figures, the profile and the actions; works beside a running collector.

    SQLite overwrites what is deleted (secure_delete). Backups of the file still have it: correct them yourself.
    """
    with needing_extra("collector"):
        from logship.collector.retention import erase, traces_of
        from logship.collector.server import open_existing

    database = open_existing(store)
    try:
        stored = traces_of(database, user_id, application_id)
        if not stored:
            click.echo(f"nothing of user {user_id!r} is stored")
            return Exit.FINE
        if not yes:
            click.confirm(f"Erase {stored} of user {user_id!r}? There is no way back", abort=True)
        click.echo(f"erased {erase(database, user_id, application_id)} of user {user_id!r}")
    finally:
        database.close()
    return Exit.FINE
