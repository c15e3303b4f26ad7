"""The kernel: executes a program over the lines of a chunk.

One function, `run`, and `exact` beside it (exact.py) for the lines it hands back. It is native (C) where the module was
built, else every line is for `exact`: the same bytes, about thirty times slower.
"""

from __future__ import annotations

from array import array

from logship.kernel import native
from logship.kernel.encoded import Encoded
from logship.kernel.program import Program

IMPLEMENTATION = "python" if native.MODULE is None else "native"
REASON = native.REASON  # why it is python


def run(
    program: Program, data: bytes, start: int, digits: str, origin: str, path: str, bounds: tuple[int, int, int],
    starts: array[int] | None = None, crcs: array[int] | None = None,
) -> Encoded | None:  # fmt: skip
    """What the kernel makes of whole lines; None: it can't do them, all are for `exact`.

    Shapes: `data` is whole lines, each with its newline, the first at position `start`. `digits` are those of the file
    in ids, `bounds` (oldest, since, until) in epoch milliseconds. Lines that stood inside of others (container logs)
    have `starts`, one more than lines, and `crcs`.
    """
    return native.run(program, data, start, digits, origin, path, bounds, starts, crcs)


def described() -> str:
    """`kernel: native`, or `kernel: python` with the reason."""
    return f"kernel: {IMPLEMENTATION}" + (f" ({REASON})" if REASON else "")
