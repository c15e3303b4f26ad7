"""What real servers wrote when they were asked ugly things: every line fits, every header comes back as it was sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.presets import apache, nginx, parsed, presets
from tests.kernel.agreement import agreed, all_fields

REAL = Path(__file__).parent / "real"
COMBINED = presets()["combined"].text
NGINX = presets()["nginx"].text
FORMATS = {
    "nginx_combined": nginx(NGINX),
    "nginx_main": nginx(f'{NGINX} "$http_x_forwarded_for" $request_id'),
    "nginx_timed": nginx(
        '$host $server_port $remote_addr [$time_iso8601] "$request" $status $bytes_sent rt=$request_time '
        'urt="$upstream_response_time" uaddr="$upstream_addr" ust="$upstream_status" xff="$http_x_forwarded_for" '
        'ua="$http_user_agent" tls="$ssl_protocol" gz="$gzip_ratio" msec=$msec id=$request_id'
    ),
    "nginx_json": nginx(
        """escape=json '{"time":"$time_iso8601","msec":$msec,"remote_addr":"$remote_addr","host":"$host",'
        '"method":"$request_method","uri":"$request_uri","request":"$request","status":$status,'
        '"bytes":$body_bytes_sent,"request_time":$request_time,"upstream_time":"$upstream_response_time",'
        '"xff":"$http_x_forwarded_for","referer":"$http_referer","ua":"$http_user_agent","user":"$remote_user",'
        '"id":"$request_id"}'"""
    ),
    "nginx_escape_none": nginx(
        """escape=none '$remote_addr [$time_local] "$request" $status "$http_user_agent" $request_id'"""
    ),
    "apache_combined": apache(COMBINED + " %{UNIQUE_ID}e"),
    "apache_vhost": apache(f"{presets()['vhost_combined'].text} %{{UNIQUE_ID}}e"),
    "apache_timed": apache(
        '%v %a [%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t] "%m %U%q %H" %>s %B D=%D ms=%{ms}T T=%T '
        'xff="%{X-Forwarded-For}i" ua="%{User-Agent}i" conn=%X id=%{UNIQUE_ID}e'
    ),
    "apache_json": apache(
        '{"time":"%{%Y-%m-%dT%H:%M:%S%z}t","msec":%{msec}t,"client":"%a","vhost":"%v","method":"%m","uri":"%U%q",'
        '"request":"%r","status":%>s,"bytes":%B,"us":%D,"xff":"%{X-Forwarded-For}i","ua":"%{User-Agent}i",'
        '"id":"%{UNIQUE_ID}e"}'
    ),
}
OWN_METHOD = {"apache_timed", "nginx_json", "apache_json"}  # which these servers leave empty for a bad request
SENT = {
    r'evil "quoted" \back\slash\" end',
    "it's\ta\ttab",
    "Moz\u00efll\u00e4 \u65e5\u672c \U0001f600",
    "caf\ufffd \ufffd\ufffd",
    "${jndi:ldap://x/a}",
}  # user agents; the latin-1 one is no UTF-8


def lines(name: str) -> list[bytes]:
    return (REAL / f"{name}.log").read_bytes().split(b"\n")[:-1]


@pytest.mark.parametrize("name", FORMATS)
def test_every_line_fits_its_format(name: str) -> None:
    fmt = FORMATS[name]
    assert [(line, fmt.explain(line)) for line in lines(name) if fmt.parse(line) is None] == []


@pytest.mark.parametrize("name", FORMATS)
def test_user_agents_come_back_as_they_were_sent(name: str) -> None:
    found = {parsed(FORMATS[name], line).get("request_header_user_agent") for line in lines(name)}
    assert found >= SENT


@pytest.mark.parametrize("name", FORMATS)
def test_the_kernel_agrees_on_every_line(name: str) -> None:
    agreed(all_fields(FORMATS[name]), *lines(name))


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in OWN_METHOD])
def test_what_is_no_request_has_no_method(name: str) -> None:
    for line in lines(name):
        found = parsed(FORMATS[name], line)
        request = str(found.get("request_first_line", ""))
        if "request_method" not in found:
            assert " HTTP/1" not in request or request.startswith("-")
        elif request.startswith("GET /"):
            assert str(found["request_url"]) in request
