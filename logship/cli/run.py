"""`logship run`: the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from logship.cli.options import config_option, subcommand


@subcommand(
    "logship run -c logship.yml",
    "logship run --once",
)
@config_option()
@click.option("--once", is_flag=True, help="Ship what every file holds now, then stop.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json", "journald"]),
    default="text",
    show_default=True,
    help="How logship writes its own log.",
)
def command(config: Path | None, once: bool, log_format: str) -> int:
    """Follow the logs and ship every line exactly once.

    SIGTERM drains and stops, SIGHUP reloads the configuration and ends a pause, SIGUSR1 switches debug logging on and
    off. With --once: exit 1 when the receiver refuses, when lines became dead letters, when a file's lines don't fit,
    or when a path matches no file; it waits for a receiver that is down.
    """
    import faulthandler
    import logging
    import os
    from functools import partial

    from logship.config import load_settings
    from logship.daemon import Daemon, ThreadFailure
    from logship.errors import ConfigError, StateError
    from logship.process.logs import level_of, setup_logging
    from logship.process.startup import ONE_ARENA, reuse_large_blocks

    try:
        level = level_of(os.environ)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    faulthandler.enable()
    reuse_large_blocks(ONE_ARENA)
    log = logging.getLogger("logship.run")
    setup_logging(log_format, level=level)  # type: ignore[arg-type]
    alarm = ThreadFailure()
    alarm.install()
    try:
        settings = load_settings(config, os.environ)
        reload = partial(load_settings, config, os.environ, proving=True)
        daemon = Daemon(settings, reload, os.environ, once=once, alarm=alarm)
    except (ConfigError, StateError) as exc:
        if log_format == "text":
            raise  # at a terminal the line is shown with the mistake underlined
        for mistake in exc.mistakes if isinstance(exc, ConfigError) else (exc,):
            log.error("not started: %s", mistake)
        return exc.exit_code
    daemon.install_signals()
    return daemon.run()
