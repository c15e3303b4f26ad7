"""How the kernel reads a line of a text format: as the strict pattern does, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

from logship.fields import Kind
from logship.formats import times
from logship.formats.format import Wanted
from logship.formats.line_pattern import INTEGERS, NUMBERS, Part, Reach, is_bounded, may_hold_spaces
from logship.formats.meaning import meaning_of
from logship.formats.pieces import Literal
from logship.formats.request_line import PARTS
from logship.formats.slot import Slot
from logship.kernel.assembler import Assembler
from logship.kernel.program import Escaping, How, Op


def emit_text_reading(
    parts: Sequence[Part], slots: Sequence[Slot], escaping: Escaping, assembler: Assembler, wanted: Wanted
) -> Escaping | None:  # fmt: skip
    """The instructions of a whole line; None where a time has a form of its own that nothing bounds."""
    unused = assembler.register()
    own = {part.variable.slot.field for part in parts if isinstance(part, Reach)}
    for part in parts:
        if isinstance(part, Literal):
            assembler.literal(part.latin.encode("latin-1"))
            continue
        how, stops = _how(part, escaping)
        if how is None:
            return None
        slot = part.variable.slot
        places = [unused if name in own else wanted.registers.get(name, unused) for name in PARTS]
        is_split = slot.kind is Kind.REQUEST_LINE and places != [unused] * len(PARTS)
        is_checked = slot.time is not None and slot.field not in wanted.moments
        meaning = meaning_of(slot, is_enclosed=part.quoted)
        register = unused if part.variable.repeated else wanted.registers.get(slot.field, unused)
        if register == unused and (is_split or is_checked or meaning) and not part.variable.repeated:
            register = assembler.register()
        lead = ord(part.lead) if part.lead else 0
        assembler.emit(Op.FIELD, register, how, assembler.constant(stops.encode("latin-1")), lead)
        if part.variable.repeated:
            continue
        if is_split:
            assembler.emit(Op.SPLIT, register, *places, 0)
        if is_checked:
            assembler.emit(Op.NUMBER, unused, wanted.time_function(slot), register)
        if meaning is not None:
            meaning.emit(assembler, register)
    assembler.emit(Op.END)
    return escaping


def _how(reach: Reach, escaping: Escaping) -> tuple[How | None, str]:
    """How far a value reaches, and the characters that end it; see line_pattern.strict_value."""
    kind, stop = reach.kind, reach.stop
    if reach.variable.slot.field == "is_args":
        return How.MARK, ""
    if kind is Kind.STATUS:
        return How.STATUS, ""
    if kind in INTEGERS:
        return How.INTEGER, ""
    if kind in NUMBERS:
        return How.NUMBER, ""
    if kind.is_time:
        return (How.BARE, f'{stop}"') if is_bounded(reach) else (_TIMES.get(type(reach.variable.slot.time)), "")
    if kind is Kind.LIST and stop in {" ", ""}:
        return How.LIST, ""
    stops = stop if may_hold_spaces(reach) or " " in stop else f"{stop} "
    if escaping is not Escaping.NONE and '"' not in stops:
        stops += '"'
    return How.TEXT, stops


_TIMES: dict[type, How] = {times.ClfTime: How.CLF, times.IsoTime: How.ISO, times.EpochTime: How.EPOCH}
