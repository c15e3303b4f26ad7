"""logship's own log: one line per fact, in three forms, repeated warnings folded."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.cli import execute
from logship.process.journal import Journal as NativeJournal
from logship.process.journal import encoded
from logship.process.logs import FOLD_S, FORMATTERS, FoldingHandler, LogFormat, level_of


class Journal:
    """A logger of its own, the text it wrote, and a clock that tests move."""

    def __init__(self, form: LogFormat) -> None:
        self.now_s = 0.0
        self.stream = io.StringIO()
        self.log = logging.Logger("logship.delivery")
        self.handler = FoldingHandler(FORMATTERS[form](), self.stream, lambda: self.now_s)
        self.log.addHandler(self.handler)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def text() -> Iterator[Journal]:
    journal = Journal("text")
    yield journal
    journal.handler.close()


def test_pairs_stand_after_the_sentence_and_are_quoted_when_they_hold_spaces(text: Journal) -> None:
    text.log.info("file found path=%s size_bytes=%d", "/var/log/my log", 17)
    assert text.lines()[0].endswith('INFO    delivery: file found path="/var/log/my log" size_bytes=17')


def test_json_keeps_the_types_of_the_pairs() -> None:
    journal = Journal("json")
    journal.log.error("%s refuses the application id status=%d hint=%s", "api", 401, "look at the id")
    fact = json.loads(journal.lines()[0])
    assert (fact["message"], fact["status"], fact["hint"], fact["level"], fact["part"]) == (
        "api refuses the application id",
        401,
        "look at the id",
        "error",
        "delivery",
    )


def test_journald_gets_a_priority_on_every_line_of_a_traceback() -> None:
    journal = Journal("journald")
    try:
        raise ValueError("broken")
    except ValueError:
        journal.log.exception("sender ended")
    journal.log.info("started")
    assert journal.lines()[0] == "<3>delivery: sender ended"
    assert all(line.startswith("<3>") for line in journal.lines()[:-1])
    assert journal.lines()[-1] == "<6>delivery: started"


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket where the journal's would be."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.settimeout(5)
        yield listening


def entry(datagram: bytes) -> dict[str, str]:
    """The fields of an entry, taken apart as the protocol's page says."""
    fields = {}
    while datagram:
        head, _, rest = datagram.partition(b"\n")
        name, sign, value = head.partition(b"=")
        if not sign:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[9 + size :]
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


def test_a_fact_is_an_entry_of_the_journal_with_its_pairs_as_fields(journald: socket.socket) -> None:
    stream = io.StringIO()
    sent = NativeJournal(journald.getsockname())
    handler = FoldingHandler(FORMATTERS["journald"](), stream, lambda: 0.0, sent)
    log = logging.Logger("logship.tail")
    log.addHandler(handler)
    log.error("unreadable path=%s source=%s status=%d", "/a\nPRIORITY=0\n.log", "shop", 13)
    assert entry(journald.recv(65_536)) == {
        "MESSAGE": r'tail: unreadable path="/a\\x0aPRIORITY=0\\x0a.log" source=shop status=13',
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "logship",
        "LOGSHIP_PART": "tail",
        "PATH": r"/a\x0aPRIORITY=0\x0a.log",
        "SOURCE": "shop",
        "LOGSHIP_STATUS": "13",
    }
    assert stream.getvalue() == ""
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("a thread ended url=%s", "https://api.example.com")
    fields = entry(journald.recv(65_536))
    assert fields["RECEIVER"] == "https://api.example.com"
    assert fields["MESSAGE"].endswith("ValueError: two\nlines")
    handler.close()


def test_what_the_journal_does_not_take_goes_to_the_stream(journald: socket.socket) -> None:
    stream = io.StringIO()
    handler = FoldingHandler(FORMATTERS["journald"](), stream, lambda: 0.0, NativeJournal(journald.getsockname()))
    log = logging.Logger("logship.tail")
    log.addHandler(handler)
    journald.close()
    log.warning("a log is gone path=%s", "/a.log")
    assert stream.getvalue() == "<4>tail: a log is gone path=/a.log\n"
    handler.close()


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(alphabet="AB_\n=", max_size=9))
def test_any_text_comes_out_of_the_protocol_as_it_went_in(text: str, more: str) -> None:
    assert entry(encoded("A", text + more) + encoded("B", more)) == {"A": text + more, "B": more}


def test_a_repeated_warning_is_written_once_a_minute_with_its_count(text: Journal) -> None:
    for second in range(90):
        text.now_s = float(second)
        text.log.warning("receiver down path=%s next_try_s=%.1f", "/events", second * 0.5)
    assert len(text.lines()) == 2
    assert text.lines()[1].endswith(f"repeated={int(FOLD_S) - 1}")


def test_the_count_of_a_warning_that_stopped_is_still_told(text: Journal) -> None:
    text.log.warning("slow")
    text.log.warning("slow")
    text.now_s = FOLD_S + 1
    text.log.info("all is well")
    assert [line.split(": ")[1] for line in text.lines()] == ["slow", "slow repeated=1", "all is well"]


def test_closing_tells_what_is_folded(text: Journal) -> None:
    text.log.warning("slow")
    text.log.warning("slow")
    text.handler.close()
    assert text.lines()[-1].endswith("slow repeated=1")


def test_two_files_are_two_facts_and_infos_are_never_folded(text: Journal) -> None:
    text.log.warning("can't read path=%s", "/a")
    text.log.warning("can't read path=%s", "/b")
    text.log.info("file found path=%s", "/a")
    text.log.info("file found path=%s", "/a")
    assert len(text.lines()) == 4


@pytest.mark.parametrize("form", ["text", "json", "journald"])
@given(value=st.text())
def test_no_value_can_begin_a_line_or_drive_a_terminal(form: LogFormat, value: str) -> None:
    journal = Journal(form)
    journal.log.warning("odd name %s path=%s", value, value)
    journal.handler.close()
    written = journal.stream.getvalue()
    assert written.count("\n") == 1
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in written[:-1])


def test_a_stream_that_is_gone_does_not_stop_the_caller() -> None:
    journal = Journal("text")
    journal.stream.close()
    journal.log.error("disk full")


@pytest.mark.parametrize(("asked", "level"), [({}, 20), ({"LOGSHIP_LOG": "Debug"}, 10), ({"LOGSHIP_LOG": ""}, 20)])
def test_the_environment_says_what_is_logged(asked: dict[str, str], level: int) -> None:
    assert level_of(asked) == level


def test_what_is_no_level_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOGSHIP_LOG", "loud\x1b")
    assert execute(["run"]) == 2
    assert "'loud\\x1b' in LOGSHIP_LOG is no level; use debug, info, warning, error" in capsys.readouterr().err
