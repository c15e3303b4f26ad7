"""Real programs and lines of theirs, as tests/kernel/fuzz.c takes them."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.formats.hostile import hostile_texts, line_with, ordinary_line
from tests.kernel.test_agreement import MAPPINGS, NAMES, formats, made

REAL = 0  # fuzz.c: the kind of an input whose program is one of the file
START, SHIFT = 201, 25  # of the position: beyond 4 GiB
HOSTILE_BYTES = 60


def write_corpus(directory: Path) -> int:
    """Writes `programs` and a folder `inputs`; gives how many programs there are."""
    (directory / "inputs").mkdir()
    blobs: list[bytes] = []
    for name in NAMES:
        for mapping in MAPPINGS:
            converter = made(name, mapping)
            for member in converter.members if converter else ():
                if member.program.make:
                    head = struct.pack("<BHBBB", REAL, len(blobs), 1, START, SHIFT)
                    lines = _lines(name)
                    (directory / "inputs" / f"{len(blobs)}").write_bytes(head + b"\n".join(lines))
                    blobs.append(member.program.encode())
    (directory / "programs").write_bytes(b"".join(struct.pack("<I", len(blob)) + blob for blob in blobs))
    return len(blobs)


def _lines(name: str) -> list[bytes]:
    """An ordinary line twice, and some with hostile fields."""
    fmt = formats()[name]
    fields = [slot.field for slot in fmt.slots if not slot.part_of]
    texts = list(hostile_texts(HOSTILE_BYTES))
    chosen = {field: texts[7 * number % len(texts)][1] for number, field in enumerate(fields)}
    hostile = [line_with(fmt.members[0], field, text) for field, text in chosen.items()]
    return [ordinary_line(fmt), ordinary_line(fmt), *hostile[:6]]
