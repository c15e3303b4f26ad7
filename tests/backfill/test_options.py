"""What the options of a backfill promise."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

from logship.backfill.command_line import Target
from logship.backfill.plan import Identity
from logship.clock import iso_time
from logship.config.overrides import Overrides
from logship.errors import UsageError
from tests.backfill.receiver import Receiver
from tests.backfill.world import START_S, World, access_lines, clf, joined, truth, write_old

LINES = access_lines(2_000)
DAY_S = 86_400


def at(second: int) -> str:
    """The moment of a line."""
    return iso_time(START_S + second)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_since_and_until_send_exactly_what_lies_between(world: World, receiver: Receiver, suffix: str) -> None:
    data = joined(LINES)
    path = write_old(world.logs / f"access.log.1{suffix}", gzip.compress(data) if suffix else data)
    inside = world.here(path, since=at(500), until=at(1_200))
    assert (inside.code, inside["sent"], inside["out_of_range"]) == (0, 700, 1_300)
    whole_ids, start = truth(path, LINES), len(joined(LINES[:500]))
    between = {one for one in whole_ids if start <= int(one[-12:], 16) < len(joined(LINES[:1_200]))}
    assert receiver.ids == between
    rest = world.here(path)
    assert rest["sent"] + rest["already_confirmed"] == 2_000
    assert rest["already_confirmed"] >= 600, "all but what shares a few lines' stretch with the bounds"
    assert receiver.ids == whole_ids, "out of range is not confirmed: another run sends it"


def test_a_large_plain_log_is_searched_not_read(world: World) -> None:
    lines = access_lines(30_000)
    spread = [line.replace(clf(START_S + n).encode(), clf(START_S + 60 * n).encode()) for n, line in enumerate(lines)]
    path = write_old(world.logs / "access.log.1", joined(spread))
    summary = world.here(path, since=at(60 * 15_000), until=at(60 * 15_500))
    assert (summary.code, summary["sent"]) == (0, 500)
    assert summary["logs"][0]["unread_bytes"] > path.stat().st_size * 0.7


def test_a_rate_is_kept_and_everything_arrives(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES))
    summary = world.here(path, rate=1_500.0)
    assert (summary.code, receiver.ids) == (0, truth(path, LINES))
    assert summary["elapsed_s"] >= 1.0, "2,000 events at 1,500 a second"


def test_a_dry_run_counts_by_month_shows_unmatched_lines_and_sends_nothing(world: World, receiver: Receiver) -> None:
    times = [clf(START_S + 31 * DAY_S * month).encode() for month in range(3)]
    months = [b'203.0.113.9 - - [%s] "GET / HTTP/1.1" 200 1 "-" "-"' % time for time in times]
    path = write_old(world.logs / "access.log.1", joined([*LINES, b"odd one", *months]))
    summary = world.here(path, is_dry=True)
    assert (summary.code, receiver.posts) == (0, 0)
    assert summary["events_by_month"] == {"2023-11": 2_001, "2023-12": 1, "2024-01": 1}
    assert [(one["line"], one["position"]) for one in summary["first_dead_letters"]] == [
        ("odd one", len(joined(LINES)))
    ]
    assert not (world.directory / "state").exists(), "a dry run confirms nothing and leaves nothing behind"


def test_a_dry_run_after_a_run_says_what_a_second_run_would_do(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES[:500]))
    world.here(path)
    write_old(path, joined(LINES[:700]))
    posts = receiver.posts
    for is_restart, sent, skipped in (False, 200, 500), (True, 700, 0), (False, 200, 500):
        said = world.here(path, is_dry=True, is_restart=is_restart)
        assert (said.code, said["sent"], said["already_confirmed"]) == (0, sent, skipped)
    assert receiver.posts == posts
    second = world.here(path)
    assert (second["sent"], second["already_confirmed"]) == (200, 500)


def test_rules_and_sampling_count_in_the_sum(world: World) -> None:
    (world.directory / "few.yml").write_text(
        "extends: default\nrules:\n  - {name: gone, if: {status: 404}, drop: true}\n  - {name: tenth, sample: 10%}\n"
    )
    path = write_old(world.logs / "access.log.1", joined(LINES))
    summary = world.here(path, overrides=Overrides(mapping=str(world.directory / "few.yml")))
    dropped, sampled = summary["dropped_by_rule"]["gone"], summary["sampled_out"]["tenth"]
    assert dropped == sum(b'" 404 512' in line for line in LINES)
    assert summary["sent"] == 2_000 - dropped - sampled
    assert 100 < summary["sent"] < 200


def test_restart_sends_again_under_the_same_ids_and_new_ids_under_others(world: World, receiver: Receiver) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES))
    ids = truth(path, LINES)
    assert world.here(path)["sent"] == 2_000
    assert world.here(path, is_restart=True)["sent"] == 2_000
    assert (receiver.ids, receiver.repeats) == (ids, 2_000)
    renamed = Identity(label="second try")
    assert world.here(path, identity=renamed)["sent"] == 2_000
    assert len(receiver.ids - ids) == 2_000
    assert world.here(path, identity=renamed)["already_confirmed"] == 2_000, "it is resumable like any other"


def test_copies_get_the_ids_of_their_originals(world: World, receiver: Receiver, tmp_path: Path) -> None:
    copy = write_old(tmp_path / "copies" / "access.log-20231115.gz", gzip.compress(joined(LINES)))
    world.here(copy, identity=Identity(original_dir="/srv/log/nginx", origin="web-7"))
    assert receiver.ids == truth(Path("/srv/log/nginx/access.log"), LINES, origin="web-7")


def test_events_too_old_are_counted_before_the_first_post(tmp_path: Path, receiver: Receiver) -> None:
    world = World(tmp_path, receiver.url, extra="    endpoint: {max_event_age: 30d}\n")
    now = int(time.time()) - START_S
    lines = [*access_lines(700, first=now - 40 * DAY_S), *access_lines(300, first=now - 5 * DAY_S)]
    path = write_old(world.logs / "access.log.1", joined(lines))
    with pytest.raises(UsageError, match=r"700 of the events are older than the 30 days .* --skip-old .* --send-old"):
        world.here(path)
    assert receiver.posts == 0
    skipped = world.here(path, old_events="skip")
    assert (skipped.code, skipped["sent"], skipped["too_old"]) == (0, 300, 700)
    sent = world.here(path, old_events="send", is_restart=True)
    assert (sent["sent"], len(receiver.ids)) == (1_000, 1_000)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_receiver_that_refuses_stops_it_resumably(world: World, receiver: Receiver, status: int) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES))
    receiver.status = status
    refused = world.here(path)
    assert (refused.code, refused["sent"]) == (1, 0)
    assert str(status) in refused["stopped_by"]
    receiver.status = 201
    assert world.here(path)["sent"] == 2_000
    assert receiver.ids == truth(path, LINES)


def test_without_a_configuration_the_format_is_detected_and_said(tmp_path: Path, receiver: Receiver) -> None:
    log = write_old(tmp_path / "logs" / "shop.log.3", joined(LINES))
    (tmp_path / "id").write_text("test-app\n")
    world = World(tmp_path, receiver.url, environ={"XDG_STATE_HOME": str(tmp_path / "state"), "LOGSHIP_CONFIG": ""})
    run = world.bare("--url", receiver.url, "--application-id-file", tmp_path / "id", "--field", "host=a.example", log)
    assert f"note  {log} format detected: combined\n" in run.out
    assert (run.code, len(receiver.ids)) == (0, 2_000)
    assert "lines 2,000 = sent 2,000 + dropped by rule 0" in run.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say where events go: --url URL, or -c FILE, or only look: --dry-run"),
        (["--url", "http://127.0.0.1:9"], "no application id; give --application-id-file FILE, or set"),
        (["--url", "ftp://x"], "--url: 'ftp://x' is not http(s)"),
        (
            ["--url", "http://127.0.0.1:9", "--application-id-file", "/nowhere/id"],
            "--application-id-file: /nowhere/id: No",
        ),
    ],
)
def test_without_a_configuration_the_options_that_are_needed_are_named(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    log = write_old(tmp_path / "logs" / "shop.log.3", joined(LINES[:5]))
    world = World(tmp_path, "", environ={"XDG_STATE_HOME": str(tmp_path / "state"), "LOGSHIP_CONFIG": ""})
    run = world.bare(*arguments, log)
    assert (run.code, run.out) == (2, "")
    assert said in run.err


def test_overrides_change_format_mapping_fields_and_receiver(tmp_path: Path) -> None:
    with Receiver(keeps=True) as receiver:
        world = World(tmp_path, "http://127.0.0.1:9")
        line = b'203.0.113.9 - - [%s] "GET /x HTTP/1.1" 200 5' % clf(START_S).encode()
        path = write_old(world.logs / "access.log.1", joined([line]))
        (tmp_path / "id").write_text("other-app")
        overrides = Overrides(format="common", fields={"host": "shop.example.com"})
        summary = world.here(path, target=Target(receiver.url, tmp_path / "id"), overrides=overrides)
        assert (summary.code, summary["sent"]) == (0, 1)
        (event,) = receiver.events.values()
        assert event["request"]["uri"] == "https://shop.example.com/x"


def test_wrong_options_are_refused_with_what_would_be_right(world: World) -> None:
    path = write_old(world.logs / "access.log.1", joined(LINES[:5]))
    with pytest.raises(UsageError, match="no source 'wep'; did you mean 'web'"):
        world.here(path, overrides=Overrides(source="wep"))
    with pytest.raises(UsageError, match="there is no mapping 'nosuch'"):
        world.here(path, overrides=Overrides(mapping="nosuch"))
    with pytest.raises(UsageError, match="--format: no preset 'combind'; did you mean 'combined'"):
        world.here(path, overrides=Overrides(format="combind"))
    with pytest.raises(UsageError, match="--format: "):
        world.here(path, overrides=Overrides(format="{nginx: '$remote_addr"))
    with pytest.raises(UsageError, match="--url: 'ftp://x' is not http"):
        world.here(path, target=Target("ftp://x", None))
    with pytest.raises(UsageError, match="--application-id-file: /nowhere/id: No such file"):
        world.here(path, target=Target("", Path("/nowhere/id")))
    for arguments in (["--since", "soon", path], ["--field", "host", path], []):
        assert world.run(*arguments).code == 2
