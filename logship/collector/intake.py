"""A body becomes rows: decoded, validated as a whole, all or nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from logship.collector.model import MANY
from logship.collector.refusal import MAX_FAULTS, Fault, RefusalError
from logship.collector.routes import Routes
from logship.collector.row import (
    MAX_DURATION_MS,
    MAX_PATH_CHARS,
    MAX_SOURCE_CHARS,
    MAX_VERB_CHARS,
    USUAL_URI,
    EventRow,
    TimeReader,
    source_of,
    split_uri,
)
from logship.collector.wire import UsualEvent, encode, usual_events

MAX_DEPTH = 254  # containers inside one another in an event: where orjson stops writing
MAX_KEYS = 5_000  # of one event
MANY_KEYS_CHARS = MAX_KEYS * 5  # the shortest text that holds more: "a":1,
NUL_ESCAPED = "\\u0000"
REASONS = {  # pydantic's words where they speak of Python
    "is_instance_of": "Input should be an object",
    "dict_type": "Input should be an object",
    "missing": "Field required",
}
BOM = b"\xef\xbb\xbf"
PEER_UNKNOWN = "0.0.0.0"  # noqa: S104 - an address in an event, nothing listens on it


class Arrival(NamedTuple):
    """How events came: whose they are, when, from which address, and the routes known of their application."""

    application_id: str
    received_ms: int
    peer: str
    routes: Routes


class Intake:
    """Turns bodies into rows; one per collector, used by one thread at a time."""

    def __init__(self) -> None:
        self._times = TimeReader()
        self._routes: dict[str, Routes] = {}

    def rows(self, body: bytes, *, batch: bool, application_id: str, received_ms: int, peer: str) -> list[EventRow]:
        """The rows of a body: one event, or with `batch` an array of them.

        Raises: RefusalError 400 with every bad event.
        """
        routes = self._routes.setdefault(application_id, Routes())
        arrival = Arrival(application_id, received_ms, peer or PEER_UNKNOWN, routes)
        usual = usual_events(body, batch=batch)
        rows = None if usual is None else self._usual_rows(usual, arrival)
        return self._exact_rows(validated(decode(body), batch=batch), arrival) if rows is None else rows

    def _usual_rows(self, events: list[UsualEvent], arrival: Arrival) -> list[EventRow] | None:
        """Rows of events of the usual kind, None when one of them has to be looked at more closely.

        A third of what `_exact_rows` costs, decoding and checking included: this loop runs 60,000 times a second.
        """
        application_id, received_ms, peer, routes = arrival
        read_time, route_of, match, row = self._times.read, routes.of, USUAL_URI.match, tuple.__new__
        rows: list[EventRow] = []
        status: int | None
        lasted_ms: float | None
        try:
            for event in events:
                request, response = event.request, event.response
                if not request.ip_address:
                    request.ip_address = peer
                text = encode(event).decode()
                if len(text) > MANY_KEYS_CHARS:
                    return None
                time_ms = read_time(request.time)
                if response:
                    status, lasted_ms = response.status, read_time(response.time) - time_ms
                    if not 0 <= lasted_ms <= MAX_DURATION_MS:
                        lasted_ms = bounded_duration(lasted_ms)
                else:
                    status, lasted_ms = None, None
                parts = match(request.uri)
                host, path = parts.groups() if parts else split_uri(request.uri)
                path = path[:MAX_PATH_CHARS]
                columns = (
                    application_id,
                    event.transaction_id or None,
                    received_ms,
                    time_ms,
                    request.verb[:MAX_VERB_CHARS],
                    status,
                    path,
                    route_of(path, received_ms),
                    event.user_id or None,
                    source_of(event.metadata, host) if event.metadata else host[:MAX_SOURCE_CHARS],
                    lasted_ms,
                    event.weight or 1,
                    text,
                )
                rows.append(row(EventRow, columns))
        except ValueError:  # no time
            return None
        return rows

    def _exact_rows(self, events: list[dict[str, Any]], arrival: Arrival) -> list[EventRow]:
        """Rows of any valid events.

        Raises: RefusalError 400 with every event whose times are none, or that is too deep or has too many keys.
        """
        read_time, route_of = self._times.read, arrival.routes.of
        faults: list[Fault] = []
        rows: list[EventRow] = []
        for index, event in enumerate(events):
            request, response = event["request"], event.get("response")
            if not request.get("ip_address"):
                request["ip_address"] = arrival.peer
            try:
                time_ms = read_time(request["time"])
                lasted_ms = None if not response else bounded_duration(read_time(response["time"]) - time_ms)
                text = orjson.dumps(event).decode()
            except (ValueError, TypeError):
                faults.append(Fault(index, *self._unreadable(event)))
                continue
            if len(text) > MANY_KEYS_CHARS and text.count('":') > MAX_KEYS:
                faults.append(Fault(index, "", f"more than {MAX_KEYS} keys"))
                continue
            host, path = split_uri(request["uri"])
            path = path[:MAX_PATH_CHARS]
            row = EventRow(
                arrival.application_id,
                event.get("transaction_id") or None,
                arrival.received_ms,
                time_ms,
                request["verb"][:MAX_VERB_CHARS],
                response["status"] if response else None,
                path,
                route_of(path, arrival.received_ms),
                event.get("user_id") or None,
                source_of(event.get("metadata"), host),
                lasted_ms,
                event.get("weight") or 1,
                text,
            )
            rows.append(row if NUL_ESCAPED not in text else EventRow(*printable(row)))
        if faults:
            raise invalid_events(tuple(faults), len(events))
        return rows

    def _unreadable(self, event: dict[str, Any]) -> tuple[str, str]:
        """Which field of an event has no row, and why."""
        for name in ("request", "response"):
            message = event.get(name)
            try:
                if message:
                    self._times.read(message["time"])
            except ValueError as exc:
                return f"{name}.time", str(exc)
        return "", f"nested deeper than {MAX_DEPTH}"


def decode(body: bytes) -> object:
    """The JSON value of a body.

    Raises: RefusalError 400 with the place where it stops being JSON.
    """
    try:
        return orjson.loads(body.removeprefix(BOM))
    except orjson.JSONDecodeError as exc:
        raise RefusalError(400, "invalid_json", f"the body is not JSON: {exc}") from exc


def validated(document: object, *, batch: bool) -> list[dict[str, Any]]:
    """The events of a decoded body.

    Raises: RefusalError 400: the wrong kind of document, or every fault of every event.
    """
    if batch and not isinstance(document, list):
        raise RefusalError(400, "not_a_batch", "the body is no array; one event goes to the path without /batch")
    if not batch and not isinstance(document, dict):
        raise RefusalError(400, "not_an_event", "the body is no object; several events go to the path with /batch")
    events = document if isinstance(document, list) else [document]
    try:
        return _check(events)
    except ValidationError:
        for event in events:
            relax(event)
    try:
        return _check(events)
    except ValidationError as exc:
        faults = tuple(
            Fault(int(error["loc"][0]), ".".join(map(str, error["loc"][1:])), REASONS.get(error["type"], error["msg"]))
            for error in exc.errors(include_url=False, include_context=False, include_input=False)
        )
        raise invalid_events(faults, len(events)) from exc


def _check(events: list[Any], model: TypeAdapter[Any] = MANY) -> list[dict[str, Any]]:
    checked: list[dict[str, Any]] = model.validate_python(events)
    return checked


def relax(event: object) -> None:
    """Mends in place what the contract tolerates: a response of nulls is none, 200.0 is the integer 200."""
    if not isinstance(event, dict):
        return
    response = event.get("response")
    if isinstance(response, dict):
        if all(value is None for value in response.values()):
            event["response"] = None
        else:
            _make_whole(response, "status")
    _make_whole(event, "weight")


def _make_whole(holder: dict[str, Any], key: str) -> None:
    value = holder.get(key)
    if type(value) is float and value.is_integer():
        holder[key] = int(value)


def invalid_events(faults: tuple[Fault, ...], events: int) -> RefusalError:
    bad = len({fault.index for fault in faults})
    first = faults[0]
    place = f"{first.field}: " if first.field else ""
    more = "" if len(faults) <= MAX_FAULTS else f" (the first {MAX_FAULTS} mistakes are listed)"
    message = f"{bad} of {events} events are invalid, nothing was stored{more}"
    return RefusalError(400, "invalid_events", f"{message}; event {first.index}: {place}{first.reason}", faults=faults)


def printable(columns: tuple[Any, ...]) -> tuple[Any, ...]:
    """The columns as both stores can hold them: PostgreSQL takes no NUL; the event's own JSON has it escaped."""
    return tuple(one.replace("\x00", "\ufffd") if isinstance(one, str) else one for one in columns)


def bounded_duration(duration_ms: int) -> float:
    """A duration the counts can add up: clocks that disagree make neither negative nor endless ones."""
    return min(float(max(duration_ms, 0)), MAX_DURATION_MS)
