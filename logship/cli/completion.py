"""`logship completion`: shell completion of commands, options and values."""

from __future__ import annotations

import click

from logship.cli.options import subcommand

SHELLS = ("bash", "zsh", "fish")


@subcommand(
    "source <(logship completion bash)",
    "logship completion bash > ~/.local/share/bash-completion/completions/logship",
    "logship completion zsh > ~/.zfunc/_logship",
    "logship completion fish > ~/.config/fish/completions/logship.fish",
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of a shell: commands, options, presets, mappings, and the sources of the config.

    The packages install it. The script asks logship itself, so it never goes stale. zsh: ~/.zfunc must be in fpath
    before compinit runs.
    """
    click.echo(script(shell))


def script(shell: str) -> str:
    """The script; it asks logship for the candidates."""
    from click.shell_completion import get_completion_class

    from logship.cli import logship

    kind = get_completion_class(shell)
    assert kind is not None, shell
    return kind(logship, {}, "logship", "_LOGSHIP_COMPLETE").source()
