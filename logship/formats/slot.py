"""What a format says about each of its fields, about a line that does not fit, and about a guess."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from logship.fields import Kind
from logship.kernel.program import Known
from logship.records import record

Values = tuple[str, ...]  # '' is absent; what a JSON format logs as no string is its JSON text, a Bare
DecodeTime = Callable[[str], int | None]


class Moment(StrEnum):
    """Which end of the request a time stands for; nginx logs the end, Apache the start unless told otherwise."""

    NONE = ""
    START = "start"
    END = "end"


class TimeFormat(Protocol):
    """How the text of one time field is read."""

    @property
    def resolution_ms(self) -> float:
        """How fine the format is: 1000 for whole seconds, 1 for ms, 0.001 for us; unknown counts as 1."""

    @property
    def example(self) -> str:
        """A time in this format, for messages."""

    @property
    def pattern(self) -> str:
        """A regular expression without groups that every time in this format matches; also RE2 syntax."""

    def decoder(self, timezone: str) -> DecodeTime:
        """A function from the field's text to epoch milliseconds.

        Shapes: the int is rounded down to whole milliseconds; None: no possible time, so the line does not fit.
        `timezone` (an IANA name, '' for UTC) is used for times without a zone. The function is pure: cache it by value.
        Raises: FormatError for a timezone that does not exist.
        """

    def lacks_zone(self, text: str) -> bool:
        """Whether a time is a local one, without an offset; False for what is no time."""

    def known(self, timezone: str) -> Known:
        """What the kernel knows of that function."""


@record
class Slot:
    """One field of a format, in the order of a row's values.

    Shapes: `field` is the canonical name; `spelled` is what the format wrote ('$status', '%>s', a JSON key).
    `time` is set for time kinds only. `part_of` names the field that this one is cut from: a format with
    request_first_line also has request_method, request_url, request_http_ver, all '' where the line holds no request.
    """

    field: str
    kind: Kind
    spelled: str
    moment: Moment = Moment.NONE
    time: TimeFormat | None = None
    part_of: str = ""


@record
class Misfit:
    """Where a line stopped fitting.

    Shapes: `at` is a byte offset into the line (its length: the line ended too early); `expected` says what should have
    stood there, as the format spells it; `fits` of `of` fields fitted before it.
    """

    at: int
    expected: str
    fits: int
    of: int


@record
class Detection:
    """A preset tried on sample lines: `fits` of `of` lines fit."""

    name: str
    fits: int
    of: int
