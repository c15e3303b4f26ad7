"""Tries the receiver: its name, TLS, GET /v1/config, and on request one event."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import uuid4

import orjson

from logship import __version__
from logship.check.inspection import Finding
from logship.clock import SystemClock
from logship.delivery.answer import CATCH_ALL, HINTS, Answer, Verdict
from logship.delivery.exchange import ID_HEADER, Exchange
from logship.delivery.http import HttpTransport, TlsContext, plain
from logship.delivery.rules_feed import HAS_NONE
from logship.endpoint import Endpoint
from logship.mapping.remote_rules import MAX_CONFIG_BYTES, RemoteRules
from logship.records import record
from logship.words import counted

CLOCK_ERRORS = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
SUBJECT = "endpoint"
PROXY_AUTHENTICATION = 407
TUNNEL_REFUSED = f"Tunnel connection failed: {PROXY_AUTHENTICATION}"  # http.client's words
CLOCK_SKEW_S = 300.0  # beyond it the hosted service calls events late


@record
class Way:
    """Where to connect: the receiver or its proxy."""

    url: SplitResult
    proxy: SplitResult | None

    @property
    def host(self) -> str:
        return (self.proxy or self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = self.proxy or self.url
        return parts.port or (443 if parts.scheme == "https" else 80)


def reach(endpoint: Endpoint, origin: str, *, send_test: bool) -> Iterator[Finding]:
    """What the receiver answers, and the rules that are obeyed; ends with the first step that fails."""
    way = Way(urlsplit(endpoint.url), urlsplit(endpoint.proxy) if endpoint.proxy else None)
    try:
        addresses = _addresses(way)
    except OSError as exc:
        key = "endpoint.proxy" if way.proxy else "endpoint.url"
        hint = f"check {key} and this machine's DNS (/etc/resolv.conf)"
        yield Finding("error", SUBJECT, f"DNS: {way.host}: {exc.strerror or exc}", hint)
        return
    yield Finding("ok", SUBJECT, f"DNS: {way.host} is {', '.join(addresses)}")
    try:
        yield from _ask(endpoint, way)
    except ssl.SSLCertVerificationError as exc:
        hint = "name the authority's certificate in endpoint.ca_file, or fix the receiver's certificate"
        if exc.verify_code in CLOCK_ERRORS:
            hint = f"this machine's clock says {datetime.now(UTC):%Y-%m-%d}; set it (timedatectl) where that is wrong"
        yield Finding("error", SUBJECT, f"TLS: {exc.verify_message}", hint)
        return
    except ssl.SSLError as exc:
        yield Finding("error", SUBJECT, f"TLS: {exc.reason or exc}", "is this port a TLS port? see endpoint.url")
        return
    except (OSError, http.client.HTTPException) as exc:
        if TUNNEL_REFUSED in str(exc):
            yield _proxy_refuses(way)
            return
        message = f"{way.host}:{way.port}: {getattr(exc, 'strerror', None) or exc or type(exc).__name__}"
        yield Finding("error", SUBJECT, message, "is it running, and does a firewall let this machine through?")
        return
    if send_test:
        yield _send_test(endpoint, origin)


def _addresses(way: Way) -> list[str]:
    found = socket.getaddrinfo(way.host, way.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _ask(endpoint: Endpoint, way: Way) -> Iterator[Finding]:
    connection = _connection(endpoint, way)
    path = f"{way.url.path}/v1/config"
    is_relayed = way.proxy is not None and way.url.scheme == "http"
    headers = {"User-Agent": f"logship/{__version__}", "Accept": "application/json"}
    if endpoint.application_id:
        headers[ID_HEADER] = endpoint.application_id.reveal()
    if is_relayed:
        headers |= _proxy_authorization(way)
    try:
        connection.request("GET", f"{endpoint.url}/v1/config" if is_relayed else path, headers=headers)
        if isinstance(connection.sock, ssl.SSLSocket):
            yield _tls(connection.sock)
        answer = connection.getresponse()
        body = answer.read(MAX_CONFIG_BYTES + 1)
        encoding = answer.getheader("Content-Encoding") or ""
    finally:
        connection.close()
    if answer.status == PROXY_AUTHENTICATION:
        yield _proxy_refuses(way)
        return
    yield _config_answer(answer.status, path)
    if answer.status == 200:
        is_html = "html" in (answer.getheader("Content-Type") or "").lower()
        if is_html and not endpoint.obeys:
            yield Finding("warning", SUBJECT, f"GET {path}: a web page", CATCH_ALL)
        yield from _rules(b"" if is_html else body, encoding, endpoint.obeys)
    yield from _clock_skew(answer.getheader("Date"))


def _connection(endpoint: Endpoint, way: Way) -> http.client.HTTPConnection:
    context = TlsContext(endpoint).get()
    timeout_s = endpoint.timeout_s
    is_tls = (way.proxy or way.url).scheme == "https" or (way.proxy is not None and way.url.scheme == "https")
    if not is_tls:
        return http.client.HTTPConnection(way.host, way.port, timeout=timeout_s)
    connection = http.client.HTTPSConnection(way.host, way.port, timeout=timeout_s, context=context)
    if way.proxy is not None and way.url.scheme == "https":
        connection.set_tunnel(way.url.hostname or "", way.url.port or 443, _proxy_authorization(way))
    return connection


def _proxy_authorization(way: Way) -> dict[str, str]:
    """User and password of the proxy's URL, as the daemon sends them."""
    if way.proxy is None or way.proxy.username is None:
        return {}
    credentials = f"{unquote(way.proxy.username)}:{unquote(way.proxy.password or '')}".encode("latin-1", "replace")
    return {"Proxy-Authorization": f"Basic {b64encode(credentials).decode()}"}


def _proxy_refuses(way: Way) -> Finding:
    message = f"the proxy {way.host}:{way.port} answers {PROXY_AUTHENTICATION}"
    return Finding("error", SUBJECT, message, HINTS[PROXY_AUTHENTICATION])


def _tls(sock: ssl.SSLSocket) -> Finding:
    certificate = sock.getpeercert() or {}
    until = certificate.get("notAfter")
    return Finding("ok", SUBJECT, f"TLS: {sock.version()}, certificate valid until {until}")


def _config_answer(status: int, path: str) -> Finding:
    if status == 200:
        return Finding("ok", SUBJECT, f"GET {path}: 200")
    if status == 401:
        return Finding("error", SUBJECT, f"GET {path}: {status}, the application id is refused", "correct it")
    if status == 403:
        return Finding("error", SUBJECT, f"GET {path}: {status}, forbidden", HINTS[status])
    if status in HAS_NONE:
        return Finding("ok", SUBJECT, f"GET {path}: {status}; not every receiver has it, this one has no rules")
    if 300 <= status < 400:
        hint = "redirects are never followed; give the final address in endpoint.url"
        return Finding("error", SUBJECT, f"GET {path}: {status}, a redirect", hint)
    return Finding("warning", SUBJECT, f"GET {path}: {status}", "the receiver may be failing; events would wait")


def _rules(body: bytes, encoding: str, obeys: bool) -> Iterator[Finding]:
    """The receiver's rules, each in a line."""
    try:
        rules = RemoteRules.of(plain(body, encoding, MAX_CONFIG_BYTES + 1))
    except ValueError as exc:
        if obeys:
            hint = (
                "nothing is shipped, or the last good rules stay; see endpoint.url, or set endpoint.remote_config: off"
            )
            yield Finding("error", SUBJECT, f"rules: the answer is no configuration: {exc}", hint)
        return
    if rules.is_silent and obeys:
        text = "rules: none, the answer names no rates; rules from before stay"
        yield Finding("ok", SUBJECT, text)
        return
    count = counted(rules.count, "rule") if rules.count else "none, every event is kept"
    if rules.count and not obeys:
        yield Finding("ok", SUBJECT, f"rules: {count} of the receiver, not obeyed", "see endpoint.remote_config")
        return
    yield Finding("ok", SUBJECT, f"rules: {count}" + (" of the receiver, obeyed" if rules.count else ""))
    if obeys:
        yield from (Finding("ok", SUBJECT, f"  {line}") for line in rules.described() if rules.count)
        yield from (Finding("warning", SUBJECT, f"  {warning}") for warning in rules.warnings)


def _clock_skew(date: str | None) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return
    skew_s = time.time() - theirs
    if abs(skew_s) > CLOCK_SKEW_S:
        direction = "ahead of" if skew_s > 0 else "behind"
        message = f"this machine's clock is {abs(skew_s):,.0f} s {direction} the receiver's"
        yield Finding("warning", SUBJECT, message, "set the clock (timedatectl); events carry its times")


def _send_test(endpoint: Endpoint, origin: str) -> Finding:
    transport = HttpTransport(endpoint, TlsContext(endpoint), SystemClock())
    timer = threading.Timer(endpoint.timeout_s, transport.cut)
    timer.start()
    identifier = str(uuid4())
    try:
        reply = Exchange(endpoint).perform(transport, test_event(origin, identifier, time.time()), is_single=True)
    finally:
        timer.cancel()
        transport.close()
    if reply.decision.verdict is Verdict.CONFIRMED:
        return Finding("ok", SUBJECT, f"test event: {reply.answer.name}, transaction_id {identifier}")
    answer = reply.answer
    excerpt = f": {answer.excerpt}" if isinstance(answer, Answer) and answer.excerpt else ""
    message = f"test event: {answer.name}{excerpt}" if isinstance(answer, Answer) else f"test event: {answer}"
    return Finding("error", SUBJECT, message, reply.decision.hint)


def test_event(origin: str, identifier: str, now_s: float) -> bytes:
    """An event that can't be mistaken for traffic: its path, tag and metadata say that it is a test."""
    milliseconds = int(now_s * 1000) % 1000
    moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now_s))}.{milliseconds:03d}Z"
    event = {
        "request": {
            "time": moment,
            "uri": f"https://{origin}/logship-test",
            "verb": "GET",
            "ip_address": "127.0.0.1",
            "headers": {"User-Agent": f"logship/{__version__}", "X-Moesif-Tags": "logship-test"},
        },
        "response": {"time": moment, "status": 200, "headers": {}},
        "transaction_id": identifier,
        "direction": "Incoming",
        "metadata": {"logship_test": True},
    }
    return orjson.dumps(event)
