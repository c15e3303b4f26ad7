"""`logship fields`: the vocabulary that mappings use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from logship.fields import Family, Field


@click.command()
@click.argument("text", default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, for machines.")
def command(text: str, as_json: bool) -> int:
    """List every field with its Apache and nginx spellings; with TEXT those that have it in their name or meaning.

    Any of the spellings works in a mapping: $http_user_agent is $request_header_user_agent.
    """
    from logship.cli.terminal import Terminal
    from logship.fields import FAMILIES, FIELDS

    fields = [field for field in FIELDS.values() if _has(text, field.name, field.meaning, *field.apache, *field.nginx)]
    families = [family for family in FAMILIES if _has(text, family.prefix, family.meaning, *family.aliases)]
    if as_json:
        _print_json(fields, families)
        return 0
    if not fields and not families:
        raise click.ClickException(f"no field has '{text}' in its name; `logship fields` lists all")
    rows = [
        (field.name, " ".join(field.apache), " ".join(field.nginx), _type(field), field.meaning)
        for field in sorted(fields, key=lambda field: field.derived)
    ] + [(f"{family.prefix}…", family.apache, family.nginx, "text", family.meaning) for family in families]
    Terminal().table(("FIELD", "APACHE", "NGINX", "TYPE", "MEANING"), rows)
    return 0


def _has(text: str, *where: str) -> bool:
    return any(text.lower() in place.lower() for place in where)


def _type(field: Field) -> str:
    """The kind, or for fields made for every format that they are."""
    return f"{field.kind}, for every format" if field.derived else str(field.kind)


def _print_json(fields: list[Field], families: list[Family]) -> None:
    import json
    from dataclasses import asdict

    entries = [asdict(field) for field in fields] + [asdict(family) for family in families]
    click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
