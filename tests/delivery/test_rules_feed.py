"""The receiver's rules are asked for, kept, and never lost to a broken answer."""

from __future__ import annotations

import gzip
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from logship.delivery.answer import Failure, FailureKind, RulesPage
from logship.delivery.http import PageTransport, TlsContext, plain
from logship.delivery.rules_feed import POLL_EVERY_S, KnownRules, RulesFeed
from logship.endpoint import Endpoint, Secret
from logship.mapping.remote_rules import RemoteRules
from tests.delivery.plugs import HandClock
from tests.rigs.config_page import BROKEN, ConfigPage
from tests.rigs.receiver import Receiver

RULES = {"sample_rate": 10, "user_sample_rate": {"ann": 0}}
OTHERS = {"sample_rate": 20}


@dataclass
class Pages:
    """What a receiver answers, page by page."""

    page: ConfigPage
    failure: Failure | None = None

    def get(self, path: str, headers: dict[str, str], most_bytes: int) -> RulesPage | Failure:
        assert path == "/v1/config"
        if self.failure:
            return self.failure
        status, body, answered = self.page.answer({name.lower(): value for name, value in headers.items()})
        return RulesPage(status, {name.lower(): value for name, value in answered.items()}, body[:most_bytes])

    def cut(self) -> None: ...


@dataclass
class Answering:
    """A receiver with one answer."""

    page: RulesPage

    def get(self, path: str, headers: dict[str, str], most_bytes: int) -> RulesPage | Failure:
        return self.page

    def cut(self) -> None: ...


@dataclass
class Rig:
    """A feed driven by hand."""

    config: dict[str, Any] = field(default_factory=lambda: dict(RULES))
    known: KnownRules | None = None
    id_file: str = ""

    def __post_init__(self) -> None:
        self.page = ConfigPage(self.config)
        self.pages = Pages(self.page)
        self.clock = HandClock()
        self.kept: list[KnownRules] = []
        endpoint = Endpoint("http://127.0.0.1:1", Secret("my-id", file=self.id_file))
        self.feed = RulesFeed(
            endpoint, self.clock, known=self.known, keep=self.kept.append, wake=lambda: None,
            make_source=lambda: self.pages,
        )  # fmt: skip

    def ask(self, *broken: str) -> None:
        """One try for each broken answer, or one for a good one."""
        for one in broken or ("",):
            self.page.script.extend([one] if one else [])
            self.feed.step(self.pages)


def test_rules_are_taken_once_and_kept_before_they_are_used() -> None:
    rig = Rig()
    assert not rig.feed.status().is_ready
    rig.ask()
    taken = rig.feed.take()
    assert taken is not None
    assert taken.rules == RemoteRules.of(orjson.dumps(RULES))
    assert rig.kept == [taken]
    assert rig.feed.take() is None
    assert rig.page.asked[0]["x-moesif-application-id"] == "my-id"
    assert "if-none-match" not in rig.page.asked[0]


def test_the_next_request_names_the_etag_and_304_changes_nothing_but_the_age() -> None:
    rig = Rig()
    rig.ask()
    first = rig.feed.take()
    rig.clock.now_s += 600
    rig.ask()
    assert rig.page.statuses == [200, 304]
    assert rig.feed.take() is None
    known = rig.feed.status().known
    assert first is not None
    assert known is not None
    assert known.at_s - first.at_s == 600
    rig.page.config = OTHERS
    rig.ask()
    assert rig.feed.take() is not None
    assert [one.rules.rate for one in rig.kept] == [10, 20]


@pytest.mark.parametrize("broken", [name for name in BROKEN if name != "304"])
def test_a_broken_answer_keeps_the_last_good_rules_and_is_said_once(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    rig.ask()
    good = rig.feed.take()
    with caplog.at_level(logging.INFO):
        rig.ask(broken, broken, broken)
    assert rig.feed.status().known == good
    assert rig.feed.status().is_ready
    assert rig.feed.take() is None
    assert rig.feed.status().problem
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.levelname for record in warnings] == ["WARNING"]
    assert "the last good ones stay" in warnings[0].getMessage()
    rig.ask()
    assert rig.feed.status().problem == ""


@pytest.mark.parametrize(
    ("broken", "is_refused"),
    [("500", False), ("garbage", True), ("html", True), ("401", True), ("301", True), ("304", True)],
)
def test_nothing_is_shipped_before_the_rules_are_known_for_the_first_time(
    broken: str, is_refused: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    rig.ask(broken)
    assert not rig.feed.status().is_ready
    assert rig.feed.status().is_refused == is_refused
    assert "nothing is shipped until they are known" in caplog.text
    assert ("ERROR" in caplog.text) == is_refused
    rig.ask()
    assert rig.feed.status().is_ready
    assert not rig.feed.status().is_refused


def test_a_run_begins_with_a_look_at_the_rules_even_where_older_ones_are_known() -> None:
    known = KnownRules(RemoteRules.of(orjson.dumps(OTHERS)), "old", 1.0)
    rig = Rig(known=known)
    assert not rig.feed.status().is_ready
    rig.ask("500")
    assert rig.feed.status().is_ready
    assert rig.feed.adopted == known
    rig = Rig(known=known)
    rig.ask()
    assert rig.feed.status().is_ready
    assert rig.page.asked[0]["if-none-match"] == "old"
    taken = rig.feed.take()
    assert taken is not None
    assert taken.rules.rate == 10


def test_lines_wait_until_the_work_thread_has_taken_the_rules_not_only_until_they_came() -> None:
    rig = Rig()
    rig.ask()
    assert rig.feed.status().is_ready
    assert not rig.feed.is_open
    assert rig.feed.take() is not None
    assert rig.feed.is_open


def test_a_receiver_without_the_page_has_no_rules_until_it_has_some() -> None:
    rig = Rig()
    rig.ask("404")
    assert rig.feed.status().is_ready
    assert rig.feed.take() is None
    assert rig.feed.status().problem == ""
    rig.ask()
    assert rig.feed.take() is not None


@pytest.mark.parametrize("silent", ["says nothing", "only bots"])
def test_an_answer_that_says_nothing_of_rates_takes_none_back(silent: str, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.ask()
    good = rig.feed.take()
    rig.ask(silent)
    assert rig.feed.take() is None
    assert rig.feed.status().known == good
    assert "says nothing of rates, so it takes none back" in caplog.text
    rig.page.config = {"sample_rate": 100}  # this says that nobody is excluded any more
    rig.ask()
    taken = rig.feed.take()
    assert taken is not None
    assert taken.rules.count == 0
    rig.ask(silent)
    assert rig.feed.status().problem == ""


@pytest.mark.parametrize("none", ["says nothing", "only bots", "404"])
def test_where_nothing_was_ever_known_an_answer_without_rates_means_no_rules(none: str) -> None:
    rig = Rig()
    rig.ask(none)
    assert rig.feed.status().is_ready
    assert rig.feed.take() is None
    assert rig.feed.status().problem == ""


def test_while_nothing_is_known_it_is_asked_again_soon_and_then_each_minute() -> None:
    rig = Rig()
    pauses = []
    rig.pages.failure = Failure(FailureKind.CONNECT, "refused")
    for _ in range(9):
        rig.ask()
        pauses.append(rig.feed.pause_s())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    rig.pages.failure = None
    rig.ask()
    assert rig.feed.pause_s() == POLL_EVERY_S
    rig.ask("500")
    assert rig.feed.pause_s() == POLL_EVERY_S


@pytest.mark.parametrize(("status", "header", "pause_s"), [
    (429, "600", 600), (503, "Thu, 01 Jan 1970 00:33:00 GMT", None), (429, "31536000", 3_600),
    (429, "soon", POLL_EVERY_S), (200, "600", POLL_EVERY_S),
])  # fmt: skip
def test_a_receiver_that_asks_for_patience_is_asked_no_sooner(status: int, header: str, pause_s: float | None) -> None:
    rig = Rig()
    rig.ask()
    rig.feed.step(Answering(RulesPage(status, {"retry-after": header}, orjson.dumps(RULES))))
    assert rig.feed.pause_s() == (pause_s or max(POLL_EVERY_S, 33 * 60 - rig.clock.time()))
    rig.ask()
    assert rig.feed.pause_s() == POLL_EVERY_S


@pytest.mark.parametrize("etag", ["", "a b", "x" * 5_000, "\x1b[31m", "é"])
def test_an_etag_that_no_header_should_carry_is_not_sent_back(etag: str) -> None:
    rig = Rig()
    page = RulesPage(200, {"x-moesif-config-etag": etag}, orjson.dumps(RULES))
    rig.feed.step(Answering(page))
    known = rig.feed.status().known
    assert known is not None
    assert known.etag == ""


def test_rules_survive_in_a_note_and_anything_else_there_is_none() -> None:
    known = KnownRules(RemoteRules.of(orjson.dumps(RULES)), "abc", 12.5)
    assert KnownRules.from_note(known.to_note()) == known
    for text in ("", "{}", "[]", "null", '{"config":"[]","etag":"","at_s":0}', '{"config":7,"etag":"","at_s":0}'):
        assert KnownRules.from_note(text) is None


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (gzip.compress(b"{}", mtime=0)[:-3], "gzip", "its gzip is cut"),
        (b"{}", "GZIP", "its gzip is damaged"),
        (b"\x0b\x01\x80{}", "br", "its Content-Encoding is 'br', and none was asked for"),
    ],
)
def test_a_compressed_page_is_read_or_refused_in_words(data: bytes, encoding: str, said: str) -> None:
    assert plain(gzip.compress(b"{}", mtime=0), "x-gzip", 100) == plain(b"{}", "identity", 100) == b"{}"
    assert len(plain(gzip.compress(bytes(9_000_000)), "gzip", 1_000)) == 1_000
    with pytest.raises(ValueError, match=said):
        plain(data, encoding, 100)


def test_an_id_in_a_file_is_read_for_each_try(tmp_path: Path) -> None:
    id_file = tmp_path / "id"
    rig = Rig(id_file=str(id_file))
    rig.ask()
    for text in ("first", "second"):
        id_file.write_text(text)
        rig.ask()
    assert [asked["x-moesif-application-id"] for asked in rig.page.asked] == ["my-id", "first", "second"]


def test_over_http_it_asks_and_hears_of_new_rules_from_answers_to_events() -> None:
    page = ConfigPage(dict(RULES))
    with Receiver(config=page, prefix="/base") as receiver:
        endpoint = Endpoint(receiver.url, Secret("my-id"))
        clock = HandClock()
        transport = PageTransport(endpoint, TlsContext(endpoint), clock)
        feed = RulesFeed(
            endpoint, clock, known=None, keep=lambda known: None, wake=lambda: None, make_source=lambda: transport
        )
        feed.step(transport)
        assert feed.take() is not None
        page.script.append("too big")
        feed.step(transport)
        assert "more than 8,000,000 bytes" in feed.status().problem
        page.config = OTHERS
        feed.hear(page.etag)
        assert feed._bell.is_set()
        page.is_gzipped = True  # as some proxies do, whatever was asked for
        feed.step(transport)
        assert feed.status().problem == ""
        taken = feed.take()
        assert taken is not None
        assert taken.rules.rate == 20
        page.is_gzipped = False
        feed._bell.clear()
        feed.hear(page.etag)
        assert not feed._bell.is_set()
        receiver.stop()
        feed.step(transport)
        assert "refused" in feed.status().problem
        feed.close()
