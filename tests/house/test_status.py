"""The snapshot and its views agree with what happened."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from logship.counters import TIME_BOUNDS_S, Counters, Times
from logship.delivery import DeliveryState, DeliveryStatus
from logship.status.metrics import METRICS, render
from logship.status.model import FileState, Status, StatusBoard
from logship.status.observer import Faults, Observer, Receiver
from logship.status.server import StatusServer
from logship.tail.notices import FileStatus, Refusal

FILE = FileStatus("shop", "/var/log/shop.log", 7, position=100, read_to=100, size_bytes=100, lag_bytes=0)
DELIVERY = DeliveryStatus(DeliveryState.OK, "v1", "gzip", last_status=201, last_success_s=99.5, in_flight=2)


@dataclass
class World:
    """A daemon as the observer sees it; tests change what is different."""

    file: FileStatus = FILE
    delivery: DeliveryStatus = DELIVERY
    dead_letters: int = 0
    faults: Faults | None = None

    def __post_init__(self) -> None:
        self.counters = Counters()
        self.observer = Observer(state_dir="/var/lib/logship", origin="web-1", started_s=0.0, started_wall_s=1e9)

    def at(self, now_s: float) -> Status:
        receiver = Receiver("main", "https://api.example.com", ("shop",), self.delivery)
        return self.observer.observe(
            now_s,
            1e9 + now_s,
            [self.file],
            [receiver],
            self.counters,
            dead_letters=self.dead_letters,
            faults=self.faults,
        )

    def grow(self, size: int, position: int) -> None:
        self.file = replace(self.file, size_bytes=size, position=position, lag_bytes=size - position)


def metrics_of(status: Status) -> dict[str, float]:
    """name{label values} -> number."""
    _, text = render(status)
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_an_idle_daemon_needs_nobody() -> None:
    status = World().at(100.0)
    assert not status.advice
    assert not status.needs_a_person
    assert status.obstacle == ""
    assert status.files[0].state is FileState.OK
    assert (status.files[0].lag_bytes, status.files[0].lag_s) == (0, 0.0)
    assert status.receivers[0].last_success_ago_s == 0.5


def test_lag_counts_from_when_the_first_unconfirmed_byte_was_seen() -> None:
    world = World()
    world.at(100.0)
    world.grow(200, 100)
    world.at(110.0)
    world.grow(300, 150)
    assert world.at(120.0).files[0].lag_s == 10.0
    assert world.at(120.0).files[0].state is FileState.CATCHING_UP
    world.grow(300, 250)
    assert world.at(130.0).files[0].lag_s == 10.0, "the bytes from 200 on were first seen at 120"
    world.grow(300, 300)
    assert world.at(131.0).files[0].lag_s == 0.0


def test_lag_stays_right_in_bounded_memory_over_a_long_outage() -> None:
    world = World()
    for second in range(10_000):
        world.grow(100 + second, 100)
        status = world.at(float(second))
    assert status.files[0].lag_s == 9_998.0
    assert len(world.observer._past[7].sizes or ()) <= 512


def test_a_truncated_file_starts_its_lag_anew() -> None:
    world = World()
    world.grow(500, 100)
    world.at(100.0)
    world.grow(50, 0)
    world.at(150.0)
    assert world.at(151.0).files[0].lag_s == 1.0


def test_a_rate_is_the_mean_of_the_last_seconds() -> None:
    world = World()
    tally = world.counters.of_file(7)
    assert world.at(0.0).files[0].rate is None
    for second in range(1, 60):
        tally.sent += 400
        rate = world.at(float(second)).files[0].rate
    assert rate == pytest.approx(400.0)
    for second in range(60, 90):
        rate = world.at(float(second)).files[0].rate
    assert rate == 0.0


def test_a_refusing_receiver_holds_its_files_and_needs_a_person() -> None:
    world = World(
        delivery=replace(
            DELIVERY, state=DeliveryState.HELD, last_error="401 application id refused", hint="mend the id"
        )
    )
    world.grow(200, 100)
    world.at(100.0)
    status = world.at(7300.0)
    assert status.needs_a_person
    assert str(status.advice[0]) == "main: 401 application id refused for 2 h; nothing is lost; mend the id"
    assert status.files[0].state is FileState.HELD
    assert status.obstacle == "https://api.example.com: 401 application id refused"
    assert metrics_of(status)["logship_receiver_held{main}"] == 1


def test_a_receiver_that_is_down_needs_a_person_only_after_a_while() -> None:
    world = World(
        delivery=replace(DELIVERY, state=DeliveryState.PAUSED, last_error="connection refused", next_try_s=101.0)
    )
    assert not world.at(100.0).needs_a_person
    assert world.at(100.0).obstacle
    assert world.at(399.0).needs_a_person is False
    assert world.at(401.0).needs_a_person
    late = world.at(401.0)
    began_s = datetime.fromisoformat(late.taken_at).timestamp() - 301
    assert metrics_of(late)["logship_receiver_trouble_start_timestamp_seconds{main}"] == pytest.approx(
        began_s, abs=0.01
    )


def test_trouble_that_is_over_is_forgotten() -> None:
    world = World(delivery=replace(DELIVERY, state=DeliveryState.PAUSED))
    world.at(100.0)
    world.delivery = DELIVERY
    assert world.at(200.0).receivers[0].trouble_for_s is None
    world.delivery = replace(DELIVERY, state=DeliveryState.PAUSED)
    assert world.at(300.0).receivers[0].trouble_for_s == 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file": replace(FILE, problem="permission denied")}, "permission denied"),
        ({"file": replace(FILE, is_held=True)}, "fit no format since byte 100"),
        ({"dead_letters": 2}, "2 lines were set aside"),
        ({"faults": Faults(reload="logship.yml:3:1: no such key")}, "reload refused"),
        ({"faults": Faults(state="No space left on device")}, "positions can't be saved"),
        ({"faults": Faults(dead_letters="No space left on device")}, "dead letters can't be written"),
    ],
)
def test_what_needs_a_person_is_said_in_one_sentence(change: dict[str, object], words: str) -> None:
    status = replace_world(change).at(100.0)
    assert status.needs_a_person
    assert words in str(status.advice[0])
    assert "\n" not in str(status.advice[0])


def replace_world(change: dict[str, object]) -> World:
    world = World()
    for name, value in change.items():
        setattr(world, name, value)
    return world


def test_json_gives_the_same_snapshot_back() -> None:
    world = World(dead_letters=3)
    world.counters.of_source("shop").dropped = {"probes": 4}
    status = world.at(100.0)
    assert Status.from_json(status.to_json()) == status


def test_a_file_name_that_is_no_utf_8_is_shown_escaped() -> None:
    world = World(file=replace(FILE, path=b"/var/log/caf\xe9\x1b.log".decode(errors="surrogateescape")))
    status = Status.from_json(world.at(100.0).to_json())
    assert status.files[0].path == "/var/log/caf\\udce9\\x1b.log"


@pytest.mark.parametrize("text", [b"{}", b"[1]", b'{"program":"logship"}', b"<html>"])
def test_another_programs_answer_is_no_status(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"status|JSON|unexpected|another version|expected|not "):
        Status.from_json(text)


def test_metrics_add_up_like_the_sum() -> None:
    world = World(dead_letters=1)
    tally = world.counters.of_source("shop")
    tally.lines, tally.sent, tally.dead_letters, tally.unmatched, tally.too_old = 100, 50, 1, 2, 3
    tally.dropped, tally.sampled_out = {"probes": 10, "ads": 4}, {"rest": 20}
    metrics = metrics_of(world.at(100.0))
    parts = sum(
        value
        for name, value in metrics.items()
        if name.startswith("logship_lines_") and not name.startswith("logship_lines_total")
    )
    assert metrics["logship_lines_total{shop}"] == parts == 100
    assert metrics["logship_lines_dropped_total{probes,shop}"] == 10
    assert metrics["logship_files{shop,ok}"] == 1
    assert metrics["process_resident_memory_bytes{}"] > 0


def test_lost_bytes_need_a_person() -> None:
    world = World()
    world.counters.of_source("shop").lost_bytes = 4_200_000
    status = world.at(100.0)
    assert status.needs_a_person
    assert any(
        "shop: at least 4.2 MB of its logs were not read and are in no file any more" in str(advice)
        for advice in status.advice
    )
    assert metrics_of(status)["logship_lost_bytes_total{shop}"] == 4_200_000


def test_every_metric_has_a_unit_or_counts_things_and_a_help_that_is_a_sentence() -> None:
    for metric in METRICS:
        assert metric.name.startswith("logship_")
        assert metric.help.endswith("."), metric.name
        assert set(metric.labels) <= {"source", "rule", "kind", "receiver", "state", "answer", "version", "kernel"}, (
            metric.name
        )
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.fixture
def board() -> Iterator[StatusBoard]:
    """A board with a work thread behind it that answers each question."""
    asked, done = threading.Event(), threading.Event()
    board = StatusBoard(asked.set)
    status = World().at(100.0)

    def work() -> None:
        while not done.is_set():
            asked.wait()
            asked.clear()
            if board.is_asked():
                board.post(status)

    thread = threading.Thread(target=work)
    thread.start()
    yield board
    done.set()
    asked.set()
    thread.join()


def get(port: int, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type", ""), body


def test_the_endpoint_answers_from_fresh_snapshots(board: StatusBoard) -> None:
    server = StatusServer(board, "127.0.0.1", 0, metrics=render)
    try:
        assert get(server.port, "/healthz") == (200, "text/plain; charset=utf-8", b"ok\n")
        assert get(server.port, "/readyz")[0] == 200
        assert Status.from_json(get(server.port, "/status")[2]).files[0].path == FILE.path
        status, kind, body = get(server.port, "/metrics")
        assert (status, kind.split(";")[0]) == (200, "text/plain")
        assert b"# HELP logship_lag_bytes" in body
        assert get(server.port, "/nowhere")[0] == 404
        assert get(server.port, "/healthz", "HEAD")[2] == b""
        assert get(server.port, "/healthz", "POST")[0] == 501
    finally:
        server.close()


def asked_with(port: int, *hosts: str) -> int:
    """The status of an answer to GET /status with these Host headers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        head = "".join(f"Host: {host}\r\n" for host in hosts)
        sock.sendall(f"GET /status HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        return int(sock.makefile("rb").readline().split()[1])


OWN = ["127.0.0.1", "localhost", "LOCALHOST:9640", "localhost.", "[::1]:9640", "127.0.0.1:1"]
FOREIGN = ["evil.example", "evil.example:9640", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]"]


@pytest.mark.parametrize(("host", "status"), [*((host, 200) for host in OWN), *((host, 403) for host in FOREIGN)])
def test_on_loopback_only_loopback_names_are_answered(board: StatusBoard, host: str, status: int) -> None:
    server = StatusServer(board, "127.0.0.1", 0, metrics=render)
    try:
        assert asked_with(server.port, host) == status
    finally:
        server.close()


def test_several_hosts_are_refused_and_none_is_no_browsers(board: StatusBoard) -> None:
    server = StatusServer(board, "127.0.0.1", 0, metrics=render)
    try:
        assert asked_with(server.port, "localhost", "evil.example") == 400
        assert asked_with(server.port, "") == 403
        assert asked_with(server.port) == 200
    finally:
        server.close()


def test_where_the_network_may_ask_any_name_is_answered(board: StatusBoard) -> None:
    server = StatusServer(board, "0.0.0.0", 0, metrics=render)
    try:
        assert asked_with(server.port, "web-1.shop.example:9640") == 200
    finally:
        server.close()


def test_a_work_thread_that_is_stuck_is_unhealthy() -> None:
    server = StatusServer(StatusBoard(), "127.0.0.1", 0, metrics=render, answer_s=0.05)
    try:
        for path in ("/healthz", "/readyz", "/metrics", "/status"):
            assert get(server.port, path)[0] == 503
    finally:
        server.close()


def test_a_held_receiver_is_healthy_but_not_ready() -> None:
    world = World(delivery=replace(DELIVERY, state=DeliveryState.HELD, last_error="403 forbidden"))
    board = StatusBoard()
    board._wake = lambda: board.post(world.at(100.0))
    server = StatusServer(board, "127.0.0.1", 0, metrics=render)
    try:
        assert get(server.port, "/healthz")[0] == 200
        assert get(server.port, "/readyz")[::2] == (503, b"https://api.example.com: 403 forbidden\n")
    finally:
        server.close()


def test_a_taken_port_is_an_error_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        StatusServer(StatusBoard(), "127.0.0.1", taken.getsockname()[1], metrics=render)


def test_clients_that_say_nothing_do_not_shut_others_out_for_long(board: StatusBoard) -> None:
    server = StatusServer(board, "127.0.0.1", 0, metrics=render)
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
    try:
        assert get(server.port, "/healthz")[0] == 200
    finally:
        for sock in idle:
            sock.close()
        server.close()


def test_what_can_not_be_read_says_since_when_and_how_often_it_was_tried() -> None:
    refusal = Refusal("shop", "Input/output error", since_s=40.0, tries=812)
    world = World(file=replace(FILE, problem=refusal.why, refusal=refusal))
    (advice,) = world.at(40.0 + 7_200).advice
    assert str(advice).startswith(
        f"shop: {FILE.path}: Input/output error for 2 h, tried 812 times; nothing is lost while it exists"
    )
    assert (world.at(100.0).files[0].problem_for_s, world.at(100.0).files[0].tries) == (60.0, 812)


def test_a_time_counts_at_the_first_bound_that_it_does_not_exceed() -> None:
    for place, bound in enumerate(TIME_BOUNDS_S):
        times = Times()
        times.add(bound)
        times.add(bound * 1.001)
        assert [number for number, count in enumerate(times.counts) if count] == [place, place + 1]
        assert times.sum_s == pytest.approx(bound * 2.001)
