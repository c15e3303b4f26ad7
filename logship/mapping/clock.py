"""start_time, end_time and duration: which the log has, and what the others follow to.

nginx logs the end of a request, Apache its start; with a duration the other end is known, without
one both are the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from logship.fields import Kind
from logship.formats import Moment, Slot
from logship.mapping import values
from logship.mapping.access import Access, Reader, register
from logship.mapping.code import choice, constant, expression, joined
from logship.mapping.memo import MILLISECONDS, Moments, Seconds, Times

_PER_SECOND = {Kind.DURATION_S: 1, Kind.DURATION_MS: 1e3, Kind.DURATION_US: 1e6, Kind.DURATION_NS: 1e9}
_PARTS_OF_MS = {Kind.DURATION_MS: 1, Kind.DURATION_US: 1_000, Kind.DURATION_NS: 1_000_000}
MOST_DIGITS = 10  # of a duration that is surely none too long: 10^10 ms are 115 days
_DURATIONS = ("duration", "time_us", "duration_ns", "time_ms", "time_s")  # the finest first
LONGEST_S = 366 * 86_400.0  # what claims to have taken longer is no duration
_SPELLED = re.compile(  # `1h2m3.5s`, `1.2ms`: 2,562,047 hours fit into 64 bits of nanoseconds
    r"(?=[0-9])(?:([0-9]{1,7})h)?(?:([0-9]{1,9})m(?!s))?(?:([0-9]{1,19})(?:\.([0-9]{1,9}))?(s|ms|us|µs|μs|ns))?\Z"
)
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 1_000, "µs": 1_000, "μs": 1_000, "ns": 1}


def time_slot(reader: Reader, moment: Moment) -> Slot | None:
    """The slot that says when requests start (or end), the finest of several."""
    slots = [slot for slot in reader.setting.format.slots if slot.kind.is_time and slot.time is not None]
    fitting = [slot for slot in slots if slot.moment == moment]
    if not fitting and moment is Moment.START and not any(slot.moment is Moment.END for slot in slots):
        fitting = slots
    return min(fitting, key=lambda slot: slot.time.resolution_ms if slot.time else 0, default=None)


def duration_slot(reader: Reader) -> Slot | None:
    return next((slot for name in _DURATIONS if (slot := reader.setting.slot(name))), None)


def has_time(reader: Reader) -> bool:
    return time_slot(reader, Moment.START) is not None or time_slot(reader, Moment.END) is not None


def has_both_ends(reader: Reader) -> bool:
    moments = {slot.moment for slot in reader.setting.format.slots if slot.kind.is_time}
    return {Moment.START, Moment.END} <= moments


def iso_time(reader: Reader, slot: Slot) -> ast.expr:
    """The slot's time as the API wants it."""
    assert slot.time is not None
    name = f"times_{slot.field}"
    if name not in reader.setting.memos:
        decode = slot.time.decoder(reader.setting.constants.timezone)
        reader.setting.memos[name] = reader.bind(
            Times(decode, reader.setting.bounds, slot.time.seconds_at), "times"
        )
    return reader.keep(f"time_{slot.field}", expression("m[x]", m=reader.setting.memos[name], x=reader.raw(slot)))


def _either_end(moment: Moment, other: Moment, sign: str) -> Callable[[Reader], Access]:
    def derive(reader: Reader) -> Access:
        own = time_slot(reader, moment)
        if own is not None:
            return _time(iso_time(reader, own), own)
        opposite = time_slot(reader, other)
        if opposite is None:
            return Access(Kind.TIME, constant(""), "", constant(False))
        duration = duration_slot(reader)
        if duration is None or reader.lacks(duration):
            return _time(iso_time(reader, opposite), opposite)
        return _time(_moved(reader, opposite, duration, sign), opposite)

    return derive


def _time(text: ast.expr, slot: Slot) -> Access:
    return Access(Kind.TIME, text, text, None, False, slot.spelled)


def _moved(reader: Reader, slot: Slot, duration: Slot, sign: str) -> ast.expr:
    """The slot's time plus or minus the duration."""
    assert slot.time is not None
    name = f"moments_{slot.field}"
    if name not in reader.setting.memos:
        decode = slot.time.decoder(reader.setting.constants.timezone)
        reader.setting.memos[name] = reader.bind(Moments(decode), "moments")
    moments = reader.setting.memos[name]
    if "seconds" not in reader.setting.memos:
        reader.setting.memos["seconds"] = reader.bind(Seconds(reader.setting.bounds), "seconds")
    taken = reader.setting.memo(f"taken_{duration.field}", _milliseconds(duration.kind))
    taken_ms = expression("d[y]", d=taken, y=_duration_key(reader, duration))
    parts = _PARTS_OF_MS.get(duration.kind)
    if parts and not reader.is_exact:  # microseconds have too many values to remember; clean rows are ASCII
        direct = f"(int(y) + {parts // 2}) // {parts} if y.isdigit() and len(y) <= {MOST_DIGITS} else slow"
        taken_ms = expression(direct, y=reader.raw(duration), slow=taken_ms)
    if sign == "+" and slot.time.seconds_at is not None and not reader.is_exact:
        return _moved_on(reader, slot, moments, reader.keep("taken_ms", taken_ms))
    moved = reader.keep("moved_ms", expression(f"m[x] {sign} (t)", m=moments, x=reader.raw(slot), t=taken_ms))
    return reader.keep("moved", _iso(reader, moved))


def _moved_on(reader: Reader, slot: Slot, moments: ast.expr, taken_ms: ast.expr) -> ast.expr:
    """The end of a request that began at a whole second: hardly any takes one more (a tenth of such a line)."""
    own = expression("x[:-5]", x=iso_time(reader, slot))  # without ".000Z"
    fraction = expression("f[t]", f=reader.bind(MILLISECONDS, "fractions"), t=taken_ms)
    later = reader.keep("later_ms", expression("m[x] + t if t > 999 else 0", m=moments, x=reader.raw(slot), t=taken_ms))
    return reader.keep("moved", choice(later, _iso(reader, later), joined([own, fraction])))


def _iso(reader: Reader, moment_ms: ast.expr) -> ast.expr:
    second = expression("s[x // 1000]", s=reader.setting.memos["seconds"], x=moment_ms)
    fraction = expression("f[x % 1000]", f=reader.bind(MILLISECONDS, "fractions"), x=moment_ms)
    return joined([second, fraction])


def _duration_key(reader: Reader, slot: Slot) -> ast.expr:
    return reader.plain(slot)


def spelled_ns(value: object) -> int | None:
    """The nanoseconds of a duration that is written with its units, as Caddy may; None: it is none.

    Source: Go's time.Duration.String; caddy's `duration_format string`.
    """
    match = _SPELLED.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    hours, minutes, whole, fraction, unit = match.groups("0")
    unit_ns = _NANOSECONDS.get(unit, 0)
    part_ns = int(fraction.ljust(9, "0")) * unit_ns // 10**9
    return (int(hours) * 3600 + int(minutes) * 60) * 10**9 + int(whole) * unit_ns + part_ns


def seconds_of(kind: Kind, value: object) -> float | None:
    """The duration in seconds; None where the log has none."""
    taken = values.number(value)
    if taken is None:
        taken_ns = spelled_ns(value)
        seconds = -1.0 if taken_ns is None else taken_ns / 10**9
    else:
        seconds = taken / _PER_SECOND.get(kind, 1)
    return seconds if 0 <= seconds <= LONGEST_S else None


def _milliseconds(kind: Kind) -> Callable[[object], int]:
    parts = _PARTS_OF_MS.get(kind)

    def milliseconds(value: object) -> int:
        text = values.text_of(value)
        if parts and text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
            return (int(text) + parts // 2) // parts
        taken_ns = spelled_ns(text)
        if taken_ns is not None and taken_ns <= LONGEST_S * 10**9:
            return (taken_ns + 500_000) // 1_000_000
        return int((seconds_of(kind, value) or 0.0) * 1000 + 0.5)

    return milliseconds


def _duration(reader: Reader) -> Access:
    slot = duration_slot(reader)
    if slot is None:
        return Access(Kind.DURATION_S, constant(""), "", constant(False))

    def spelled(value: object) -> str:
        seconds = seconds_of(slot.kind, value)
        return "" if seconds is None else repr(seconds).removesuffix(".0")

    memo = reader.setting.memo("duration_text", spelled)
    text = expression("m[x]", m=memo, x=_duration_key(reader, slot))
    return Access(Kind.DURATION_S, text, text, text, False, slot.spelled)


register("start_time", _either_end(Moment.START, Moment.END, "-"))
register("end_time", _either_end(Moment.END, Moment.START, "+"))
register("duration", _duration)

