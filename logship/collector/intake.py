"""A body becomes rows: decoded, validated as a whole, all or nothing."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from logship.collector.model import MANY
from logship.collector.refusal import MAX_FAULTS, Fault, RefusalError
from logship.collector.routes import Routes
from logship.collector.row import (
    MAX_DURATION_MS,
    MAX_PATH_CHARS,
    MAX_VERB_CHARS,
    EventRow,
    TimeReader,
    response_facts,
    source_of,
    split_uri,
)

MAX_DEPTH = 64  # containers inside one another in an event; a person's API rarely passes 10
MAX_KEYS = 5_000  # of one event
BOM = b"\xef\xbb\xbf"
PEER_UNKNOWN = "0.0.0.0"  # noqa: S104 - an address in an event, nothing listens on it


class Intake:
    """Turns bodies into rows; one per collector, used by one thread at a time."""

    def __init__(self) -> None:
        self._times = TimeReader()
        self._routes: dict[str, Routes] = {}

    def rows(self, body: bytes, *, batch: bool, application_id: str, received_ms: int, peer: str) -> list[EventRow]:
        """The rows of a body: one event, or with `batch` an array of them.

        Raises: RefusalError 400 with every bad event.
        """
        events = validated(decode(body), batch=batch)
        routes = self._routes.setdefault(application_id, Routes())
        faults: list[Fault] = []
        rows: list[EventRow] = []
        for index, event in enumerate(events):
            request = event["request"]
            if not request.get("ip_address"):
                request["ip_address"] = peer or PEER_UNKNOWN
            fault = self._append(rows, event, application_id, received_ms, routes)
            if fault is not None:
                faults.append(Fault(index, *fault))
        if faults:
            raise invalid_events(tuple(faults), len(events))
        return rows

    def _append(
        self, rows: list[EventRow], event: dict[str, Any], application_id: str, received_ms: int, routes: Routes
    ) -> tuple[str, str] | None:
        """Appends the event's row, or gives the field that is wrong and why."""
        request = event["request"]
        response_time, status = response_facts(event)
        field = "request.time"
        duration_ms: float | None = None
        try:
            time_ms = self._times.read(request["time"])
            if response_time is not None:
                field = "response.time"
                duration_ms = min(float(max(self._times.read(response_time) - time_ms, 0)), MAX_DURATION_MS)
        except ValueError as exc:
            return field, str(exc)
        text = orjson.dumps(event).decode()
        if text.count("{") + text.count("[") > MAX_DEPTH and depth(event) > MAX_DEPTH:
            return "", f"nested deeper than {MAX_DEPTH}"
        if text.count('":') > MAX_KEYS:
            return "", f"more than {MAX_KEYS} keys"
        host, path = split_uri(request["uri"])
        path = printable(path[:MAX_PATH_CHARS])
        user_id = event.get("user_id") or None
        rows.append(
            EventRow(
                application_id,
                event.get("transaction_id") or None,
                received_ms,
                time_ms,
                printable(request["verb"][:MAX_VERB_CHARS]),
                status,
                path,
                routes.of(path, received_ms),
                None if user_id is None else printable(user_id),
                printable(source_of(event, host)),
                duration_ms,
                event.get("weight") or 1,
                text,
            )
        )
        return None


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
            Fault(int(error["loc"][0]), ".".join(map(str, error["loc"][1:])), error["msg"])
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


def printable(text: str) -> str:
    """`text` as both stores can hold it in a column: PostgreSQL takes no NUL."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def depth(value: object) -> int:
    """How many containers stand inside one another, without recursion."""
    deepest = 0
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        item, level = waiting.pop()
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
        if children is None:
            continue
        deepest = max(deepest, level)
        waiting.extend((child, level + 1) for child in children)
    return deepest
