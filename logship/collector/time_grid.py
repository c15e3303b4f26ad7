"""Where the bars of a chart begin: at round times of the clock that a reader looks at."""

from __future__ import annotations

from datetime import date, datetime, tzinfo

import numpy as np

from logship.collector.columns import Array
from logship.collector.times import local_time
from logship.records import record

MINUTE_S, DAY_S = 60, 86_400
MAX_BARS = 96
MAX_PLACES = 10_000
NICE_STEPS_S = (60, 300, 900, 3_600, 7_200, 21_600, 86_400, 604_800, 2_592_000, 7_776_000, 31_536_000)
FIRST_DAY = date(1970, 1, 1).toordinal()


@record
class TimeGrid:
    """Bars of `step_s` seconds.

    Shapes: `zone` None is UTC. Bars of days begin at the zone's midnights, whatever its clocks do: such a day has 23 to
    25 hours. Shorter ones all have the same length; `offset_s` is how far the zone is ahead of UTC at the first one.
    """

    step_s: int
    zone: tzinfo | None = None
    offset_s: int = 0

    @classmethod
    def over(cls, first_ms: int, until_ms: int, zone: tzinfo | None = None) -> TimeGrid:
        """The finest grid that gives about MAX_BARS bars at most."""
        step_s = nice_step(max((until_ms - first_ms) // 1000, 1))
        return cls(step_s, zone, offset_s(first_ms, zone) if step_s % DAY_S else 0)

    def placed(self, times_ms: Array) -> tuple[Array, Array]:
        """The starts of bars in seconds since 1970, and for each time the index of its bar.

        Shapes: `times_ms` are at least one; the starts are in order, and those of all bars between but where times are
        too far apart, as hostile ones are.
        """
        times_ms = times_ms.astype(np.int64, copy=False)
        if self._has_days:
            first_s, last_s = int(times_ms.min()) // 1000, int(times_ms.max()) // 1000
            edges = np.array(self.starts(first_s, last_s), np.int64)
            return edges, np.searchsorted(edges, times_ms // 1000, "right") - 1
        step_ms, ahead_ms = self.step_s * 1000, self.offset_s * 1000
        first, last = ((int(one) + ahead_ms) // step_ms for one in (times_ms.min(), times_ms.max()))
        since_ms = times_ms - (first * step_ms - ahead_ms)
        if (last - first + 1) * step_ms <= 1 << 32:  # a sixth of what dividing longer numbers takes
            places = since_ms.astype(np.uint32) // np.uint32(step_ms)
        else:
            places = since_ms // step_ms
        if last - first < MAX_PLACES:
            used = np.arange(first, last + 1)
        else:
            used, places = np.unique(places, return_inverse=True)
            used = used.astype(np.int64) + first
        return used * self.step_s - self.offset_s, places

    def starts(self, first_s: int, last_s: int) -> list[int]:
        """The starts of all bars from the one that holds `first_s` to the one that holds `last_s`."""
        if not self._has_days:
            first_s = (first_s + self.offset_s) // self.step_s * self.step_s - self.offset_s
            return list(range(first_s, last_s + 1, self.step_s))
        days = self.step_s // DAY_S
        first, last = (self._day(one) // days * days for one in (first_s, last_s))
        return sorted({self._midnight_s(day) for day in range(first, last + 1, days)})  # Samoa once left a day out

    def following(self, start_s: int) -> int:
        """The start of the next bar."""
        if not self._has_days:
            return start_s + self.step_s
        days = self.step_s // DAY_S
        return self._midnight_s((self._day(start_s) // days + 1) * days)

    @property
    def _has_days(self) -> bool:
        return self.zone is not None and self.step_s % DAY_S == 0

    def _day(self, time_s: int) -> int:
        """The number of the day, in the zone, since 1970."""
        guess = time_s // DAY_S
        return next(day for day in (guess + 1, guess, guess - 1, guess - 2) if self._midnight_s(day) <= time_s)

    def _midnight_s(self, day: int) -> int:
        """Where a day begins in the zone; in UTC where the calendar has no such day."""
        try:
            midnight = datetime.combine(date.fromordinal(FIRST_DAY + day), datetime.min.time(), self.zone)
            return int(midnight.timestamp())
        except (ValueError, OverflowError):
            return day * DAY_S


def nice_step(span_s: int) -> int:
    """A round width of bars that gives at most MAX_BARS of them."""
    fitting = (step for step in NICE_STEPS_S if step * MAX_BARS >= span_s)
    return next(fitting, -(-span_s // MAX_BARS // DAY_S) * DAY_S)


def offset_s(time_ms: int, zone: tzinfo | None) -> int:
    """How far a zone is ahead of UTC at a time; 0 where the calendar ends."""
    offset = local_time(time_ms, zone).utcoffset()
    return round(offset.total_seconds()) if offset else 0
