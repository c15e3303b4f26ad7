"""`logship fields`: the vocabulary that mappings use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli.options import config_option, format_option, json_option, source_option, subcommand

if TYPE_CHECKING:
    from logship.fields import Family, Field


@subcommand(
    "logship fields",
    "logship fields time",
    "logship fields --format combined",
)
@click.argument("text", default="")
@config_option("The configuration whose source is meant.", may_lack=True)
@source_option("Only the fields that this source's events may use.")
@format_option("Only the fields of this format: a preset or {nginx: '…'}.")
@json_option("One JSON array, for machines.")
def command(text: str, config: Path | None, source: str, format_: str, as_json: bool) -> int:
    """List every field with its Apache and nginx spellings; with TEXT those that have it in their name or meaning.

    Any of the spellings works in a mapping: $http_user_agent is $request_header_user_agent. With --source or --format
    only what the logged lines hold, and what is made of it.
    """
    from logship.cli.terminal import Terminal
    from logship.fields import FAMILIES, FIELDS

    if source or format_ or config:
        return _held(config, source, format_, text, as_json=as_json)
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


def _held(config: Path | None, source: str, format_: str, text: str, *, as_json: bool) -> int:
    """The fields of one format, as its log spells them, and those that are computed from them."""
    from logship.cli.terminal import Terminal
    from logship.config.overrides import Overrides
    from logship.fields import FIELDS, lookup
    from logship.preview import Bench, Wishes

    setting = Bench(Wishes(config, Overrides(source, format_)), os.environ).setting()
    rows = []
    for slot in setting.format.slots:
        field = lookup(slot.field)
        rows.append((slot.field, slot.spelled, str(slot.kind), field.meaning if field else "of this format"))
    for name in setting.constants.fields:
        rows.append((name, "fields:", "text", setting.constants.fields[name] or "from the path"))
    rows += [(name, "the mapping's", "text", f"a {made.label}") for name, made in setting.made.items()]
    taken = {row[0] for row in rows}
    rows += [
        (name, "", f"{field.kind}, for every format", field.meaning)
        for name, field in FIELDS.items()
        if field.derived and name not in taken and setting.can_hold(name)
    ]
    rows += [
        (f"{prefix}…", "", "text", meaning)
        for prefix, meaning in (("arg_", "a parameter of the query"), ("cookie_", "a cookie of the request"))
        if setting.parameter_of(f"{prefix}x") is not None
    ]
    rows = [row for row in rows if _has(text, *row)]
    if as_json:
        import json

        keys = ("field", "spelled", "type", "meaning")
        click.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
    elif rows:
        Terminal().table(("FIELD", "IN THE LOG", "TYPE", "MEANING"), rows)
        if setting.format.is_open:
            Terminal().line("and any other key of the JSON object, by its name; dots lead inside: ${user.id}")
    else:
        raise click.ClickException(f"{setting.format.name} has no field with '{text}' in its name")
    return 0


def _has(text: str, *where: str) -> bool:
    return any(text.lower() in place.lower() for place in where)


def _type(field: Field) -> str:
    """The kind, or "made" for fields that every format has."""
    return f"{field.kind}, for every format" if field.derived else str(field.kind)


def _print_json(fields: list[Field], families: list[Family]) -> None:
    import json
    from dataclasses import asdict

    entries = [asdict(field) for field in fields] + [asdict(family) for family in families]
    click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
