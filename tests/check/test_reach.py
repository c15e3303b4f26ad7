"""`check --connect` and `--send-test` against a real collector, and against what is no receiver at all."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from logship.cli import execute
from logship.collector import CollectorServer
from tests.rigs.certificates import Authority
from tests.rigs.daemon import logship_command
from tests.rigs.machine import require
from tests.rigs.receiver import Receiver

CONFIG = """\
endpoint: {{url: "{url}", application_id: {id}}}
origin: web-1
sources:
  - {{name: api, paths: [access.log], format: nginx_timed, fields: {{host: api.example.com}}}}
"""


def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, *options: str, id: str = "the-id") -> Any:
    (tmp_path / "logship.yml").write_text(CONFIG.format(url=url, id=id))
    code = execute(["check", "--json", "-c", str(tmp_path / "logship.yml"), *options])
    report = json.loads(capsys.readouterr().out)
    assert report["exit"] == code
    return report


def sentences(report: Any) -> list[str]:
    return [f"{finding['level']} {finding['message']}" for finding in report["findings"]]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorServer]:
    with CollectorServer(store=str(tmp_path / "events.db"), application_ids=("the-id",)) as server:
        yield server


class Answering(BaseHTTPRequestHandler):
    status = 200
    location = ""

    def do_GET(self) -> None:
        self.send_response_only(self.status)
        self.send_header("Date", "Tue, 15 Nov 1994 08:12:31 GMT")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web_server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_receiver_that_answers_is_fine_and_gets_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], collector: CollectorServer
) -> None:
    report = check(tmp_path, capsys, collector.url, "--connect")
    assert report["exit"] == 0
    assert "ok GET /v1/config: 200" in sentences(report)
    assert stored(tmp_path) == []


def test_one_test_event_arrives_and_says_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], collector: CollectorServer
) -> None:
    report = check(tmp_path, capsys, collector.url, "--send-test")
    assert report["exit"] == 0
    (event,) = stored(tmp_path)
    assert event["request"]["uri"] == "https://web-1/logship-test"
    assert any(event["transaction_id"] in sentence for sentence in sentences(report))


def test_a_refused_application_id_is_told_without_showing_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], collector: CollectorServer
) -> None:
    report = check(tmp_path, capsys, collector.url, "--send-test", id="some-other-id")
    assert report["exit"] == 1
    assert any(sentence.startswith("error test event: 401") for sentence in sentences(report))
    assert "some-other-id" not in json.dumps(report)


def test_a_port_where_nobody_listens_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check(tmp_path, capsys, "http://127.0.0.1:9", "--connect", "--send-test")
    assert report["exit"] == 1
    assert sentences(report)[-1] == "error 127.0.0.1:9: Connection refused"


def test_a_name_that_does_not_resolve_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check(tmp_path, capsys, "https://receiver.invalid", "--connect")
    assert report["exit"] == 1
    assert sentences(report)[-1].startswith("error DNS: receiver.invalid: ")


def test_https_to_a_plain_port_is_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], web_server: HTTPServer
) -> None:
    report = check(tmp_path, capsys, f"https://127.0.0.1:{web_server.server_port}", "--connect")
    assert report["exit"] == 1
    assert sentences(report)[-1].startswith("error TLS: ")


def test_a_clock_in_1970_is_told_where_a_certificate_is_not_valid_yet(tmp_path: Path) -> None:
    faketime = require("faketime")
    authority = Authority.make(tmp_path / "authority")
    with Receiver(certificate=authority.certificate("receiver")) as receiver:
        config = CONFIG.format(url=receiver.url, id="the-id").replace("{url:", f"{{ca_file: {authority.pem}, url:")
        (tmp_path / "logship.yml").write_text(config)
        done = subprocess.run(
            [faketime, "1970-01-01 00:10", *logship_command("check", "--connect", "-c", str(tmp_path / "logship.yml"))],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "TLS: certificate is not yet valid" in done.stdout
    assert "this machine's clock says 1970-01-01; set it" in done.stdout


@pytest.mark.parametrize(
    ("status", "level"), [(404, "ok"), (401, "error"), (301, "error"), (503, "warning")]
)
def test_each_answer_of_a_web_server_has_its_weight(
    status: int,
    level: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    web_server: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Answering, "status", status)
    report = check(tmp_path, capsys, f"http://127.0.0.1:{web_server.server_port}", "--connect")
    assert any(sentence.startswith(f"{level} GET /v1/config: {status}") for sentence in sentences(report))


def test_a_clock_that_is_wrong_by_years_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], web_server: HTTPServer
) -> None:
    report = check(tmp_path, capsys, f"http://127.0.0.1:{web_server.server_port}", "--connect")
    assert any("s ahead of the receiver's" in sentence for sentence in sentences(report))


def test_a_wrong_config_is_not_tried_on_the_receiver(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], collector: CollectorServer
) -> None:
    (tmp_path / "logship.yml").write_text(CONFIG.format(url=collector.url, id="the-id") + "orgin: x\n")
    assert execute(["check", "-c", str(tmp_path / "logship.yml"), "--send-test"]) == 78
    assert stored(tmp_path) == []
    assert "nothing sent (exit 78)" in capsys.readouterr().out


def stored(tmp_path: Path) -> list[Any]:
    with sqlite3.connect(tmp_path / "events.db") as connection:
        return [json.loads(event) for (event,) in connection.execute("select event from events")]
