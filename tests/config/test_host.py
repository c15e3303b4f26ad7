"""What the host gives where the config is silent."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from logship.config import load_settings
from logship.config.host import is_no_name, state_dir


@pytest.mark.parametrize("name", ["localhost", "localhost.localdomain", "debian", "4f0c9d1e2b3a", "(none)"])
def test_a_name_that_many_hosts_have_is_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_no_name(name)
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    (tmp_path / "logship.yml").write_text(
        "endpoint: {url: 'http://127.0.0.1:9', application_id: an-id}\nsources: [{paths: [a.log]}]\n"
    )
    settings = load_settings(tmp_path / "logship.yml", {})
    assert settings.origin == name
    assert any("add  origin:" in problem.hint for problem in settings.problems)


@pytest.mark.parametrize("name", ["web-1", "debian-3", "localhost-7", "4f0c9d1e2b3a.example.com", "cafe"])
def test_a_name_of_its_own_is_fine(name: str) -> None:
    assert not is_no_name(name)


@pytest.mark.parametrize(
    ("value", "environ", "expected"),
    [
        ("/var/lib/x", {"STATE_DIRECTORY": "/s"}, "/var/lib/x"),
        ("state", {}, "/etc/logship/state"),
        (None, {"STATE_DIRECTORY": "/var/lib/logship:/var/lib/other"}, "/var/lib/logship"),
        (None, {"XDG_STATE_HOME": "/h/.state"}, "/h/.state/logship"),
        (None, {"HOME": "/home/me"}, "/home/me/.local/state/logship"),
    ],
)
def test_the_state_goes_where_the_config_then_systemd_then_xdg_say(
    value: str | None, environ: dict[str, str], expected: str
) -> None:
    assert state_dir(value, Path("/etc/logship"), environ) == Path(expected)
