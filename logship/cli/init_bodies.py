"""`logship init --bodies`: nginx's side of logging bodies, and the mapping that masks and bounds them."""

from __future__ import annotations

import re
from pathlib import Path

import click

from logship.errors import Exit, UsageError
from logship.process.whole_file import write_whole

FILES = ("logship-bodies.js", "logship-bodies.conf", "bodies.yml")
STEPS = """\
wrote {files} into {directory}; to go on:
  nginx.conf, first line      load_module modules/ngx_http_js_module.so;   # Debian: libnginx-mod-http-js
  nginx.conf, http block      include {directory}/logship-bodies.conf;
  each location to log        js_body_filter logship_bodies.keep buffer_type=buffer;
                              sendfile off;
                              access_log /var/log/nginx/bodies.log logship_bodies;
  logship.yml                 max_line_bytes: 512kB
                              sources:
                                - name: bodies
                                  paths: [/var/log/nginx/bodies.log]
                                  mapping: {directory}/bodies.yml
                                  format:
                                    nginx: |
{log_format}
The log holds bodies as they are: let nobody but nginx and logship read it (chmod 640), and rotate it often."""


def write_bodies(directory: Path, *, force: bool) -> int:
    """Writes the three files and says where they are named.

    Raises: UsageError where one is there already, or can't be written.
    """
    from logship.config.shipped import SHIPPED

    directory = directory.absolute()
    texts = {name: (SHIPPED / "bodies" / name).read_text(encoding="utf-8") for name in FILES}
    for name in FILES:
        if (directory / name).exists() and not force:
            raise UsageError(f"{directory / name} is there already; name another directory, or replace it with --force")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = directory / name
            if path.exists():
                path.replace(f"{path}.old")
            write_whole(path, text.replace("{directory}", str(directory)))
    except OSError as exc:
        raise UsageError(f"{exc.filename or directory} can't be written: {exc.strerror}") from exc
    found = re.search(r"^log_format .*?;$", texts["logship-bodies.conf"], re.MULTILINE | re.DOTALL)
    assert found is not None
    log_format = "\n".join(f"{'':38}{line}" for line in found[0].splitlines())
    click.echo(STEPS.format(files=", ".join(FILES), directory=directory, log_format=log_format))
    return Exit.FINE
