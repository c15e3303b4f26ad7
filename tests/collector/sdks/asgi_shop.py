"""A Starlette application under moesifasgi, with its default settings."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from moesifasgi import MoesifMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.collector.sdks.driving import arguments, body_of, send_profiles, wait_for_the_end


async def shop(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse(body_of(int(request.path_params["number"])))


async def call(app: Any, number: int) -> None:
    body = json.dumps(body_of(number)).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": f"/asgi/{number}",
        "raw_path": f"/asgi/{number}".encode(),
        "query_string": b"",
        "headers": [(b"host", b"shop.example"), (b"content-type", b"application/json")],
        "client": ("203.0.113.9", 1234),
        "server": ("shop.example", 443),
    }
    answered = asyncio.Event()
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if pieces:
            return pieces.pop()
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    await app(scope, receive, send)


async def calls(app: Any, count: int) -> None:
    for number in range(count):
        await call(app, number)


def main() -> None:
    url, application_id, count = arguments()
    app = Starlette(routes=[Route("/asgi/{number}", shop, methods=["POST"])])
    middleware = MoesifMiddleware(app=app, settings={"APPLICATION_ID": application_id, "BASE_URI": url})
    asyncio.run(calls(middleware, count))
    send_profiles(middleware)
    wait_for_the_end()


main()
