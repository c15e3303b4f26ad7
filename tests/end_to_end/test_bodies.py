"""Bodies through a real nginx with njs, its log, the daemon and a collector: equal but for what is masked."""

from __future__ import annotations

import base64
import http.client
import json
import random
import re
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from logship.cli import execute
from logship.collector import CollectorServer
from tests.rigs.daemon import logship_command
from tests.rigs.machine import lacking, scaled
from tests.rigs.nginx import Nginx

MODULE = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
BODIES = scaled(300, 10_000)
MASKED = ("password", "Token", "card_number", "pin", "authorization")
SECRET = "s3cr3t-"
CHARACTERS = "aZ09 \"\\/\b\n\r\t\x01\x1f\x7f{}[]:,é漢😀\u2028'<&"


class Echo(BaseHTTPRequestHandler):
    """An API that answers with what it was given, in pieces and turned around."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        as_it_is = self.headers.get("X-Answer-Type") == "text/plain"
        answer = (
            body if as_it_is else json.dumps({"echo": json.loads(body)} if body else None, ensure_ascii=False).encode()
        )
        self.send_response(200)
        self.send_header("Content-Type", self.headers.get("X-Answer-Type") or "application/json; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(answer), 7_001):  # in the middle of characters, too
            piece = answer[start : start + 7_001]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: object) -> None: ...


class BodyNginx(Nginx):
    """nginx as `logship init --bodies` says, in front of an API; `bodies` is its line of the http block."""

    def __init__(self, directory: Path, bodies: str, upstream: int) -> None:
        super().__init__(directory, ())
        self.bodies = bodies
        self.upstream = upstream

    def _config(self) -> str:
        text = f"load_module {MODULE};\n" + super()._config()
        text = text.replace("log_format truth", f"{self.bodies} log_format truth")
        return text.replace(
            'location / { return 200 "ok"; }',
            f"""location / {{
              js_body_filter logship_bodies.keep buffer_type=buffer;
              sendfile off;
              access_log {self.log_path("bodies.log")} logship_bodies;
              gzip on; gzip_types application/json;
              proxy_http_version 1.1; proxy_pass http://127.0.0.1:{self.upstream};
            }}""",
        )


@pytest.fixture
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str, str]:
    """The directory that init wrote into, the source that it names, and its line for nginx."""
    if not MODULE.exists():
        lacking("njs is not installed: apt-get install libnginx-mod-http-js")
    directory = tmp_path / 'a "b" {3}; #$x'
    assert execute(["init", "--bodies", str(directory)]) == 0
    said = capsys.readouterr().out
    source = said[said.index("max_line_bytes") : said.index("The log holds bodies")]
    (include,) = re.findall(r"nginx.conf, http block +(include .*;)\n", said)
    return directory, "\n".join(re.sub(r"^ {30}", "", line) for line in source.splitlines()), include


def value_of(draw: random.Random, depth: int) -> Any:
    kind = draw.randrange(8 if depth else 5)
    if kind < 2:
        return "".join(draw.choices(CHARACTERS, k=draw.randrange(20)))
    if kind < 5:
        return draw.choice(
            [None, True, False, 0, -7, 2**53, -(2**63), 2**64 + 1, -(10**29), 1.5, -0.25, 1e-7, 12_345_678.9]
        )
    if kind < 6:
        return [value_of(draw, depth - 1) for _ in range(draw.randrange(4))]
    keys = ["a", "näme", 'with "quotes"', "list", *MASKED]
    return {
        key: f"{SECRET}{draw.random()}" if key in MASKED and draw.random() < 0.7 else value_of(draw, depth - 1)
        for key in draw.sample(keys, draw.randrange(5))
    }


def masked(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: "[redacted]" if key in MASKED else masked(below) for key, below in tree.items()}
    return [masked(below) for below in tree] if isinstance(tree, list) else tree


def ship(tmp_path: Path, log: Path, source: str, collector: CollectorServer) -> str:
    """Sends a log; gives what was said."""
    source = re.sub(r"paths: \[.*\]", f"paths: [{log}]\n    start_at: beginning", source)
    config = tmp_path / "logship.yml"
    config.write_text(
        f"endpoint: {{url: {collector.url}, application_id: bodies}}\n"
        f"state_dir: {tmp_path}/state\nstatus: null\n{source}"
    )
    done = subprocess.run(
        logship_command("run", "-c", str(config), "--once"), capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def events_of(collector: CollectorServer) -> dict[str, dict[str, Any]]:
    with sqlite3.connect(collector.store) as store:
        events = [json.loads(text) for (text,) in store.execute("SELECT event FROM events")]
    return {event["request"]["uri"].rpartition("/")[2]: event for event in events}


def test_random_bodies_arrive_as_they_were_but_for_their_masks(
    tmp_path: Path, made: tuple[Path, str, str], upstream: int
) -> None:
    draw = random.Random(7)
    _, source, include = made
    sent = [value_of(draw, 4) for _ in range(BODIES)]
    with BodyNginx(tmp_path / "nginx", include, upstream) as nginx:
        connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=30)
        for number, tree in enumerate(sent):
            body = json.dumps(tree, ensure_ascii=number % 2 == 0).encode()
            connection.request("POST", f"/{number}", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
    with CollectorServer(store=str(tmp_path / "events.db")) as collector:
        ship(tmp_path, nginx.log_path("bodies.log"), source, collector)
        found = events_of(collector)
        raw = "".join(map(json.dumps, found.values()))
    assert len(found) == BODIES
    for number, tree in enumerate(sent):
        request, response = found[str(number)]["request"], found[str(number)]["response"]
        assert (request["body"], request["transfer_encoding"]) == (masked(tree), "json"), number
        assert (response["body"], response["transfer_encoding"]) == ({"echo": masked(tree)}, "json"), number
    assert SECRET in json.dumps(sent)
    assert SECRET not in raw


def test_who_asked_comes_from_the_token_and_what_is_no_text_or_too_long_stays_out(
    tmp_path: Path, made: tuple[Path, str, str], upstream: int
) -> None:
    _, source, include = made
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "ann?é>>"}).encode()).decode().rstrip("=")
    number = base64.urlsafe_b64encode(b'{"a":"\\"7:",\n"sub": 9007199254740993}').decode().rstrip("=")
    odd = base64.urlsafe_b64encode(b'{"sub":{"id":7}}').decode().rstrip("=")
    long = json.dumps({"a": "x" * 29_900})
    asked: dict[str, tuple[str, dict[str, str]]] = {
        "token": ("{}", {"Authorization": f"Bearer eyJhbGciOiJub25lIn0.{claims}."}),
        "number": ("{}", {"Authorization": f"Bearer eyJhbGciOiJub25lIn0.{number}."}),
        "odd": ("{}", {"Authorization": f"Bearer eyJhbGciOiJub25lIn0.{odd}."}),
        "basic": ("{}", {"Authorization": "Basic " + base64.b64encode(b"bob:x").decode()}),
        "broken": ("{}", {"Authorization": "Bearer x.y.z"}),
        "image": ("{}", {"X-Answer-Type": "image/png"}),
        "long": (long, {}),
        "longer": (json.dumps({"a": "x" * 40_000}), {}),
    }
    with BodyNginx(tmp_path / "nginx", include, upstream) as nginx:
        for name, (body, headers) in asked.items():
            connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=30)
            connection.request("POST", f"/{name}", body, {"Content-Type": "application/json", **headers})
            assert connection.getresponse().read()
            connection.close()
    with CollectorServer(store=str(tmp_path / "events.db")) as collector:
        ship(tmp_path, nginx.log_path("bodies.log"), source, collector)
        found = events_of(collector)
    users = {name: found[name].get("user_id") for name in ("token", "number", "odd", "basic", "broken")}
    assert users == {"token": "ann?é>>", "number": "9007199254740993", "odd": None, "basic": "bob", "broken": None}
    assert "body" not in found["image"]["response"]
    assert found["image"]["request"]["body"] == {}
    assert found["long"]["request"]["body"] == json.loads(long)
    assert "body" not in found["longer"]["request"]
    assert "body" not in found["longer"]["response"]
    assert found["token"]["request"]["headers"]["Content-Type"] == "application/json"


def test_a_body_that_is_not_utf_8_is_left_out_and_counted_never_altered(
    tmp_path: Path, made: tuple[Path, str, str], upstream: int
) -> None:
    _, source, include = made
    bodies = {
        "latin-1": b"caf\xe9=\xff&b=1",
        "cut": b'{"a":"\xc3"}',
        "marked": "a=\ufffd".encode(),
        "fine": "a=é".encode(),
    }
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Answer-Type": "text/plain"}
    with BodyNginx(tmp_path / "nginx", include, upstream) as nginx:
        for name, body in bodies.items():
            connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=30)
            connection.request("POST", f"/{name}", body, form)
            assert connection.getresponse().read() == body
            connection.close()
    with CollectorServer(store=str(tmp_path / "events.db")) as collector:
        said = ship(tmp_path, nginx.log_path("bodies.log"), source, collector)
        found = events_of(collector)
    for name in ("latin-1", "cut"):
        assert "body" not in found[name]["request"], name
        assert "body" not in found[name]["response"], name
    for name in ("marked", "fine"):
        for message in (found[name]["request"], found[name]["response"]):
            assert base64.b64decode(message["body"]) == bodies[name]
    assert "request.body left out of 2" in said
    assert "response.body left out of 2" in said


def test_what_is_there_already_is_not_replaced(made: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    directory, *_ = made
    (directory / "bodies.yml").write_text("mine")
    assert execute(["init", "--bodies", str(directory)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (directory / "bodies.yml").read_text() == "mine"
    assert execute(["init", "--bodies", str(directory), "--force"]) == 0
    assert (directory / "bodies.yml.old").read_text() == "mine"


@pytest.mark.parametrize("name", ["b[3]", "b*", "it's", "a\\b"])
def test_a_directory_that_nginx_would_read_otherwise_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert execute(["init", "--bodies", str(tmp_path / name)]) == 2
    assert "in the path of such a file; name another directory" in capsys.readouterr().err
    assert not (tmp_path / name).exists()
