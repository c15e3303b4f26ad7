"""A line and its event for people: fields at the left, the event at the right with the mapping line of each value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from logship.cli.terminal import Styled, Terminal, clean
from logship.words import rule_words

if TYPE_CHECKING:
    from logship.cli.terminal import Text
    from logship.conversion import LineTrace
    from logship.preview import Lens

LINE_SHOWN = 400  # characters of a line
VALUE_SHOWN = 60  # characters of a value
LEAST_SHOWN = 16  # a value is not cut shorter
GAPS = 15  # characters between the columns, with the arrow
CARET_BEFORE = 80  # characters shown before the place where a line stops fitting


def print_trace(trace: LineTrace, lens: Lens) -> None:
    """One line of a log with what becomes of it."""
    terminal = Terminal()
    if trace.error is not None:
        _print_misfit(terminal, trace, lens)
        return
    text = trace.line.decode("utf-8", "replace")
    terminal.line(Styled(_cut(text, LINE_SHOWN), "dim"))
    fate = _fate(trace)
    if fate:
        terminal.line("  ", Styled(fate, "warn"))
    elif trace.kept_by:
        terminal.line("  ", Styled(trace.kept_by, "dim"))
    fields = [(name, _spelled(value)) for name, value in trace.fields.items()]
    made = [
        (path, _spelled(value), lens.place(location) if (location := trace.origins.get(path)) else "")
        for path, value in flattened(trace.event or {})
    ]
    shown = _value_width(terminal.width, fields, made)
    if shown < LEAST_SHOWN:
        _print_below(terminal, fields, made)
    else:
        _print_beside(terminal, fields, made, shown)
    terminal.line()


Fields = Sequence[tuple[str, str]]
Made = Sequence[tuple[str, str, str]]  # path, value, where it is written


def _print_beside(terminal: Terminal, fields: Fields, made: Made, shown: int) -> None:
    rows: list[list[Text]] = []
    for (name, value), (path, text, place) in zip_longest(fields, made, fillvalue=("", "", "")):  # type: ignore[misc]
        arrow = "  →" if path else ""
        event: list[Text] = [Styled(path, "bold"), _cut(text, shown), Styled(place, "dim")]
        rows.append([Styled(f"  {name}", "dim"), _cut(value, shown), arrow, *event])
    terminal.table(["  FIELD", "VALUE", "", "EVENT", "VALUE", "WRITTEN IN"], rows)


def _print_below(terminal: Terminal, fields: Fields, made: Made) -> None:
    """The fields, then the event, for narrow terminals; the narrowest have no room for the places."""
    room = terminal.width - _widest(fields, 0, "  FIELD") - 4
    rows: list[list[Text]] = [[Styled(f"  {name}", "dim"), _cut(value, room)] for name, value in fields]
    terminal.table(["  FIELD", "VALUE"], rows)
    room = terminal.width - _widest(made, 0, "  EVENT") - 4
    beside = room - _widest(made, 2, "WRITTEN IN") - 2
    columns = ["  EVENT", "VALUE", "WRITTEN IN"] if beside >= LEAST_SHOWN else ["  EVENT", "VALUE"]
    room = beside if len(columns) == 3 else room
    rows = [[Styled(f"→ {path}", "bold"), _cut(text, room), Styled(place, "dim")] for path, text, place in made]
    if rows:
        terminal.table(columns, [row[: len(columns)] for row in rows])


def _value_width(width: int, fields: Fields, made: Made) -> int:
    """Characters of a value, so that two fit beside the names."""
    names = _widest(fields, 0, "FIELD") + _widest(made, 0, "EVENT") + _widest(made, 2, "WRITTEN IN")
    return min(VALUE_SHOWN, (width - names - GAPS) // 2)


def _widest(rows: Sequence[tuple[str, ...]], column: int, head: str) -> int:
    return max([len(head), *(len(row[column]) for row in rows)])


def _fate(trace: LineTrace) -> str:
    if trace.dropped_by is not None:
        return f"dropped by {rule_words(trace.dropped_by)}"
    if trace.sampled_out_by is not None:
        return f"sampled out by {rule_words(trace.sampled_out_by)}"
    return ""


def _print_misfit(terminal: Terminal, trace: LineTrace, lens: Lens) -> None:
    """The line with a caret under the first byte that did not fit, what was expected there, what else would fit."""
    misfit = trace.error
    assert misfit is not None
    before = clean(trace.line[: misfit.at].decode("utf-8", "replace"))
    after = clean(trace.line[misfit.at :].decode("utf-8", "replace"))
    most = min(CARET_BEFORE, max(LEAST_SHOWN, terminal.width - LEAST_SHOWN) if terminal.is_terminal else CARET_BEFORE)
    if len(before) > most:
        before = "…" + before[1 - most :]
    room = max(LEAST_SHOWN, terminal.width - len(before) - 2) if terminal.is_terminal else LINE_SHOWN
    terminal.line("  ", before + _cut(after, min(LINE_SHOWN, room)))
    terminal.line("  ", " " * len(before), Styled(f"^ expected {_quoted(misfit.expected)}", "error"))
    others = [found for found in lens.others([trace.line]) if found.fits and found.name != trace.format]
    fit = f"; '{others[0].name}' fits this line" if others else ""
    terminal.line(f"  {misfit.fits} of {misfit.of} fields fit{fit}")
    terminal.line()


def _quoted(expected: str) -> str:
    return expected if " " in expected or expected.startswith('"') else f'"{expected}"'


def flattened(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value of an event with its dotted path; an empty object is a value."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from flattened(below, f"{path}.{key}" if path else str(key))
    elif path:
        yield path, value


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width, LEAST_SHOWN) - 1] + "…"
