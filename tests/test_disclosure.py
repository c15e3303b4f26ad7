"""What looks like a secret in an event is found wherever it stands, is never shown whole, and nothing else is."""

from __future__ import annotations

import json
import random
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from logship.cli import execute
from logship.mapping.disclosure import KINDS, Disclosures, disclosures
from logship.mapping.redaction import path_redactor, query_redactor

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def characters(draw: random.Random, count: int, letters: str = LETTERS) -> str:
    return "".join(draw.choice(letters) for _ in range(count))


def card(draw: random.Random) -> str:
    digits = draw.choice(["4", "51", "55", "2221", "6011", "65"])
    digits += characters(draw, 15 - len(digits), "0123456789")
    total = sum(int(one) if at % 2 else (2 * int(one) - 9 * (int(one) > 4)) for at, one in enumerate(digits))
    digits += str(-total % 10)
    return draw.choice([digits, " ".join(re.findall("....", digits)), "-".join(re.findall("....", digits))])


def iban(draw: random.Random) -> str:
    country, length = draw.choice([("DE", 22), ("FR", 27), ("GB", 22), ("NL", 18), ("CH", 21)])
    rest = characters(draw, length - 4, "0123456789")
    check = 98 - int("".join(str(int(char, 36)) for char in f"{rest}{country}00")) % 97
    return f"{country}{check:02}{rest}"


def jwt(draw: random.Random) -> str:
    part = b64encode(json.dumps({"sub": characters(draw, 12)}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{part}.{characters(draw, 43)}"


PLANTED: dict[str, Callable[[random.Random], str]] = {
    "token (JWT)": jwt,
    "bearer token": lambda draw: f"Bearer {characters(draw, 30)}7a",
    "card number": card,
    "e-mail address": lambda draw: f"{characters(draw, 6).lower()}@{characters(draw, 5).lower()}.example.com",
    "bank account (IBAN)": iban,
    "cloud key (AWS)": lambda draw: "AKIA" + characters(draw, 16, "ABCDEFGHIJKLMNOP234567"),
    "cloud key (Google)": lambda draw: "AIza" + characters(draw, 35),
    "access token (GitHub)": lambda draw: "ghp_" + characters(draw, 36),
    "access token (Slack)": lambda draw: "xoxb-" + characters(draw, 24),
    "secret key (Stripe)": lambda draw: "sk_live_" + characters(draw, 24),
    "private key": lambda draw: "-----BEGIN RSA PRIVATE KEY-----\n" + characters(draw, 64),
    "user and password": lambda draw: f"https://ann:{characters(draw, 9)}@shop.example/x",
}


def planted_at(value: str, place: str) -> dict[str, Any]:
    from urllib.parse import quote

    event: dict[str, Any] = {"request": {"verb": "GET", "uri": "https://shop.example/x", "headers": {}}, "response": {}}
    if place == "query":
        event["request"]["uri"] += f"?a=1&x={quote(value)}"
    elif place == "path":
        event["request"]["uri"] += f"/{quote(value, safe='')}/y"
    elif place == "header":
        event["request"]["headers"]["X-Note"] = f"for {value}"
    elif place == "body":
        event["request"] |= {"body": {"deep": [{"note": value}]}, "transfer_encoding": "json"}
    elif place == "text body":
        text = b64encode(f"note: {value}".encode()).decode()
        event["request"] |= {"body": text, "transfer_encoding": "base64"}
    else:
        event["metadata"] = {"note": [value]}
    return event


@pytest.mark.parametrize("place", ["query", "path", "header", "body", "text body", "metadata"])
@pytest.mark.parametrize("kind", PLANTED)
def test_planted_values_are_found_and_never_shown_whole(kind: str, place: str) -> None:
    draw = random.Random(f"{kind} {place}")
    for _ in range(20):
        value = PLANTED[kind](draw)
        found = disclosures(planted_at(value, place))
        assert kind in [one.kind for one in found], (value, found)
        assert all(value not in one.shown for one in found)


@pytest.mark.parametrize(
    "name",
    ["password", "user_password", "Token", "access-token", "api_key", "X-API-Key", "client_secret", "sig", "pwd",
     "newPassword", "accessToken", "oldpassword", "password2", "passwordConfirmation", "userPwd", "sessionID"],
)  # fmt: skip
def test_values_under_a_secrets_name_are_found_in_queries_forms_and_bodies(name: str) -> None:
    place = f"request.uri ?{name}"
    one = disclosures({"request": {"uri": f"/x?a=1&{name}=hunter22"}})
    assert [(found.kind, found.place, found.remedy) for found in one] == [(KINDS[0], place, f"query: [{name}]")]
    assert disclosures({"request": {"body": {"a": [{name: "hunter22"}]}}})[0].remedy == f"body: [{name}]"
    form = b64encode(f"a=1&{name}=hunter22".encode()).decode()
    assert disclosures({"request": {"body": form, "transfer_encoding": "base64"}})[0].remedy == f"body: [{name}]"


INNER = '{"a": [{"password": "hunter22"}]}'


@pytest.mark.parametrize(
    ("event", "place", "remedy"),
    [
        ({"request": {"uri": f"/x?d={quote(INNER)}"}}, "request.uri ?d password", "query: [password]"),
        ({"request": {"uri": "/x?n=%2Fa%3Fpassword%3Dhunter22"}}, "request.uri ?n password", "query: [password]"),
        ({"request": {"body": {"d": INNER}}}, "request.body.d password", "body: [password]"),
        ({"request": {"body": {"d": "a=1&password=hunter22"}}}, "request.body.d password", "body: [password]"),
        (
            {"request": {"body": b64encode(f"d={quote(INNER)}".encode()).decode(), "transfer_encoding": "base64"}},
            "request.body d password",
            "body: [password]",
        ),
        ({"metadata": {"p": json.loads(INNER)}}, "metadata.p.a.password", "body: [password]"),
        ({"metadata": {"p": INNER}}, "metadata.p password", "body: [password]"),
        ({"request": {"headers": {"X-Api-Key": "hunter22"}}}, "request.headers.X-Api-Key", "headers: [X-Api-Key]"),
    ],
)
def test_values_under_a_secrets_name_are_found_inside_of_other_values(
    event: dict[str, object], place: str, remedy: str
) -> None:
    assert [(one.kind, one.place, one.remedy) for one in disclosures(event)] == [(KINDS[0], place, remedy)]


def test_numbers_of_test_cards_and_encoded_account_numbers_are_found() -> None:
    for number in ("4111111111111111", "4242 4242 4242 4242", "5555555555554444", "4012888888881881"):
        assert [one.kind for one in disclosures({"metadata": {"m": number}})] == ["card number"]
    assert not disclosures({"metadata": {"m": "4444444444444448"}})
    for text in ("DE89%203704%200044%200532%200130%2000", "DE89 3704 0044 0532 0130 00"):
        assert [one.kind for one in disclosures({"metadata": {"m": text}})] == ["bank account (IBAN)"]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("token[]", "token"), ("token[0]", "token"), ("user[newPassword]", "user.newPassword"), ("token.x", "token")],
)
def test_the_remedy_of_a_name_with_steps_is_one_that_masks_it(name: str, remedy: str) -> None:
    (one,) = disclosures({"request": {"uri": f"/x?a=1&{name}=hunter22"}})
    assert one.remedy == f"query: [{remedy}]"
    assert query_redactor([remedy])(f"/x?{name}=hunter22") == f"/x?{name}=[redacted]"


@pytest.mark.parametrize(
    "head", ["/x;jsessionid=0a1b2c3d4e5f", "/x;v=1;JSESSIONID=0a1b2c3d4e5f/y", "/x%3Btoken=0a1b2c3d"]
)
def test_a_secret_in_a_parameter_of_the_path_is_found_with_a_pattern_that_masks_it(head: str) -> None:
    (one,) = disclosures({"request": {"uri": f"https://a.example{head}?b=1"}})
    assert one.kind == KINDS[0]
    pattern = yaml.safe_load(one.remedy)["path"][0]
    if "%3B" not in head:
        assert "0a1b2c3d" not in path_redactor([pattern])(f"https://a.example{head}?b=1")


def test_an_account_number_is_found_in_any_case() -> None:
    assert [one.kind for one in disclosures({"metadata": {"a": "de89370400440532013000"}})] == ["bank account (IBAN)"]
    assert disclosures({"metadata": {"a": "be71096123456769", "b": "be12abcdef123456"}})[0].place == "metadata.a"


@pytest.mark.parametrize(
    "uri",
    [
        "/x?token=[redacted]", "/x?token=", "/logo@2x.png", "/npm/jquery@3.7.1/jquery.min.js", "/@scope/pkg@1.2.3",
        "/4111111111111112", "/x?id=1728300000000", "/x?bearer=1",
        "/x?passenger=2", "/x?monkey=7", "/x?keyword=token",
        "/basic Auth",
        "/x;v=1;token=", "/x?compass=n1", "/x?tokenize=yes1", "/x?be12abcdef123456",
        "/x?t=1234567890123456", "/DE00123456789012345678", "/x?sku=sk-short", "http://a.example:80/x",
    ],
)  # fmt: skip
def test_what_only_looks_a_little_like_it_is_not_found(uri: str) -> None:
    assert disclosures({"request": {"uri": uri, "headers": {"User-Agent": "bot/1 (+bot@crawler.example.com)"}}}) == []


@given(st.recursive(st.text(), lambda below: st.lists(below) | st.dictionaries(st.text(), below)))
def test_any_event_can_be_looked_at(tree: object) -> None:
    found = Disclosures()
    found.look_at({"request": {"uri": str(tree), "body": tree}, "metadata": tree})
    assert all(said.isprintable() for said, _ in found.sentences())


LINE = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0200] "GET {} HTTP/1.1" 200 5 "-" "curl/8"\n'


def test_check_preview_and_dry_runs_tell_it_with_the_yaml_that_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    log, config = tmp_path / "access.log", tmp_path / "logship.yml"
    log.write_text(LINE.format("/x?token=hunter2hunter2") + LINE.format("/y"))

    def written(mapping: str) -> list[str]:
        source = f"{{name: s, paths: [{log}], mapping: {mapping}, fields: {{host: a.example}}}}"
        endpoint = "{url: 'http://127.0.0.1:9', application_id: x}"
        config.write_text(f"endpoint: {endpoint}\nstate_dir: {tmp_path}/state\norigin: w\nsources: [{source}]\n")
        return ["-c", str(config)]

    for command in (["check", "--strict"], ["preview"], ["backfill", "--dry-run"]):
        files = [str(log)] if command[0] != "check" else []
        for mapping, told in (("default", 1), ("{extends: default, redact: {query: [token]}}", 0)):
            execute([*command, *written(mapping), *files])
            shown = "".join(capsys.readouterr())
            assert shown.count("request.uri ?token") == told, (command, shown)
            assert shown.count("redact: {query: [token]}") >= told
            assert "hunter2hunter2" not in shown or command[0] == "preview"
    execute(["init", "-o", str(tmp_path / "made.yml"), str(log)])
    assert "request.uri ?token" in capsys.readouterr().err
