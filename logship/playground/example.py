"""A line of a log as an example in a mapping's text, comments and all else left as they are."""

from __future__ import annotations

import json
import re

from logship.config.overrides import format_tree
from logship.errors import UsageError
from logship.event import LogFile
from logship.playground.evaluation import KEY, Made

_EXAMPLES = re.compile(r"^examples:[ \t]*(?:#.*)?$", re.MULTILINE)
_TOP_KEY = re.compile(r"^[^\s#-]", re.MULTILINE)
_SHOWN = ("user_id", "company_id")


def with_example(made: Made, mapping: str, format_text: str, line: str) -> str:
    """The mapping with the line as its last example; what it says of the event is what comes of the line now.

    Raises: UsageError while the mapping has mistakes, or for `examples:` that are not a list of lines.
    """
    if made.converter is None:
        raise UsageError("fix the mapping first: an example records what the line becomes now")
    raw = line.encode("utf-8", "replace")
    trace = made.converter.trace_inner(raw, raw, 0, LogFile(0, "example.log", "preview", KEY, "localhost"))
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
    entry = (
        f"  - line: {_quoted(line)}\n    format: {json.dumps(format_tree(format_text.strip()), ensure_ascii=False)}\n"
    )
    fields = dict(made.converter.constants.fields)
    if fields:
        entry += f"    fields: {json.dumps(fields, ensure_ascii=False)}\n"
    entry += f"    event: {json.dumps(outcome, ensure_ascii=False)}\n"
    found = _EXAMPLES.search(mapping)
    if found is None:
        if re.search(r"^examples:", mapping, re.MULTILINE):
            raise UsageError("write `examples:` as lines that begin with '- ', then more can be added")
        return f"{mapping.rstrip()}\nexamples:\n{entry}"
    following = _TOP_KEY.search(mapping, found.end())
    end = following.start() if following else len(mapping)
    above = mapping[:end].rstrip()
    if re.search(r"\n- ", mapping[found.end() : end]):  # a list that is not indented
        entry = re.sub(r"^  ", "", entry, flags=re.MULTILINE)
    return f"{above}\n{entry}{mapping[end:]}"


def _quoted(line: str) -> str:
    """As YAML's single quotes where they can hold it: a log line is full of backslashes."""
    if line.isprintable():
        return "'" + line.replace("'", "''") + "'"
    return json.dumps(line, ensure_ascii=True)
