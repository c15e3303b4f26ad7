"""Man pages and completions: rendered without a warning, and everything a person can type or scrape is in them."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from logship.cli import COMMANDS, execute, logship
from logship.cli.options import examples_of
from logship.config.models import LogshipModel
from logship.mapping.spec import MappingSpec
from logship.sections import Section
from logship.status.metrics import METRICS, PROCESS
from tests.rigs.machine import require

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def manual() -> ModuleType:
    """The generator, which is a script beside the package."""
    spec = importlib.util.spec_from_file_location("manual", ROOT / "packaging/manual.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def share(manual: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    manual.main(folder)
    return folder


def rendered(page: Path) -> str:
    """The page as `man` shows it; groff's warnings fail the test."""
    groff = require("groff")
    done = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", "-rF0", "-P-cbou", str(page)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, subcommands of commands too."""
    context = click.Context(logship, info_name="logship")
    for name in COMMANDS:
        command = logship.get_command(context, name)
        assert command is not None
        yield from _with_below(f"logship {name}", command, context)


def _with_below(path: str, command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _with_below(f"{path} {name}", below, context)


def keys(model: type[Section]) -> Iterator[tuple[str, str]]:
    """(key, description) of a section and everything in it."""
    for name, about in model.keys.items():
        yield f"{model.__name__}.{name}", about.description
        if about.kind.section is not None:
            yield from keys(about.kind.section)


@pytest.mark.parametrize("name", ["man/man1/logship.1", "man/man5/logship.yml.5"])
def test_man_pages_render_without_a_warning(share: Path, name: str) -> None:
    text = rendered(share / name)
    assert "NAME" in text
    assert "SEE ALSO" in text
    assert max(map(len, text.splitlines())) <= 100


def test_every_command_and_option_is_documented(share: Path) -> None:
    page = (share / "man/man1/logship.1").read_text().replace("\\-", "-")
    for path, command in commands():
        assert path in page, path
        assert command.help, f"{path} has no help"
        assert path.split()[1] not in COMMANDS or COMMANDS[path.split()[1]]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{path} {parameter.opts[-1]} has no help"
                assert parameter.opts[-1] in page, f"{path} {parameter.opts[-1]}"


def test_every_metric_is_documented(share: Path) -> None:
    page = (share / "man/man1/logship.1").read_text()
    for metric in (*METRICS, *PROCESS):
        assert metric.name in page


def test_every_config_key_is_documented(share: Path) -> None:
    page = (share / "man/man5/logship.yml.5").read_text()
    for model in (LogshipModel, MappingSpec):
        for key, description in keys(model):
            assert description, f"{key} has no description"
            assert key.rpartition(".")[2] in page, key


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_valid_in_their_shell(shell: str, share: Path, manual: ModuleType) -> None:
    program = require(shell)
    script = share / manual.COMPLETIONS[shell]
    done = subprocess.run([program, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_help_ends_with_examples_that_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("image", "logs"):
        Path(folder).mkdir()
    for path, command in commands():
        lines = examples_of(command)
        assert lines, f"{path} has no example"
        for line in lines:
            words = shlex.split(re.split(r" >|\)$", line.removeprefix("source <("))[0])
            assert " ".join(words).startswith(path), line
            if not isinstance(command, click.Group):
                command.make_context(path, words[len(path.split()) :], resilient_parsing=False)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dead", {"dead-letters"}),
        ("status --w", {"--watch"}),
        ("preview --format nginx_t", {"nginx_timed", "nginx_timed_quoted"}),
        ("formats haproxy", {"haproxy_http", "haproxy_ingress"}),
        ("preview --mapping priv", {"privacy"}),
        ("preview -c shop.yml --source s", {"shop", "static"}),
        ("dead-letters list --config shop.yml --source sh", {"shop"}),
        ("preview -c nowhere.yml --source s", set()),
        ("completion b", {"bash"}),
        ("run --log-format j", {"json", "journald"}),
    ],
)
def test_bash_completes_commands_options_and_values(typed: str, offered: set[str], tmp_path: Path) -> None:
    bash = require("bash")
    program = tmp_path / "logship"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m logship "$@"\n')
    program.chmod(0o755)
    (tmp_path / "shop.yml").write_text(
        "state_dir: ./state\nsources: [{name: shop, paths: [a.log]}, {name: static, paths: [b.log], format: unknown}]\n"
    )
    words = ["logship", *typed.split()]
    ask = f"""
    PATH={tmp_path}:$PATH; source <(logship completion bash)
    COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _logship_completion logship; echo "${{COMPREPLY[@]}}"
    """
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([bash, "--norc", "-c", ask], capture_output=True, text=True, cwd=tmp_path, env=environ)
    assert set(done.stdout.split()) == offered, done.stderr


def test_an_unknown_shell_is_named_with_those_that_are_known(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capfd.readouterr().err
