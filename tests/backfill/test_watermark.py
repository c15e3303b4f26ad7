"""How far a piece is decided, whatever the order of answers."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logship.backfill.watermark import UndecidedRange, Watermark
from logship.counters import Tally
from logship.delivery import DeadLetter
from logship.event import EventOrigin, LogFile

borders = st.lists(st.integers(1, 300), min_size=2, max_size=12, unique=True).map(sorted)

FILE = LogFile(0, "/logs/access.log", "web", 7, "web-1")


@given(borders, borders, st.randoms(use_true_random=False))
def test_it_passes_a_step_when_all_of_it_and_all_before_is_settled(
    steps: list[int], batches: list[int], rng: random.Random
) -> None:
    start, end = steps[0], steps[-1]
    watermark = Watermark(start)
    for low, high in pairwise(steps):
        watermark.issue(UndecidedRange(low, high, b"", Tally(lines=high - low)))
    inner = sorted({start, end, *(at for at in batches if start < at < end)})
    answers = list(pairwise(inner))
    rng.shuffle(answers)
    settled: set[int] = set()
    passed = 0
    for low, high in answers:
        watermark.settle([(low, high)])
        settled |= set(range(low, high))
        passed += sum(step.tally.lines for step in watermark.advance())
        whole = [border for border in steps if all(at in settled for at in range(start, border))]
        assert watermark.decided_to == whole[-1]
        assert passed == watermark.decided_to - start, "what is counted is what is decided"
    assert watermark.is_settled


def test_a_refused_event_is_a_dead_letter_and_not_sent() -> None:
    watermark = Watermark(0)
    watermark.issue(UndecidedRange(0, 100, b"", Tally(lines=3, sent=3)))
    watermark.refuse(DeadLetter.of(EventOrigin(FILE, 40, b"line"), "the receiver refused it", status=400))
    watermark.settle([(0, 100)])
    (step,) = watermark.advance()
    assert (step.tally.sent, step.tally.dead_letters, step.tally.waiting) == (2, 1, 0)
    assert [letter.position for letter in step.letters] == [40]
