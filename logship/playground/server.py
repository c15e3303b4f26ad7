"""The playground's web application: who may use it, what the page asks for, what its editor completes."""

from __future__ import annotations

import hmac
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from logship.collector.listening import bind, url_of
from logship.config.schema import mapping_keys
from logship.config.shipped import mapping_names, presets
from logship.errors import LogshipError
from logship.fields import FIELDS
from logship.mapping.event_keys import EVENT_KEYS
from logship.mapping.matchers import MATCHERS
from logship.mapping.template import FILTERS
from logship.playground.evaluation import Evaluation
from logship.playground.example import with_example
from logship.playground.opened import MappingChangedError, OpenedConfig
from logship.process.loopback import host_name, is_loopback

COOKIE = "logship_playground"
PAGE = Path(__file__).parent / "page"
MAX_BODY_BYTES = 4_000_000  # a mapping and some pasted lines
FILES = {"playground.js": "text/javascript", "editor.js": "text/javascript", "style.css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


class Door:
    """One key in the address, good once; whoever came with it gets a cookie.

    The Host is checked because a page elsewhere can point its own name at this machine (DNS rebinding), the Origin of
    what changes something because such a page may post without reading the answer.
    """

    def __init__(self, listen_host: str) -> None:
        self.key = secrets.token_urlsafe(24)
        self._cookie = secrets.token_urlsafe(24)
        self._is_used = False
        self._host = listen_host.lower()

    def opened_with(self, key: str) -> str | None:
        """The cookie for the right key, the first time; else None."""
        if self._is_used or not _is_same(key, self.key):
            return None
        self._is_used = True
        return self._cookie

    def refusal(self, request: Request) -> str | None:
        """Why this request is not answered; None: it is."""
        host = request.headers.get("host", "")
        name = host_name(host)
        if name != self._host and not is_loopback(name):
            return "this name is not the playground's: use the address that the command printed"
        origin = request.headers.get("origin")
        if request.method != "GET" and (origin is None or urlsplit(origin).netloc != host):
            return "this comes from another page"
        if not _is_same(request.cookies.get(COOKIE, ""), self._cookie):
            return "the address was used already, or is old: start `logship playground` again"
        return None


def _is_same(given: str, secret: str) -> bool:
    """In a time that says nothing about how much of them is equal."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


class Playground:
    """Answers the page; one person uses it, so one evaluation runs at a time."""

    def __init__(self, opened: OpenedConfig, door: Door) -> None:
        self._opened = opened
        self._door = door
        self._evaluation = Evaluation(opened)

    def app(self) -> Starlette:
        posts: dict[str, Callable[[dict[str, Any]], object]] = {
            "/lines": self._lines,
            "/coverage": self._coverage,
            "/save": self._save,
            "/example": self._example,
            "/reload": self._reload,
        }
        routes = [
            Route("/", self._page),
            Route("/start", self._start),
            Route("/changed", self._changed),
            Route("/{name}", self._file),
            *(Route(path, self._answer(call), methods=["POST"]) for path, call in posts.items()),
        ]
        return Starlette(routes=routes)

    # -- what the page is made of

    async def _page(self, request: Request) -> Response:
        cookie = self._door.opened_with(request.query_params["key"]) if "key" in request.query_params else None
        if cookie is not None:
            entry = RedirectResponse("/", 303, HEADERS)
            entry.set_cookie(COOKIE, cookie, httponly=True, samesite="strict")
            return entry
        refusal = self._door.refusal(request)
        if refusal is not None:
            return PlainTextResponse(f"{refusal}\n", 403, HEADERS)
        nonce = secrets.token_urlsafe(16)
        html = (PAGE / "index.html").read_text(encoding="utf-8").replace("NONCE", nonce)
        return HTMLResponse(html, headers=HEADERS | {"Content-Security-Policy": POLICY.format(nonce=nonce)})

    async def _file(self, request: Request) -> Response:
        """Styles and scripts are the same for everyone, and hold nothing of a log."""
        name = request.path_params["name"]
        if name not in FILES:
            return PlainTextResponse("there is no such page\n", 404, HEADERS)
        return FileResponse(PAGE / name, media_type=FILES[name], headers=HEADERS)

    async def _start(self, request: Request) -> Response:
        refusal = self._door.refusal(request)
        if refusal is not None:
            return PlainTextResponse(f"{refusal}\n", 403, HEADERS)
        mapping = self._opened.mapping
        return _json({
            "log": self._opened.log, "lines": len(self._opened.newest.lines),
            "damage": self._opened.newest.damage, "format": self._opened.format,
            "mapping": mapping.saved, "file": "" if mapping.note else str(mapping.path), "note": mapping.note,
            "words": words(list(self._opened.formats)),
        })  # fmt: skip

    async def _changed(self, request: Request) -> Response:
        refusal = self._door.refusal(request)
        if refusal is not None:
            return PlainTextResponse(f"{refusal}\n", 403, HEADERS)
        return _json({"changed": self._opened.mapping.is_changed})

    # -- what it asks

    def _answer(self, call: Callable[[dict[str, Any]], object]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            refusal = self._door.refusal(request)
            if refusal is not None:
                return PlainTextResponse(f"{refusal}\n", 403, HEADERS)
            body = b""
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    return PlainTextResponse("this is more than a mapping and some lines\n", 413, HEADERS)
            try:
                asked: dict[str, Any] = dict(orjson.loads(body))
            except (ValueError, TypeError):
                return _json({"error": "this is no question of the playground's page"}, 400)
            try:
                return _json(await run_in_threadpool(call, asked))
            except MappingChangedError as exc:
                return _json({"error": str(exc), "changed": True}, 409)
            except LogshipError as exc:
                return _json({"error": str(exc)}, 422)
            except KeyError:
                return _json({"error": "this is no question of the playground's page"}, 400)

        return answer

    def _lines(self, asked: dict[str, Any]) -> object:
        pasted = asked.get("lines")
        texts = [str(line) for line in pasted] if isinstance(pasted, list) else None
        return self._evaluation.lines(str(asked["format"]), str(asked["mapping"]), texts)

    def _coverage(self, asked: dict[str, Any]) -> object:
        return self._evaluation.coverage(str(asked["format"]), str(asked["mapping"]))

    def _save(self, asked: dict[str, Any]) -> object:
        mapping, over = self._opened.mapping, asked.get("over") is True
        if asked.get("base") != mapping.saved and not over:  # another page of this playground saved meanwhile
            raise MappingChangedError(f"{mapping.path} was saved from another page since it was opened here")
        mapping.save(str(asked["mapping"]), over_changes=over)
        return {"saved": str(mapping.path)}

    def _example(self, asked: dict[str, Any]) -> object:
        made = self._evaluation.made(str(asked["format"]), str(asked["mapping"]))
        return {"mapping": with_example(made, str(asked["mapping"]), str(asked["format"]), str(asked["line"]))}

    def _reload(self, asked: dict[str, Any]) -> object:
        return {"mapping": self._opened.mapping.read_again()}


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status, HEADERS, "application/json")


def serve(opened: OpenedConfig, host: str, port: int, announce: Callable[[str, bool], None]) -> None:
    """Runs until SIGINT or SIGTERM. `announce` gets the address with its key, and whether only this machine reaches it.

    Raises: LogshipError for an address that is taken or not ours.
    """
    door = Door(host)
    config = uvicorn.Config(
        Playground(opened, door).app(), ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    with bind(host, port) as listener:
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when it has stopped
            signal.signal(number, lambda *_: None)
        announce(url_of(listener, f"/?key={door.key}"), is_loopback(host))
        uvicorn.Server(config).run(sockets=[listener])


def words(own_formats: list[str]) -> dict[str, Any]:
    """Shapes: `keys` maps a place, dotted keys with `*` for any name and `-` for a list, to key: description."""
    return {
        "keys": _keys(),
        "fields": {name: field.meaning for name, field in FIELDS.items()},
        "filters": list(FILTERS),
        "matchers": list(MATCHERS),
        "mappings": list(mapping_names()),
        "formats": sorted({*presets(), *own_formats}),
    }


def _keys() -> dict[str, dict[str, str]]:
    schema = mapping_keys()
    found: dict[str, dict[str, str]] = {}
    _walk(schema, schema, "", found)
    for place, keys in EVENT_KEYS.items():
        found[".".join(("event", *place))] = dict.fromkeys(keys, "")
    found["rules.-.if"] = {name: field.meaning for name, field in FIELDS.items()}
    found["rules.-.if.*"] = dict.fromkeys(MATCHERS, "")
    found["rules.-.set"] = dict.fromkeys((*EVENT_KEYS[()], "request.headers.X", "metadata.x"), "")
    return found


def _walk(node: dict[str, Any], schema: dict[str, Any], place: str, found: dict[str, dict[str, str]]) -> None:
    """Collects the keys of every map below."""
    if "$ref" in node:
        node = schema["$defs"][str(node["$ref"]).rpartition("/")[2]]
    for choice in node.get("anyOf", ()):
        _walk(choice, schema, place, found)
    for key, below in node.get("properties", {}).items():
        found.setdefault(place, {})[key] = str(below.get("description", ""))
        _walk(below, schema, f"{place}.{key}".lstrip("."), found)
    if isinstance(node.get("items"), dict):
        _walk(node["items"], schema, f"{place}.-", found)
    if isinstance(node.get("additionalProperties"), dict):
        _walk(node["additionalProperties"], schema, f"{place}.*", found)
