"""What rotation makes of a log's name: any part after it, or before its extension, and a compression's ending.

Names only say where to look first and which log a file that nobody knows belongs to; content decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from logship.patterns import deferred
from logship.records import record

SEPARATORS = ".-_~@"
_PACKED = (".gz", ".bz2", ".xz", ".zst")
_CUTS_MAX = 24  # separators of a name that are looked at; no rotation makes more
_INSIDE_DIGITS_MIN = 6  # web-1.log is a log beside web.log; web-202601.log is made of it

_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_WORD = "(?:old|bak|backup|copy|orig|prev|previous|last|yesterday|saved?|rotated|archived?)[0-9]{0,4}"
_PIECE = rf"(?:[0-9]+(?:t[0-9]+)?z?|[0-9]{{1,2}}{_MONTH}[0-9]*|{_MONTH}[0-9]*|{_DAY}|[0-9]{{4}}w[0-9]+|w[0-9]+|{_WORD})"
_MADE = deferred(rf"[-._~@]*(?:{_PIECE}(?:[-._~@:+]+{_PIECE})*)?[-._~@]*", re.IGNORECASE | re.ASCII)
_MAYBE_MADE = deferred(rf"[-._~@](?:[-._~@]|w?[0-9]|\Z|{_MONTH}|{_DAY}|{_WORD})", re.IGNORECASE | re.ASCII)
_MADE_AT_END = deferred(rf"[-._~@](?P<part>(?:{_PIECE}(?:[-._~@:+]+{_PIECE})*)?)\Z", re.IGNORECASE | re.ASCII)
_DATED = deferred(r"(?:19|20)[0-9]{2}(?![0-9])|(?:[^0-9]*[0-9]){6}", re.ASCII)
_ADDRESS = deferred(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", re.ASCII)
_LONG_NUMBER = deferred(r"([0-9a-f]{6,})", re.ASCII)
_NUMBER = deferred(r"[0-9]{1,4}", re.ASCII)


@record
class Former:
    """A name that a file may have had, and the part that rotation would have added to it."""

    name: str
    separator: str
    part: str
    is_inside: bool = False  # the part is before the extension

    @property
    def is_certain(self) -> bool:
        """Whether rotation added it even where the whole name may be a log's of its own."""
        is_number = self.separator == "." and self.part.isdigit()
        if not self.is_inside or is_number or self.part.isalpha():
            return True
        return sum(map(str.isdigit, self.part)) >= _INSIDE_DIGITS_MIN


def is_packed(path: str) -> bool:
    """Whether a name says that its file is compressed."""
    return path.endswith(_PACKED)


def unpacked(name: str) -> str:
    """The name that a compressed file had before."""
    return next((name[: -len(each)] for each in _PACKED if name.endswith(each) and name != each), name)


def formers(name: str, is_wanted: Callable[[str, int, int], object] = lambda name, start, end: True) -> list[Former]:
    """Everything that a file may have been called before rotation, the longest names first.

    `is_wanted` chooses by the part: the name without compression, and the part's start and end in it.
    """
    name = unpacked(name)
    cuts = [at for at, char in enumerate(name) if char in SEPARATORS and at][:_CUTS_MAX]
    end = len(name)
    found = [Former(name[:cut], name[cut], name[cut + 1 :]) for cut in cuts if is_wanted(name, cut + 1, end)]
    dot = name.rfind(".")
    if dot > 0 and not name[dot + 1 :].isdigit():
        found += [
            Former(name[:cut] + name[dot:], name[cut], name[cut + 1 : dot], is_inside=True)
            for cut in cuts
            if cut < dot and is_wanted(name, cut + 1, dot) and any(map(str.isalpha, name[:cut]))
        ]
    return sorted(found, key=lambda each: -len(each.name)) if len(found) > 1 else found


def likely_names(name: str) -> list[Former]:
    """Those names of a file's past whose missing part is what rotation makes, the longest first."""
    made = formers(name, _MADE.fullmatch) if _MAYBE_MADE.search(name) else []
    return [each for each in made if _ADDRESS.fullmatch(each.part) is None and not _is_cut_short(each)]


def linked_names(name: str, extensions: Iterable[str]) -> list[str]:
    """The names that may link to a file with a date for its extension: access.log for access.2026-11-29.

    Source: rotatelogs(8), -L.
    """
    dated = [each.name for each in likely_names(name) if not each.is_inside and _DATED.match(each.part)]
    return [former + extension for extension in extensions for former in dated]


def any_names(name: str) -> list[str]:
    """The names before every kind of part, the longest first."""
    return [each.name for each in formers(name)]


def stem_among(name: str, fits: Callable[[str], bool]) -> str:
    """The name of a file's log, of those that `fits` knows as a log's; the file's own without compression if none is.

    A part that rotation makes is always taken off; any other only from a name that is no log's itself.
    """
    own = next((each for each in (unpacked(name), name) if fits(each)), None)
    for former in likely_names(name):
        if (own is None or former.is_certain) and fits(former.name):
            return former.name
    if own is not None:
        return own
    return next((each for each in any_names(name) if fits(each)), unpacked(name))


def shape_of(name: str) -> re.Pattern[str] | None:
    """What names of the same making look like, as @400000006b0c989c1c1cb56c.s; None without a long number."""
    parts = _LONG_NUMBER.split(unpacked(name))
    if len(parts) < 3:
        return None
    numbers = (f"[0-9a-f]{{{len(part)}}}" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.compile("".join(numbers) + rf"(?:{'|'.join(map(re.escape, _PACKED))})?")


def base_of(stem: str) -> str:
    """A log's name without its extension."""
    dot = stem.rfind(".")
    return stem[:dot] if dot > 0 else stem


def is_relative(name: str, stem: str) -> bool:
    """Whether a name begins with the log's, or with the log's without extension and a separator."""
    base = base_of(stem)
    return name.startswith(stem) or (name.startswith(base) and name[len(base) : len(base) + 1] in ("-", ".", "_"))


def rotation_number(name: str, stem: str) -> int | None:
    """-1 for the log itself, N for its `.N`; None for names by date and others."""
    if name == stem:
        return -1
    plain = unpacked(name)
    if plain.startswith(stem) and plain[len(stem) : len(stem) + 1] in SEPARATORS:
        part = plain[len(stem) + 1 :]
    else:
        part = next((each.part for each in formers(name) if each.name == stem), "")
    return int(part) if _NUMBER.fullmatch(part) else None


def _is_cut_short(former: Former) -> bool:
    """Whether rotation added more than the part: access.log-2026 is no log's name before access.log-2026-11-29."""
    if not former.is_inside:
        return _MADE_AT_END.search(former.name) is not None
    found = _MADE_AT_END.search(base_of(former.name))
    if found is not None and _DATED.match(found["part"]) is not None:
        return True
    return _MADE_AT_END.search(former.name) is not None  # its extension is a part, too: access.log.2026-11-29.bak
