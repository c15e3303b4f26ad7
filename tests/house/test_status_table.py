"""What `logship status` prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.cli.status_table import lines
from logship.status.advice import Faults, advise
from logship.status.model import Advice, FileReport, FileState, ReceiverReport, SourceReport, Status
from logship.status.stopped import stopped_status
from logship.words import bytes_words, count_words, duration_words

FILE = FileReport(
    "api", "/var/log/nginx/access.log", 1, FileState.OK, 88_100_000, 88_100_000, 0, 0.0, rate=412.4, sent=1_200_000,
    dropped=0, sampled_out=0,
)  # fmt: skip
RECEIVER = ReceiverReport(
    "api.moesif.net", "https://api.moesif.net", "ok", "v1", "gzip", last_status=201, last_success_ago_s=0.4, in_flight=4
)
STATUS = Status(
    "running", "2026-10-10T13:55:36.000Z", "/var/lib/logship", "1.0", uptime_s=259_200.0, origin="web-1", files=(FILE,),
    receivers=(RECEIVER,),
)  # fmt: skip


def plain(status: Status, width: int = 120) -> list[str]:
    return [click.unstyle(line) for line in lines(status, width)]


def test_a_healthy_daemon_takes_four_lines() -> None:
    assert plain(STATUS) == [
        "running 3 d · logship 1.0 · origin web-1",
        "https://api.moesif.net v1 last 201 0.4 s ago · 4 in flight",
        "SOURCE  FILE                       CONFIRMED           LAG         RATE   SENT   DROPPED  SAMPLED OUT",
        "api     /var/log/nginx/access.log  88.1 MB of 88.1 MB  0 B, 0.0 s  412/s  1.2 M  0        0",
    ]


def test_what_is_wrong_stands_below_with_what_to_do() -> None:
    advice = Advice("error", "shop", "401 application id refused for 2 h; nothing is lost", "put the right id in /x")
    held = replace(FILE, state=FileState.HELD, lag_bytes=81_000_000, lag_s=7_200.0)
    shown = plain(replace(STATUS, files=(held,), advice=(advice,), dead_letters=2))
    assert "dead letters 2" in shown[0]
    assert "access.log HELD" in shown[3]
    assert "81.0 MB, 2 h" in shown[3]
    assert shown[4] == "! shop: 401 application id refused for 2 h; nothing is lost; put the right id in /x"


def test_rules_of_the_receiver_stand_beside_it() -> None:
    obeyed = replace(RECEIVER, rules=12, rules_age_s=40.0, kept_share=0.182)
    shown = plain(replace(STATUS, receivers=(obeyed,)))
    assert shown[1] == (
        "https://api.moesif.net v1 last 201 0.4 s ago · 4 in flight · rules: 12 from the receiver, 40 s old, 18 % kept"
    )
    waiting = replace(RECEIVER, state="starting", waits_for_rules=True)
    assert plain(replace(STATUS, receivers=(waiting,)))[1].endswith("waits for the receiver's rules")


@pytest.mark.parametrize(
    ("waits", "severity", "said"),
    [
        (
            True,
            "error",
            "its rules are not known, nothing is sent before they are: GET /v1/config is answered with 401",
        ),
        (False, "warning", "its rules are not available, those of 2 h ago stay: GET /v1/config is answered with 401"),
    ],
)
def test_rules_that_can_not_be_had_are_told(waits: bool, severity: str, said: str) -> None:
    problem = "GET /v1/config is answered with 401"
    receiver = replace(RECEIVER, rules_problem=problem, waits_for_rules=waits, rules_age_s=7_200.0)
    (advice,) = advise((), (receiver,), (), 0, Faults())
    assert advice.severity == severity
    assert said in str(advice)
    status = replace(STATUS, receivers=(receiver,), advice=(advice,))
    assert status.needs_a_person == waits
    assert bool(status.obstacle) == waits


def many(count: int, **changed: object) -> tuple[FileReport, ...]:
    """Idle logs, but for what is changed of all of them."""
    idle = [replace(FILE, path=f"/var/log/{number}.log", generation=number, rate=0.0) for number in range(count)]
    return tuple(replace(file, **changed) for file in idle)  # type: ignore[arg-type]


def test_of_many_files_those_that_need_attention_are_shown_and_the_rest_counted() -> None:
    calm = many(296)
    lost = replace(FILE, path="/var/log/lost.log", lost_bytes=4_200_000)
    behind = replace(FILE, path="/var/log/behind.log", state=FileState.CATCHING_UP, lag_bytes=9_000)
    closed = replace(FILE, path="/var/log/closed.log", state=FileState.UNREADABLE, problem="Permission denied")
    status = replace(STATUS, files=(*calm[:200], behind, lost, closed, *calm[200:]))
    shown = plain(status)
    assert [line.split()[1] for line in shown[3:6]] == [closed.path, lost.path, behind.path]
    assert shown[6:] == ["  296 more files are at their end (--all)"]
    assert len([click.unstyle(line) for line in lines(status, 120, shows_all=True)]) == 3 + 299


def test_the_busiest_of_many_files_fill_the_page() -> None:
    busy = tuple(replace(file, rate=float(file.generation)) for file in many(300))
    shown = plain(replace(STATUS, files=busy))
    assert [line.split()[1] for line in shown[3:23]] == [f"/var/log/{number}.log" for number in range(299, 279, -1)]
    assert shown[23:] == ["  280 more files are at their end (--all)"]


def test_many_files_that_need_attention_are_cut_and_counted() -> None:
    files = (*many(2_000, state=FileState.CATCHING_UP, lag_bytes=1_000), *many(1))
    advice = tuple(Advice("error", "api", f"problem {number}") for number in range(300))
    shown = plain(replace(STATUS, files=files, advice=advice))
    assert len(shown) == 2 + 1 + 100 + 100 + 3
    assert shown[-3:] == [
        "  200 more of these (--all)",
        "  1,900 more files are behind or can't be read, 1.9 MB (--all)",
        "  1 more file is at its end (--all)",
    ]


@pytest.mark.parametrize("count", [1, 20])
def test_a_page_of_files_is_shown_whole(count: int) -> None:
    assert len(plain(replace(STATUS, files=many(count)))) == 3 + count


def test_two_thousand_idle_logs_are_one_line() -> None:
    assert plain(replace(STATUS, files=many(2_000)))[2:] == ["  2,000 files are at their end (--all)"]


def test_lost_bytes_have_a_column_while_there_are_some() -> None:
    shown = plain(replace(STATUS, files=(replace(FILE, lost_bytes=4_200_000), FILE)))
    assert [line.split()[-2:] for line in shown[2:]] == [["OUT", "LOST"], ["4.2", "MB"], ["0", "0"]]


def test_a_stopped_daemon_is_called_stopped() -> None:
    assert plain(replace(STATUS, state="stopped", receivers=()))[0] == "STOPPED · according to /var/lib/logship"


@pytest.mark.parametrize(
    ("config", "action"),
    [
        ("/etc/logship/logship.yml", "start it: systemctl start logship"),
        ("/etc/logship/shop.yml", "start it: systemctl start logship@shop"),
        ("/home/you/my logs.yml", "start it: logship run -c '/home/you/my logs.yml'"),
        ("logship.yml", "start it: logship run -c logship.yml"),
    ],
)
def test_a_stopped_daemon_is_started_as_its_configuration_is(config: str, action: str) -> None:
    shown = stopped_status(
        (), config=Path(config), state_dir="/s", origin="web-1", wall_s=0.0, dead_letters=0, why="Connection refused"
    )
    assert plain(shown)[-1] == f"! the daemon is stopped (Connection refused); {action}"


def test_one_line_for_systemctl_status() -> None:
    assert STATUS.sentence(1, 0) == "1 file, 0 B behind · 0 events sent"
    busy = replace(
        STATUS,
        sources=(SourceReport("api", sent=1_204),),
        receivers=(replace(RECEIVER, state="held", last_error="401 refused"),),
        dead_letters=1,
    )
    assert busy.sentence(2, 81_000_000) == (
        "2 files, 81.0 MB behind · 1,204 events sent · https://api.moesif.net: 401 refused · 1 dead letter"
    )


def test_what_a_stopped_daemon_did_not_keep_is_no_zero() -> None:
    kept = FileReport("api", "/var/log/nginx/access.log", 1, FileState.OK, 812, 812, 0, 0.0)
    row = plain(replace(STATUS, state="stopped", receivers=(), files=(kept,)))[2]
    assert row.split()[-4:] == ["-", "-", "-", "-"]


def test_a_long_path_is_cut_at_its_beginning_to_fit_the_terminal() -> None:
    deep = replace(FILE, path="/srv/" + "very/" * 30 + "access.log")
    shown = plain(replace(STATUS, files=(deep,)), width=100)
    assert len(shown[3]) <= 100
    assert "access.log " in shown[3]
    assert "…" in shown[3]


@given(name=st.text(min_size=1))
def test_no_file_name_can_drive_the_terminal(name: str) -> None:
    odd = replace(FILE, path="/" + name, source=name)
    text = "\n".join(plain(replace(STATUS, files=(odd,), advice=(Advice("error", name, name),))))
    assert not any((ord(char) < 0x20 and char != "\n") or 0x7F <= ord(char) < 0xA0 for char in text)
    assert text.count("\n") == 4


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (88_149_999, "88.1 MB"), (999_600, "1.0 MB"), (2**50, "1.1 PB")],
)
def test_bytes_are_written_in_decimal_units(number: int, words: str) -> None:
    assert bytes_words(number) == words


def test_counts_are_exact_below_a_million() -> None:
    assert [count_words(number) for number in (80_112, 999_999, 9_900_000)] == ["80,112", "999,999", "9.9 M"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "0.3 s"), (42, "42 s"), (119, "119 s"), (300, "5 min"), (7_200, "2 h"), (260_000, "3 d")],
)
def test_durations_are_short_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
