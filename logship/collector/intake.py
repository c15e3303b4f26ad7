"""A body becomes rows: decoded, validated as a whole, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from logship.collector.callers import Callers
from logship.collector.checking import MANY_KEYS_CHARS, checked, encoded_event, oversize_of
from logship.collector.elements import WHITESPACE, decode, elements, has_too_many_values, too_many_values
from logship.collector.identifiers import decode_item
from logship.collector.refusal import MAX_FAULTS, Fault, RefusalError
from logship.collector.routes import Routes
from logship.collector.row import (
    MAX_CLIENT_CHARS,
    MAX_COMPANY_CHARS,
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
from logship.collector.wire import encode, usual_events

PIECE_BYTES = 300_000  # of a batch, decoded at once; what logship sends is smaller
MAX_EVENTS = 200_000  # of a batch: 50 MB of the smallest would be a million rows in one transaction
MAX_DEPTH = 254  # containers inside one another in an event: where orjson stops writing
NUL_ESCAPED = "\\u0000"
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
        self._callers = Callers()
        self._routes: dict[str, Routes] = {}

    def rows(self, body: bytes, *, batch: bool, application_id: str, received_ms: int, peer: str) -> list[EventRow]:
        """The rows of a body: one event, or with `batch` an array of them.

        Raises: RefusalError 400 with the bad events, the first MAX_FAULTS mistakes of them; then it looks no further.
        RefusalError 413 for more than MAX_EVENTS.
        """
        routes = self._routes.setdefault(application_id, Routes())
        arrival = Arrival(application_id, received_ms, peer or PEER_UNKNOWN, routes)
        body = body.removeprefix(BOM)
        rows = self._usual_rows(body, arrival, batch=batch) if len(body) <= PIECE_BYTES else None
        if rows is not None:
            return rows
        return self._batch_rows(body, arrival) if batch else self._one_row(body, arrival)

    def _one_row(self, body: bytes, arrival: Arrival) -> list[EventRow]:
        faults: list[Fault] = []
        if body.lstrip(WHITESPACE)[:1] != b"{":
            if not has_too_many_values(body):
                decode(body, "")
            raise RefusalError(400, "not_an_event", "the body is no object; several events go to the path with /batch")
        if has_too_many_values(body):
            raise too_many_values(0)
        rows = self._exact_rows([body], 0, arrival, faults)
        if faults:
            raise invalid_events(faults, 1)
        return rows

    def _batch_rows(self, body: bytes, arrival: Arrival) -> list[EventRow]:
        """Rows of an array, piece by piece: never more is decoded than one piece, and nothing behind the last fault."""
        if body.lstrip(WHITESPACE)[:1] != b"[":
            if not has_too_many_values(body):
                decode(body, "")
            raise RefusalError(400, "not_a_batch", "the body is no array; one event goes to the path without /batch")
        rows: list[EventRow] = []
        faults: list[Fault] = []
        seen = 0
        for piece in pieces(elements(body)):
            if seen + len(piece) > MAX_EVENTS:
                raise RefusalError(413, "too_many_events", f"more than {MAX_EVENTS:,} events; send fewer at once")
            rows.extend(self._piece_rows(piece, seen, arrival, faults, was_tried=len(body) <= PIECE_BYTES))
            seen += len(piece)
            if len(faults) >= MAX_FAULTS:
                break
            if faults:
                rows.clear()
        if faults:
            raise invalid_events(faults, seen)
        return rows

    def _piece_rows(
        self, piece: list[bytes], first: int, arrival: Arrival, faults: list[Fault], *, was_tried: bool
    ) -> list[EventRow]:
        """Rows of some elements of a batch; adds what is wrong with them to `faults`."""
        if not was_tried:
            rows = self._usual_rows(b"[" + b",".join(piece) + b"]", arrival, batch=True)
            if rows is not None:
                return rows
        return self._exact_rows(piece, first, arrival, faults)

    def _usual_rows(self, body: bytes, arrival: Arrival, *, batch: bool) -> list[EventRow] | None:
        """Rows of events of the usual kind, None when one of them has to be looked at more closely.

        A third of what `_exact_rows` costs, decoding and checking included: this loop runs 60,000 times a second.
        """
        events = usual_events(body, batch=batch)
        if events is None:
            return None
        application_id, received_ms, peer, routes = arrival
        read_time, route_of, match, row = self._times.read, routes.of, USUAL_URI.match, tuple.__new__
        callers_of = self._callers.of
        rows: list[EventRow] = []
        try:
            for event in events:
                request, response = event.request, event.response
                if not request.ip_address:
                    request.ip_address = peer
                text = encode(event).decode()
                if len(text) > MANY_KEYS_CHARS:
                    return None
                time_ms = read_time(request.time)
                status = response.status if response else None
                lasted_ms: float | None = read_time(response.time) - time_ms if response else None
                if lasted_ms is not None and not 0 <= lasted_ms <= MAX_DURATION_MS:
                    lasted_ms = bounded_duration(lasted_ms)
                agent, referrer = callers_of(request.headers or None)
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
                    request.ip_address[:MAX_CLIENT_CHARS],
                    event.company_id[:MAX_COMPANY_CHARS] if event.company_id else None,
                    host[:MAX_SOURCE_CHARS],
                    agent,
                    referrer,
                    text,
                )
                rows.append(row(EventRow, columns))
        except ValueError:  # no time
            return None
        return rows

    def _exact_rows(self, texts: list[bytes], first: int, arrival: Arrival, faults: list[Fault]) -> list[EventRow]:
        """Rows of any events; the mistakes of those that are not valid are added to `faults`, MAX_FAULTS at most."""
        read_time, route_of = self._times.read, arrival.routes.of
        rows: list[EventRow] = []
        for index, encoded in enumerate(texts, first):
            if len(faults) >= MAX_FAULTS:
                break
            event = checked(decode_item(encoded, f"event {index}: "), index, faults)
            if event is None:
                continue
            request, response = event["request"], event.get("response")
            if not request.get("ip_address"):
                request["ip_address"] = arrival.peer
            try:
                time_ms = read_time(request["time"])
                lasted_ms = None if not response else bounded_duration(read_time(response["time"]) - time_ms)
                text = encoded_event(event)
            except (ValueError, TypeError):
                faults.append(Fault(index, *self._unreadable(event)))
                continue
            oversize = oversize_of(text)
            if oversize:
                faults.append(Fault(index, "", oversize))
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
                request["ip_address"][:MAX_CLIENT_CHARS],
                (event.get("company_id") or "")[:MAX_COMPANY_CHARS] or None,
                host[:MAX_SOURCE_CHARS],
                *self._callers.of(request.get("headers")),
                text,
            )
            rows.append(row if NUL_ESCAPED not in text else EventRow(*printable(row)))
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


def pieces(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The same texts in lists of about PIECE_BYTES."""
    piece: list[bytes] = []
    size = 0
    for text in texts:
        if piece and size + len(text) > PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(text)
        size += len(text)
    if piece:
        yield piece


def invalid_events(faults: list[Fault], seen: int) -> RefusalError:
    """The refusal of a body for the mistakes in the first `seen` of its events."""
    bad = len({fault.index for fault in faults})
    first = faults[0]
    place = f"{first.field}: " if first.field else ""
    if len(faults) < MAX_FAULTS:
        message = f"{bad} of {seen} events are invalid, nothing was stored"
    else:
        message = f"at least {bad} events are invalid, nothing was stored (the first {MAX_FAULTS} mistakes are listed)"
    return RefusalError(
        400, "invalid_events", f"{message}; event {first.index}: {place}{first.reason}", faults=tuple(faults)
    )


def printable(columns: tuple[Any, ...]) -> tuple[Any, ...]:
    """The columns as both stores can hold them: PostgreSQL takes no NUL; the event's own JSON has it escaped."""
    return tuple(one.replace("\x00", "\ufffd") if isinstance(one, str) else one for one in columns)


def bounded_duration(duration_ms: float) -> float:
    """A duration the counts can add up: clocks that disagree make neither negative nor endless ones."""
    return duration_ms if 0 <= duration_ms <= MAX_DURATION_MS else min(float(max(duration_ms, 0)), MAX_DURATION_MS)
