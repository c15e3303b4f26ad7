"""`logship dead-letters`: what it prints, and letters that arrive after all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from logship.cli import execute
from logship.counters import Counters
from logship.delivery import DeadLetter, DeadLetters
from logship.event import LogFile, transaction_id
from tests.rigs.receiver import Receiver

FIT = b'203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /%d HTTP/1.1" 200 17 "-" "curl/8"'
UNFIT = b"not a line of an access log \x1b[31m"


@dataclass
class Shop:
    """A config with one source, and its store."""

    folder: Path
    receiver: Receiver

    @property
    def config(self) -> Path:
        return self.folder / "logship.yml"

    @property
    def store(self) -> DeadLetters:
        return DeadLetters(self.folder / "state", counters=Counters())

    def write_config(self, rules: str = "") -> None:
        self.config.write_text(
            f"endpoint: {{url: '{self.receiver.url}', application_id: id-1}}\n"
            f"state_dir: {self.folder}/state\norigin: web-1\n"
            f"sources:\n  - name: api\n    paths: [{self.folder}/access.log]\n    format: combined\n"
            f"    mapping: {{extends: default, defaults: {{host: shop.example}}{rules}}}\n"
        )

    def set_aside(self, *lines: bytes, source: str = "api") -> list[str]:
        """Dead letters of these lines; their ids."""
        ids = []
        for position, line in enumerate(lines):
            file = LogFile(0, f"{self.folder}/access.log", source, 77, "web-1")
            letter = DeadLetter(
                transaction_id(line, 77, position), "2026-10-10T13:55:37.000Z", "fits no format", file, position, line
            )
            self.store.append([letter])
            ids.append(letter.id)
        return ids


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    receiver = Receiver()
    shop = Shop(tmp_path, receiver)
    receiver.start()
    shop.write_config()
    return shop


def dead_letters(shop: Shop, *arguments: str) -> int:
    subcommand, *rest = arguments
    return execute(["dead-letters", subcommand, "-c", str(shop.config), *rest])


def test_the_list_names_place_and_reason(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    ids = shop.set_aside(UNFIT)
    assert dead_letters(shop, "list") == 0
    printed = capsys.readouterr().out
    assert ids[0] in printed
    assert f"{shop.folder}/access.log:0" in printed
    assert "1 dead letter," in printed


def test_an_empty_store_is_told_as_such(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert dead_letters(shop, "list") == 0
    assert capsys.readouterr().out.startswith("0 dead letters")


def test_a_shown_line_can_not_move_the_cursor(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    ids = shop.set_aside(UNFIT + "\x7f\x9b\u202e".encode())
    assert dead_letters(shop, "show", ids[0][:8]) == 0
    assert dead_letters(shop, "show", "--json", ids[0]) == 0
    assert dead_letters(shop, "list", "--json") == 0
    printed = capsys.readouterr().out
    assert "not a line of an access log" in printed
    assert not set(printed) & set("\x1b\x7f\x9b\u202e")
    assert json.loads(printed.splitlines()[-1])["id"] == ids[0]


def test_a_letter_is_delivered_once_its_line_fits(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """The same id as ever, so what had arrived after all is not doubled."""
    ids = shop.set_aside(*(FIT % number for number in range(30)))
    assert dead_letters(shop, "retry") == 0
    assert "delivered 30" in capsys.readouterr().out
    assert shop.receiver.ids == ids
    assert list(shop.store) == []


def test_a_retry_tries_only_what_is_named(shop: Shop) -> None:
    ids = shop.set_aside(FIT % 1, FIT % 2, FIT % 3)
    assert dead_letters(shop, "retry", ids[1]) == 0
    assert shop.receiver.ids == [ids[1]]
    assert [letter.id for letter in shop.store] == [ids[0], ids[2]]


def test_a_line_that_still_fits_nothing_stays(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.set_aside(FIT % 1, UNFIT)
    assert dead_letters(shop, "retry") == 1
    assert "delivered 1 · dropped by the mapping 0 · still dead 1" in capsys.readouterr().out
    assert [(letter.raw, letter.reason) for letter in shop.store] == [(UNFIT, "still fits no format")]


def test_an_event_that_is_refused_again_stays_with_its_new_reason(shop: Shop) -> None:
    shop.receiver.refuses = lambda event: event["request"]["uri"].endswith("/2")
    shop.set_aside(FIT % 1, FIT % 2, FIT % 3)
    assert dead_letters(shop, "retry") == 1
    (left,) = shop.store
    assert (left.raw, left.status, left.reason) == (FIT % 2, 400, "the receiver refused it")
    assert json.loads(left.event)["request"]["verb"] == "GET"


def test_what_the_mapping_drops_now_leaves_the_store(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write_config(", rules: [{if: {path: /1}, drop: true}]")
    shop.set_aside(FIT % 1, FIT % 2)
    assert dead_letters(shop, "retry") == 0
    assert "delivered 1 · dropped by the mapping 1" in capsys.readouterr().out
    assert list(shop.store) == []


def test_a_wrong_door_keeps_every_letter_and_says_why(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.receiver.application_ids = {"another"}
    shop.set_aside(FIT % 1, FIT % 2)
    assert dead_letters(shop, "retry") == 1
    assert "the application id is refused" in capsys.readouterr().out
    assert len(shop.store) == 2


def test_a_letter_of_a_source_that_is_gone_stays(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.set_aside(FIT % 1, source="old")
    assert dead_letters(shop, "retry") == 1
    assert "there is no source 'old' any more" in capsys.readouterr().out
    assert len(shop.store) == 1


def test_purge_asks_and_forgets(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    ids = shop.set_aside(UNFIT, FIT % 1)
    assert dead_letters(shop, "purge", "--yes", ids[0]) == 0
    assert [letter.id for letter in shop.store] == [ids[1]]
    assert dead_letters(shop, "purge", "--yes") == 0
    assert "1 dead letter deleted" in capsys.readouterr().out
    assert list(shop.store) == []


def test_an_unknown_or_short_id_is_a_wrong_command(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.set_aside(UNFIT)
    assert dead_letters(shop, "show", "00000000") == 2
    assert dead_letters(shop, "show", "0") == 2
    assert "no dead letter has the id" in capsys.readouterr().err


def test_looking_needs_no_application_id(shop: Shop) -> None:
    shop.config.write_text(shop.config.read_text().replace(", application_id: id-1", ""))
    assert dead_letters(shop, "list") == 0
    assert dead_letters(shop, "purge", "--yes") == 0
