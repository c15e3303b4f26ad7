"""W3C's directives: lines of a log that say how the lines below them are to be read.

A headed line is a line of such a log below the directives in force: b"#Fields: date time …\\n2026-01-02 …". It says by
itself what it means, so that it can be read alone. Source: W3C, Extended Log File Format (WD-logfile).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from logship.patterns import deferred
from logship.records import record

MAX_DIRECTIVE_BYTES = 16_384  # a longer #Fields is none that a server writes; what is left of it has no use
BOM = b"\xef\xbb\xbf"
_READ_BYTES = 1_048_576
_DIRECTIVE = deferred(rb"#[A-Za-z][A-Za-z-]*:(?:[ \t]|$)")
_KEPT = (b"#Software:", b"#Fields:")  # what lines are read by, in the order of a heading


@record
class Heading:
    """The directives in force at a position: whole lines of #Software and #Fields, b"" for none."""

    position: int = 0
    text: bytes = b""


def is_directive(line: bytes) -> bool:
    """Whether a line, without its line end, is no entry of a log but says something of it."""
    return line[:1] in (b"#", b"\xef") and _DIRECTIVE.match(line.removeprefix(BOM)) is not None


def heading_after(text: bytes, data: bytes) -> bytes:
    """The directives in force behind whole lines, where `text` was in force before them."""
    kept = dict.fromkeys(_KEPT, b"")
    for line in text.splitlines(keepends=True):
        kept.update({name: line for name in _KEPT if line.startswith(name)})
    for name in _KEPT:
        at = data.rfind(b"\n" + name) + 1
        if at or data.removeprefix(BOM).startswith(name):
            end = data.find(b"\n", at)
            line = data[at : end if end >= 0 else len(data)].removeprefix(BOM).removesuffix(b"\r")
            kept[name] = line[:MAX_DIRECTIVE_BYTES].replace(b"\r", b" ") + b"\n"
    return b"".join(kept.values())


def headed(line: bytes) -> tuple[bytes, bytes]:
    """The heading of a headed line, and the line; the heading is b"" for a line that stands alone."""
    at = line.rfind(b"\n") + 1
    return line[:at], line[at:]


def heading_at(read_at: Callable[[int, int], bytes], position: int, known: Heading = Heading()) -> bytes:  # noqa: B008
    """The heading at a line start of a log, `known` being that of a place before it.

    Shapes: `read_at` gives up to so many bytes at a position. Reads forwards: once for a file, and at memory speed. A
    log that does not begin with a directive has none.
    Raises: what `read_at` raises.
    """
    if not known.text and not read_at(0, 4).removeprefix(BOM).startswith(b"#"):
        return b""
    text, at, rest = known.text, known.position, b""
    while at < position:
        block = read_at(at, min(_READ_BYTES, position - at))
        if not block:
            break
        at += len(block)
        data = rest + block
        end = data.rfind(b"\n") + 1
        text = heading_after(text, data[:end])
        rest = data[end:][:_READ_BYTES]
    return text


def with_heading(lines: list[bytes], file: BinaryIO, position: int) -> list[bytes]:
    """Lines of a plain log from `position` on, with the directives in force there in front."""

    def read_at(start: int, size: int) -> bytes:
        file.seek(start)
        return file.read(size)

    return [*heading_at(read_at, position).splitlines(), *lines]
