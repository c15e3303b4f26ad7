"""`logship collector-erase`: removes what is stored of one user, for people who ask for it."""

from __future__ import annotations

import click

from logship.cli.collector import needing_extra
from logship.cli.options import subcommand
from logship.errors import Exit, UsageError


@subcommand(
    "logship collector-erase --user-id alice",
    "logship collector-erase --store events.db --user-id alice --yes",
)
@click.option(
    "--store", default="collector.db", show_default=True, metavar="FILE or URL", help="SQLite file or postgresql://…"
)
@click.option("--user-id", required=True, help="whose events go, as it stands in them")
@click.option("--application-id", metavar="ID", help="only this application's")
@click.option("--json", "is_json", is_flag=True, help='the user id is a JSON text, as "a\\u0000b"')
@click.option("--yes", is_flag=True, help="don't ask")
def command(store: str, user_id: str, application_id: str | None, is_json: bool, yes: bool) -> int:
    """Erase a user: every event, also from the figures, the profile and the actions; works beside a running collector.

    SQLite overwrites what is deleted (secure_delete). Backups of the file still have it: correct them yourself.
    """
    user_id = _from_json(user_id) if is_json else user_id
    if not user_id:
        raise UsageError("--user-id '': empty; events without a user are nobody's to erase")
    if any("\ud800" <= one <= "\udfff" for one in user_id):
        raise UsageError(f"--user-id {user_id!r}: not UTF-8; events hold no such id, give it as they show it")
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


def _from_json(text: str) -> str:
    """The id that a JSON text names. Raises: UsageError."""
    import orjson

    try:
        user_id = orjson.loads(text.encode("utf-8", "surrogateescape"))
    except orjson.JSONDecodeError as exc:
        raise UsageError(f"--user-id {text!r}: not JSON: {exc}; give a text in double quotes") from exc
    if not isinstance(user_id, str):
        raise UsageError(f"--user-id {text!r}: not a JSON text; give it in double quotes")
    return user_id
