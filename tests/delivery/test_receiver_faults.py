"""What the receiver does to us, and that nothing is lost by it: time and network are plugs, nothing waits."""

from __future__ import annotations

import math
import random
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from logship.delivery import DeliveryState
from logship.delivery.answer import Answer, Failure, FailureKind
from logship.delivery.scheduler import Job
from logship.endpoint import Api, Endpoint, Secret
from logship.event import Span
from logship.route.batcher import Batcher
from tests.delivery.plugs import CREATED, DOWN, WALL_S, PlayReceiver, Rig, in_turn, make_batch, refusing


def test_nothing_is_settled_before_the_receiver_said_yes() -> None:
    """The position is moved by outcomes alone, and a receiver that is down gives none."""
    rig = Rig(PlayReceiver(lambda request: DOWN))
    rig.coordinator.submit(make_batch(0, 20))
    rig.run(for_s=3600)
    assert rig.outcomes == []
    assert [batch.number for batch in rig.coordinator.abandon()] == [0]


@pytest.mark.parametrize("status", [301, 308, 401, 402, 403, 404, 405, 407, 409, 410, 451])
def test_a_wrong_door_for_a_minute_then_the_right_one_loses_nothing(status: int) -> None:
    """Held with a hint, tried again every minute, and it mends itself."""
    rig = Rig(PlayReceiver(in_turn([Answer(status)] * 2)), endpoint=Endpoint("http://127.0.0.1:1", api=Api.V1))
    rig.coordinator.submit(make_batch(0, 3))
    rig.run(for_s=30)
    held = rig.coordinator.status()
    assert (held.state, rig.coordinator.room(), held.last_status) == (DeliveryState.HELD, 0, status)
    assert held.hint
    rig.run(for_s=60)
    assert rig.coordinator.status().state is DeliveryState.HELD
    rig.run(for_s=60)
    assert rig.receiver.stored == [0, 1, 2]
    assert rig.settled == [0]
    assert rig.coordinator.status().state is DeliveryState.OK
    assert len(rig.receiver.requests) == 3


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_an_answer_that_asks_for_patience_is_retried_until_it_is_yes(status: int) -> None:
    """No number of them makes an event undeliverable."""
    rig = Rig(PlayReceiver(in_turn([Answer(status)] * 50)))
    rig.coordinator.submit(make_batch(0, 3))
    rig.run(for_s=0)
    assert rig.coordinator.status().state is DeliveryState.PAUSED, "it is not held, which asks for a person"
    rig.run()
    assert (rig.receiver.stored, rig.settled, rig.dead) == ([0, 1, 2], [0], [])


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.SETTING])
def test_no_answer_at_all_is_retried_until_there_is_one(kind: FailureKind) -> None:
    rig = Rig(PlayReceiver(in_turn([Failure(kind, "gone")] * 50)))
    rig.coordinator.submit(make_batch(0, 3))
    rig.run()
    assert (rig.receiver.stored, rig.settled) == ([0, 1, 2], [0])


def limit(most_bytes: int) -> PlayReceiver:
    return PlayReceiver(lambda request: Answer(413) if request.size > most_bytes else CREATED)


def test_a_body_that_is_too_large_is_halved_and_the_limit_is_learned() -> None:
    """Everything arrives, and no later batch pays for the lesson again."""
    rig = Rig(limit(100_000))
    rig.coordinator.submit(make_batch(0, 400, pad=600))
    rig.run()
    assert sorted(rig.receiver.stored) == list(range(400))
    assert rig.dead == []
    assert 50_000 <= rig.coordinator.max_body_bytes <= 100_000
    lessons = len(rig.receiver.requests)
    rig.coordinator.submit(make_batch(400, 400, pad=600))
    rig.run()
    assert sorted(rig.receiver.stored) == list(range(800))
    assert all(request.size <= 100_000 for request in rig.receiver.requests[lessons:])


def test_of_bodies_larger_than_any_that_was_taken_one_at_a_time_is_tried() -> None:
    rig = Rig(limit(100_000))
    for number in range(4):
        rig.coordinator.submit(make_batch(1000 * number, 400, pad=600))
    rig.run()
    rig.clock.now_s += 601
    rig.coordinator.submit(make_batch(9000, 1))
    rig.run(for_s=1)
    for number in range(10, 14):
        rig.coordinator.submit(make_batch(1000 * number, 180, pad=600))
    jobs = []
    while isinstance(job := rig.coordinator.take(), Job):
        jobs.append(job)
    assert len(jobs) > 1
    assert sum(job.size > 100_000 for job in jobs) == 1


def carrying(most_bytes: int) -> PlayReceiver:
    """A way over which larger bodies never arrive in time."""
    late = Failure(FailureKind.TIMEOUT, "no complete answer within 30 s")
    return PlayReceiver(lambda request: late if request.size > most_bytes else CREATED)


@pytest.mark.parametrize("most_bytes", [200_000, 60_000, 5_000])
def test_a_body_that_times_out_again_and_again_is_halved_and_the_hint_names_the_keys(most_bytes: int) -> None:
    rig = Rig(carrying(most_bytes))
    rig.coordinator.submit(make_batch(0, 400, pad=600))
    while not rig.coordinator.status().hint:
        rig.step()
        rig.clock.now_s += 60
    assert {"endpoint.timeout", "batch.max_bytes"} <= set(re.findall(r"[a-z_.]+[a-z]", rig.coordinator.status().hint))
    assert rig.coordinator.status().window == 1
    rig.run()
    assert sorted(rig.receiver.stored) == list(range(400))
    assert rig.settled == [0]


@pytest.mark.parametrize("answer", [Failure(FailureKind.TIMEOUT, "mute"), Answer(504), Answer(408)])
def test_after_an_hour_without_an_answer_whole_batches_are_sent_again_soon(answer: Answer | Failure) -> None:
    is_mute = [True]
    rig = Rig(PlayReceiver(lambda request: answer if is_mute[0] else CREATED))
    rig.coordinator.submit(make_batch(0, 400, pad=600))
    rig.run(for_s=3600)
    is_mute[0] = False
    rig.run()
    assert sorted(rig.receiver.stored) == list(range(400))
    rig.coordinator.submit(make_batch(400, 400, pad=600))
    rig.run()
    assert rig.coordinator.max_body_bytes == 250_000


def test_one_timeout_alone_makes_nothing_smaller() -> None:
    rig = Rig(PlayReceiver(in_turn([Failure(FailureKind.TIMEOUT, "late")])))
    rig.coordinator.submit(make_batch(0, 400, pad=600))
    rig.run()
    assert [len(request.numbers) for request in rig.receiver.requests] == [400, 400]


def test_an_event_between_the_learned_and_the_true_limit_is_still_sent() -> None:
    """Half of what was refused is a guess: it bounds batches, and it condemns no event."""
    rig = Rig(limit(100_000))
    rig.coordinator.submit(make_batch(0, 400, pad=600))
    rig.run()
    batcher = Batcher(250_000, 1.0, lambda chunk, start, end: Span(chunk.file, start, end, b""))
    batcher.max_bytes = rig.coordinator.max_body_bytes
    piece = make_batch(400, 3, pad=90_000).pieces[0]
    cut = batcher.add(piece.chunk, piece.conversion, 0, piece.chunk.end, 0.0)
    assert cut.too_large == []
    for batch in [*cut.batches, *batcher.flush()]:
        rig.coordinator.submit(batch)
    rig.run()
    assert {400, 401, 402} <= set(rig.receiver.stored)
    assert rig.dead == []


def test_one_event_over_the_limit_is_a_dead_letter_and_the_others_arrive() -> None:
    """The one that is too large alone costs nobody else."""
    rig = Rig(PlayReceiver(lambda request: Answer(413, excerpt="big") if 250 in request.numbers else CREATED))
    rig.coordinator.submit(make_batch(0, 500))
    rig.run()
    assert rig.dead == [250]
    assert sorted(rig.receiver.stored) == [number for number in range(500) if number != 250]
    assert [(refused.status, refused.reason) for refused in rig.outcomes[0].refused] == [(413, "big")]


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_poison_event_goes_alone_and_costs_two_requests_a_level(status: int) -> None:
    """Bisected at no more than 2 log2(n) extra requests, wherever it stands."""
    for count in (2, 3, 7, 64, 100, 1000):
        for poison in {0, 1, count // 2, count - 2, count - 1}:
            rig = Rig(PlayReceiver(refusing({poison}, status)))
            rig.coordinator.submit(make_batch(0, count))
            rig.run()
            assert rig.dead == [poison]
            assert sorted(rig.receiver.stored) == [number for number in range(count) if number != poison]
            assert len(rig.receiver.requests) - 1 <= 2 * math.log2(count), (count, poison)


def test_a_dead_letter_is_known_by_its_line() -> None:
    """File and position of the poison, not of its batch."""
    rig = Rig(PlayReceiver(refusing({13})))
    batch = make_batch(0, 40)
    rig.coordinator.submit(batch)
    rig.run()
    origin = batch.origin(rig.outcomes[0].refused[0].index)
    assert (origin.raw, origin.position) == (b"line 13", sum(len(b"line %d\n" % number) for number in range(13)))


def test_a_batch_is_settled_only_when_each_piece_of_it_is() -> None:
    """A piece with 429, the next with 201, and the batch waits for the first."""
    dice = random.Random(4)
    rig = Rig(
        PlayReceiver(lambda request: Answer(413) if len(request.numbers) > 5 else dice.choice([CREATED, Answer(429)]))
    )
    batches = [make_batch(first, 40) for first in range(0, 160, 40)]
    for batch in batches:
        rig.coordinator.submit(batch)
    while rig.outcomes == []:
        rig.run(for_s=0.05)
        for number in rig.settled:
            assert set(range(number, number + 40)) <= set(rig.receiver.stored)
    rig.run()
    assert sorted(rig.receiver.stored) == list(range(160))
    assert sorted(rig.settled) == [0, 40, 80, 120]


def test_half_an_hour_of_outage_drops_nothing_and_takes_no_memory() -> None:
    """Room stays bounded by the concurrency, the tries get rarer, all arrives afterwards."""
    rig = Rig()
    start_s = rig.clock.now_s
    rig.receiver.judge = lambda request: DOWN if rig.clock.now_s < start_s + 1800 else CREATED
    first = 0
    for _ in range(1800):
        while rig.coordinator.room():
            rig.coordinator.submit(make_batch(first, 1))
            first += 1
        rig.run(for_s=1)
        assert first <= 5 or rig.outcomes
    assert first <= 5
    assert 30 <= len(rig.receiver.requests) < 200
    rig.run(for_s=120)
    assert sorted(rig.receiver.stored) == list(range(first))


def test_a_lost_answer_brings_the_same_events_again() -> None:
    """The same body, byte by byte, so the ids in it drop the repeat."""
    lost = [True, True, False]
    rig = Rig(PlayReceiver(lose=lambda request: lost.pop(0)))
    rig.coordinator.submit(make_batch(0, 4))
    rig.run()
    assert rig.receiver.stored == [0, 1, 2, 3] * 3
    assert len({request.size for request in rig.receiver.requests}) == 1
    assert rig.settled == [0]


def test_events_refused_after_a_lost_answer_are_not_dead_letters_of_the_accepted_ones() -> None:
    """Half stored, answer lost, then a poison in the repeat: only the poison goes."""
    rig = Rig(PlayReceiver(refusing({5}), lose=lambda request: len(request.numbers) == 4))
    rig.receiver.lose = lambda request: len(rig.receiver.requests) < 6
    rig.coordinator.submit(make_batch(0, 8))
    rig.run()
    assert rig.dead == [5]
    assert set(rig.receiver.stored) == {0, 1, 2, 3, 4, 6, 7}


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_all_senders_wait_as_long_as_the_receiver_asks(form: str) -> None:
    rig = Rig()
    rig.receiver.judge = in_turn([CREATED] * 4)
    for first in range(4):
        rig.coordinator.submit(make_batch(first, 1))
    rig.run()
    at_s = WALL_S + rig.clock.now_s + 120
    header = "120" if form == "seconds" else format_datetime(datetime.fromtimestamp(at_s, UTC), usegmt=True)
    rig.receiver.judge = in_turn([Answer(429, retry_after=header)])
    for first in range(4, 8):
        rig.coordinator.submit(make_batch(first, 1))
    rig.run(for_s=118)
    assert len(rig.receiver.requests) == 5
    assert rig.coordinator.status().state is DeliveryState.PAUSED
    rig.run(for_s=3)
    assert sorted(rig.receiver.stored) == list(range(8))


def test_a_receiver_that_asks_for_a_year_is_asked_again_after_an_hour() -> None:
    rig = Rig(PlayReceiver(in_turn([Answer(503, retry_after="31536000")])))
    rig.coordinator.submit(make_batch(0, 1))
    rig.run(for_s=3599)
    assert len(rig.receiver.requests) == 1
    rig.run(for_s=2)
    assert rig.settled == [0]


def test_concurrency_grows_while_all_is_well_and_shrinks_when_it_is_not() -> None:
    rig = Rig(concurrency=16)
    assert rig.coordinator.room() == 2
    for first in range(40):
        rig.coordinator.submit(make_batch(first, 1))
    rig.run()
    assert rig.coordinator.status().window == 16
    rig.receiver.judge = in_turn([Answer(429), Answer(429)])
    rig.coordinator.submit(make_batch(40, 1))
    rig.run()
    assert rig.coordinator.status().window == 4


def test_events_of_one_sender_arrive_in_order_through_any_fault() -> None:
    dice = random.Random(3)
    faults: list[Answer | Failure] = [CREATED, CREATED, DOWN, Answer(503), Answer(413), Answer(429, retry_after="3")]
    rig = Rig(concurrency=1)
    rig.receiver.judge = lambda request: CREATED if len(request.numbers) == 1 else dice.choice(faults)
    for first in range(0, 200, 10):
        rig.coordinator.submit(make_batch(first, 10))
    rig.run()
    assert rig.receiver.stored == list(range(200))


@pytest.mark.parametrize(("status", "is_html"), [(200, True), (202, True), (204, True), (203, False), (206, False)])
def test_a_catch_all_page_is_not_the_api(status: int, is_html: bool) -> None:
    """A server that answers everything with a page would swallow every event."""
    rig = Rig(PlayReceiver(in_turn([Answer(status, is_html=is_html)])))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=59)
    assert rig.coordinator.status().state is DeliveryState.HELD
    assert "catch-all" in rig.coordinator.status().hint
    rig.run(for_s=2)
    assert rig.settled == [0]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_plain_yes_is_a_yes(status: int) -> None:
    rig = Rig(PlayReceiver(in_turn([Answer(status)])))
    rig.coordinator.submit(make_batch(0, 2))
    rig.step()
    assert rig.settled == [0]


def test_a_single_event_goes_as_a_bare_object_to_its_own_path() -> None:
    rig = Rig()
    rig.coordinator.submit(make_batch(0, 1))
    rig.coordinator.submit(make_batch(1, 2))
    rig.run()
    assert [request.path for request in rig.receiver.requests] == ["/moesifapi/events", "/moesifapi/events/batch"]


def speaks(prefix: str) -> PlayReceiver:
    return PlayReceiver(lambda request: CREATED if request.path.startswith(prefix) else Answer(404))


def test_auto_finds_the_paths_of_today_and_stays_with_them() -> None:
    rig = Rig(speaks("/v1/"))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run()
    rig.coordinator.submit(make_batch(2, 2))
    rig.run()
    assert [request.path for request in rig.receiver.requests] == [
        "/moesifapi/events/batch", "/v1/events/batch", "/v1/events/batch",
    ]  # fmt: skip
    assert rig.receiver.requests[1].headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in rig.receiver.requests[0].headers
    assert rig.coordinator.status().api == "v1"


def test_auto_takes_only_a_201_of_the_second_path_for_the_api() -> None:
    rig = Rig(PlayReceiver(lambda request: Answer(200) if request.path.startswith("/v1/") else Answer(404)))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=10)
    assert rig.settled == []
    assert rig.coordinator.status().state is DeliveryState.HELD
    assert "neither" in rig.coordinator.status().hint


def test_auto_shows_that_the_second_path_knows_applications() -> None:
    rig = Rig(PlayReceiver(lambda request: Answer(401) if request.path.startswith("/v1/") else Answer(404)))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=10)
    assert (rig.coordinator.status().last_status, rig.coordinator.status().state) == (401, DeliveryState.HELD)


def test_a_fixed_api_on_404_names_the_other_one() -> None:
    rig = Rig(speaks("/v1/"), endpoint=Endpoint("http://127.0.0.1:1", api=Api.MOESIFAPI))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=10)
    assert rig.coordinator.status().hint == "this server has no /moesifapi/events; it may speak api: v1"


def test_a_changed_application_id_is_read_again_at_once(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("new")
    rig = Rig(endpoint=Endpoint("http://127.0.0.1:1", Secret("old", file=str(tmp_path / "id"))))
    rig.receiver.judge = lambda request: CREATED if request.headers["X-Moesif-Application-Id"] == "new" else Answer(401)
    rig.coordinator.submit(make_batch(0, 2))
    rig.step()
    assert rig.settled == [0]
    rig.coordinator.submit(make_batch(2, 2))
    rig.step()
    assert len(rig.receiver.requests) == 3


def test_an_application_id_corrected_later_is_found_by_the_next_try(tmp_path: Path) -> None:
    id_file = tmp_path / "id"
    id_file.write_text("old")
    rig = Rig(endpoint=Endpoint("http://127.0.0.1:1", Secret("old", file=str(id_file))))
    rig.receiver.judge = lambda request: CREATED if request.headers["X-Moesif-Application-Id"] == "new" else Answer(401)
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=61)
    id_file.unlink()
    rig.run(for_s=60)
    assert rig.settled == []
    id_file.write_text("new")
    rig.run(for_s=60)
    assert rig.settled == [0]


@pytest.mark.parametrize("is_html", [True, False])
def test_a_401_that_is_a_web_page_may_be_a_proxys(is_html: bool) -> None:
    rig = Rig(PlayReceiver(lambda request: Answer(401, is_html=is_html)))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=10)
    hint = rig.coordinator.status().hint
    assert hint.startswith("the application id is refused")
    assert ("a proxy before the receiver wants a password" in hint) == is_html


def test_the_application_id_shows_in_no_status() -> None:
    rig = Rig(PlayReceiver(lambda request: Answer(401)), endpoint=Endpoint("http://127.0.0.1:1", Secret("sesame")))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=10)
    assert "sesame" not in repr(rig.coordinator.status())
    assert "sesame" not in repr(Endpoint("http://127.0.0.1:1", Secret("sesame"), proxy="http://u:sesame@127.0.0.1"))


def test_an_id_that_no_header_can_carry_is_held_not_fatal() -> None:
    rig = Rig(PlayReceiver(lambda request: Failure(FailureKind.SETTING, "X-Moesif-Application-Id holds a newline")))
    rig.coordinator.submit(make_batch(0, 2))
    rig.run(for_s=10)
    assert rig.coordinator.status().state is DeliveryState.HELD
    assert "newline" in rig.coordinator.status().hint


def test_an_answer_that_comes_after_the_end_changes_nothing() -> None:
    """What close() gave back is given back: its outcome must not appear afterwards."""
    rig = Rig()
    rig.coordinator.submit(make_batch(0, 3))
    job = rig.coordinator.take()
    assert isinstance(job, Job)
    assert [batch.number for batch in rig.coordinator.abandon()] == [0]
    rig.coordinator.perform(job, rig.receiver)
    assert rig.receiver.stored == [0, 1, 2]
    assert rig.coordinator.outcomes() == []


def test_the_log_tells_an_outage_once_a_minute_and_a_hold_once(caplog: pytest.LogCaptureFixture) -> None:
    """WARNING where it mends itself, ERROR where a person is needed, and never what an answer quotes."""
    rig = Rig()
    start_s = rig.clock.now_s
    rig.receiver.judge = lambda request: DOWN if rig.clock.now_s < start_s + 600 else Answer(403, excerpt="secret")
    rig.coordinator.submit(make_batch(0, 3))
    with caplog.at_level("INFO", logger="logship.delivery"):
        rig.run(for_s=1200)
        rig.receiver.judge = lambda request: CREATED
        rig.run(for_s=600)
    levels = [record.levelname for record in caplog.records]
    assert 3 <= levels.count("WARNING") <= 11
    assert levels.count("ERROR") == 1
    assert "delivery is no longer held" in caplog.text
    assert "secret" not in caplog.text
