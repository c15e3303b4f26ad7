"""Dead letters on their way again: each raw line through the present mapping, to the present receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace

from logship.clock import WaitingClock
from logship.delivery.dead_letter import DeadLetter
from logship.delivery.dead_letter_store import DeadLetters
from logship.delivery.delivery import Delivery
from logship.delivery.status import DeliveryState
from logship.event import Batch, Chunk, Conversion, Outcome, Piece
from logship.records import record
from logship.words import RECEIVER

GIVE_UP_S = 60.0  # without any batch being settled; the letters stay where they are
LOOK_S = 1.0

Convert = Callable[[DeadLetter], Conversion]


@record(frozen=False)
class Retried:
    """What became of letters that were tried again.

    Shapes: ids of letters; `dropped` are now dropped, sampled out or too old by the mapping, `excluded` by the
    receiver's rules: both leave the store too; `dead` carry their new reason; `waiting` were not answered, `trouble`
    says why.
    """

    delivered: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    trouble: str = ""


@record
class Mended:
    """A letter whose line became an event."""

    letter: DeadLetter
    conversion: Conversion

    @property
    def event(self) -> str:
        return self.conversion.event(0)

    def piece(self) -> Piece:
        letter = self.letter
        data = letter.raw + b"\n"
        chunk = Chunk(letter.file, letter.position, letter.position + len(data), data)
        return Piece(chunk, self.conversion, 0, 1)


def redeliver(
    letters: Iterable[DeadLetter],
    convert: Convert,
    delivery: Delivery,
    store: DeadLetters,
    *,
    max_bytes: int,
    clock: WaitingClock,
) -> Retried:
    """Convert and deliver; what is settled leaves the store, what is refused again stays with its new reason.

    A crash in between repeats events with the ids they had, which the receiver drops.
    """
    retried = Retried()
    groups = list(_groups(_mended(letters, convert, max_bytes, retried), max_bytes))
    store.remove(retried.dropped + retried.excluded)
    store.replace(retried.dead)
    left = [_batch(group, number) for number, group in enumerate(groups)]
    unsettled = set(range(len(left)))
    since_s = clock.monotonic()
    while unsettled:
        delivery.wake.clear()
        while left and delivery.room():
            delivery.submit(left.pop(0))
        if not left:
            delivery.finish()
        for outcome in delivery.outcomes():
            unsettled.discard(outcome.batch.number)
            since_s = clock.monotonic()
            _settle(outcome, groups[outcome.batch.number], retried, store)
        retried.trouble = _trouble(delivery, clock.monotonic() - since_s)
        if retried.trouble:
            break
        if unsettled:
            clock.wait(delivery.wake, LOOK_S)
    retried.waiting = [mended.letter.id for number in sorted(unsettled) for mended in groups[number]]
    return retried


def _mended(letters: Iterable[DeadLetter], convert: Convert, max_bytes: int, retried: Retried) -> Iterator[Mended]:
    """The letters whose line is an event now; the others go where they belong."""
    for letter in letters:
        if letter.is_cut:
            retried.dead.append(letter)
            continue
        conversion = convert(letter)
        if conversion.unmatched:
            retried.dead.append(replace(letter, reason="still fits no format", event="", status=None, answer=""))
        elif not conversion.ends:
            is_excluded = any(name.startswith(RECEIVER) for name in conversion.sampled_out)
            (retried.excluded if is_excluded else retried.dropped).append(letter.id)
        elif len(conversion.text) > max_bytes:
            reason = f"its event has {len(conversion.text)} bytes, over batch.max_bytes"
            retried.dead.append(replace(letter, reason=reason, event=conversion.event(0), status=None, answer=""))
        else:
            yield Mended(letter, conversion)


def _groups(mended: Iterable[Mended], max_bytes: int) -> Iterator[list[Mended]]:
    """As many as fit into one body each."""
    group: list[Mended] = []
    size = 1  # brackets less the comma that the first event doesn't need
    for one in mended:
        if group and size + len(one.conversion.text) + 1 > max_bytes:
            yield group
            group, size = [], 1
        group.append(one)
        size += len(one.conversion.text) + 1
    if group:
        yield group


def _batch(group: Sequence[Mended], number: int) -> Batch:
    texts = [mended.conversion.text for mended in group]
    return Batch.of(texts, (), tuple(mended.piece() for mended in group), number)


def _settle(outcome: Outcome, group: Sequence[Mended], retried: Retried, store: DeadLetters) -> None:
    refused = {refusal.index: refusal for refusal in outcome.refused}
    delivered = [mended.letter.id for index, mended in enumerate(group) if index not in refused]
    dead = [
        replace(
            group[index].letter,
            reason="the receiver refused it",
            event=group[index].event,
            status=refusal.status,
            answer=refusal.reason,
        )
        for index, refusal in refused.items()
    ]
    store.remove(delivered)
    store.replace(dead)
    retried.delivered += delivered
    retried.dead += dead


def _trouble(delivery: Delivery, silence_s: float) -> str:
    """Why it makes no sense to go on; '' while it does."""
    if delivery.failure:
        raise delivery.failure
    status = delivery.status()
    if status.state is DeliveryState.HELD:
        return f"{status.last_error}; {status.hint}"
    if silence_s > GIVE_UP_S:
        return f"nothing was delivered for {GIVE_UP_S:g} s; {status.last_error or 'no answer yet'}"
    return ""
