"""Retries dead letters: each raw line through the current mapping, to the current receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, replace

from logship.clock import WaitingClock
from logship.delivery import DeadLetter, DeadLetters, Delivery, DeliveryState
from logship.event import Chunk, Conversion
from logship.records import record
from logship.route.output import Output, SettledBatch
from logship.words import RECEIVER

GIVE_UP_S = 60.0  # without any batch being settled; the letters stay in the store
LOOK_S = 1.0

Convert = Callable[[DeadLetter], Conversion]


@record(frozen=False)
class Retried:
    """What became of letters that were retried.

    Shapes: ids of letters; `dropped` are now dropped, sampled out or too old by the mapping, `excluded` by the
    receiver's rules: both leave the store, too; `dead` have their new reason; `waiting` got no answer, `trouble` says
    why.
    """

    delivered: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    trouble: str = ""


def redeliver(
    letters: Iterable[DeadLetter], convert: Convert, output: Output, store: DeadLetters, *, clock: WaitingClock
) -> Retried:
    """Convert and deliver; delivered letters leave the store, refused ones stay with their new reason.

    A crash in between repeats events under the same ids, which the receiver drops.
    """
    retried, unsettled = Retried(), dict(enumerate(letters))
    for number, letter in list(unsettled.items()):
        if not _adds(number, letter, convert, output, retried):
            del unsettled[number]
    output.flush()
    store.remove(retried.dropped + retried.excluded)
    store.replace(retried.dead)
    since_s = clock.monotonic()
    while unsettled:
        output.delivery.wake.clear()
        while output.send_next() is not None:
            pass
        if not output.ready:
            output.delivery.finish()
        for settled in output.settled():
            since_s = clock.monotonic()
            _settle(settled, unsettled, retried, store)
        retried.trouble = _trouble(output.delivery, clock.monotonic() - since_s)
        if retried.trouble:
            break
        if unsettled:
            output.delivery.rest()
            clock.wait(output.delivery.wake, LOOK_S)
    retried.waiting = [letter.id for letter in unsettled.values()]
    return retried


def _adds(number: int, letter: DeadLetter, convert: Convert, output: Output, retried: Retried) -> bool:
    """Whether the letter's line is an event now; the output then has it as file `number`."""
    if letter.is_cut:
        retried.dead.append(letter)
        return False
    conversion = convert(letter)
    if conversion.unmatched:
        retried.dead.append(replace(letter, reason="still fits no format", event="", status=None, answer=""))
        return False
    if not conversion.ends:
        is_excluded = any(name.startswith(RECEIVER) for name in conversion.sampled_out)
        (retried.excluded if is_excluded else retried.dropped).append(letter.id)
        return False
    data = letter.raw + b"\n"
    chunk = Chunk(replace(letter.file, file_id=number), letter.position, letter.position + len(data), data)
    cut = output.add(chunk, conversion, chunk.start, chunk.end, 0.0)
    retried.dead += [_with_fate(letter, one) for one in cut.too_large]
    return not cut.too_large


def _with_fate(letter: DeadLetter, now: DeadLetter) -> DeadLetter:
    """The stored letter with its new result."""
    return replace(letter, reason=now.reason, event=now.event, status=now.status, answer=now.answer)


def _settle(settled: SettledBatch, unsettled: dict[int, DeadLetter], retried: Retried, store: DeadLetters) -> None:
    letters = [unsettled.pop(piece.chunk.file.file_id) for piece in settled.batch.pieces]
    delivered = [letter.id for index, letter in enumerate(letters) if index not in settled.letters]
    dead = [_with_fate(letters[index], now) for index, now in settled.letters.items()]
    store.remove(delivered)
    store.replace(dead)
    retried.delivered += delivered
    retried.dead += dead


def _trouble(delivery: Delivery, silence_s: float) -> str:
    """Why to stop; "" for no reason."""
    status = delivery.status()
    if status.state is DeliveryState.HELD:
        return f"{status.last_error}; {status.hint}"
    if silence_s > GIVE_UP_S:
        return f"nothing was delivered for {GIVE_UP_S:g} s; {status.last_error or 'no answer yet'}"
    return ""
