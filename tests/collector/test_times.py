"""Durations read well from a millisecond to days; an event's URI is shown as far as a page can."""

from __future__ import annotations

import subprocess
import urllib.request

import pytest

from logship.collector import CollectorServer
from logship.collector.event_view import curl_of
from logship.collector.templates import spread_of
from logship.collector.times import day_of, rate, read_moment, short_duration
from tests.collector.sending import event, post


@pytest.mark.parametrize(
    ("duration_ms", "shown"),
    [
        (None, "–"), (0, "0 ms"), (0.4, "0.4 ms"), (1.4142, "1.4 ms"), (9.96, "10 ms"), (-5_000, "-5000 ms"),
        (999, "999 ms"), (1_240, "1.24 s"), (60_000, "1.0 min"), (7_140_000, "119.0 min"),
        (7_200_000, "2.0 h"), (172_000_000, "47.8 h"), (172_800_000, "2.0 d"), (864_000_000, "10.0 d"),
    ],
)  # fmt: skip
def test_a_duration_has_the_unit_that_people_would_use(duration_ms: float | None, shown: str) -> None:
    assert short_duration(duration_ms) == shown


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-12", "12 Nov"),
        ("2025-11-12", "12 Nov 2025"),
        ("2037-11-12", "12 Nov 2037"),
        ("0001-01-01", "01 Jan 1"),
    ],
)
def test_a_day_of_another_year_has_its_year(time: str, shown: str) -> None:
    assert day_of(read_moment(time), None, read_moment("2026-11-30")) == shown


@pytest.mark.parametrize(
    ("requests", "span_s", "shown"),
    [
        (1, 86_400, "1.0 per day"),
        (1, 4 * 31_557_600, "0.2 per year"),
        (6_113, 56 * 31_557_600, "109 per year"),
        (90, 60, "1.5 per second"),
        (30, 3_600, "30.0 per hour"),
    ],
)
def test_a_rate_is_a_number_that_one_can_picture(requests: int, span_s: int, shown: str) -> None:
    assert rate(requests / span_s) == shown


def test_each_bar_of_durations_says_what_it_holds() -> None:
    texts = [text for _, _, text in spread_of(((0.0, 2), (1.04, 3), (1.5, 1), (100.0, 4)))]
    assert texts[:2] == ["at most 1.4 ms: 5 requests", "1.4 ms to 2 ms: 1 request"]
    assert texts[-1] == "91 ms to 128 ms: 4 requests"
    assert [text for _, _, text in spread_of(((100.0, 1),))] == ["91 ms to 128 ms: 1 request"]


@pytest.mark.parametrize(
    ("verb", "body", "asked"),
    [
        ("GET", "it's \u202e x\u2069", ["-g", "-X", "GET", "-H", "A;", "--data-raw", "it's \u202e x\u2069"]),
        ("HEAD", None, ["-g", "--head", "-H", "A;"]),
    ],
)
def test_a_shell_takes_the_command_as_what_was_asked_and_people_see_it_in_order(
    verb: str, body: str | None, asked: list[str]
) -> None:
    command = curl_of({"verb": verb, "headers": {"A": ""}, "body": body, "uri": "https://x/\u202e"})
    assert "\u202e" not in command
    shell = ["bash", "-c", f"curl() {{ printf '%s\\0' \"$@\"; }}; {command}"]
    seen = subprocess.run(shell, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}).stdout.decode()
    assert seen.split("\0")[:-1] == [*asked, "--url", "https://x/\u202e"]


def test_a_long_uri_is_shortened_above_the_event_and_whole_in_its_json(collector: CollectorServer) -> None:
    long = event(1)
    long["request"]["uri"] = "https://shop.example/" + "x" * 10_000
    post(collector.url, [long])
    with urllib.request.urlopen(f"{collector.url}/events/1") as answer:
        text = answer.read().decode()
    heading = text.partition("<h2>")[2].partition("</h2>")[0]
    assert "… <small" in heading
    assert "10,021 characters" in heading
    assert len(heading) < 1_000
    assert "x" * 10_000 in text
