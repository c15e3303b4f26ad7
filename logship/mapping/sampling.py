"""Sampling: which share of events is kept, decided by the transaction_id so that replays agree."""

from __future__ import annotations

import re
from fractions import Fraction

from logship.errors import Location, MappingError
from logship.patterns import deferred
from logship.records import record

_PERCENT = deferred(r"([0-9]+(?:\.[0-9]+)?)\s*%\Z")
_FRACTION = deferred(r"1\s*/\s*([1-9][0-9]{0,8})\Z")

# Fibonacci hashing: CRC and position are mixed by 2^64 / golden ratio, the upper 32 bits decide.


@record
class Share:
    """One event of `weight` is kept and stands for all of them; `threshold` is that share of 2^64."""

    weight: int

    @property
    def threshold(self) -> int:
        return (1 << 64) // self.weight


def parse_share(text: str, location: Location, errors: list[MappingError]) -> Share | None:
    """`10%` or `1/20`; only shares whose weight is whole."""
    percent, fraction = _PERCENT.match(text.strip()), _FRACTION.match(text.strip())
    if fraction:
        return Share(int(fraction[1]))
    if not percent:
        errors.append(MappingError(f"'{text}' is no share", location=location, hint=f"write {_meant(text.strip())}"))
        return None
    share = Fraction(percent[1]) / 100
    if not 0 < share <= 1:
        hint = "use drop: true to keep none" if share == 0 else "write 10% or 1/20"
        errors.append(MappingError(f"'{text}' is no share between 0% and 100%", location=location, hint=hint))
        return None
    weight = 1 / share
    if weight.denominator != 1:
        said = f"'{text}' gives events no whole weight ({float(weight):.4g})"
        errors.append(MappingError(said, location=location, hint=f"write 1/{round(float(weight))}"))
        return None
    return Share(int(weight))


def _meant(text: str) -> str:
    """A bare number as a share of 1, or as a percentage."""
    if not re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]+)?|\.[0-9]+", text) or not 0 < float(text) <= 100:
        return "10% or 1/20"
    number = float(text)
    return f"{number * 100:g}%" if number < 1 else f"{number:g}%"
