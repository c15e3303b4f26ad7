"""Which events somebody wants to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from logship.collector.database import Value
from logship.collector.refusal import RefusalError
from logship.collector.row import MAX_PATH_CHARS, MAX_SOURCE_CHARS, MAX_VERB_CHARS, TimeReader

RANGES_S = {"15m": 900, "1h": 3_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000, "all": 0}
DEFAULT_RANGE = "24h"
MAX_TEXT_CHARS = 512
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
NO_RESPONSE = "none"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Conditions that must all hold; "" and None are no condition.

    Shapes: `since_ms` is inclusive, `until_ms` exclusive, both of request.time; `statuses` is the lowest and highest
    status, `no_response` asks for events without one; `path` matches path or route, as a whole or, ending in *, from
    its beginning; `search` is looked for anywhere in the event's JSON, in any case.
    """

    application_id: str
    since_ms: int | None = None
    until_ms: int | None = None
    verb: str = ""
    statuses: tuple[int, int] | None = None
    no_response: bool = False
    path: str = ""
    user_id: str = ""
    source: str = ""
    search: str = ""

    @property
    def is_counted(self) -> bool:
        """Whether the kept counts can answer it: they know times, verbs and statuses."""
        return not (self.path or self.user_id or self.source or self.search)

    def within(self) -> tuple[str, list[Value]]:
        """The conditions an index answers."""
        parts = ["application_id = ?"]
        bounds: list[Value] = [self.application_id]
        if self.user_id:
            parts.append("user_id = ?")
            bounds.append(self.user_id)
        if self.since_ms is not None:
            parts.append("time_ms >= ?")
            bounds.append(self.since_ms)
        if self.until_ms is not None:
            parts.append("time_ms < ?")
            bounds.append(self.until_ms)
        return " AND ".join(parts), bounds

    def among(self) -> tuple[str, list[Value]]:
        """The conditions that are tried on each event; "" when there are none."""
        parts: list[str] = []
        values: list[Value] = []
        if self.verb:
            parts.append("verb = ?")
            values.append(self.verb)
        if self.no_response:
            parts.append("status IS NULL")
        if self.statuses is not None:
            parts.append("status BETWEEN ? AND ?")
            values.extend(self.statuses)
        if self.path:
            condition, wanted = _path_condition(self.path)
            parts.append(condition)
            values.extend(wanted)
        if self.source:
            parts.append("source = ?")
            values.append(self.source)
        if self.search:
            parts.append("lower(CAST(event AS TEXT)) LIKE ? ESCAPE '!'")
            values.append(f"%{like_literal(self.search.lower())}%")
        return " AND ".join(parts), values


def _path_condition(path: str) -> tuple[str, list[Value]]:
    if path.endswith("*"):
        pattern = like_literal(path[:-1]) + "%"
        return "(path LIKE ? ESCAPE '!' OR route LIKE ? ESCAPE '!')", [pattern, pattern]
    return "(path = ? OR route = ?)", [path, path]


def like_literal(text: str) -> str:
    """`text` inside a LIKE pattern, standing for itself."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def read_filter(parameters: Mapping[str, str], application_id: str, now_ms: int) -> EventFilter:
    """The filter that a query string describes.

    Shapes: `range` is one of RANGES_S; `since` and `until` are ISO 8601 and win over it; `status` is 404, 4xx or none.
    Raises: RefusalError 400 naming the parameter.
    """
    wanted = EventFilter(
        application_id,
        verb=_text(parameters, "verb", MAX_VERB_CHARS).upper(),
        path=_text(parameters, "path", MAX_PATH_CHARS),
        user_id=_text(parameters, "user", MAX_TEXT_CHARS),
        source=_text(parameters, "source", MAX_SOURCE_CHARS),
        search=_text(parameters, "q", MAX_TEXT_CHARS),
        since_ms=_since(parameters, now_ms),
        until_ms=_time(parameters, "until"),
    )
    return _with_status(wanted, _text(parameters, "status", MAX_TEXT_CHARS).lower())


def _since(parameters: Mapping[str, str], now_ms: int) -> int | None:
    since_ms = _time(parameters, "since")
    if since_ms is not None or parameters.get("until"):
        return since_ms
    name = parameters.get("range") or DEFAULT_RANGE
    if name not in RANGES_S:
        raise bad_parameter("range", name, f"give one of {', '.join(RANGES_S)}")
    seconds = RANGES_S[name]
    return now_ms - seconds * 1000 if seconds else None


def _time(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "").strip()
    if not text:
        return None
    try:
        return TimeReader().read(text)
    except ValueError as exc:
        raise bad_parameter(name, text, str(exc)) from exc


def _text(parameters: Mapping[str, str], name: str, limit: int) -> str:
    text = parameters.get(name, "").strip()
    if len(text) > limit:
        raise bad_parameter(name, text, f"at most {limit} characters")
    if "\x00" in text:
        raise bad_parameter(name, text, "NUL can't be looked for")
    return text


def _with_status(wanted: EventFilter, text: str) -> EventFilter:
    if not text:
        return wanted
    if text == NO_RESPONSE:
        return replace(wanted, no_response=True)
    if text in STATUS_CLASSES:
        lowest = int(text[0]) * 100
        return replace(wanted, statuses=(lowest, lowest + 99))
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return replace(wanted, statuses=(int(text), int(text)))
    raise bad_parameter("status", text, "give a status as 404, a class as 4xx, or none")


def bad_parameter(name: str, value: str, advice: str) -> RefusalError:
    return RefusalError(400, "bad_parameter", f"{name}={value[:80]!r}: {advice}")
