"""`logship schema`: what editors need to complete and explain keys."""

from __future__ import annotations

import click

from logship.cli.options import subcommand


@subcommand(
    "logship schema > logship.schema.json",
    "logship schema mapping > mapping.schema.json",
)
@click.argument("file", type=click.Choice(["config", "mapping"]), default="config")
def command(file: str) -> int:
    """Print the JSON Schema of logship.yml, mapping files included as $defs/Mapping; or of mapping files alone.

    Editors with a YAML language server take it from the first line of a file:

        # yaml-language-server: $schema=logship.schema.json
    """
    import json

    from logship.config.schema import config_schema, mapping_schema

    schema = config_schema() if file == "config" else mapping_schema()
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
    return 0
