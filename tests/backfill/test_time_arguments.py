"""--since and --until: what people write and what it means."""

from __future__ import annotations

import pytest

from logship.backfill.command_line import moment, shifted
from logship.clock import iso_time
from logship.errors import UsageError

NOW_S = 1_791_640_536.12  # 2026-10-10T13:55:36.120Z


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-10-01", "2026-10-01T00:00:00.000Z"),
        ("2026-10-01 12:30", "2026-10-01T12:30:00.000Z"),
        ("2026-10-01T12:30:00+05:30", "2026-10-01T07:00:00.000Z"),
        ("2026-10-01T12:30:00.5Z", "2026-10-01T12:30:00.500Z"),
        ("7d", "2026-10-03T13:55:36.120Z"),
        ("90m", "2026-10-10T12:25:36.120Z"),
        ("2w", "2026-09-26T13:55:36.120Z"),
    ],
)
def test_a_date_a_time_or_so_long_ago_is_a_moment(text: str, meant: str) -> None:
    assert moment(text, NOW_S) == meant


@pytest.mark.parametrize("text", ["yesterday", "7", "7 parsecs", "2026-13-01", "", "999999w", "0001-01-01T00:00+23:00"])
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(UsageError, match=r"--until: .* is no time; give 2026-10-01"):
        moment(text, NOW_S, "--until")


def test_moments_have_one_width_so_that_they_compare_as_times() -> None:
    assert iso_time(NOW_S) == "2026-10-10T13:55:36.120Z"
    assert len({len(moment(text, NOW_S)) for text in ("2026-10-01", "7d", "0999-01-01")}) == 1
    assert shifted("2026-10-10T13:55:36.120Z", -3600) == "2026-10-10T12:55:36.120Z"
    assert shifted("9999-12-31T23:59:59.000Z", 3600) == "9999-12-31T23:59:59.000Z"
