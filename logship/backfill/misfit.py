"""Says of a line where it stopped fitting its format."""

from __future__ import annotations

from logship.formats import Misfit
from logship.process.logs import escaped
from logship.route.unmatched import RUN_LIMIT

SHOWN_BEFORE = 60  # characters of the line left of the caret
SHOWN_AFTER = 30


def misfit_text(line: bytes, position: int, misfit: Misfit | None) -> str:
    """A sentence and, below it, the line with a caret under the place.

    Shapes: `position` is that of the line in its log; control bytes come out escaped.
    """
    head = f"{RUN_LIMIT} lines in a row fit no format, from byte {position:,} on; give the right --format"
    return "\n".join((head, *caret_lines(line, misfit)))


def caret_lines(line: bytes, misfit: Misfit | None) -> list[str]:
    """The line around the place where it stopped fitting, and a caret that says what should stand there."""
    at = misfit.at if misfit else 0
    cut = max(0, at - SHOWN_BEFORE)
    before = escaped(line[cut:at].decode("utf-8", "replace"))
    after = escaped(line[at : at + SHOWN_AFTER].decode("utf-8", "replace"))
    shown = f"  {'…' if cut else ''}{before}{after}{'…' if at + SHOWN_AFTER < len(line) else ''}"
    if misfit is None:
        return [shown]
    indent = " " * (2 + bool(cut) + len(before))
    return [shown, f'{indent}^ expected "{escaped(misfit.expected)}"; {misfit.fits} of {misfit.of} fields fit']
