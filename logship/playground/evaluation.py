"""What a format and a mapping, as they are being typed, make of lines."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from typing import Any

from logship.check.newest import LogLine, NewestLines
from logship.config.compiling import Compiler, Recipe
from logship.config.overrides import format_tree
from logship.config.reading import FileReader
from logship.config.yaml_door import parse
from logship.conversion import LineTrace, SourceConverter, detect
from logship.errors import FormatError, Problem, UsageError
from logship.event import LogFile, Window
from logship.formats import compile_format, read_spec
from logship.formats.directives import headed
from logship.playground.opened import OpenedConfig
from logship.preview import unwrapped
from logship.records import record

SAMPLE = 40  # lines that are shown
TRACED = 1_000  # lines over which matching rules are counted: each is done in Python
CHANGES = 20  # of changed events, that are shown
EXACT_CHARS = 16  # of integers that a browser holds as they are
MAX_SHOWN = 2_000  # characters of a line
KEY = 0  # of the file: ids are no matter here
EVER = Window()

Tree = dict[str, Any]


@record
class Made:
    """A format and a mapping, compiled; `converter` None where they can't be, with every problem told."""

    converter: SourceConverter | None
    problems: tuple[Tree, ...]
    envelope: str = "none"


@record(frozen=False)
class Evaluation:
    """Compiles texts and runs lines through them; the last of each is remembered."""

    opened: OpenedConfig
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _last: dict[tuple[str, str], Made] = field(default_factory=dict)

    def lines(self, format_text: str, mapping_text: str, pasted: Sequence[str] | None) -> Tree:
        """The shown lines with their events, and beside them the events of the mapping as it is saved."""
        began = time.monotonic()
        made = self.made(format_text, mapping_text)
        saved = self.made(format_text, self.opened.mapping.saved)
        lines = self.opened.newest.headed if pasted is None else _pasted(pasted)
        if made.converter is None or not made.converter.is_headed(self.opened.log):
            lines = lines[-SAMPLE:]
        shown = [self._line(made, saved, line) for line in self._inner(lines, made.converter)[-SAMPLE:]]
        return {
            "problems": made.problems,
            "lines": shown if made.converter else [{"line": _text(line.text)} for line in lines[-SAMPLE:]],
            "is_right": made.converter is not None,
            "took_ms": round((time.monotonic() - began) * 1000),
        }

    def coverage(self, format_text: str, mapping_text: str) -> Tree:
        """What becomes of the newest lines, and how many events differ from those of the saved mapping."""
        made = self.made(format_text, mapping_text)
        if made.converter is None:
            return {"lines": 0}
        now = _Outcome.of(made.converter, self.opened.newest, self._file)
        saved = self.made(format_text, self.opened.mapping.saved)
        before = _Outcome.of(saved.converter, self.opened.newest, self._file) if saved.converter else now
        changed = [at for at in range(len(now.texts)) if now.events.get(at) != before.events.get(at)]
        return {
            "lines": len(now.texts),
            "events": len(now.events),
            "unmatched": len(now.unmatched),
            "dropped": sum(now.dropped.values()),
            "sampled": sum(now.sampled.values()),
            "left_out": now.left_out,
            "misfits": [_text(now.texts[at]) for at in now.unmatched[:CHANGES]],
            "changed": len(changed),
            "changes": [_text(now.texts[at]) for at in changed[:CHANGES]],
            "rules": self._rules(made.converter),
        }

    def made(self, format_text: str, mapping_text: str) -> Made:
        key = (format_text, mapping_text)
        if key not in self._last:
            if len(self._last) > 4:
                del self._last[next(iter(self._last))]
            self._last[key] = self._compile(format_text, mapping_text)
        return self._last[key]

    # -- compiling

    def _compile(self, format_text: str, mapping_text: str) -> Made:
        opened, path = self.opened, self.opened.mapping.path
        reader = FileReader(self.environ, is_sending=False, unsaved={path: mapping_text})
        compiler = Compiler(reader, is_proving=True)
        compiler.add_formats(opened.document, opened.formats)
        reader.problems.clear()  # the configuration's formats are not what is edited here
        tree, wrong = _format(format_text, compiler)
        source = opened.source
        recipe = Recipe(
            opened.constants.source, parse("format: edited\nmapping: edited\n", "the format"), (),
            tree if wrong is None else "combined", str(path), opened.constants,
            source.path_fields if source else None, source.envelope if source else "none",
        )  # fmt: skip
        recipe = replace(recipe, document=replace(recipe.document, path=str(path.parent / "the format")))
        converter = compiler.compile(recipe)
        problems = [_problem(one, str(path)) for one in reader.in_order()]
        if wrong is not None:
            problems = [wrong, *(one for one in problems if one["where"] == "mapping")]
        is_right = all(
            one["severity"] != "error" for one in problems
        )  # what could be read on all the same is not right
        return Made(converter if is_right else None, tuple(problems), source.envelope if source else "none")

    # -- lines

    @property
    def _file(self) -> LogFile:
        return LogFile(0, self.opened.log, self.opened.constants.source, KEY, self.opened.origin)

    def _inner(self, lines: Sequence[LogLine], converter: SourceConverter | None) -> list[LogLine]:
        """Lines out of their envelope, or below their directives."""
        is_headed = converter is not None and converter.is_headed(self.opened.log)
        source = self.opened.source
        return list(unwrapped(iter(lines), "w3c" if is_headed else source.envelope if source else "none"))

    def _line(self, made: Made, saved: Made, line: LogLine) -> Tree:
        if made.converter is None:
            return {"line": _text(line.text)}
        alone = headed(line.text)[1]
        trace = made.converter.trace_inner(alone, line.text, line.position, self._file)
        before = saved.converter.trace_inner(alone, line.text, line.position, self._file) if saved.converter else None
        shown: Tree = {
            "line": _text(alone),
            "event": _json(trace.event),
            "before": _json(before.event) if before else None,
            "fields": _json(dict(trace.fields)),
            "rules": list(trace.rules),
            "dropped_by": trace.dropped_by,
            "sampled_out_by": trace.sampled_out_by,
        }
        if trace.error is not None:
            shown["misfit"] = _misfit(trace, made.converter)
        return shown

    def _rules(self, converter: SourceConverter) -> list[Tree]:
        """Each rule with the lines that it took of those traced."""
        taken: Counter[str] = Counter()
        lines = self._inner(self.opened.newest.headed, converter)[-TRACED:]
        for line in lines:
            taken.update(converter.trace_inner(line.text, line.text, line.position, self._file).rules)
        names = [rule.name or f"rule {number}" for number, rule in enumerate(converter.mapping.rules, 1)]
        return [{"name": name, "lines": taken[name], "of": len(lines)} for name in names]


@record(frozen=False)
class _Outcome:
    """What became of lines; `events` and `unmatched` by their number in `texts`."""

    events: dict[int, str] = field(default_factory=dict)
    unmatched: list[int] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    sampled: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    texts: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, converter: SourceConverter, newest: NewestLines, file: LogFile) -> _Outcome:
        """Each line at its place in the log: sampling is what the daemon's is."""
        outcome, heading = cls(), newest.heading
        for start, lines in newest.stretches:
            done = converter.convert(b"".join(lines), start, file, EVER, heading)
            first = len(outcome.texts)
            outcome.events |= {first + at: event for at, event in zip(done.event_lines, done.events, strict=True)}
            outcome.unmatched += [first + at for at in done.unmatched]
            outcome.dropped.update(done.dropped)
            outcome.sampled.update(done.sampled_out)
            outcome.left_out.update(done.left_out)
            outcome.texts += [headed(line.rstrip(b"\r\n"))[1] for line in done.outer_lines or lines]
            heading = b""
        return outcome


def _pasted(lines: Sequence[str]) -> list[LogLine]:
    """At position 0: they stand nowhere."""
    return [LogLine(0, line.encode("utf-8", "replace")) for line in lines[:SAMPLE]]


def _format(text: str, compiler: Compiler) -> tuple[object, Tree | None]:
    """The tree of the format's text, and what is wrong with it."""
    if text.strip() in ("", "auto"):
        return None, _wrong_format("name a format, or write one: {nginx: '…'}")
    try:
        tree = format_tree(text.strip())
        compile_format(read_spec(tree), compiler.named)
    except FormatError as exc:
        begins = re.search(re.escape(exc.text), text) if exc.text else None
        column = (begins.start() if begins else 0) + (exc.column or 0) + 1
        said = f"{exc.message}; {exc.hint}" if exc.hint else exc.message
        return None, _wrong_format(said) | {"column": column, "width": exc.width or 1}
    except UsageError as exc:
        return None, _wrong_format(str(exc).removeprefix("--format: "))
    return tree, None


def _wrong_format(said: str) -> Tree:
    return {"where": "format", "line": 1, "message": said, "severity": "error"}


def _problem(problem: Problem, path: str) -> Tree:
    said = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    shown = {"where": "mapping", "message": said, "severity": problem.severity}
    if problem.path == path:
        return shown | {"line": problem.line, "column": problem.column, "width": problem.width}
    if problem.path.endswith("the format"):
        return shown | {"where": "format"}
    name = os.path.basename(problem.path)
    return shown | {"message": f"{name}{f':{problem.line}' if problem.line else ''}: {said}"}


def _misfit(trace: LineTrace, converter: SourceConverter) -> Tree:
    assert trace.error is not None
    others = [one.name for one in islice(detect([trace.line], converter.named), 3)]
    before = trace.line[: trace.error.at].decode("utf-8", "replace")
    return {"at": len(before), "expected": trace.error.expected, "others": others}


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")[:MAX_SHOWN]


def _json(value: object) -> object:
    """The value without halves of surrogate pairs, which no answer can hold; what a browser can't count is a text."""
    written = json.dumps(value).encode("utf-8", "replace")
    return json.loads(written, parse_int=lambda text: int(text) if len(text) < EXACT_CHARS else text)
