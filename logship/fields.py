"""The vocabulary of fields."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a field's value is; the text of every kind may also be '-' or '' for absent."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    STATUS = "status"  # an integer of three digits
    ADDRESS = "address"  # IPv4, IPv6, a host name, `unix:`, with or without a port
    LIST = "list"  # `a, b : c`, as nginx writes upstreams and proxies write X-Forwarded-For
    REQUEST_LINE = "request line"
    DURATION_S = "seconds"
    DURATION_MS = "milliseconds"
    DURATION_US = "microseconds"
    DURATION_NS = "nanoseconds"
    TIME = "time"  # as its slot's TimeFormat says
    TIME_CLF = "CLF time"  # 10/Oct/2000:13:55:36 -0700
    TIME_ISO = "ISO 8601 time"
    EPOCH_S = "epoch seconds"
    EPOCH_MS = "epoch milliseconds"
    EPOCH_US = "epoch microseconds"

    @property
    def is_time(self) -> bool:
        return self in _TIMES

    @property
    def is_duration(self) -> bool:
        return self in _DURATIONS


_TIMES = frozenset({Kind.TIME, Kind.TIME_CLF, Kind.TIME_ISO, Kind.EPOCH_S, Kind.EPOCH_MS, Kind.EPOCH_US})
_DURATIONS = frozenset({Kind.DURATION_S, Kind.DURATION_MS, Kind.DURATION_US, Kind.DURATION_NS})
