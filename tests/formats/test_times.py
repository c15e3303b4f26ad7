"""Times are right to the millisecond, wherever and whenever they were written, and impossible ones are none."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import FormatError
from logship.formats import compile_format, read_spec
from logship.formats.strftime import compile_strftime
from logship.formats.times import AnyTime, ClfTime, EpochTime, IsoTime
from tests.formats.writing import EARLIEST, write_clf

FLUENT_BIT = Path(__file__).parents[1] / "corpora" / "fluent-bit"
CASES = [json.loads(line) for line in (FLUENT_BIT / "time_lookup.jsonl").read_text().splitlines()]
any_time = AnyTime().decoder("UTC")
clf = ClfTime().decoder("UTC")
iso = IsoTime().decoder("UTC")
zones = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
moments = st.datetimes(EARLIEST, timezones=zones)


def epoch_ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(moments)
def test_a_clf_time_is_the_moment_it_names_in_any_zone(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert clf(write_clf(whole, f"{whole:%z}")) == epoch_ms(whole)


@given(moments, st.integers(0, 9), st.sampled_from(["T", "t", " "]))
def test_an_iso_time_is_the_moment_it_names_whatever_its_fraction(moment: datetime, digits: int, between: str) -> None:
    nanoseconds = f"{moment.microsecond:06d}789"[:digits]
    written = f"{moment:%Y-%m-%d}".zfill(10) + between + f"{moment:%H:%M:%S}" + (f".{nanoseconds}" if digits else "")
    expected = moment.replace(microsecond=int(nanoseconds[:6].ljust(6, "0")) if digits else 0)
    assert iso(f"{written}{moment:%z}") == epoch_ms(expected)
    assert any_time(f"{written}{moment:%z}") == epoch_ms(expected)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("10/Jun/2024:00:00:00 +0530", "2024-06-09T18:30:00+00:00"),
        ("10/Jun/2024:00:00:00 +0545", "2024-06-09T18:15:00+00:00"),
        ("10/Jun/2024:00:00:00 -0330", "2024-06-10T03:30:00+00:00"),
        ("31/Dec/2016:23:59:60 +0000", "2017-01-01T00:00:00+00:00"),
        ("29/Feb/2024:12:00:00 +0000", "2024-02-29T12:00:00+00:00"),
    ],
)
def test_odd_offsets_and_seconds_are_right(written: str, expected: str) -> None:
    assert clf(written) == epoch_ms(datetime.fromisoformat(expected))


@pytest.mark.parametrize(
    "written",
    [
        "30/Feb/2024:12:00:00 +0000",
        "29/Feb/2023:12:00:00 +0000",
        "00/Jan/2024:12:00:00 +0000",
        "10/Okt/2024:12:00:00 +0000",
        "10/Oct/2024:24:00:00 +0000",
        "10/Oct/2024:12:60:00 +0000",
        "10/Oct/2024:12:00:61 +0000",
        "10/Oct/2024:12:00:00 +2400",
        "10/Oct/2024:12:00:00 +0060",
        "10/Oct/0000:12:00:00 +0000",
        "10/Oct/2024:12:00:00",
        "10/Oct/2024:12:00:00 +0000 ",
        "１０/Oct/2024:12:00:00 +0000",
        "2024-13-01T00:00:00Z",
        "2024-06-10T00:00:00.Z",
        "2024-06-10T00:00:00.1234567890Z",
        "yesterday",
        "1234-",
        "-1",
        "nan",
        "",
    ],
)
def test_an_impossible_time_is_none(written: str) -> None:
    assert any_time(written) is None
    assert clf(written) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1718000000", 1718000000_000),
        ("1718000000.123456789", 1718000000_123),
        ("1718000000.5241024", 1718000000_524),
        ("1718000000123", 1718000000_123),
        ("1718000000123456", 1718000000_123),
        ("1718000000123456789", 1718000000_123),
        ("1.001", 1_001),
        ("0", 0),
        ("-1", None),
        ("true", None),
        ("1" + "0" * 30, None),
        ("[]", None),
        ("", None),
    ],
)
def test_an_epoch_is_told_by_its_size(text: str, expected: int | None) -> None:
    assert any_time(text) == expected


@pytest.mark.parametrize(
    ("number", "moment_ms"),
    [("1718000000", 1718000000_000), ("1718000000.524", 1718000000_524), ("1718000000.5241024", 1718000000_524),
     ("1718000000123", 1718000000_123), ("1.001", 1_001), ("-1", None), ("true", None), ("[1718000000]", None)],
)  # fmt: skip
def test_a_json_log_may_hold_a_time_as_a_number(number: str, moment_ms: int | None) -> None:
    fmt = compile_format(read_spec({"json": {"time_received": "t", "status": "s"}}), {})
    values = fmt.parse(b'{"t":%b,"s":200}' % number.encode())
    assert (None if values is None else any_time(values[0])) == moment_ms


def test_a_time_without_a_zone_is_in_the_sources_zone() -> None:
    berlin = IsoTime().decoder("Europe/Berlin")
    assert berlin("2024-06-10T02:00:00") == berlin("2024-06-10T00:00:00Z")
    assert berlin("2024-01-10T01:00:00") == berlin("2024-01-10T00:00:00Z")
    assert AnyTime().decoder("Asia/Kolkata")("2024-06-10 05:30:00") == iso("2024-06-10T00:00:00Z")


def test_a_zone_that_does_not_exist_is_refused_with_its_name() -> None:
    with pytest.raises(FormatError, match="no time zone 'Europe/Berlim'"):
        IsoTime().decoder("Europe/Berlim")


def test_month_names_do_not_depend_on_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert clf("10/Oct/2000:13:55:36 -0700") == 971211336_000
    assert compile_strftime("%d %b %Y %T").decoder("UTC")("10 Oct 2000 20:55:36") == 971211336_000


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_epoch_unit_comes_to_the_same_moment(unit: str) -> None:
    written = "1718000000" + {"s": "", "ms": "000", "us": "000000", "ns": "000000000"}[unit]
    assert EpochTime(unit).decoder("UTC")(written) == 1718000000_000


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("%d.%m.%Y %T", "10.06.2024 00:00:00", 1717977600_000),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2024-06-10T05:30:00.138633+0530", 1717977600_138),
        ("%Y-%m-%dT%H:%M:%S.%L", "2024-06-10T00:00:00.1", 1717977600_100),
        ("%s", "1717977600", 1717977600_000),
        ("%s.%f", "1717977600.138633", 1717977600_138),
        ("%Q", "1717977600138", 1717977600_138),
        ("%K", "1717977600138633", 1717977600_138),
        ("%y%m%d %I:%M:%S %p", "240610 12:00:00 AM", 1717977600_000),
        ("%A, %d %B %Y %R", "Monday, 10 June 2024 00:00", 1717977600_000),
        ("%j %Y %H", "162 2024 00", 1717977600_000),
        ("%e/%b/%Y %k:%M", " 1/Jun/2024  9:30", 1717234200_000),
        ("%d/%b/%Y 100%% %T", "10/Jun/2024 100% 00:00:00", 1717977600_000),
        ("%d.%m.%Y %T", "31.06.2024 00:00:00", None),
        ("%j %Y %H", "366 2023 00", None),
        ("%d.%m.%Y %T", "10.06.2024", None),
        ("%I %p %F", "13 PM 2024-06-10", None),
    ],
)
def test_strftime_formats_are_read_back(text: str, written: str, expected: int | None) -> None:
    time = compile_strftime(text)
    assert time.decoder("UTC")(written) == expected
    if expected is not None:
        assert re.fullmatch(time.pattern, written)
    assert time.decoder("UTC")(time.example) is not None


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("%d/%c %T", 3, "depends on the locale"),
        ("%d %b %T", 0, "holds no year"),
        ("%Y-%m %T", 0, "holds no day"),
        ("%Y-%m-%d", 0, "holds no hour"),
        ("%Y-%m-%d %T %!", 12, "no strftime directive"),
        ("%Y-%m-%d %T %Y", 12, "appears twice"),
        ("%Y-%m-%d %", 9, "no strftime directive"),
        ("%U %Y %T", 0, "is a week"),
    ],
)
def test_a_time_format_that_cant_be_read_back_is_refused_with_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        compile_strftime(text)
    assert caught.value.column == column


def fluent_bit_formats() -> dict[str, str]:
    conf = (FLUENT_BIT / "json_parsers.conf").read_text(encoding="utf-8")
    return dict(re.findall(r"Name\s+(\S+)[^\[]*?Time_Format\s+(.+)", conf))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fluent_bits_times_come_out_as_it_says(case: dict[str, object]) -> None:
    """Those without a year are refused for that reason: fluent-bit takes them for the present year."""
    text = fluent_bit_formats()[str(case["parser"])]
    if "%Y" not in text:
        with pytest.raises(FormatError, match="holds no year"):
            compile_strftime(text)
        return
    offset = int(str(case["utc_offset_when_absent"]))
    sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
    found = compile_strftime(text).decoder(f"{sign}{minutes // 60:02d}{minutes % 60:02d}")(str(case["time"]))
    assert found is not None
    assert found == int(str(case["epoch"])) * 1000 + round(float(str(case["frac"])) * 1000)


WRITTEN = ["10/Oct/2000:13:55:{} -0730", "2000-10-10T13:55:{}.25-07:30", "2000-10-10T13:55:{}Z"]


@pytest.mark.parametrize("written", WRITTEN)
def test_all_seconds_of_a_minute_are_told_apart(written: str) -> None:
    decode = AnyTime().decoder("UTC")
    found = [decode(written.format(f"{second:02}")) for second in (0, 7, 59, 60, 7)]
    assert found[0] is not None
    assert found == [found[0] + second * 1000 for second in (0, 7, 59, 60, 7)]
    assert [decode(written.format(odd)) for odd in ("61", "6", "-1", "  ", "1a", "٣٤")] == [None] * 6
