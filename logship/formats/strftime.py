"""Times by a strftime format: `%d/%b/%Y:%H:%M:%S.%f %z` compiled once to a pattern and a decoder.

Beside strftime(3): %f and %L are a fraction of 1 to 9 digits, %s is the epoch in seconds, %Q in milliseconds,
%K in microseconds; %{UTC} at the end says the zone that is not logged. What depends on the locale or lacks a year is
refused at load.
"""

from __future__ import annotations

import re
from datetime import date, timedelta, tzinfo

from logship.errors import FormatError
from logship.formats import times
from logship.formats.slot import DecodeTime
from logship.kernel.program import Known
from logship.records import record

UTC = "%{UTC}"  # at the end: the times hold no zone and are always UTC
_SHORTHANDS = {"T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d", "D": "%m/%d/%y", "r": "%I:%M:%S %p", "h": "%b"}
_LONG_MONTHS = "January February March April May June July August September October November December"
_PATTERNS = {
    "Y": r"[0-9]{4}",
    "y": r"[0-9]{2}",
    "m": r"[0-9]{1,2}",
    "d": r"[0-9]{1,2}",
    "e": r"[ 0-9]?[0-9]",
    "j": r"[0-9]{3}",
    "H": r"[0-9]{1,2}",
    "k": r"[ 0-9]?[0-9]",
    "I": r"[0-9]{1,2}",
    "l": r"[ 0-9]?[0-9]",
    "M": r"[0-9]{2}",
    "S": r"[0-9]{2}",
    "f": r"[0-9]{1,9}",
    "L": r"[0-9]{1,9}",
    "p": r"[AaPp][Mm]",
    "b": r"[A-Za-z]{3}",
    "B": r"[A-Za-z]{3,9}",
    "a": r"[A-Za-z]{3}",
    "A": r"[A-Za-z]{6,9}",
    "u": r"[0-9]",
    "w": r"[0-9]",
    "z": r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)",
    "Z": r"(?:UTC|GMT|Z)",
    "s": r"[0-9]{1,11}",
    "Q": r"[0-9]{1,14}",
    "K": r"[0-9]{1,17}",
}
_SAME = {"e": "d", "k": "H", "l": "I", "L": "f", "B": "b", "Z": "z"}  # directives that mean the same
_REFUSED = {
    "c": "depends on the locale",
    "x": "depends on the locale",
    "X": "depends on the locale",
    "E": "depends on the locale",
    "O": "depends on the locale",
    "U": "is a week, not a date",
    "W": "is a week, not a date",
    "V": "is a week, not a date",
    "G": "is the year of a week, write %Y",
    "g": "is the year of a week, write %Y",
    "C": "is a century, write %Y",
    "+": "depends on the system, write its parts",
}
_EXAMPLES = {
    "Y": "2000", "y": "00", "m": "10", "d": "10", "j": "284", "H": "13", "I": "01", "M": "55", "S": "36", "f": "123",
    "p": "PM", "b": "Oct", "z": "-0700", "s": "1718000000", "Q": "1718000000123", "K": "1718000000123456",
    "a": "Tue", "A": "Tuesday", "u": "2", "w": "2",
}  # fmt: skip
_MONTH_NUMBERS = {name.lower(): number for name, number in times.MONTHS.items()} | {
    name.lower(): number for number, name in enumerate(_LONG_MONTHS.split(), 1)
}


@record
class PatternTime:
    """A time written by a strftime format."""

    text: str
    pattern: str  # without groups, to stand inside a line pattern
    capturing: str
    groups: tuple[str, ...]  # the directive letter behind each capturing group
    example: str
    resolution_ms: float
    is_utc: bool = False

    def lacks_zone(self, text: str) -> bool:
        return not self.is_utc and not {"z", "s", "Q", "K"} & set(self.groups)

    def decoder(self, timezone: str) -> DecodeTime:
        compiled = re.compile(self.capturing)
        zone = None if self.is_utc else times.find_zone(timezone)
        groups = self.groups

        def decode(text: str) -> int | None:
            match = compiled.fullmatch(text) if len(text) <= times.MAX_TEXT else None
            if match is None:
                return None
            return _assemble(dict(zip(groups, match.groups(), strict=True)), zone)

        return decode

    def known(self, timezone: str) -> Known:
        return Known.NOTHING


def compile_strftime(text: str, column: int = 0, whole: str | None = None) -> PatternTime:
    """The time format that strftime text describes; `column` and `whole` place errors in the format around it.

    Raises: FormatError naming the directive that can't be read back, or what the time lacks.
    """
    whole = text if whole is None else whole
    is_utc = text.endswith(UTC)
    text = text.removesuffix(UTC)
    parts, groups, example = _translate(text, column, whole)
    _require_complete(groups, text, column, whole)
    bare = "".join(f"(?:{part[1:]}" if part[0] == "(" else part for part in parts)
    return PatternTime(text, bare, "".join(parts), tuple(groups), "".join(example), _resolution_ms(groups), is_utc)


def is_complete(text: str) -> bool:
    """Whether a strftime text alone makes a point in time."""
    try:
        compile_strftime(text)
    except FormatError:
        return False
    return True


def is_readable(text: str) -> bool:
    """Whether a strftime text could be a part of a time: nothing unknown, nothing twice."""
    try:
        _translate(text, 0, text)
    except FormatError:
        return False
    return True


def _translate(text: str, column: int, whole: str) -> tuple[list[str], list[str], list[str]]:
    """The pattern's parts (directives as groups), the directive behind each group, and the parts of an example."""
    parts: list[str] = []
    groups: list[str] = []
    example: list[str] = []
    for piece, at in _directives(text, column, whole):
        if len(piece) == 1 or piece == "%%":
            parts.append(re.escape(piece[-1]))
            example.append(piece[-1])
            continue
        letter = piece[1]
        meaning = _SAME.get(letter, letter)
        if meaning in groups and meaning not in "aAuw":
            raise FormatError(f"{piece} appears twice in the time", text=whole, column=at, width=2)
        parts.append(f"({_PATTERNS[letter]})")
        groups.append(meaning)
        example.append(_EXAMPLES[meaning])
    return parts, groups, example


def _directives(text: str, column: int, whole: str) -> list[tuple[str, int]]:
    """The text as single characters and %-directives with their columns, shorthands spelled out."""
    pieces: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        if text[at] != "%":
            pieces.append((text[at], column + at))
            at += 1
            continue
        letter = text[at + 1 : at + 2]
        place = column + at
        if letter in _SHORTHANDS:
            pieces += [(piece, place) for piece, _ in _directives(_SHORTHANDS[letter], 0, whole)]
        elif letter in {"n", "t"}:
            pieces.append((" " if letter == "n" else "\t", place))
        elif letter == "%" or letter in _PATTERNS:
            pieces.append((f"%{letter}", place))
        else:
            reason = _REFUSED.get(letter, "is no strftime directive")
            raise FormatError(
                f"%{letter} {reason}", text=whole, column=place, width=2,
                hint="use %Y %m %d %b %H %M %S %f %z, or %s for the epoch",
            )  # fmt: skip
        at += 2
    return pieces


def _require_complete(groups: list[str], text: str, column: int, whole: str) -> None:
    has = set(groups)
    if has & {"s", "Q", "K"}:
        return
    lacks, hint = "", ""
    if not has & {"Y", "y"}:
        lacks, hint = "year: without it a log can't be read in January", "let the server log %Y too"
    elif "j" not in has and not {"m", "d"} <= has and not {"b", "d"} <= has:
        lacks, hint = "day", "%d with %m or %b makes one"
    elif "H" not in has and not {"I", "p"} <= has:
        lacks, hint = "hour", "%H, or %I with %p, makes one"
    if lacks:
        said = f"the time {text!r} holds no {lacks}"
        raise FormatError(said, text=whole, column=column, width=max(1, len(text)), hint=hint)


def _resolution_ms(groups: list[str]) -> float:
    if "K" in groups:
        return 0.001
    if "Q" in groups or "f" in groups:
        return 1.0
    return 1000.0 if "S" in groups or "s" in groups else 60_000.0


def _assemble(parts: dict[str, str], zone: tzinfo | None) -> int | None:
    fraction_ms = int((parts["f"] + "00")[:3]) if "f" in parts else 0
    if "Q" in parts:
        return int(parts["Q"])
    if "K" in parts:
        return int(parts["K"]) // 1000
    if "s" in parts:
        return int(parts["s"]) * 1000 + fraction_ms
    day = _date(parts)
    hour = _hour(parts)
    if day is None or hour is None:
        return None
    civil = (day.year, day.month, day.day, hour, int(parts.get("M", "0")), int(parts.get("S", "0")))
    if "z" in parts:
        return times.epoch_ms(*civil, fraction_ms, times.parse_offset_s(parts["z"]))
    return times.epoch_ms(*civil, fraction_ms, 0) if zone is None else times.in_zone(civil, fraction_ms, zone)


def _date(parts: dict[str, str]) -> date | None:
    year = int(parts["Y"]) if "Y" in parts else _full_year(int(parts["y"]))
    try:
        if "j" in parts:
            day = date(year, 1, 1) + timedelta(days=int(parts["j"]) - 1)
            return day if day.year == year else None
        month = int(parts["m"]) if "m" in parts else _MONTH_NUMBERS.get(parts["b"].lower(), 0)
        return date(year, month, int(parts["d"]))
    except (ValueError, OverflowError):
        return None


def _full_year(two_digits: int) -> int:
    return two_digits + (1900 if two_digits >= 69 else 2000)  # POSIX strptime


def _hour(parts: dict[str, str]) -> int | None:
    if "H" in parts:
        return int(parts["H"])
    hour = int(parts["I"])
    if not 1 <= hour <= 12:
        return None
    return hour % 12 + (12 if parts["p"].lower() == "pm" else 0)
