"""`check --connect` and `--send-test` against a real collector, and against what is no receiver at all."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from logship.cli import execute
from logship.collector import CollectorServer
from tests.rigs.certificates import Authority
from tests.rigs.config_page import ConfigPage
from tests.rigs.daemon import logship_command
from tests.rigs.machine import require
from tests.rigs.receiver import Receiver

CONFIG = """\
endpoint: {{url: "{url}", application_id: {id}{more}}}
origin: web-1
sources:
  - {{name: api, paths: [access.log], format: nginx_timed, fields: {{host: api.example.com}}}}
"""


def check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, *options: str, id: str = "the-id", more: str = ""
) -> Any:
    (tmp_path / "logship.yml").write_text(CONFIG.format(url=url, id=id, more=more))
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


def test_the_receivers_rules_are_printed_where_they_are_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"sample_rate": 12.5, "user_sample_rate": {"a": 0, "b": 7}, "block_bot_traffic": True, "regex_config": [
        {"conditions": [{"path": "request.route", "value": "^/health"}, {"path": "request.verb", "value": "GET"}],
         "sample_rate": 0}, {"conditions": [{"path": "x", "value": "(?!y)"}]},
    ]}  # fmt: skip
    with Receiver(config=ConfigPage(config)) as receiver:
        obeyed = sentences(check(tmp_path, capsys, receiver.url, "--connect", more=", remote_config: on"))
        ignored = sentences(check(tmp_path, capsys, receiver.url, "--connect"))
    assert obeyed[obeyed.index("ok rules: 4 rules of the receiver, obeyed") :] == [
        "ok rules: 4 rules of the receiver, obeyed",
        "ok   rule 1: 0 % where request.route matches ^/health and request.verb matches GET",
        "ok   user rates: 2, 1 excluded",
        "ok   all others: 12.5 %",
        "warning   block_bot_traffic is not obeyed: which clients are bots is not published",
        "warning   rule 2 is left out: regular expression: invalid perl operator: (?!",
    ]
    assert ignored[-1] == "ok rules: 4 rules of the receiver, not obeyed"


def test_rules_that_are_none_are_an_error_where_they_would_be_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Receiver(config=ConfigPage(always="garbage")) as receiver:
        report = check(tmp_path, capsys, receiver.url, "--connect", more=", remote_config: on")
    assert report["exit"] == 1
    assert sentences(report)[-1].startswith("error rules: the answer is no configuration: it is no JSON")


def test_a_web_page_in_place_of_the_api_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver(config=ConfigPage(always="html")) as receiver:
        report = check(tmp_path, capsys, receiver.url, "--connect")
    assert "warning GET /v1/config: a web page" in sentences(report)


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
        config = CONFIG.format(url=receiver.url, id="the-id", more=f", ca_file: {authority.pem}")
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


@pytest.mark.parametrize(("status", "level"), [(404, "ok"), (401, "error"), (301, "error"), (503, "warning")])
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
    (tmp_path / "logship.yml").write_text(CONFIG.format(url=collector.url, id="the-id", more="") + "orgin: x\n")
    assert execute(["check", "-c", str(tmp_path / "logship.yml"), "--send-test"]) == 78
    assert stored(tmp_path) == []
    assert "nothing sent (exit 78)" in capsys.readouterr().out


def stored(tmp_path: Path) -> list[Any]:
    with sqlite3.connect(tmp_path / "events.db") as connection:
        return [json.loads(event) for (event,) in connection.execute("select event from events")]


class Forwarding(BaseHTTPRequestHandler):
    """A proxy that wants a user and password; behind it every name is this machine."""

    def do_CONNECT(self) -> None:
        if self.is_let_in():
            server = socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2])))
            self.send_response(200)
            self.end_headers()
            threading.Thread(target=self.pump, args=(server, self.connection), daemon=True).start()
            self.pump(self.connection, server)

    def do_GET(self) -> None:
        if self.is_let_in():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def is_let_in(self) -> bool:
        if self.headers["Proxy-Authorization"] == "Basic " + b64encode(b"u:p@ss:w/rd").decode():
            return True
        self.send_response(407)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    @staticmethod
    def pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Forwarding) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_gets_user_and_password_as_from_the_daemon_and_its_refusal_is_its_own(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    authority: Authority,
    proxy: str,
    scheme: str,
) -> None:
    """Behind the tunnel stands a receiver without GET /v1/config: that TLS was spoken with it is enough."""
    with Receiver(certificate=authority.certificate("receiver", "DNS:receiver.localhost")) as receiver:
        url, more = f"{scheme}://receiver.localhost:{receiver.port}", f', ca_file: "{authority.pem}"'
        monkeypatch.setenv(f"{scheme}_proxy", f"http://u:p%40ss%3Aw%2Frd@{proxy}")
        said = sentences(check(tmp_path, capsys, url, "--connect", more=more))
        reached = "ok TLS: TLSv1.3" if scheme == "https" else "ok GET /v1/config: 404"
        assert any(sentence.startswith(reached) for sentence in said), said
        monkeypatch.setenv(f"{scheme}_proxy", f"http://u:wrong@{proxy}")
        report = check(tmp_path, capsys, url, "--connect", more=more)
        refusal = next(finding for finding in report["findings"] if "407" in finding["message"])
        assert (report["exit"], refusal["level"]) == (1, "error")
        assert "the proxy" in refusal["message"]
        assert "endpoint.proxy" in refusal["hint"]
        assert "wrong" not in json.dumps(report)
