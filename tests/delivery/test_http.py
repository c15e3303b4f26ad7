"""One request over real sockets: what every kind of server, proxy and certificate makes of it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logship.delivery.answer import Answer, Failure, FailureKind
from logship.delivery.http import HttpTransport, TlsContext
from logship.endpoint import Endpoint
from tests.delivery.plugs import HandClock
from tests.rigs.certificates import Authority
from tests.rigs.receiver import Receiver

PATH = "/moesifapi/events/batch"
BODY = json.dumps([{"transaction_id": str(number), "pad": "x" * 100} for number in range(100)]).encode()


def transport_to(url: str, **options: Any) -> HttpTransport:
    endpoint = Endpoint(url, **options)
    return HttpTransport(endpoint, TlsContext(endpoint), HandClock())


def post(transport: HttpTransport, body: bytes = BODY) -> Answer | Failure:
    return transport.post(PATH, body, {"Content-Type": "application/json"})


def status_of(answer: Answer | Failure) -> int:
    assert isinstance(answer, Answer), answer
    return answer.status


def kind_of(answer: Answer | Failure) -> FailureKind:
    assert isinstance(answer, Failure), answer
    return answer.kind


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def test_one_connection_serves_many_requests(receiver: Receiver) -> None:
    transport = transport_to(receiver.url)
    assert [status_of(post(transport)) for _ in range(20)] == [201] * 20
    assert receiver.connections == 1
    assert receiver.seen[0].headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("fault", ["ok", "chunked", "close_after", "old", "big"])
def test_a_yes_is_understood_in_every_form_and_the_next_request_works(receiver: Receiver, fault: str) -> None:
    """With a body, chunked, larger than anybody reads, closed afterwards, HTTP/1.0."""
    transport = transport_to(receiver.url)
    receiver.script(fault, "ok")
    assert [status_of(post(transport)), status_of(post(transport))] == [201, 201]
    assert len(receiver.seen) == 2


def test_an_idle_connection_that_the_server_closed_costs_nothing(receiver: Receiver) -> None:
    """Seen before the request is sent, or replaced once when it is seen after."""
    transport = transport_to(receiver.url)
    for _ in range(10):
        assert status_of(post(transport)) == 201
        receiver.drop_connections()
    assert status_of(post(transport)) == 201
    receiver.script("rst_head")
    assert status_of(post(transport)) == 201


@pytest.mark.parametrize("fault", ["rst_head", "rst_body", "rst_answer", "close", "lost", "bad_length"])
def test_a_connection_that_breaks_is_no_answer(receiver: Receiver, fault: str) -> None:
    receiver.script(fault)
    transport = transport_to(receiver.url)
    assert kind_of(post(transport)) is FailureKind.LOST
    assert status_of(post(transport)) == 201


@pytest.mark.parametrize("status", ["400", "408", "415", "422"])
def test_a_refusal_on_a_connection_that_was_used_before_is_asked_once_more_on_a_new_one(
    receiver: Receiver, status: str
) -> None:
    """A server that closes an idle connection may write it there: it answers no request."""
    receiver.script("ok", status, "ok", status, status)
    transport = transport_to(receiver.url)
    assert [status_of(post(transport)) for _ in range(2)] == [201, 201]
    assert receiver.connections == 2
    assert status_of(post(transport)) == int(status)
    assert (len(receiver.seen), receiver.connections) == (5, 3)


def test_a_refusal_that_could_not_be_asked_again_is_no_refusal(receiver: Receiver) -> None:
    """Else good events would be dead letters because a server went away."""
    receiver.script("ok", "400", "rst_head")
    transport = transport_to(receiver.url)
    assert status_of(post(transport)) == 201
    assert kind_of(post(transport)) is FailureKind.LOST


def test_a_refusal_on_a_new_connection_counts_at_once(receiver: Receiver) -> None:
    receiver.script("400")
    assert status_of(post(transport_to(receiver.url))) == 400
    assert len(receiver.seen) == 1


def test_what_a_server_writes_behind_its_answer_is_taken_for_no_other(receiver: Receiver) -> None:
    receiver.script("ok_and_400")
    transport = transport_to(receiver.url)
    assert [status_of(post(transport)) for _ in range(2)] == [201, 201]
    assert (len(receiver.seen), receiver.connections) == (2, 2)


@pytest.mark.parametrize("interim", ["100", "102", "103", "199"])
def test_interim_answers_are_read_over(receiver: Receiver, interim: str) -> None:
    receiver.script(f"interim:{interim}", f"interim:{interim}")
    transport = transport_to(receiver.url)
    assert [status_of(post(transport)) for _ in range(3)] == [201] * 3
    assert (len(receiver.seen), receiver.connections) == (3, 1)


@pytest.mark.parametrize("length", [1, 12, 20, 22, 30, 56, 57])
def test_half_a_head_confirms_nothing(receiver: Receiver, length: int) -> None:
    receiver.script(f"half:{length}")
    transport = transport_to(receiver.url)
    assert kind_of(post(transport)) is FailureKind.LOST
    assert receiver.events == []
    assert status_of(post(transport)) == 201


@pytest.mark.parametrize("length", ["two", "2, 2", "-1", "2\r\nContent-Length: 3"])
def test_a_length_that_is_none_confirms_nothing(receiver: Receiver, length: str) -> None:
    receiver.script(f"length:{length}")
    transport = transport_to(receiver.url)
    assert kind_of(post(transport)) is FailureKind.GARBAGE
    assert receiver.events == []
    assert status_of(post(transport)) == 201


def test_what_is_not_http_is_no_answer(receiver: Receiver) -> None:
    receiver.script("garbage")
    transport = transport_to(receiver.url)
    assert kind_of(post(transport)) is FailureKind.GARBAGE
    assert status_of(post(transport)) == 201


@pytest.mark.parametrize("status", [413, 401, 403, 407, 302, 503])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("size", [100, 8_000_000])
def test_a_no_before_the_body_is_read_is_the_answer_though_its_connection_is_reset(
    receiver: Receiver, status: int, is_first: bool, size: int
) -> None:
    """A server or proxy that sees the head and says no at once, while megabytes are on their way, and closes."""
    receiver.script(*(() if is_first else ("ok",)), f"early:{status}")
    transport = transport_to(receiver.url)
    body = json.dumps([{"transaction_id": "1", "pad": "x" * size}]).encode()
    if not is_first:
        assert status_of(post(transport)) == 201
    answer = post(transport, body)
    assert status_of(answer) == status
    assert isinstance(answer, Answer)
    assert answer.excerpt.startswith("why not")


@pytest.mark.parametrize("status", [200, 201, 400, 422])
def test_what_settles_events_is_a_whole_answer(receiver: Receiver, status: int) -> None:
    receiver.script(f"early:{status}")
    assert kind_of(post(transport_to(receiver.url))) is FailureKind.LOST


def test_redirects_are_never_followed(receiver: Receiver) -> None:
    receiver.script(f"301:{receiver.url}/v1/events/batch")
    assert status_of(post(transport_to(receiver.url))) == 301
    assert len(receiver.seen) == 1


def test_retry_after_and_the_kind_of_content_are_read(receiver: Receiver) -> None:
    receiver.script("429:17", "html")
    transport = transport_to(receiver.url)
    answer = post(transport)
    assert isinstance(answer, Answer)
    assert (answer.retry_after, answer.excerpt) == ("17", '{"error":"injected"}')
    page = post(transport)
    assert isinstance(page, Answer)
    assert (page.status, page.is_html) == (200, True)


@pytest.mark.parametrize("fault", ["hang:5", "drip:5"])
def test_an_attempt_is_cut_from_outside_whatever_trickles_in(receiver: Receiver, fault: str) -> None:
    receiver.script(fault)
    transport = transport_to(receiver.url)
    assert kind_of(cut_when(transport, lambda: receiver.seen)) is FailureKind.TIMEOUT
    assert status_of(post(transport)) == 201


def test_an_attempt_over_tls_is_cut_in_its_handshake_and_in_its_answer(authority: Authority) -> None:
    """The descriptor is shut down below TLS, wherever the attempt is stuck."""
    with Receiver(certificate=authority.certificate("slow")) as receiver:
        receiver.script("hang:5")
        transport = transport_to(receiver.url, ca_file=authority.pem)
        assert kind_of(cut_when(transport, lambda: receiver.seen)) is FailureKind.TIMEOUT
        assert status_of(post(transport)) == 201
    with socket.create_server(("127.0.0.1", 0)) as mute:
        transport = transport_to(f"https://127.0.0.1:{mute.getsockname()[1]}", ca_file=authority.pem)
        in_handshake = lambda: transport._connection is not None and transport._connection.fd >= 0  # noqa: E731
        assert kind_of(cut_when(transport, in_handshake)) is FailureKind.TIMEOUT


def cut_when(transport: HttpTransport, is_stuck: Callable[[], object]) -> Answer | Failure:
    """What a post comes to that is cut as soon as `is_stuck`."""
    answers: list[Answer | Failure] = []
    thread = threading.Thread(target=lambda: answers.append(post(transport)))
    thread.start()
    while not is_stuck():
        thread.join(0.01)
    while thread.is_alive():  # as the guard does: a connection may not be there at the first look
        transport.cut()
        thread.join(0.1)
    return answers[0]


def test_cutting_nothing_is_harmless(receiver: Receiver) -> None:
    transport = transport_to(receiver.url)
    transport.cut()
    assert status_of(post(transport)) == 201
    transport.cut()
    assert status_of(post(transport)) == 201
    transport.close()
    transport.cut()


def test_a_receiver_that_is_down_and_a_name_that_is_gone_are_told_apart() -> None:
    with Receiver() as short_lived:
        url = short_lived.url
    assert kind_of(post(transport_to(url))) is FailureKind.CONNECT
    assert kind_of(post(transport_to("http://nowhere.invalid"))) is FailureKind.DNS


def test_a_connection_that_is_never_taken_says_nothing_of_the_bodys_size() -> None:
    """A firewall that drops what comes, a full backlog: as for a receiver that is down."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(full.getsockname())
        answer = post(transport_to(f"http://127.0.0.1:{full.getsockname()[1]}", timeout_s=0.2))
    assert kind_of(answer) is FailureKind.CONNECT
    assert isinstance(answer, Failure)
    assert answer.detail == "timed out"


def test_an_ipv6_address_is_an_address() -> None:
    with Receiver(host="::1") as receiver:
        assert status_of(post(transport_to(receiver.url))) == 201
        assert receiver.seen[0].headers["host"] == f"[::1]:{receiver.port}"


def test_a_path_prefix_of_the_url_stays_before_the_paths() -> None:
    with Receiver(prefix="/collector") as receiver:
        for url in (receiver.url, receiver.url + "/"):
            assert status_of(post(transport_to(url))) == 201
        assert {seen.path for seen in receiver.seen} == {"/collector" + PATH}


def test_a_receiver_that_moves_to_another_address_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are resolved anew for each connection, and no connection lives longer than connection_max_age."""
    home = ["127.0.0.1"]
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **options: look_up(home[0], *rest, **options))
    with Receiver() as old, Receiver(host="127.0.0.2", port=old.port) as new:
        clock = HandClock()
        endpoint = Endpoint(f"http://moving.localhost:{old.port}", connection_max_age_s=60.0)
        transport = HttpTransport(endpoint, TlsContext(endpoint), clock)
        assert status_of(post(transport)) == 201
        home[0] = "127.0.0.2"
        clock.now_s += 30
        assert status_of(post(transport)) == 201
        assert (len(old.seen), len(new.seen)) == (2, 0)
        clock.now_s += 60
        assert status_of(post(transport)) == 201
        assert (len(old.seen), len(new.seen)) == (2, 1)


def test_nothing_of_the_environment_or_a_netrc_gets_into_a_request(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    assert status_of(post(transport_to(receiver.url))) == 201
    assert set(receiver.seen[0].headers) == {"host", "content-type", "content-length"}


def test_user_and_password_of_the_url_become_basic_auth(receiver: Receiver) -> None:
    assert status_of(post(transport_to(receiver.url.replace("//", "//me:secret@")))) == 201
    assert receiver.seen[0].headers["authorization"] == "Basic bWU6c2VjcmV0"
    assert receiver.seen[0].headers["host"] == f"127.0.0.1:{receiver.port}"


def test_an_http_proxy_is_asked_with_the_whole_url() -> None:
    with Receiver(prefix="http://api.invalid/base") as proxy:
        proxy_url = f"http://u:p@127.0.0.1:{proxy.port}"
        assert status_of(post(transport_to("http://api.invalid/base", proxy=proxy_url))) == 201
        assert proxy.seen[0].headers["host"] == "api.invalid"
        assert proxy.seen[0].headers["proxy-authorization"] == "Basic dTpw"


class Tunnel:
    """A proxy that knows CONNECT and nothing else; every name leads to 127.0.0.1.

    `answer` is what it says instead of opening the tunnel.
    """

    def __init__(self, answer: bytes = b"") -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                head = client.recv(65_536).decode()
                self.asked.append(head.split(" ")[1])
                if self._answer:
                    client.sendall(self._answer)
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", int(self.asked[-1].rpartition(":")[2])))
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


def test_https_goes_through_a_proxy_in_a_tunnel(authority: Authority) -> None:
    tunnel = Tunnel()
    certificate = authority.certificate("tunnelled", "DNS:api.invalid")
    with contextlib.closing(tunnel), Receiver(certificate=certificate) as receiver:
        transport = transport_to(
            f"https://api.invalid:{receiver.port}", proxy=f"http://127.0.0.1:{tunnel.port}", ca_file=authority.pem
        )
        assert [status_of(post(transport)) for _ in range(3)] == [201] * 3
        assert tunnel.asked == [f"api.invalid:{receiver.port}"]
        assert receiver.seen[0].headers["host"] == f"api.invalid:{receiver.port}"


def test_a_proxy_that_wants_a_password_says_the_same_before_a_tunnel_as_before_a_request() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    for scheme in ("http", "https"):
        with contextlib.closing(Tunnel(refusal)) as proxy:
            transport = transport_to(f"{scheme}://api.invalid", proxy=f"http://127.0.0.1:{proxy.port}")
            assert [status_of(post(transport)) for _ in range(2)] == [407, 407]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Busy\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\nfirst",
        b"not http\r\n\r\n",
    ],
)
def test_a_tunnel_that_is_not_opened_is_the_proxys_trouble(answer: bytes) -> None:
    with contextlib.closing(Tunnel(answer)) as proxy:
        failure = post(transport_to("https://api.invalid", proxy=f"http://127.0.0.1:{proxy.port}"))
        assert kind_of(failure) is FailureKind.PROXY


def test_a_proxy_that_is_down_is_named_as_the_trouble() -> None:
    with Receiver() as short_lived:
        port = short_lived.port
    transport = transport_to("https://api.invalid", proxy=f"http://127.0.0.1:{port}")
    assert kind_of(post(transport)) is FailureKind.PROXY


def test_only_the_given_authority_is_trusted(authority: Authority, stranger: Authority) -> None:
    with Receiver(certificate=authority.certificate("server")) as receiver:
        assert status_of(post(transport_to(receiver.url, ca_file=authority.pem))) == 201
        assert kind_of(post(transport_to(receiver.url, ca_file=stranger.pem))) is FailureKind.TLS
        assert kind_of(post(transport_to(receiver.url))) is FailureKind.TLS


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    with Receiver(certificate=authority.certificate("other", "DNS:other.example")) as receiver:
        assert kind_of(post(transport_to(receiver.url, ca_file=authority.pem))) is FailureKind.TLS


def test_a_swapped_certificate_is_taken_and_a_swapped_authority_after_its_file_changed(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    """No restart is needed for either."""
    trusted = tmp_path / "ca.pem"
    trusted.write_text(authority.pem.read_text())
    with Receiver(certificate=authority.certificate("first")) as receiver:
        transport = transport_to(receiver.url, ca_file=trusted)
        assert status_of(post(transport)) == 201
        receiver.certificate = authority.certificate("second")
        receiver.drop_connections()
        assert status_of(post(transport)) == 201
        receiver.certificate = stranger.certificate("third")
        receiver.drop_connections()
        assert kind_of(post(transport)) is FailureKind.TLS
        trusted.write_text(stranger.pem.read_text())
        assert status_of(post(transport)) == 201


def test_a_client_certificate_is_shown(authority: Authority) -> None:
    client = authority.certificate("client")
    with Receiver(certificate=authority.certificate("strict"), client_ca=authority.pem) as receiver:
        with_it = transport_to(receiver.url, ca_file=authority.pem, client_cert=client)
        assert status_of(post(with_it)) == 201
        without = transport_to(receiver.url, ca_file=authority.pem)
        assert kind_of(post(without)) in (FailureKind.TLS, FailureKind.LOST)


@pytest.mark.parametrize("option", ["ca_file", "client_cert"])
def test_a_certificate_file_that_can_not_be_used_is_named(tmp_path: Path, option: str) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    for path in (broken, tmp_path / "missing.pem"):
        failure = post(transport_to("https://127.0.0.1:1", **{option: str(path)}))
        assert kind_of(failure) is FailureKind.SETTING
        assert str(path) in str(failure)


def test_a_line_break_in_a_header_never_leaves(receiver: Receiver) -> None:
    transport = transport_to(receiver.url)
    failure = transport.post(PATH, BODY, {"X-Moesif-Application-Id": "id\r\nX-Evil: 1"})
    assert kind_of(failure) is FailureKind.SETTING
    assert receiver.seen == []
