"""`logship run --once`: ships what stands there, ends by itself, and its exit code says whether all is well."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.rigs.daemon import Daemon
from tests.rigs.receiver import Receiver
from tests.rigs.servers import free_port
from tests.rigs.waiting import wait_until

LINE = '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /{} HTTP/1.1" 200 17 "-" "curl/8"\n'
SECRET = "s3cret-application-id"
CONFIG = """
endpoint: {{url: "{url}", application_id: {secret}}}
delivery: {{retry_initial: 10ms, retry_max: 50ms}}
state_dir: {here}/state
origin: web-1
status: null
sources:
  - {{name: site, paths: ["{here}/access.log"], format: combined}}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(application_ids={SECRET}) as receiver:
        yield receiver


def once(
    directory: Path, receiver: Receiver, *lines: str, environ: Mapping[str, str] | None = None, config: str = CONFIG
) -> Daemon:
    """A daemon that ships these lines, from the beginning, once."""
    with (directory / "access.log").open("a") as log:
        log.writelines(lines)
    file = directory / "logship.yml"
    file.write_text(config.format(url=receiver.url, secret=SECRET, here=directory))
    daemon = Daemon(file, directory, arguments=("--once",), environ=environ)
    daemon.start()
    return daemon


def test_everything_is_sent_from_the_beginning_and_nothing_the_second_time(tmp_path: Path, receiver: Receiver) -> None:
    lines = [LINE.format(number) for number in range(3)]
    assert once(tmp_path, receiver, *lines).wait() == 0
    assert len(receiver.events) == 3
    daemon = once(tmp_path, receiver)
    assert daemon.wait() == 0
    assert len(receiver.seen) == 1
    assert "lines 3 = sent 3 + dropped by rule 0" in daemon.log()


@pytest.mark.parametrize(
    ("pattern", "is_alone", "is_matched"),
    [
        ("acess*.log", True, False),
        ("acess.log", False, False),
        ("{acess,other}.log", True, False),
        ("{acess,access}.log", True, True),
    ],
)
def test_a_pattern_that_matches_nothing_is_named_and_ends_it_with_1(
    tmp_path: Path, receiver: Receiver, pattern: str, is_alone: bool, is_matched: bool
) -> None:
    paths = [f"{tmp_path}/{pattern}"] if is_alone else [f"{tmp_path}/access.log", f"{tmp_path}/{pattern}"]
    written = ", ".join(f'"{path}"' for path in paths).replace("{", "{{").replace("}", "}}")
    config = CONFIG.replace('"{here}/access.log"', written)
    daemon = once(tmp_path, receiver, LINE.format("x"), config=config)
    assert daemon.wait() == (0 if is_matched else 1)
    assert (f"no file matches {paths[-1]}" in daemon.log()) is not is_matched
    assert len(receiver.events) == (1 if is_matched or not is_alone else 0)


def test_a_log_of_which_only_rotated_files_are_left_is_matched(tmp_path: Path, receiver: Receiver) -> None:
    assert once(tmp_path, receiver, LINE.format("x")).wait() == 0
    (tmp_path / "access.log").rename(tmp_path / "access.log.1")
    (tmp_path / "logship.yml").write_text(CONFIG.format(url=receiver.url, secret=SECRET, here=tmp_path))
    daemon = Daemon(tmp_path / "logship.yml", tmp_path, arguments=("--once",))
    daemon.start()
    assert daemon.wait() == 0


def test_a_refused_application_id_ends_it_with_1_and_a_hint_and_loses_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.application_ids = {"other"}
    daemon = once(tmp_path, receiver, LINE.format("x"))
    assert daemon.wait() == 1
    assert "401" in daemon.log()
    assert SECRET not in daemon.log()
    receiver.application_ids = {SECRET}
    assert once(tmp_path, receiver).wait() == 0
    assert len(receiver.events) == 1


def test_a_dead_letter_ends_it_with_1(tmp_path: Path, receiver: Receiver) -> None:
    daemon = once(tmp_path, receiver, LINE.format(1), "no log line\n", LINE.format(2))
    assert daemon.wait() == 1
    assert len(receiver.events) == 2
    assert "1 dead letter;" in daemon.log()


def test_a_receiver_that_is_down_is_waited_for_until_sigterm(tmp_path: Path, receiver: Receiver) -> None:
    receiver.stop()
    daemon = once(tmp_path, receiver, LINE.format("x"))
    daemon.wait_for_log("refused")
    assert daemon.is_running()
    assert daemon.terminate() == 1
    assert "1 batch was not delivered; the next run sends it, with 1 waiting line" in daemon.log()
    receiver.start()
    assert once(tmp_path, receiver).wait() == 0
    assert len(receiver.events) == 1


def test_a_log_begun_anew_between_two_runs_ends_it_with_1(tmp_path: Path, receiver: Receiver) -> None:
    assert once(tmp_path, receiver, LINE.format(1), LINE.format(2)).wait() == 0
    (tmp_path / "access.log").write_text(LINE.format(1))
    daemon = once(tmp_path, receiver, LINE.format(3))
    assert daemon.wait() == 1
    assert "LOST 1 B" in daemon.log()
    assert "at least 1 B of the logs were not read and are in no file any more" in daemon.log()
    assert once(tmp_path, receiver).wait() == 0
    assert len(receiver.events) == 3


def test_a_half_written_last_line_is_left(tmp_path: Path, receiver: Receiver) -> None:
    assert once(tmp_path, receiver, LINE.format(1), LINE.format(2)[:30]).wait() == 0
    assert len(receiver.events) == 1
    assert once(tmp_path, receiver, LINE.format(2)[30:]).wait() == 0
    assert len(receiver.events) == 2


def test_a_wrong_config_is_told_with_its_places_and_exit_78(tmp_path: Path) -> None:
    config = tmp_path / "logship.yml"
    config.write_text(
        """endpoint: {url: "ftp://x", application_id: y}
bach: {max_age: 1s}
sources:
  - {paths: ["/var/log/x.log"], format: combind}
"""
    )
    daemon = Daemon(config, tmp_path)
    daemon.start()
    assert daemon.wait() == 78
    said = daemon.log()
    assert f"{config}:1:17: endpoint.url: 'ftp://x' is not http(s)" in said
    assert f"{config}:2:1:" in said
    assert "did you mean 'batch'" in said
    assert f"{config}:4:41:" in said
    assert "did you mean 'combined'" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("module", "method"),
    [
        ("logship.delivery.exchange", "Exchange.perform"),
        ("logship.delivery.senders", "SenderPool._watch_once"),
        ("logship.tail.hints", "_Handler.dispatch"),
        ("watchdog.observers.inotify", "InotifyEmitter.queue_events"),
        ("logship.status.server", "_Server.serve_forever"),
    ],
)
def test_a_daemon_ends_loudly_when_a_thread_of_it_fails(
    tmp_path: Path, receiver: Receiver, module: str, method: str
) -> None:
    """Also where the thread only helps, as the one that hears of changed files: nobody would mend it."""
    owner = method.partition(".")[0]
    (tmp_path / "sitecustomize.py").write_text(
        f"from {module} import {owner}\ndef fail(*_, **__): raise RuntimeError('planted')\n{method} = fail\n"
    )
    text = CONFIG.format(url=receiver.url, secret=SECRET, here=tmp_path)
    config = tmp_path / "logship.yml"
    config.write_text(text.replace("status: null", f'status: {{listen: "127.0.0.1:{free_port()}"}}'))
    log = tmp_path / "access.log"
    log.touch()
    with Daemon(config, tmp_path, environ={"PYTHONPATH": str(tmp_path)}) as daemon:
        wait_until(lambda: "ready" in daemon.log() or not daemon.is_running(), what="the daemon's first look")
        with log.open("a") as file:
            file.write(LINE.format("x"))
        assert daemon.wait() == 1
    assert "RuntimeError: planted" in daemon.log()
    assert "Traceback" in daemon.log()


def test_a_damaged_archive_is_named_and_ends_it_with_1_after_what_stands_before(
    tmp_path: Path, receiver: Receiver
) -> None:
    """No second look would read more of it."""
    member = gzip.compress("".join(LINE.format(number) for number in range(3)).encode())
    (tmp_path / "access.log.1.gz").write_bytes(member + b"JUNK" + member)
    config = tmp_path / "logship.yml"
    settings = CONFIG.format(url=receiver.url, secret=SECRET, here=tmp_path)
    config.write_text(settings.replace("access.log", "access.log*"))
    daemon = Daemon(config, tmp_path, arguments=("--once",))
    daemon.start()
    assert daemon.wait() == 1
    assert len(receiver.events) == 3
    assert "access.log.1.gz: damaged gz: what follows at byte" in daemon.log()
