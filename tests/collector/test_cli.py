"""The commands as they are typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from logship.cli.collector import command as collector_command
from logship.cli.collector_erase import command as erase_command
from logship.collector import CollectorServer, stored_events
from logship.errors import LogshipError, UsageError
from tests.collector.sending import event, many, post
from tests.collector.test_crash import process


def test_a_users_events_are_erased_beside_a_running_collector(collector: CollectorServer) -> None:
    post(collector.url, [*many(4), *many(3, first=50, user_id="ann")])
    done = CliRunner().invoke(erase_command, ["--store", collector.store, "--user-id", "ann"], input="y\n")
    assert "erased 3 events" in done.output
    assert len(collector.events()) == 4
    post(collector.url, [event(60, user_id="eve")])
    done = CliRunner().invoke(erase_command, ["--store", collector.store, "--user-id", "eve"], input="y\n")
    assert "Erase 1 event of user 'eve'?" in done.output
    assert "erased 1 event of user 'eve'" in done.output
    assert post(collector.url, [event(99)]).status_code == 201
    again = CliRunner().invoke(erase_command, ["--store", collector.store, "--user-id", "ann", "--yes"])
    assert "nothing of user 'ann'" in again.output


def test_what_was_erased_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    store = tmp_path / "events.db"
    with CollectorServer(store=str(store)) as collector:
        post(collector.url, [event(1, user_id="ann-of-green-gables"), event(2)])
    CliRunner().invoke(erase_command, ["--store", str(store), "--user-id", "ann-of-green-gables", "--yes"])
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"items/2" in left
    assert b"ann-of-green-gables" not in left


def test_an_id_that_no_shell_can_type_is_given_as_json(collector: CollectorServer) -> None:
    post(collector.url, [event(1, user_id="a\x00b"), event(2, user_id="a\ufffdb"), event(3)])
    options = ["--store", collector.store, "--yes"]
    done = CliRunner().invoke(erase_command, [*options, "--json", "--user-id", '"a\\u0000b"'])
    assert "erased 1 event of user 'a\\x00b'" in done.output
    assert sorted(one.get("user_id", "") for one in collector.events()) == ["", "a\ufffdb"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([""], "events without a user are nobody's to erase"),
        (["\udcff"], "not UTF-8"),
        (["--json", "7"], "not a JSON text"),
        (["--json", "ann"], "not JSON"),
        (["--json", '""'], "events without a user"),
    ],
)
def test_what_is_no_id_erases_nobody(collector: CollectorServer, options: list[str], said: str) -> None:
    post(collector.url, [event(1), event(2, user_id="?")])
    arguments = ["--store", collector.store, "--yes", *options[:-1], "--user-id", options[-1]]
    done = CliRunner().invoke(erase_command, arguments)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert len(collector.events()) == 2


def test_a_misspelt_store_is_not_made(tmp_path: Path) -> None:
    done = CliRunner().invoke(erase_command, ["--store", str(tmp_path / "no.db"), "--user-id", "ann", "--yes"])
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "no.db").exists()


@pytest.mark.parametrize("listen", ["8080", "localhost", "localhost:http", ":99999"])
def test_a_wrong_address_is_told(listen: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(collector_command, ["--listen", listen, "--store", str(tmp_path / "e.db")])
    assert isinstance(done.exception, UsageError)


def test_a_taken_port_is_told(collector: CollectorServer, tmp_path: Path) -> None:
    listen = collector.url.removeprefix("http://")
    done = CliRunner().invoke(collector_command, ["--listen", listen, "--store", str(tmp_path / "e.db")])
    assert isinstance(done.exception, LogshipError)
    assert "in use" in str(done.exception)


def test_a_file_that_is_no_store_is_told_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "access.log"
    text.write_text("127.0.0.1 - - \n" * 100)
    done = CliRunner().invoke(collector_command, ["--listen", "127.0.0.1:0", "--store", str(text)])
    assert isinstance(done.exception, LogshipError)
    assert text.read_text() == "127.0.0.1 - - \n" * 100


def test_a_store_in_no_directory_is_told_so(tmp_path: Path) -> None:
    command = ["--store", str(tmp_path / "missing" / "events.db"), "--listen", "127.0.0.1:0"]
    done = CliRunner().invoke(collector_command, command)
    assert isinstance(done.exception, LogshipError)
    assert "there is no such directory" in str(done.exception)


def test_a_prefix_stands_before_every_path(tmp_path: Path) -> None:
    store = tmp_path / "events.db"
    with process(store, "--path-prefix", "/collector") as (_, url):
        assert url.endswith("/collector")
        assert post(url, [event(1)]).status_code == 201
        assert post(url.removesuffix("/collector"), [event(2)]).status_code == 404
    assert len(stored_events(store)) == 1


def test_each_family_of_paths_has_its_limit(tmp_path: Path) -> None:
    with process(tmp_path / "e.db", "--max-bytes", "1000", "--max-bytes-v1", "2000") as (_, url):
        padded = event(1, metadata={"pad": "x" * 1_000})
        assert post(url, [padded], path="/moesifapi/events/batch").status_code == 413
        assert post(url, padded, path="/moesifapi/events").status_code == 413
        assert post(url, [padded]).status_code == 201
        for path in ("events", "users", "companies", "subscriptions", "actions"):
            answer = post(url, b" " * 2_001, path=f"/v1/{path}")
            assert (answer.status_code, "2000" in answer.json()["message"]) == (413, True), path


def test_a_batch_of_actions_has_the_limit_of_the_service(collector: CollectorServer) -> None:
    assert post(collector.url, b" " * 15_000_001, path="/v1/actions/batch").status_code == 413
    assert post(collector.url, b" " * 15_000_001 + b"[]", path="/v1/users/batch").status_code == 201


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [("starlette", ["--listen", "127.0.0.1:0"], "collector"), ("psycopg", ["--store", "postgresql://x/y"], "postgres")],
)
def test_a_missing_extra_is_told_with_what_to_install(missing: str, arguments: list[str], extra: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from logship.cli import main; main()"
    command = [sys.executable, "-c", program, "collector", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{missing}" in done.stderr
    assert extra in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_is_looked_up_without_the_extra() -> None:
    program = "import sys, logship.cli.collector; sys.exit('starlette' in sys.modules or 'uvicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
