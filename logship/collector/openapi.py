"""The description of the whole API for programs, made from the models that check it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from logship import __version__
from logship.collector.access import ID_HEADER
from logship.collector.answers import json_answer
from logship.collector.filters import EXCLUDING, FIELDS
from logship.collector.model import MANY
from logship.collector.options import CollectorOptions
from logship.collector.profile_model import KINDS, CompanyProfile, SubscriptionProfile, UserAction, UserProfile
from logship.collector.read_api import MAX_LIMIT
from logship.collector.served_config import SamplingConfig
from logship.collector.summary import LISTS
from logship.collector.summary_part import CLASSES

JSON = "application/json"
FAULTS = {
    "type": "array",
    "maxItems": 100,
    "description": "the first mistakes of the first bad events, or of other items",
    "items": {
        "type": "object",
        "required": ["index", "field", "reason"],
        "properties": {
            "index": {"type": "integer", "minimum": 0},
            "field": {"type": "string"},
            "reason": {"type": "string"},
        },
    },
}
ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "one word for programs"},
        "message": {"type": "string", "description": "a sentence for people"},
        "events": FAULTS,
        "items": FAULTS,
    },
}
TAGS = {
    "X-Moesif-Config-ETag": {"description": "differs once /v1/config does", "schema": {"type": "string"}},
    "X-Moesif-Rules-Tag": {"description": "differs once /v1/rules does", "schema": {"type": "string"}},
}
STORED_EVENT = {
    "type": "object",
    "required": ["id", "received_at", "event"],
    "properties": {
        "id": {"type": "integer"},
        "received_at": {"type": "string", "format": "date-time"},
        "event": {"$ref": "#/components/schemas/Event"},
    },
}
EVENT_PAGE = {
    "type": "object",
    "required": ["events", "next_cursor", "is_complete"],
    "properties": {
        "events": {"type": "array", "items": {"$ref": "#/components/schemas/StoredEvent"}},
        "next_cursor": {"type": ["string", "null"]},
        "is_complete": {"type": "boolean", "description": "false: the time was over; go on at next_cursor"},
    },
}
SUMMARY = {
    "type": "object",
    "required": ["step_s", "bars", "events", "requests", "by_class", "mean_ms", "frequent", "slowest", "failing"],
    "properties": {
        "events": {"type": "integer"},
        "requests": {"type": "integer", "description": "the sum of the events' weights"},
        "by_class": {"type": "object", "properties": {name: {"type": "integer"} for name in CLASSES}},
        "mean_ms": {"type": ["number", "null"], "description": "null: no duration was measured"},
        "p95_ms": {"type": ["number", "null"], "description": "within 5 %, as p50_ms and p99_ms"},
        "values": {"type": "array", "description": "of the list that was asked for, else routes; most requests first"},
    },
}
TEXT = {"type": "string"}
USER = {
    "type": "object",
    "required": ["profile", "company", "actions"],
    "properties": {
        "profile": {"oneOf": [{"$ref": "#/components/schemas/UserProfile"}, {"type": "null"}]},
        "company": {"oneOf": [{"$ref": "#/components/schemas/CompanyProfile"}, {"type": "null"}]},
        "actions": {"type": "array", "items": {"$ref": "#/components/schemas/UserAction"}},
    },
}
FILTER = (
    ("app", "label of an application, from /api/applications", {"type": "string"}),
    ("range", "90m, 24h, 7d, today, 2026-11-27, 2026-11-20..2026-11-27, all; ignored beside since or until", TEXT),
    ("since", "request.time from here on, ISO 8601 or a date", TEXT),
    ("until", "request.time before this, ISO 8601 or a date", TEXT),
    ("tz", "the time zone of times without one, and of the chart's bars; default UTC", TEXT),
    ("q", "text anywhere in the event, in any case", {"type": "string", "maxLength": 512}),
    ("verb", "GET, POST, …", {"type": "string", "maxLength": 24}),
    ("status", "404, 4xx, or none for no response", {"type": "string", "pattern": "^([0-9]{1,3}|[1-5]xx|none)$"}),
    ("path", "path or route; ending in * for all that begin so", {"type": "string", "maxLength": 400}),
    ("route", "a path with its ids replaced", {"type": "string", "maxLength": 160}),
    ("user", "user_id", {"type": "string", "maxLength": 512}),
    ("company", "company_id", {"type": "string", "maxLength": 256}),
    ("client", "request.ip_address", {"type": "string", "maxLength": 60}),
    ("source", "metadata.source, else the host of the URI", {"type": "string", "maxLength": 120}),
    ("host", "of the URI", {"type": "string", "maxLength": 120}),
    ("agent", "the program in User-Agent: curl, Firefox, Googlebot", {"type": "string", "maxLength": 120}),
    ("referrer", "the host of Referer", {"type": "string", "maxLength": 120}),
)
NOT_EXCLUDED = ("app", "range", "since", "until", "tz", "q")
_ITEM_PATHS = tuple((f"/v1/{kind.path}", kind.schema_name) for kind in KINDS)
LISTS_BY_NAME = [name for name, (column, _) in FIELDS.items() if column in LISTS]


def document(options: CollectorOptions) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a collector with these options."""
    schemas = {
        **_schemas(MANY),
        **_schemas(TypeAdapter(list[SamplingConfig])),
        **_schemas(TypeAdapter(list[UserProfile | CompanyProfile | SubscriptionProfile | UserAction])),
        "Error": ERROR,
        "StoredEvent": STORED_EVENT,
        "EventPage": EVENT_PAGE,
    }
    ingestion: dict[str, Any] = {"security": [{"application": []}]}
    paths: dict[str, Any] = {}
    for path, name in (("/moesifapi/events", "Event"), ("/v1/events", "Event"), *_ITEM_PATHS):
        reference = {"$ref": f"#/components/schemas/{name}"}
        paths[path] = {"post": {**_posting(f"Take one {name} in", reference), **ingestion}}
        several = _posting("Take several in, all or none", {"type": "array", "items": reference})
        paths[f"{path}/batch"] = {"post": {**several, **ingestion}}
    paths["/v1/config"] = {
        "get": {**_instructing("What SDKs sample", {"$ref": "#/components/schemas/SamplingConfig"}), **ingestion}
    }
    paths["/v1/rules"] = {"get": {**_instructing("Governance rules for SDKs", {"type": "array"}), **ingestion}}
    paths["/health/probe"] = {"get": _getting("Alive", {"type": "object"}, readers=False)}
    paths.update(_reading_paths(options))
    return {
        "openapi": "3.1.0",
        "info": {"title": "logship collector", "version": __version__, "summary": "An event ingestion API"},
        "servers": [{"url": options.path_prefix or "/"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Summary": SUMMARY, "User": USER},
            "securitySchemes": {
                "application": {"type": "apiKey", "in": "header", "name": ID_HEADER},
                "page": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _schemas(models: TypeAdapter[Any]) -> dict[str, Any]:
    """The schemas of every model that these are made of, by name."""
    found: dict[str, Any] = models.json_schema(ref_template="#/components/schemas/{model}")["$defs"]
    return found


def _reading_paths(options: CollectorOptions) -> dict[str, Any]:
    security: list[dict[str, list[str]]] = [{"page": []}] if options.page_token else []
    cursor = _parameter("cursor", "next_cursor of the page before", {"type": "string"})
    limit = _parameter("limit", "events of a page", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT})
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    app = _parameter(*FILTER[0])
    filters = [_parameter(*one) for one in FILTER]
    excluded = [one for one in FILTER if one[0] not in NOT_EXCLUDED]
    filters += [_parameter(EXCLUDING + name, f"all but: {text}", kind) for name, text, kind in excluded]
    values = _parameter("list", "what to count the values of", {"type": "string", "enum": LISTS_BY_NAME})
    kind = _parameter("format", "how to write them", {"type": "string", "enum": ["ndjson", "csv"]})
    events = _getting("Events, newest first", {"$ref": "#/components/schemas/EventPage"}, [*filters, cursor, limit])
    one = _getting("One event", {"$ref": "#/components/schemas/StoredEvent"}, [number, app])
    summary = _getting("Counts", {"$ref": "#/components/schemas/Summary"}, [*filters, values, limit])
    part = _parameter("part", "what the values hold, in any case", TEXT)
    suggested = _getting("Values of a field, to choose one", {"type": "object"}, [*filters, values, part, limit])
    known = _getting("The applications of the store", {"type": "object"})
    export = _getting("Every event, as a file", {"type": "string"}, [*filters, kind])
    export["responses"]["200"]["content"] = {
        "application/x-ndjson": {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}},
    }
    user = {"name": "user", "in": "query", "required": True, "schema": {"type": "string", "minLength": 1}}
    whole = _getting("A user's profile, company and newest actions", {"$ref": "#/components/schemas/User"}, [user, app])
    operations = {"events": events, "events/{number}": one, "summary": summary, "values": suggested}
    operations |= {"applications": known, "export": export}
    operations |= {"user": whole, **{f"export/{each.path}": _lines(f"All {each.path}", [app]) for each in KINDS}}
    return {f"/api/{name}": {"get": {**operation, "security": security}} for name, operation in operations.items()}


def _lines(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """JSON documents, one a line."""
    operation = _getting(summary, {}, parameters)
    operation["responses"]["200"]["content"] = {"application/x-ndjson": {"schema": {"type": "string"}}}
    return operation


def _posting(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    statuses = {
        "400": "not JSON, or something in it is invalid; nothing was stored",
        "401": "the application id is missing or unknown",
        "408": "the body came too slowly",
        "413": "the decoded body is too large, or holds too many",
        "415": "neither JSON in UTF-8, nor gzip or deflate",
        "503": "too busy, or the store is full; try again after Retry-After",
    }
    answers = {status: _error(text) for status, text in statuses.items()}
    stored = {"description": "stored, durably", "headers": TAGS, "content": {JSON: {"schema": {"type": "object"}}}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": {"201": stored, **answers},
    }


def _instructing(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    tag = {
        "name": "If-None-Match",
        "in": "header",
        "description": "the tag of the last answer",
        "schema": {"type": "string"},
    }
    operation = _getting(summary, schema, [tag], readers=False)
    operation["responses"]["200"]["headers"] = TAGS
    plain = {"text/plain": {"schema": {"type": "string"}}}  # of the HTTP parser, which sees it first
    operation["responses"]["400"] = {"description": "a header that HTTP does not allow", "content": plain}
    operation["responses"]["304"] = {"description": "nothing has changed", "headers": TAGS}
    operation["responses"]["401"] = _error("the application id is missing or unknown")
    return operation


def _getting(
    summary: str, schema: dict[str, Any], parameters: list[dict[str, Any]] | None = None, *, readers: bool = True
) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": {"description": "found", "content": {JSON: {"schema": schema}}}}
    if readers:
        answers["400"] = _error("a parameter is wrong; the message names it")
        answers["401"] = _error("the page's token is needed")
        answers["403"] = _error("the Host header names no host of ours")
        answers["404"] = _error("no such event or application")
        answers["503"] = _error("the store can't be read now")
    return {"summary": summary, "parameters": parameters or [], "responses": answers}


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


class Description:
    """Answers /openapi.json."""

    def __init__(self, options: CollectorOptions) -> None:
        self._document = document(options)

    async def get(self, request: Request) -> Response:
        return json_answer(self._document)
