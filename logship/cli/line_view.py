"""A line and its event for people: fields at the left, the event at the right with the mapping line of each value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from logship.cli.terminal import Styled, Terminal, clean

if TYPE_CHECKING:
    from logship.cli.terminal import Text
    from logship.mapping import LineTrace
    from logship.preview import Lens

LINE_SHOWN = 400  # characters of a line
VALUE_SHOWN = 60  # characters of a value
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
    shown = _value_width(terminal)
    left = [(name, _cut(_spelled(value), shown)) for name, value in trace.fields.items()]
    right = [(path, _cut(_spelled(value), shown)) for path, value in flattened(trace.event or {})]
    rows: list[list[Text]] = []
    for (name, value), (path, made) in zip_longest(left, right, fillvalue=("", "")):
        location = trace.origins.get(path) if path else None
        place = lens.place(location) if location else ""
        arrow = "  →" if path else ""
        rows.append([Styled(f"  {name}", "dim"), value, arrow, Styled(path, "bold"), made, Styled(place, "dim")])
    terminal.table(["  FIELD", "VALUE", "", "EVENT", "VALUE", "WRITTEN IN"], rows)
    terminal.line()


def _value_width(terminal: Terminal) -> int:
    """Characters of a value, so that two fit beside the names."""
    return max(16, min(VALUE_SHOWN, (terminal.width - 80) // 2))


def _fate(trace: LineTrace) -> str:
    if trace.dropped_by is not None:
        return f"dropped by rule '{trace.dropped_by}'"
    if trace.sampled_out_by is not None:
        return f"sampled out by rule '{trace.sampled_out_by}'"
    return ""


def _print_misfit(terminal: Terminal, trace: LineTrace, lens: Lens) -> None:
    """The line with a caret under the first byte that did not fit, what was expected there, what else would fit."""
    misfit = trace.error
    assert misfit is not None
    before = clean(trace.line[: misfit.at].decode("utf-8", "replace"))
    after = clean(trace.line[misfit.at :].decode("utf-8", "replace"))
    if len(before) > CARET_BEFORE:
        before = "…" + before[-CARET_BEFORE:]
    terminal.line("  ", before + _cut(after, LINE_SHOWN))
    terminal.line("  ", " " * len(before), Styled(f"^ expected {_quoted(misfit.expected)}", "error"))
    others = [found for found in lens.others([trace.line]) if found.fits and found.name != trace.format]
    fit = f"; '{others[0].name}' fits this line" if others else ""
    terminal.line(f"  {misfit.fits} of {misfit.of} fields fit{fit}")
    terminal.line()


def _quoted(expected: str) -> str:
    return expected if " " in expected or expected.startswith('"') else f'"{expected}"'


def flattened(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value of an event with its dotted path; an empty object stands for itself."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from flattened(below, f"{path}.{key}" if path else str(key))
    elif path:
        yield path, value


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
