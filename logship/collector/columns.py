"""Events as columns of numbers: what a filter or a figure needs is a few arrays, whatever else the events hold.

A text column is an array of codes with the texts they mean, so that a filter compares numbers and a list counts them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TEXTS: Final = ("verb", "path", "route", "user_id", "source", "client", "company", "host", "agent", "referrer")
NUMBERS: Final = ("id", "time_ms", "status", "duration_ms", "weight")
NAMES: Final = NUMBERS + TEXTS  # in the order of a row that `packed` takes
NO_STATUS = -1
BUCKETS = 256
BUCKET_GROWTH = 1.085  # of durations: a percentile is at most 4.2 % off
NO_DURATION = BUCKETS - 1  # the bucket of events without one
EXACT = 1 << 53  # above, not every whole number is a float
LENGTHS = struct.Struct("<II")  # of an array and of its bytes
EIGHT = 8  # letters that are compared at once
SEPARATOR = b"\0"  # of the texts of a column, which hold none

Array = NDArray[Any]
Packed = dict[str, bytes]


class GoneError(Exception):
    """A segment was merged or rewritten while it was read; its events are in another one."""


def packed(columns: Mapping[str, Sequence[Any]]) -> Packed:
    """The columns of some events as bytes, by name; `NAME.texts` are the texts of a text column.

    Shapes: a sequence for each of NAMES, all equally long; None is no text, no status, no duration.
    """
    made: Packed = {}
    for name in TEXTS:
        made[name], made[f"{name}.texts"] = packed_texts(columns[name])
    statuses = [NO_STATUS if status is None else status for status in columns["status"]]
    durations = np.array([np.nan if one is None else one for one in columns["duration_ms"]], np.float64)
    made["id"] = packed_numbers(np.array(columns["id"], np.int64))
    made["time_ms"] = packed_numbers(np.array(columns["time_ms"], np.int64))
    made["status"] = packed_numbers(np.array(statuses, np.int64))
    made["weight"] = packed_numbers(np.array(columns["weight"], np.int64))
    made["duration_ms"] = packed_numbers(durations)
    made["bucket"] = packed_numbers(buckets_of(durations))
    return made


def packed_texts(texts: Sequence[str | None]) -> tuple[bytes, bytes]:
    """The codes of texts, and the texts in the order of their codes."""
    codes = {text: code for code, text in enumerate(dict.fromkeys(texts))}
    if None in codes and "" in codes:  # both are no text
        codes = {text: code for code, text in enumerate(dict.fromkeys(text or "" for text in texts))}
        codes[None] = codes[""]
    array = np.fromiter(map(codes.__getitem__, texts), np.int64, len(texts))
    ordered = sorted({code: text or "" for text, code in codes.items()}.items())
    return packed_numbers(array), joined([text.encode() for _, text in ordered])


def joined(texts: Iterable[bytes]) -> bytes:
    return SEPARATOR + b"".join(text.replace(SEPARATOR, b"\xef\xbf\xbd") + SEPARATOR for text in texts)


def packed_numbers(numbers: Array) -> bytes:
    """Their type as one character, then they themselves: of the smallest type that fits, once if all are equal."""
    if numbers.dtype.kind == "f" and (numbers == np.floor(numbers)).all() and np.abs(numbers).max(initial=0) <= EXACT:
        numbers = numbers.astype(np.int64)  # milliseconds mostly: two bytes instead of eight
    if len(numbers) and (numbers == numbers[0]).all():
        numbers = numbers[:1]
    elif len(numbers) and numbers.dtype.kind == "i":
        lowest, highest = int(numbers.min()), int(numbers.max())
        kinds = "BHI" if lowest >= 0 else "bhi"
        kind = next((one for one in kinds if np.iinfo(one).min <= lowest and highest <= np.iinfo(one).max), "q")
        numbers = numbers.astype(kind)
    return numbers.dtype.char.replace("l", "q").encode() + numbers.tobytes()


def numbers_of(data: bytes, count: int) -> Array:
    """The array that `packed_numbers` packed; read only."""
    array = np.frombuffer(
        data[1:], chr(data[0])
    )  # a copy: numbers of two bytes or more at odd places are slow to index
    return array if len(array) == count else np.broadcast_to(array, count)


def packed_arrays(*arrays: Array) -> bytes:
    """Some arrays of any lengths as one piece."""
    made = [(len(one), packed_numbers(one)) for one in arrays]
    return b"".join(LENGTHS.pack(length, len(data)) + data for length, data in made)


def arrays_of(data: bytes) -> list[Array]:
    """The arrays that `packed_arrays` packed; read only."""
    found: list[Array] = []
    at = 0
    while at < len(data):
        length, size = LENGTHS.unpack_from(data, at)
        at += LENGTHS.size + size
        found.append(numbers_of(data[at - size : at], length))
    return found


def buckets_of(durations: Array) -> Array:
    """The bucket of each duration: 0 is none at all, each further one BUCKET_GROWTH times the one before."""
    with np.errstate(invalid="ignore"):
        steps = np.floor(np.log(np.maximum(durations, 1.0)) / np.log(BUCKET_GROWTH)) + 1
        steps = np.where(durations <= 0, 0, np.minimum(steps, NO_DURATION - 1))
    return np.where(np.isnan(durations), NO_DURATION, steps).astype(np.int64)


def bucket_ms(bucket: int) -> float:
    """The duration in the middle of a bucket."""
    return 0.0 if bucket == 0 else BUCKET_GROWTH ** (bucket - 0.5)


class Segment:
    """Some events of one application as columns, each fetched when it is needed.

    Shapes: arrays are `events` long; `fetch` gives those of the packed columns that there are, by name.
    Raises: GoneError from whatever reads a column that there isn't.
    """

    def __init__(self, events: int, fetch: Callable[[tuple[str, ...]], Packed]) -> None:
        self.events = events
        self._fetch = fetch
        self._data: Packed = {}

    def load(self, *names: str) -> None:
        """Fetches columns together, those of texts with their texts."""
        wanted = [one for name in names for one in ((name, f"{name}.texts") if name in TEXTS else (name,))]
        self._need(tuple(dict.fromkeys(wanted)))

    def _need(self, names: tuple[str, ...]) -> None:
        if not self._has(names):
            raise GoneError

    def _has(self, names: tuple[str, ...]) -> bool:
        missing = tuple(name for name in names if name not in self._data)
        if missing:
            self._data.update(self._fetch(missing))
        return all(name in self._data for name in missing)

    def arrays(self, *names: str) -> list[list[Array]] | None:
        """What `packed_arrays` packed under these names; None where one of them isn't kept, or the segment is gone."""
        return [arrays_of(self._data[name]) for name in names] if self._has(names) else None

    def numbers(self, name: str) -> Array:
        """The numbers of a column, the codes of a text column."""
        self.load(name)
        return numbers_of(self._data[name], self.events)

    def texts(self, name: str) -> list[bytes]:
        """The texts of a text column in the order of their codes."""
        self._need((f"{name}.texts",))
        return self._data[f"{name}.texts"][1:-1].split(SEPARATOR)

    def text_count(self, name: str) -> int:
        """How many texts a text column has."""
        self._need((f"{name}.texts",))
        return self._data[f"{name}.texts"].count(SEPARATOR) - 1

    def code_of(self, name: str, text: str) -> int | None:
        """The code of a text, None when no event here has it."""
        self._need((f"{name}.texts",))
        data = self._data[f"{name}.texts"]
        at = data.find(SEPARATOR + text.encode("utf-8", "replace") + SEPARATOR)
        return None if at < 0 else data.count(SEPARATOR, 0, at)

    def begin_with(self, name: str, prefix: str) -> Array:
        """For each text of a text column, in the order of their codes, whether it begins so."""
        self._need((f"{name}.texts",))
        data, wanted = self._data[f"{name}.texts"], prefix.encode("utf-8", "replace")
        starts = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(SEPARATOR))[:-1] + 1
        padded = data + bytes(len(wanted) + EIGHT)
        eights = np.ndarray(len(data) + len(wanted), "<u8", padded, strides=(1,))  # eight letters from each place on
        left = np.arange(len(starts))
        for at in range(0, len(wanted), EIGHT):  # a separator among them is no letter of the prefix
            piece = wanted[at : at + EIGHT]
            letters = eights[starts[left] + at] & np.uint64((1 << 8 * len(piece)) - 1)
            left = left[letters == np.uint64(int.from_bytes(piece, "little"))]
        found = np.zeros(len(starts), bool)
        found[left] = True
        return found


def held(events: int, columns: Packed) -> Segment:
    """A segment of columns at hand."""
    return Segment(events, lambda names: {name: columns[name] for name in names if name in columns})


def only(segment: Segment, keep: Array) -> Packed:
    """The columns of those events of a segment for which `keep` is true; no text is left that only others had."""
    made: Packed = {}
    for name in (*NUMBERS, "bucket"):
        made[name] = packed_numbers(_widened(segment.numbers(name)[keep]))
    for name in TEXTS:
        used, codes = np.unique(segment.numbers(name)[keep], return_inverse=True)
        texts = segment.texts(name)
        made[name] = packed_numbers(codes.astype(np.int64))
        made[f"{name}.texts"] = joined(texts[code] for code in used.tolist())
    return made


def merged(first: Segment, second: Segment) -> Packed:
    """The columns of both, one after the other."""
    made: Packed = {}
    for name in (*NUMBERS, "bucket"):
        both = (_widened(first.numbers(name)), _widened(second.numbers(name)))
        made[name] = packed_numbers(np.concatenate(both))
    for name in TEXTS:
        codes = {text: code for code, text in enumerate(first.texts(name))}
        translated = np.array([codes.setdefault(text, len(codes)) for text in second.texts(name)], np.int64)
        both = (_widened(first.numbers(name)), translated[second.numbers(name)])
        made[name] = packed_numbers(np.concatenate(both))
        made[f"{name}.texts"] = joined(codes)
    return made


def _widened(numbers: Array) -> Array:
    return numbers if numbers.dtype.kind == "f" else numbers.astype(np.int64)
