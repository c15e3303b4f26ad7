"""logship.yml becomes Settings, or every mistake in it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from logship.config import Settings, load_settings
from logship.errors import ConfigError, Problem

MINIMAL = """\
endpoint: {url: "http://127.0.0.1:9/", application_id: an-id-of-ours}
origin: web-1
sources:
  - paths: [access.log]
"""


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None, *, sending: bool = True) -> Settings:
    path = tmp_path / "logship.yml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ or {}, sending=sending)


def mistakes(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environ)
    return tuple(problem for problem in caught.value.problems if problem.severity == "error")


def test_what_is_left_out_has_the_documented_default(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL, {"XDG_STATE_HOME": "/home/someone/.state"})
    assert settings.batch.max_bytes == 250_000
    assert settings.batch.max_age_s == 1.0
    assert settings.delivery.concurrency == 4
    assert settings.delivery.retry_initial_s == 0.5
    assert settings.delivery.retry_max_s == 60.0
    assert settings.delivery.shutdown_timeout_s == 10.0
    assert settings.state_dir == Path("/home/someone/.state/logship")
    assert settings.status is not None
    assert (settings.status.host, settings.status.port) == ("127.0.0.1", 9640)
    assert settings.max_line_bytes == 65_536
    assert settings.held_max == 1_000_000_000
    source = settings.sources[0]
    assert (source.start_at, source.on_unmatched, source.envelope, source.timezone) == (
        "end",
        "dead_letter",
        "none",
        "UTC",
    )
    assert [problem.message for problem in settings.problems] == [
        "combined logs no host: URIs begin https://web-1/",
        "combined logs no duration: both times are equal",
    ]


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    problems = mistakes(
        tmp_path,
        "endpoint:\n  url: ftp://x\n  timeout: 30\nbatch: {max_bytes: lots}\nsources:\n  - path: [a.log]\n",
    )
    assert [(problem.line, problem.column) for problem in problems] == [(2, 8), (3, 12), (4, 20), (6, 5)]


def test_an_unknown_key_comes_with_the_nearest_known_one(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, MINIMAL + "statedir: /x\n")
    assert str(problem).endswith("logship.yml:5:1: unknown key 'statedir'; did you mean 'state_dir'?")


def test_a_key_in_the_wrong_place_is_sent_to_the_right_one(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, MINIMAL + "max_age: 3s\n")
    assert problem.hint == "it belongs under batch:"


def test_a_missing_key_is_reported_at_its_parent(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, "endpoint: {application_id: an-id-of-ours}\nsources:\n  - paths: [a.log]\n")
    assert (problem.line, problem.column, problem.width) == (1, 1, len("endpoint"))
    assert "endpoint.url is missing" in problem.message


def test_the_underline_covers_the_offending_text(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, MINIMAL.replace("paths: [access.log]", "{paths: [a.log], start_at: 'beginn'}"))
    assert problem.column is not None
    assert problem.excerpt[problem.column - 1 :][: problem.width] == "'beginn'"
    assert problem.hint == "did you mean 'beginning'?"


def test_references_are_filled_in_from_environment_and_files(tmp_path: Path) -> None:
    (tmp_path / "origin.txt").write_text("web-7\n")
    text = MINIMAL.replace("web-1", "${file:origin.txt}").replace("an-id-of-ours", '"${env:ID}"') + (
        "state_dir: /x/${env:NOWHERE:-state}/y\n"
    )
    settings = load(tmp_path, text, {"ID": "from-outside"})
    assert settings.origin == "web-7"
    assert settings.state_dir == Path("/x/state/y")
    assert settings.endpoint.application_id is not None
    assert settings.endpoint.application_id.reveal() == "from-outside"


def test_an_unset_variable_is_told_once_where_it_stands(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, MINIMAL.replace("an-id-of-ours", '"${env:ID}"'))
    assert problem.message == "the environment variable ID is not set"
    assert problem.column is not None
    assert problem.excerpt[problem.column - 1 :][: problem.width] == "${env:ID}"


def test_settings_for_looking_only_need_no_application_id(tmp_path: Path) -> None:
    text = MINIMAL.replace("an-id-of-ours", '"${env:ID}"')
    assert load(tmp_path, text, sending=False).endpoint.application_id is None


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; name another with -c FILE"):
        load_settings(tmp_path / "none.yml", {})


def test_the_environment_names_the_config_when_the_command_line_does_not(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text(MINIMAL)
    settings = load_settings(None, {"LOGSHIP_CONFIG": str(tmp_path / "other.yml")})
    assert settings.path == tmp_path / "other.yml"


def test_included_files_bring_sources_and_their_mistakes(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "shop.yml").write_text("sources: [{name: shop, paths: shop.log}]\n")
    settings = load(tmp_path, MINIMAL + "include: [conf.d/*.yml]\n")
    assert [source.name for source in settings.sources] == [tmp_path.name.strip("-_.") or "source", "shop"]
    assert settings.sources[1].paths == (str(tmp_path / "conf.d" / "shop.log"),)
    (tmp_path / "conf.d" / "shop.yml").write_text("endpoint: {}\nsources: [{name: shop, paths: shop.log}]\n")
    (problem,) = mistakes(tmp_path, MINIMAL + "include: [conf.d/*.yml]\n")
    assert problem.place() == f"{tmp_path}/conf.d/shop.yml:1:1"


def test_a_source_overrides_keys_of_the_endpoint(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("the-shops-own\n")
    settings = load(
        tmp_path,
        MINIMAL + "  - {name: shop, paths: shop.log, endpoint: {application_id_file: id, timeout: 5s}}\n",
    )
    own = settings.sources[1].endpoint
    assert own.application_id is not None
    assert own.application_id.reveal() == "the-shops-own"
    assert own.timeout_s == 5.0
    assert own.url == settings.endpoint.url
    assert settings.sources[0].endpoint == settings.endpoint


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, MINIMAL + "  - {name: b, paths: x}\n  - {name: b, paths: y}\n")
    assert (problem.message, problem.line) == ("two sources are named 'b'", 6)


@pytest.mark.parametrize("null", ["null", "~", ""])
def test_a_plain_null_turns_the_status_page_off(tmp_path: Path, null: str) -> None:
    assert load(tmp_path, MINIMAL + f"status: {null}\n").status is None


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("HTTPS://API.Moesif.net:443/", "https://api.moesif.net"),
        ("http://127.0.0.1:80/x/", "http://127.0.0.1/x"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_receivers_have_one_spelling(tmp_path: Path, url: str, receiver: str) -> None:
    settings = load(tmp_path, MINIMAL.replace("http://127.0.0.1:9/", url))
    assert settings.endpoint.receiver == receiver


def test_only_the_hosted_service_has_an_age_limit_by_default(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL).endpoint.max_event_age_s is None
    hosted = load(tmp_path, MINIMAL.replace("http://127.0.0.1:9/", "https://api.moesif.net"))
    assert hosted.endpoint.max_event_age_s == 30 * 86_400.0


def test_a_proxy_of_the_environment_is_not_used_for_hosts_it_leaves_out(tmp_path: Path) -> None:
    text = MINIMAL.replace("http://127.0.0.1:9/", "https://api.example.com")
    environ = {"HTTPS_PROXY": "http://proxy:3128"}
    assert load(tmp_path, text, environ).endpoint.proxy == "http://proxy:3128"
    assert load(tmp_path, text, environ | {"NO_PROXY": "x.org,.example.com"}).endpoint.proxy is None
