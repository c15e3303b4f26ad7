"""Bad events or a bad mapping: who becomes a dead letter, and when everything holds instead."""

from __future__ import annotations

import pytest

from logship.delivery import DeliveryState
from logship.delivery.answer import Answer
from logship.delivery.batch_progress import BatchProgress
from logship.delivery.pace import Attempt
from logship.delivery.poison import ALONE_S, SUSPECT_RUN, PoisonWatch, Suspect
from logship.event import RefusedEvent
from tests.delivery.plugs import CREATED, PlayReceiver, Rig, make_batch, refusing


def rig_refusing_everything() -> Rig:
    return Rig(PlayReceiver(lambda request: Answer(400, excerpt="no verb")))


@pytest.mark.parametrize("sizes", [[1000], [50], [10, 10, 10], [21], [3] * 40, [1] * 60])
def test_a_mapping_that_is_wrong_as_a_whole_makes_no_dead_letter(sizes: list[int]) -> None:
    """Held like a wrong door, with the first answer shown; nothing is given up however the events are batched."""
    rig = rig_refusing_everything()
    left = list(sizes)
    first = 0
    for _ in range(600):
        while left and rig.coordinator.room():
            rig.coordinator.submit(make_batch(first, left[0]))
            first += left.pop(0)
        rig.run(for_s=1)
    status = rig.coordinator.status()
    assert (status.state, rig.dead, rig.outcomes) == (DeliveryState.HELD, [], [])
    assert "no verb" in status.last_error
    assert "mapping" in status.hint
    assert len(rig.receiver.requests) < 150


def test_a_mended_receiver_ends_the_hold_and_takes_every_event_that_was_refused() -> None:
    rig = rig_refusing_everything()
    rig.coordinator.submit(make_batch(0, 200))
    rig.run(for_s=300)
    assert rig.coordinator.status().state is DeliveryState.HELD
    rig.receiver.judge = lambda request: CREATED
    rig.run()
    assert sorted(rig.receiver.stored) == list(range(200))
    assert (rig.dead, rig.settled) == ([], [0])
    assert rig.coordinator.status().state is DeliveryState.OK


def test_a_long_run_of_bad_events_before_a_good_one_is_only_dead_letters() -> None:
    """The one event from behind that is accepted tells them from a bad mapping."""
    bad = set(range(30, 90))
    rig = Rig(PlayReceiver(refusing(bad)))
    rig.coordinator.submit(make_batch(0, 300))
    rig.run()
    assert set(rig.dead) == bad
    assert sorted(rig.receiver.stored) == sorted(set(range(300)) - bad)


def test_bad_events_up_to_the_end_of_a_batch_are_told_apart_by_the_next_batch() -> None:
    bad = set(range(40))
    rig = Rig(PlayReceiver(refusing(bad)))
    rig.coordinator.submit(make_batch(0, 40))
    rig.coordinator.submit(make_batch(40, 40))
    rig.run()
    assert set(rig.dead) == bad
    assert sorted(rig.receiver.stored) == list(range(40, 80))


def test_while_held_each_try_sends_a_refused_event_again_and_one_from_behind() -> None:
    """A hold for bad events in front ends by itself when an event behind them is accepted."""
    rig = rig_refusing_everything()
    rig.coordinator.submit(make_batch(0, 60))
    rig.run(for_s=30)
    assert rig.coordinator.status().state is DeliveryState.HELD
    before = len(rig.receiver.requests)
    rig.run(for_s=60)
    tries = rig.receiver.requests[before:]
    assert [len(request.numbers) for request in tries] == [1, 1]
    assert tries[0].numbers == [0]
    assert tries[1].numbers[0] >= SUSPECT_RUN
    rig.receiver.judge = refusing(set(range(40)))
    for _ in range(60):
        rig.run(for_s=60)
    assert set(rig.dead) == set(range(40))
    assert sorted(rig.receiver.stored) == list(range(40, 60))


def test_a_few_refused_events_with_nothing_behind_them_are_dead_letters_after_a_while() -> None:
    rig = rig_refusing_everything()
    rig.coordinator.submit(make_batch(0, 3))
    rig.run(for_s=ALONE_S - 1)
    assert rig.dead == []
    rig.run(for_s=2)
    assert rig.dead == [0, 1, 2]


def test_at_the_end_of_a_log_refused_events_need_not_wait_for_company() -> None:
    rig = rig_refusing_everything()
    rig.coordinator.submit(make_batch(0, 3))
    rig.coordinator.finish()
    rig.run(for_s=0)
    assert rig.dead == [0, 1, 2]


def test_at_the_end_of_a_log_twenty_refused_events_and_nothing_else_are_held() -> None:
    rig = rig_refusing_everything()
    rig.coordinator.submit(make_batch(0, SUSPECT_RUN))
    rig.coordinator.finish()
    rig.run(for_s=1)
    assert rig.coordinator.status().state is DeliveryState.HELD
    assert rig.dead == []


def test_a_source_whose_mapping_works_does_not_make_dead_letters_of_another_one() -> None:
    """Two sources share a receiver: what one may send says nothing about the other's mapping."""
    rig = Rig(PlayReceiver(refusing(set(range(1000)))))
    for first in range(0, 200, 10):
        while not rig.coordinator.room() and rig.coordinator.status().state is not DeliveryState.HELD:
            rig.run(for_s=0)
        if not rig.coordinator.room():
            break
        rig.coordinator.submit(make_batch(first, 10, source="wrong"))
        rig.coordinator.submit(make_batch(5000 + first, 10, source="right"))
        rig.run(for_s=0)
    assert rig.coordinator.status().state is DeliveryState.HELD
    assert "source wrong" in rig.coordinator.status().hint
    assert rig.dead == []


def test_a_wrong_door_found_during_a_trial_is_held_and_the_trial_goes_on_afterwards() -> None:
    rig = rig_refusing_everything()
    rig.coordinator.submit(make_batch(0, 60))
    while len(rig.receiver.requests) < 30:
        rig.step()
    rig.receiver.judge = lambda request: Answer(403)
    rig.run(for_s=90)
    assert rig.coordinator.status().last_status == 403
    rig.receiver.judge = refusing(set(range(25)))
    rig.run()
    assert set(rig.dead) == set(range(25))
    assert sorted(rig.receiver.stored) == list(range(25, 60))


def test_an_event_that_was_sent_before_the_refusal_tells_nothing_of_it() -> None:
    """Its yes may be older than what broke the mapping."""
    progress = BatchProgress(make_batch(0, 3))
    progress.take(1_000_000)
    watch = PoisonWatch()
    watch.refuse("api", Suspect(progress, RefusedEvent(1, 400, "no verb"), Attempt(7)), now_s=0.0)
    assert watch.accept(["api"], Attempt(6)) == []
    assert progress.suspects == 1
    assert watch.accept(["api"], Attempt(8)) == [progress]
    assert (progress.suspects, [refused.index for refused in progress.refused]) == (0, [1])
