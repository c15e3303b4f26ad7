"""A line of a log as an example in a mapping's text, comments and all else left as they are."""

from __future__ import annotations

import json
import re

from logship.config.overrides import format_tree
from logship.conversion import SourceConverter
from logship.conversion.trace import LineTrace
from logship.errors import UsageError
from logship.event import LogFile
from logship.playground.evaluation import KEY, Made

_EXAMPLES = re.compile(r"^examples:[ \t]*(?:#.*)?$", re.MULTILINE)
_TOP_KEY = re.compile(r"^[^\s#-]", re.MULTILINE)
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")  # JSON escapes those below
_SHOWN = ("user_id", "company_id")


def with_example(made: Made, mapping: str, format_text: str, line: str) -> str:
    """The mapping with the line as its last example; what it says of the event is what comes of the line now.

    Raises: UsageError while the mapping has mistakes, or for `examples:` that are not a list of lines.
    """
    if made.converter is None:
        raise UsageError("fix the mapping first: an example records what the line becomes now")
    origin = made.converter.constants.origin
    trace, elsewhere = (_trace(made.converter, line, host) for host in (origin, "example"))
    outcome: object = "unmatched" if trace.error else "dropped" if trace.dropped_by else "sampled out"
    if trace.event is not None:
        request, response = trace.event.get("request"), trace.event.get("response")
        outcome = {
            "request": {key: request[key] for key in ("verb", "uri") if key in request}
            if isinstance(request, dict)
            else {},
            "response": {"status": response.get("status")} if isinstance(response, dict) else {},
            **{key: trace.event[key] for key in _SHOWN if key in trace.event},
        }
    entry = f"  - line: {_quoted(line)}\n    format: {_flow(format_tree(format_text.strip()))}\n"
    fields = dict(made.converter.constants.fields)
    if trace.event is not None and _uri(trace) != _uri(elsewhere):  # the log names no host
        fields.setdefault("host", origin)
    if fields:
        entry += f"    fields: {_flow(fields)}\n"
    entry += f"    event: {_flow(outcome)}\n"
    found = _EXAMPLES.search(mapping)
    if found is None:
        if re.search(r"^examples:", mapping, re.MULTILINE):
            raise UsageError("write `examples:` as lines that begin with '- ', then more can be added")
        return f"{mapping.rstrip()}\nexamples:\n{entry}"
    following = _TOP_KEY.search(mapping, found.end())
    end = following.start() if following else len(mapping)
    above = mapping[:end].rstrip()
    item = re.search(r"\n( *)- ", mapping[found.end() : end])
    if item:  # as far in as the list is
        entry = re.sub(r"^  ", item[1], entry, flags=re.MULTILINE)
    return f"{above}\n{entry}{mapping[end:]}"


def _trace(converter: SourceConverter, line: str, host: str) -> LineTrace:
    """The line as one of a log that was written at a host."""
    raw = line.encode("utf-8", "replace")
    return converter.trace_inner(raw, raw, 0, LogFile(0, "example.log", "preview", KEY, host))


def _uri(trace: LineTrace) -> object:
    request = trace.event.get("request") if trace.event else None
    return request.get("uri") if isinstance(request, dict) else None


def _quoted(line: str) -> str:
    """As YAML's single quotes where they can hold it: a log line is full of backslashes."""
    return "'" + line.replace("'", "''") + "'" if line.isprintable() else _flow(line)


def _flow(tree: object) -> str:
    """A tree in YAML's flow style: JSON, but for characters that YAML can't hold as they are."""
    return _UNPRINTABLE.sub(lambda match: f"\\U{ord(match[0]):08X}", json.dumps(tree, ensure_ascii=False))
