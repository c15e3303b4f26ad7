"""logship's own log: one line per fact on stderr, as text, as JSON, or for journald.

A fact is a sentence with `key=%s` after it, the values as arguments:

    log.warning("receiver is slow, reading pauses status=%s next_try_s=%.1f", 503, 1.5)

text       2026-10-10T13:55:36.120Z WARNING delivery: receiver is slow, reading pauses status=503 next_try_s=1.5
journald   <4>delivery: receiver is slow, reading pauses status=503 next_try_s=1.5        (sd-daemon(3): priority first)
           and where stderr is the journal, an entry with fields: SOURCE, PATH, RECEIVER, LOGSHIP_STATUS=503 ...
json       {"time":"…","level":"warning","part":"delivery","message":"receiver is slow, reading pauses","status":503,…}

INFO and WARNING need no action (a WARNING never means loss). ERROR needs someone to look: something was lost, or
nothing more happens by itself.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal, TextIO

import orjson

from logship.clock import iso_time
from logship.patterns import deferred
from logship.process.journal import Journal, is_journal

LogFormat = Literal["text", "json", "journald"]

FOLD_S = 60.0  # a repeated warning is written at most once in this time
MAX_FOLDED = 1000  # different warnings remembered for folding; the oldest is dropped first

PAIRS = deferred(r"(?:\s+[a-z_][a-z0-9_]*=%[-0-9.]*[a-zA-Z])+\s*\Z")
PAIR = deferred(r"\s+([a-z_][a-z0-9_]*)=(%[-0-9.]*[a-zA-Z])")
CONTROL = deferred(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
JOURNAL_FIELDS = {"source": "SOURCE", "path": "PATH", "url": "RECEIVER", "receiver": "RECEIVER"}  # others: LOGSHIP_…


def setup_logging(
    form: LogFormat,
    *,
    level: int = logging.INFO,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Sends every log record of the process to `stream` (stderr) in `form`; may be called again.

    Other libraries' records come from WARNING up.
    """
    to = sys.stderr if stream is None else stream
    journal = _journal() if form == "journald" and is_journal(to, os.environ) else None
    handler = FoldingHandler(FORMATTERS[form](), to, clock, journal)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, FoldingHandler):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("logship").setLevel(level)


def _journal() -> Journal | None:
    with suppress(OSError):  # not reachable (a sandbox): the stream leads to it, too, without fields
        return Journal()
    return None


LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def level_of(environ: Mapping[str, str]) -> int:
    """The level in LOGSHIP_LOG, INFO without it. Raises: ValueError for an unknown level."""
    name = environ.get("LOGSHIP_LOG") or "info"
    if name.lower() not in LEVELS:
        raise ValueError(f"'{escaped(name)}' in LOGSHIP_LOG is no level; use {', '.join(LEVELS)}")
    return LEVELS[name.lower()]


def toggle_debug(usual: int) -> int:
    """From any level to DEBUG, from DEBUG to the usual one (INFO where that is DEBUG itself); gives the new level."""
    logger = logging.getLogger("logship")
    is_debug = logger.level == logging.DEBUG
    logger.setLevel((logging.INFO if usual == logging.DEBUG else usual) if is_debug else logging.DEBUG)
    return logger.level


def escaped(text: str) -> str:
    """`text` with control characters as \\xNN or \\uNNNN: nothing in it can drive a terminal or begin a line."""
    return CONTROL.sub(lambda found: _escape(found.group()), text)


def _escape(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def sentence_of(record: logging.LogRecord) -> tuple[str, dict[str, tuple[str, object]]]:
    """The record's sentence, and its pairs as name -> (text as formatted, value)."""
    template, arguments = str(record.msg), record.args
    tail = PAIRS.search(template)
    if not tail or not isinstance(arguments, tuple):
        return record.getMessage(), {}
    pairs: list[tuple[str, str]] = PAIR.findall(tail.group())
    head, values = template[: tail.start()], arguments[len(arguments) - len(pairs) :]
    sentence = head % arguments[: len(arguments) - len(pairs)]
    return sentence, {name: (form % (value,), value) for (name, form), value in zip(pairs, values, strict=True)}


def _quoted(text: str) -> str:
    return orjson.dumps(escaped(text)).decode() if not text or re.search(r'[\s"=]', text) else escaped(text)


def _plain(record: logging.LogRecord) -> str:
    sentence, pairs = sentence_of(record)
    part = record.name.removeprefix("logship.")
    return " ".join((f"{part}: {escaped(sentence)}", *(f"{name}={_quoted(text)}" for name, (text, _) in pairs.items())))


class TextFormatter(logging.Formatter):
    """For people and files: time, level, part, sentence, pairs."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{iso_time(record.created)} {record.levelname:<7} {_plain(record)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JournaldFormatter(logging.Formatter):
    """For journald: the priority in front of every line, no time (the journal has its own)."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(f"<{_priority(record)}>{line}" for line in self._text(record).split("\n"))

    def fields(self, record: logging.LogRecord) -> dict[str, str]:
        """The record as a journal entry: the same text, and each pair as a field."""
        _, pairs = sentence_of(record)
        fields = {
            JOURNAL_FIELDS.get(name, f"LOGSHIP_{name.upper()}"): escaped(text) for name, (text, _) in pairs.items()
        }
        part = record.name.removeprefix("logship.")
        return {
            "MESSAGE": self._text(record), "PRIORITY": str(_priority(record)), "SYSLOG_IDENTIFIER": "logship",
            "LOGSHIP_PART": part, **fields,
        }  # fmt: skip

    def _text(self, record: logging.LogRecord) -> str:
        return _plain(record) + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def _priority(record: logging.LogRecord) -> int:
    return next(number for level, number in PRIORITIES if record.levelno >= level)


class JsonFormatter(logging.Formatter):
    """For log collectors: one object a line, the pairs as keys with their types."""

    def format(self, record: logging.LogRecord) -> str:
        sentence, pairs = sentence_of(record)
        fact: dict[str, object] = {
            "time": iso_time(record.created),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("logship."),
            "message": escaped(sentence),
        }
        for name, (text, value) in pairs.items():
            fact[name] = value if isinstance(value, int | float) else escaped(text)
        if record.exc_info:
            fact["traceback"] = escaped(self.formatException(record.exc_info).replace("\n", " | "))
        return orjson.dumps(fact).decode()


FORMATTERS: Mapping[LogFormat, type[logging.Formatter]] = {
    "text": TextFormatter,
    "json": JsonFormatter,
    "journald": JournaldFormatter,
}


class FoldingHandler(logging.Handler):
    """Writes facts; a warning repeated within FOLD_S is counted, and written once more when the time is over."""

    def __init__(
        self, formatter: logging.Formatter, stream: TextIO, clock: Callable[[], float], journal: Journal | None = None
    ) -> None:
        """What `journal` takes is not written to `stream`."""
        super().__init__()
        self.setFormatter(formatter)
        self.stream = stream
        self.journal = journal
        self.clock = clock
        self.written: OrderedDict[tuple[object, ...], _Written] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        """Writes or folds one record; a closed stream does not stop shipping."""
        now_s = self.clock()
        self._write_due(now_s)
        if record.levelno < logging.WARNING:
            self._write(record)
            return
        fact = _fact(record)
        seen = self.written.get(fact)
        if seen:
            seen.record, seen.folded = record, seen.folded + 1
            return
        self.written[fact] = _Written(record, now_s)
        if len(self.written) > MAX_FOLDED:
            self._write_folded(self.written.popitem(last=False)[1])
        self._write(record)

    def close(self) -> None:
        """Writes what is still folded."""
        while self.written:
            self._write_folded(self.written.popitem(last=False)[1])
        if self.journal is not None:
            self.journal.close()
        super().close()

    def _write_due(self, now_s: float) -> None:
        while self.written:
            fact, seen = next(iter(self.written.items()))
            if now_s - seen.since_s < FOLD_S:
                return
            del self.written[fact]
            if self._write_folded(seen):
                self.written[fact] = _Written(seen.record, now_s)

    def _write_folded(self, seen: _Written) -> bool:
        if not seen.folded:
            return False
        again = logging.makeLogRecord(seen.record.__dict__)
        if isinstance(again.args, tuple):
            again.msg, again.args = f"{again.msg} repeated=%d", (*again.args, seen.folded)
        self._write(again)
        return True

    def _write(self, record: logging.LogRecord) -> None:
        try:
            if self.journal is not None and isinstance(self.formatter, JournaldFormatter):
                with suppress(OSError):
                    self.journal.send(self.formatter.fields(record))
                    return
            self.stream.write(self.format(record) + "\n")
            self.stream.flush()
        except TypeError:  # the call's template and arguments don't match: report where, as logging does
            self.handleError(record)
        except (OSError, ValueError):  # full disk under a redirected stderr, a closed pipe: shipping continues
            return


class _Written:
    """A fact written at `since_s`, its latest record, and how often it was repeated."""

    __slots__ = ("folded", "record", "since_s")

    def __init__(self, record: logging.LogRecord, since_s: float) -> None:
        self.record, self.since_s, self.folded = record, since_s, 0


def _fact(record: logging.LogRecord) -> tuple[object, ...]:
    """What makes two records the same fact: everything but the numbers in it."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    words = tuple(str(value) for value in arguments if not isinstance(value, int | float))
    return (record.name, record.levelno, str(record.msg), *words)
