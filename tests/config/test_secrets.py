"""The application id and other secrets never appear in what is printed, whatever is wrong around them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from logship.cli import execute
from logship.config import load_settings
from logship.config.secret import Cloak
from logship.endpoint import Secret
from logship.errors import ConfigError, Problem

SECRET = "s3cret-Value.of+ours"
SOURCES = "sources:\n  - {name: api, paths: [access.log]}\n"

SPELLINGS = {
    "right": f"endpoint: {{url: 'http://127.0.0.1:9', application_id: {SECRET}}}\n",
    "right, wrong url": f"endpoint: {{url: 'ftp://x', application_id: {SECRET}}}\n",
    "misspelt key": f"endpoint: {{url: 'http://127.0.0.1:9', aplication_id: {SECRET}}}\n",
    "camel case": f"endpoint: {{url: 'http://127.0.0.1:9', applicationId: '{SECRET}'}}\n",
    "another name": f"endpoint: {{url: 'http://127.0.0.1:9', api_key: {SECRET}, app_id: \"{SECRET}\"}}\n",
    "block, misspelt": f"endpoint:\n  url: http://127.0.0.1:9\n  application-id: {SECRET}\n",
    "at the top": f"application_id: {SECRET}\nendpoint: {{url: 'http://127.0.0.1:9'}}\n",
    "twice": f"endpoint:\n  application_id: {SECRET}\n  application_id: {SECRET}\n",
    "a list": f"endpoint:\n  url: http://127.0.0.1:9\n  application_id: [{SECRET}]\n",
    "unclosed quote": f'endpoint:\n  application_id: "{SECRET}\n  url: http://127.0.0.1:9\n',
    "wants quotes": f"endpoint:\n  application_id: %{SECRET}\n  url: http://127.0.0.1:9\n",
    "a blank in it": f"endpoint:\n  application_id: {SECRET} {SECRET}\n  url: http://127.0.0.1:9\n",
    "block text": f"endpoint:\n  url: http://127.0.0.1:9\n  application_id: |\n    {SECRET}\n    {SECRET}\n",
    "from the environment, elsewhere": "endpoint: {url: 'http://127.0.0.1:9', timeout: '${env:THE_ID}'}\n",
    "from a file, elsewhere": "endpoint: {url: '${file:id.txt}', api: '${file:id.txt}'}\n",
    "in the url": f"endpoint: {{url: 'https://user:{SECRET}@api.example.com'}}\n",
    "in the proxy": f"endpoint: {{url: 'http://127.0.0.1:9', proxy: 'ftp://user:{SECRET}@proxy:1'}}\n",
    "a file's, elsewhere": f"endpoint: {{url: 'http://127.0.0.1:9', application_id_file: id.txt, api: {SECRET}}}\n",
}


@pytest.mark.parametrize("arguments", [["check"], ["check", "--json"]], ids=["text", "json"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_never_printed(
    spelling: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("THE_ID", SECRET)
    monkeypatch.chdir(tmp_path)
    Path("id.txt").write_text(SECRET)
    Path("logship.yml").write_text(SPELLINGS[spelling] + SOURCES)
    execute([*arguments, "-c", "logship.yml"])
    captured = capsys.readouterr()
    assert SECRET not in captured.out
    assert SECRET not in captured.err
    assert captured.out != ""


def test_the_key_of_redaction_is_never_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("logship.yml").write_text(
        f"{SPELLINGS['right']}{SOURCES}  - {{name: b, paths: [b], mapping: {{redact: {{key: {SECRET}, ip: hsh}}}}}}\n"
        "  - {name: c, paths: [c], mapping: c.yml}\n"
    )
    Path("c.yml").write_text(f"extends: default\nredact: {{key: [{SECRET}], hash: [user_id]}}\n")
    execute(["check", "-c", "logship.yml"])
    captured = capsys.readouterr()
    assert "hsh" in captured.out
    assert "c.yml:2" in captured.out
    assert SECRET not in captured.out + captured.err


def test_a_secret_shows_itself_only_when_asked(tmp_path: Path) -> None:
    secret = Secret(SECRET)
    assert SECRET not in f"{secret} {secret!r} {[secret]} {secret:>30}"
    assert secret.reveal() == SECRET
    assert pickle.loads(pickle.dumps(secret)) == secret


def test_a_secret_of_a_file_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("first\n")
    secret = Secret.from_file(tmp_path / "id")
    (tmp_path / "id").write_text("second\n")
    assert secret.reveal() == "first"
    assert secret.reread().reveal() == "second"
    assert secret != secret.reread()


def test_settings_can_be_shown_without_their_secrets(tmp_path: Path) -> None:
    endpoint = SPELLINGS["right"].replace("{url", f"{{proxy: 'http://me:{SECRET}@proxy:1', url")
    mapping = f"mapping: {{extends: default, redact: {{key: {SECRET}, hash: [user_id]}}}}"
    (tmp_path / "logship.yml").write_text(f"{endpoint}{SOURCES}  - {{name: b, paths: [b], {mapping}}}\n")
    settings = load_settings(tmp_path / "logship.yml", {})
    assert settings.endpoint.proxy == f"http://me:{SECRET}@proxy:1"
    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.compile_source(settings.sources[1]))


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({"LOGSHIP_APPLICATION_ID": SECRET}, {}),
        ({"CREDENTIALS_DIRECTORY": "credentials"}, {"credentials/application_id": f"{SECRET}\n"}),
        (
            {"CREDENTIALS_DIRECTORY": "credentials", "LOGSHIP_APPLICATION_ID": "not-this-one"},
            {"credentials/application_id": SECRET},
        ),
    ],
)
def test_the_application_id_is_found_where_services_keep_it(
    environ: dict[str, str], files: dict[str, str], tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    if "CREDENTIALS_DIRECTORY" in environ:
        environ = environ | {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    (tmp_path / "logship.yml").write_text("endpoint: {url: 'http://127.0.0.1:9'}\n" + SOURCES)
    settings = load_settings(tmp_path / "logship.yml", environ)
    assert settings.endpoint.application_id is not None
    assert settings.endpoint.application_id.reveal() == SECRET


def test_underlines_stay_in_place_when_a_secret_is_starred_out() -> None:
    cloak = Cloak()
    cloak.hide(SECRET)
    excerpt = f"endpoint: {{application_id: {SECRET}, tmeout: 1s}}"
    (problem,) = cloak.over_problems([Problem("x.yml", 1, excerpt.index("tmeout") + 1, "unknown key", excerpt=excerpt)])
    assert problem.column is not None
    assert problem.excerpt[problem.column - 1 :].startswith("tmeout")
    assert SECRET not in problem.excerpt


@pytest.mark.parametrize(
    ("endpoint", "environ", "mend"),
    [
        ("application_id: some-id", {}, "endpoint.application_id and reload"),
        ("application_id_file: id", {}, "{here}/id, it is read again before each try"),
        ("", {"LOGSHIP_APPLICATION_ID": "some-id"}, "$LOGSHIP_APPLICATION_ID and restart"),
        ("", {"CREDENTIALS_DIRECTORY": "{here}/etc"}, "{here}/etc/application_id, it is read again before each try"),
        ("", {"CREDENTIALS_DIRECTORY": "{here}/run"}, "and restart the service"),
    ],
)
def test_a_refused_id_is_mended_where_it_stands(
    endpoint: str, environ: dict[str, str], mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logship.config.endpoints.RUNNING_CREDENTIALS", tmp_path / "run")
    for folder in ("etc", "run"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "application_id").write_text("some-id\n")
    (tmp_path / "id").write_text("some-id\n")
    config = tmp_path / "logship.yml"
    config.write_text(f"endpoint: {{url: 'https://api.example.com', {endpoint}}}\nsources: [{{paths: [/x.log]}}]\n")
    here = str(tmp_path)
    settings = load_settings(config, {"HOME": "/", **{key: value.format(here=here) for key, value in environ.items()}})
    secret = settings.sources[0].endpoint.application_id
    assert secret is not None
    assert secret.remedy.startswith("put the right one into ")
    assert secret.remedy.endswith(mend.format(here=here))
    assert secret.reread().remedy == secret.remedy


def test_an_empty_credential_does_not_hide_the_environment(tmp_path: Path) -> None:
    (tmp_path / "logship.yml").write_text("endpoint: {url: 'https://x.test'}\nsources: [{paths: [/x.log]}]\n")
    (tmp_path / "application_id").write_text("\n")
    environ = {"HOME": "/", "CREDENTIALS_DIRECTORY": str(tmp_path), "LOGSHIP_APPLICATION_ID": "some-id"}
    secret = load_settings(tmp_path / "logship.yml", environ).sources[0].endpoint.application_id
    assert secret is not None
    assert secret.reveal() == "some-id"


def test_an_instance_by_hand_takes_its_own_application_id_and_never_the_first_ones(tmp_path: Path) -> None:
    """The command by hand looks where the credentials come from: /etc/logship, with NAME.application_id of NAME.yml."""
    text = "endpoint: {url: 'https://api.example.com'}\nsources: [{paths: [/x.log]}]\n"
    for name in ("logship.yml", "other.yml"):
        (tmp_path / name).write_text(text)
    (tmp_path / "application_id").write_text("first-id\n")
    (tmp_path / "other.application_id").write_text("other-id\n")
    by_hand = {"HOME": "/", "CREDENTIALS_DIRECTORY": str(tmp_path)}

    def id_of(name: str, environ: dict[str, str]) -> str:
        secret = load_settings(tmp_path / name, environ).sources[0].endpoint.application_id
        return secret.reveal() if secret else ""

    assert id_of("logship.yml", by_hand) == "first-id"
    assert id_of("other.yml", by_hand) == "other-id"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/application_id").write_text("other-id-of-systemd\n")
    assert id_of("other.yml", {"HOME": "/", "CREDENTIALS_DIRECTORY": f"{tmp_path}/run"}) == "other-id-of-systemd"
    (tmp_path / "other.application_id").unlink()
    with pytest.raises(ConfigError, match="application_id is missing"):
        id_of("other.yml", by_hand)


@pytest.mark.parametrize("reference", ["${file:id.txt}", "${env:THE_ID}", "${env:NOPE}", "${file:nowhere}"])
def test_a_line_of_an_example_is_verbatim(
    reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody can write such a request into a log, and a line of a log becomes an example by one click."""
    monkeypatch.setenv("THE_ID", SECRET)
    monkeypatch.chdir(tmp_path)
    Path("id.txt").write_text(SECRET)
    line = f'203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /{reference} HTTP/1.1" 404 5 "-" "c"'
    examples = f"examples:\n  - line: '{line}'\n    fields: {{host: h.example}}\n    event: {{request: {{uri: x}}}}\n"
    Path("m.yml").write_text(f"extends: default\n{examples}")
    assert execute(["test", "--update", "./m.yml"]) == 0
    assert reference in Path("m.yml").read_text().split("event:")[1]
    assert SECRET not in capsys.readouterr().out + Path("m.yml").read_text()
