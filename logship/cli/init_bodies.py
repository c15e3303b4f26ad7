"""`logship init --bodies`: nginx's side of logging bodies, and the mapping that masks and bounds them."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import click

from logship.errors import Exit, UsageError
from logship.process.whole_file import write_whole

FILES = ("logship-bodies.js", "logship-bodies.conf", "bodies.yml")
ODD = re.compile(r"[^\w./+@-]")  # what has to be quoted, in nginx.conf and in YAML
UNQUOTABLE = re.compile(r"[*?\[\x00-\x1f\x7f'\\]")  # `include` takes patterns, njs makes a script of the path
STEPS = """\
wrote {files} into {directory}; to go on:
  nginx.conf, first line      load_module modules/ngx_http_js_module.so;   # Debian: libnginx-mod-http-js
  nginx.conf, http block      include {conf};
  each location to log        js_body_filter logship_bodies.keep buffer_type=buffer;
                              sendfile off;
                              access_log /var/log/nginx/bodies.log logship_bodies;
  logship.yml                 max_line_bytes: 512kB
                              sources:
                                - name: bodies
                                  paths: [/var/log/nginx/bodies.log]
                                  mapping: {mapping}
                                  format:
                                    nginx: |
{log_format}
The log holds bodies as they are: let nobody but nginx and logship read it (chmod 640), and rotate it often."""


def write_bodies(directory: Path, *, force: bool) -> int:
    """Writes the three files and says where they are named.

    Raises: UsageError where one is there already, or can't be written.
    """
    from logship.config.quoting import in_quotes
    from logship.config.shipped import SHIPPED

    directory = directory.absolute()
    if found := UNQUOTABLE.search(str(directory)):
        raise UsageError(f"{directory}: nginx takes no {found[0]} in the path of such a file; name another directory")
    script, conf, mapping = (directory / name for name in FILES)
    quoted = {"{script}": in_nginx_quotes(script), "{conf}": in_nginx_quotes(conf)}
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
            write_whole(path, reduce(lambda made, name: made.replace(name, quoted[name]), quoted, text))
    except OSError as exc:
        raise UsageError(f"{exc.filename or directory} can't be written: {exc.strerror}") from exc
    found = re.search(r"^log_format .*?;$", texts["logship-bodies.conf"], re.MULTILINE | re.DOTALL)
    assert found is not None
    log_format = "\n".join(f"{'':38}{line}" for line in found[0].splitlines())
    names = {"conf": quoted["{conf}"], "mapping": in_quotes(str(mapping)) if ODD.search(str(mapping)) else mapping}
    click.echo(STEPS.format(files=", ".join(FILES), directory=directory, log_format=log_format, **names))
    return Exit.FINE


def in_nginx_quotes(path: Path) -> str:
    """A path as a word of nginx.conf: as it is where nothing in it means something there."""
    text = str(path)
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"' if ODD.search(text) else text
