"""Examples of a mapping: a line each, and what it must become."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from logship.conversion.compile import compile_mapping
from logship.conversion.trace import LineTrace
from logship.errors import LogshipError
from logship.event import LogFile, Plain
from logship.formats.format import Format
from logship.mapping.setting import Constants
from logship.mapping.spec import ExampleSpec, MappingSpec
from logship.records import record

OUTCOMES = ("dropped", "sampled out", "unmatched")
_FILE = LogFile(0, "example.log", "example", 0, "example")


@record
class Difference:
    """One value that is not what the example says; None: there is none."""

    path: str
    expected: object
    found: object


@record
class ExampleResult:
    """What became of one example.

    Shapes: `outcome` is the event, or one of OUTCOMES; `trace` is None where `error` tells why nothing could be tried.
    """

    index: int
    name: str
    outcome: object
    differences: tuple[Difference, ...]
    trace: LineTrace | None = None
    error: str = ""

    @property
    def holds(self) -> bool:
        return not self.differences and not self.error


def run_examples(spec: MappingSpec, format_of: Callable[[object], Format]) -> Iterator[ExampleResult]:
    """Each example of a mapping, in order; `format_of` compiles what an example's `format:` says.

    Raises: nothing for an example that can't be run: its result tells.
    """
    for index, example in enumerate(spec.examples):
        name = example.name or f"example {index + 1}"
        try:
            trace = _trace(spec, example, format_of(example.format))
        except LogshipError as exc:
            yield ExampleResult(index, name, None, (), error=str(exc))
            continue
        outcome = outcome_of(trace)
        yield ExampleResult(index, name, outcome, tuple(_compare(example.event, outcome, "")), trace)


def _trace(spec: MappingSpec, example: ExampleSpec, fmt: Format) -> LineTrace:
    constants = Constants("example", "example", dict(example.fields))
    line = example.line.encode("utf-8", "surrogateescape")
    return compile_mapping(spec, fmt, constants).trace(line, 0, _FILE)


def outcome_of(trace: LineTrace) -> object:
    """The event of a line, or why there is none."""
    if trace.event is not None:
        return trace.event
    if trace.dropped_by is not None:
        return "dropped"
    return "sampled out" if trace.sampled_out_by is not None else "unmatched"


def _compare(expected: object, found: object, path: str) -> Iterator[Difference]:
    """What of `expected`, a subset, is not so."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            yield from _compare(value, found.get(key), f"{path}.{key}" if path else str(key))
    elif not _same(expected, found):
        yield Difference(path or "event", expected, found)


def _same(expected: object, found: object) -> bool:
    """Whether a value of YAML, where all scalars are text, is a value of the event."""
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_same, expected, found))
    if isinstance(expected, Mapping):
        is_map = isinstance(found, Mapping) and expected.keys() == found.keys()
        return is_map and not list(_compare(expected, found, ""))
    if expected is None or (isinstance(expected, Plain) and expected in ("null", "~", "")):
        return found is None
    if isinstance(found, bool):
        return str(expected).lower() == str(found).lower()
    if isinstance(found, int | float):
        return str(expected) == str(found) or _number(expected) == found
    return str(expected) == found


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def updated(example: ExampleSpec, result: ExampleResult) -> object:
    """What the example's `event:` should say now: the same keys with present values, all of them if it named none."""
    if not isinstance(result.outcome, Mapping) or not isinstance(example.event, Mapping) or not example.event:
        outcome = result.outcome
        return {k: v for k, v in outcome.items() if k != "transaction_id"} if isinstance(outcome, Mapping) else outcome
    return _restricted(example.event, result.outcome)


def _restricted(shape: Mapping[str, object], value: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, below in shape.items():
        if key not in value:
            kept[key] = None
            continue
        found = value[key]
        nested = isinstance(below, Mapping) and below and isinstance(found, Mapping)
        kept[key] = _restricted(below, found) if nested else found  # type: ignore[arg-type]
    return kept
