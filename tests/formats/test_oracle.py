"""Public log formats as they stand, written by a real server: each field is what the server says it was.

One nginx and one httpd write every directive at once, and beside them an oracle log with each variable by itself.
A line of any of them becomes those values, or nothing.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from logship.config.shipped import mapping_path
from logship.config.yaml_door import parse
from logship.conversion import Converter, compile_mapping
from logship.errors import FormatError
from logship.event import LogFile
from logship.formats import Format, FormatSpec, compile_format
from logship.mapping import Constants, MappingErrors, parse_mapping
from tests.formats.presets import presets
from tests.rigs.apache import Apache
from tests.rigs.nginx import Nginx
from tests.rigs.waiting import wait_until

REAL = Path(__file__).parent / "real"
FILE = LogFile(1, "access.log", "site", 0, "web-1")
Truth = Mapping[str, str]  # a request: each variable's value, '' for none
AGENT = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
ORDINARY = [  # the rest of the head after `GET … HTTP/1.1` and Host
    (b"GET / HTTP/1.1", b"User-Agent: " + AGENT),
    (b"POST /login?next=%2F HTTP/1.1", b"User-Agent: curl/8.5.0\r\nContent-Length: 2\r\n\r\nab"),
    (b"GET /shop?a=1&b=2 HTTP/1.1", b"Referer: https://a.example/x\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1"),
    (b"HEAD /status/404 HTTP/1.1", b"User-Agent: x\r\nAuthorization: Basic YW5uOnB3"),
]
HOSTILE = [
    (b"GET /q HTTP/1.1", b'User-Agent: a "quoted" \\x22 \\ [pipe] | - -\r\nReferer: https://a.example/?x="1" b'),
    (b"GET /8 HTTP/1.1", "User-Agent: Mözilla 日本\r\nReferer: é".encode()),
    (b"GET /latin HTTP/1.1", b"User-Agent: M\xf6z\xff\r\nX-Real-IP: not an address"),
    (b"GET /%D0%A0/%22?q=%0a%20\" HTTP/1.1", b"User-Agent: -\r\nReferer: -"),
    (b"GET http://other.example/abs?y HTTP/1.1", b'X-Forwarded-For: -\r\nUser-Agent: " 200 5 "'),
    (b"PROPFIND /p%C3 HTTP/1.0", b"User-Agent: \t \"\r\nX-Forwarded-For: 1.2.3.4 - ann [10/Oct/2000:13:55:36 -0700]"),
    (b"\x16\x03\x01\x02\x00\x01", b""),
    (b"GET /x", b""),
    (b"-", b"User-Agent: ${jndi:ldap://x}"),
]  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What a server wrote: lines by directive, and the truth of each; `first` is the first of the requests here."""

    logs: Mapping[str, Sequence[bytes]]
    truths: Sequence[Truth]
    first: int


def send(port: int, request: bytes, head: bytes) -> None:
    """One request on a connection of its own, and its answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        body = b"" if b"\r\n\r\n" in head else b"\r\n\r\n"
        connection.sendall(request + b"\r\nHost: shop.example\r\nConnection: close\r\n" + head + body)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass


def directives(server: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (REAL / f"{server}_directives.jsonl").read_text().splitlines()]


def records(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def _has_lines(log: Path, number: int) -> bool:
    return len(records(log)) >= number


def ask_everything(port: int, oracle: Path) -> int:
    """Sends all requests, each logged before the next; gives how many lines were there before."""
    wait_until(lambda: oracle.exists(), what="the oracle's log")
    before = len(records(oracle))
    for number, (request, head) in enumerate([*ORDINARY, *HOSTILE], before + 1):
        send(port, request, head)
        wait_until(partial(_has_lines, oracle, number), what=f"{request!r} is logged")
    return before


class OracleNginx(Nginx):
    """Writes all directives and, last of all, each variable by itself."""

    def _config(self) -> str:
        texts = [re.sub(r"^log_format\s+\S+", f"log_format d{at}", one["text"]) for at, one in enumerate(NGINX)]
        named = {name for text in texts for name in re.findall(r"\$\{?(\w+)", text)}
        maps = (f"map $host ${name} {{ default '{OWN[name]}'; }}\n" for name in sorted(named) if name in OWN)
        variables = sorted({*named, "request_method", "request_uri", "status", "remote_addr"})
        logs = (
            f"{text}\naccess_log {self.log_path(one['name'])} d{at};\n"
            for at, (text, one) in enumerate(zip(texts, NGINX, strict=True))
        )
        oracle = ",".join(f'"{name}":"${name}"' for name in variables)
        config = super()._config().replace("worker_processes 2", "worker_processes 1")
        own = f"""{"".join(maps)}{"".join(logs)}log_format oracle escape=json '{{{oracle}}}';
  access_log {self.log_path("oracle")} oracle;
  log_format truth"""
        return config.replace("log_format truth", own)


class OracleApache(Apache):
    """The same of httpd: its oracle writes each directive by itself, with tabs between."""

    def _config(self) -> str:
        logs = ""
        for at, one in enumerate(APACHE):
            path, text = self.log_path(one["name"]), one["text"]
            if text.startswith("CustomLog"):
                logs += re.sub(r"CustomLog \S+", f"CustomLog {path}", text) + "\n"
            else:
                logs += re.sub(r"\s+\S+$", f" d{at}", text) + f"\nCustomLog {path} d{at}\n"
        modules = "".join(
            f"LoadModule {name}_module {self.modules}/mod_{name}.so\n" for name in ("ssl", "socache_shmcb")
        )
        oracle = r"\t".join(name.replace('"', r"\"") for name in DIRECTIVES)
        logs += f'LogFormat "{oracle}" oracle\nCustomLog {self.log_path("oracle")} oracle\n'
        return f"{super()._config()}{modules}{logs}"


NGINX, APACHE = directives("nginx"), directives("apache")
OWN = {  # variables of modules and maps that are not here
    "auth_user_id": "u-7", "clientRealIp": "198.51.100.7", "dest_host": "a.example", "dest_scheme": "https",
    "hashed_req_id": "ab12", "proxy_upstream_name": "default-shop-80", "req_id": "752178adb17130b291aefd8c386279e7",
    "request_uuid": "r-1", "the_real_ip": "198.51.100.7", "url": "/x", "server": "web-1", "http_head": "h",
    "geoip2_data_country_code": "DE", "geoip2_data_country_name": "Germany", "geoip_city": "Berlin",
    "geoip_country_code": "DE", "geoip_latitude": "52.5", "geoip_longitude": "13.4",
}  # fmt: skip
DIRECTIVES = sorted({
    name for one in APACHE for name in re.findall(r"%[!0-9,<>]*(?:\{[^}]+\})?\^?[a-zA-Z]", one["text"])
} | {"%m", "%>s", "%U%q", "%a"})  # fmt: skip


@pytest.fixture(scope="module")
def of_nginx(tmp_path_factory: pytest.TempPathFactory) -> Written:
    with OracleNginx(tmp_path_factory.mktemp("nginx") / "n") as nginx:
        first = ask_everything(nginx.port, nginx.log_path("oracle"))
    truths = [json.loads(line.decode("utf-8", "replace")) for line in records(nginx.log_path("oracle"))]
    logs = {one["name"]: records(nginx.log_path(one["name"])) for one in NGINX}
    return Written(logs, [{f"${name}": value for name, value in one.items()} for one in truths], first)


@pytest.fixture(scope="module")
def of_apache(tmp_path_factory: pytest.TempPathFactory) -> Written:
    with OracleApache(tmp_path_factory.mktemp("apache") / "a") as apache:
        first = ask_everything(apache.port, apache.log_path("oracle"))
    truths = [map(unescaped, line.split(b"\t")) for line in records(apache.log_path("oracle"))]
    logs = {one["name"]: records(apache.log_path(one["name"])) for one in APACHE}
    return Written(logs, [dict(zip(DIRECTIVES, one, strict=True)) for one in truths], first)


def unescaped(text: bytes) -> str:
    """What httpd wrote as \\xc3, \\" or \\t. Source: ap_escape_logitem."""
    plain = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v"}

    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code[1:], 16)]) if len(code) == 3 else plain.get(code, code)

    return re.sub(rb"\\(x[0-9a-f]{2}|.)", one, text).decode("utf-8", "replace")


@pytest.mark.parametrize("number", range(len(NGINX)), ids=[one["name"] for one in NGINX])
def test_each_line_of_nginx_says_what_nginx_meant(of_nginx: Written, number: int) -> None:
    check("nginx", NGINX[number], of_nginx)


@pytest.mark.parametrize("number", range(len(APACHE)), ids=[one["name"] for one in APACHE])
def test_each_line_of_httpd_says_what_httpd_meant(of_apache: Written, number: int) -> None:
    check("apache", APACHE[number], of_apache)


def check(kind: Literal["nginx", "apache"], directive: Mapping[str, str], written: Written) -> None:
    """Every line becomes its truth; a hostile one may become nothing, where the format can't hold it."""
    spec = FormatSpec(kind, directive["text"])
    lines = written.logs[directive["name"]]
    if "refused" in directive:
        with pytest.raises((FormatError, MappingErrors), match=directive["refused"]):
            converter(compile_format(spec, presets()))
        return
    fmt = compile_format(spec, presets())
    made = converter(fmt)
    assert len(lines) == len(written.truths)
    for at, (line, truth) in enumerate(zip(lines, written.truths, strict=True)):
        values = fmt.parse(line)
        if values is None:
            assert at >= written.first + len(ORDINARY), (line, fmt.explain(line))
            continue
        for slot, value in zip(fmt.slots, values, strict=True):
            known = None if slot.part_of else truth.get(slot.spelled)
            known = known.strip("[]") if known and slot.spelled == "%t" else known
            assert known is None or value == ("" if known == "-" else known), (line, slot.spelled)
        event = json.loads(made.convert(line + b"\n", 0, FILE).events[0])
        fields = {slot.field for slot in fmt.slots}
        verb, status = ("$request_method", "$status") if kind == "nginx" else ("%m", "%>s")
        if "request_method" in fields:
            assert event["request"]["verb"] in {truth[verb], "UNKNOWN"}, line
            assert event["request"]["verb"] == truth[verb] or at >= written.first + len(ORDINARY)
        if "status" in fields and not re.search("%s|%!|%[0-9]", directive["text"]):
            assert event["response"]["status"] == int(truth[status]), line


def converter(fmt: Format) -> Converter:
    tree = parse(mapping_path("default").read_text(), "default.yml").tree()
    assert isinstance(tree, dict)
    return compile_mapping(parse_mapping(dict(tree)), fmt, Constants("web-1", "site"))
