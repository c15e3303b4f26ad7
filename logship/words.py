"""Numbers as people read them."""

from __future__ import annotations

RECEIVER = "receiver's "  # so begin the names of what the receiver's own rules sampled out


def duration_words(seconds: float) -> str:
    """`0.3 s`, `42 s`, `5 min`, `2 h`, `3 d`."""
    for limit, unit, name in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds:.1f} s" if seconds < 10 else f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} d"


def rule_words(name: str) -> str:
    """`rule 'probes'`; the receiver's rates and rules have names of their own: `the receiver's rule 2`."""
    return f"the {name}" if name.startswith(RECEIVER) else f"rule '{name}'"


def bytes_words(number: int) -> str:
    """`0 B`, `812 B`, `88.1 MB`; decimal units, as in logship.yml."""
    if number < 1_000:
        return f"{number} B"
    size, unit = number / 1_000, "kB"
    for larger in ("MB", "GB", "TB", "PB"):
        if size < 999.5:
            break
        size, unit = size / 1_000, larger
    return f"{size:.1f} {unit}" if size < 100 else f"{size:.0f} {unit}"


def count_words(number: int | None) -> str:
    """`80,112`; above a million `1.2 M`; `-` where nobody knows."""
    if number is None:
        return "-"
    return f"{number:,}" if number < 1_000_000 else f"{number / 1e6:,.1f} M"


def counted(number: int, noun: str) -> str:
    """`1 file`, `1,204 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
