"""When a line was written, as its time field says: enough to order logs and to search in them."""

from __future__ import annotations

from collections.abc import Callable

from logship.backfill.converter_spec import ConverterSpec
from logship.clock import iso_time
from logship.formats import Format

TimeOf = Callable[[bytes], str | None]


def line_clock(converter_spec: ConverterSpec, fmt: Format) -> TimeOf:
    """A function from a line (without its newline) to its moment; None where it has none.

    The moment may be the request's start or its end, whichever the format logs.
    """
    clocks = [_member_clock(member, converter_spec.constants.timezone) for member in fmt.members]

    def time_of(line: bytes) -> str | None:
        for inner in [line] if converter_spec.is_headed else converter_spec.opened([line]):
            member = fmt.choose(inner)
            if member is not None:
                return clocks[member](inner)
        return None

    return time_of


def _member_clock(fmt: Format, timezone: str) -> TimeOf:
    slot = next((slot for slot in fmt.slots if slot.time is not None), None)
    if slot is None or slot.time is None:
        return lambda line: None
    read = fmt.reader([slot.field])
    decode = slot.time.decoder(timezone)

    def time_of(line: bytes) -> str | None:
        values = read(line)
        epoch_ms = decode(values[0]) if values else None
        return None if epoch_ms is None else iso_time(epoch_ms / 1000)

    return time_of
