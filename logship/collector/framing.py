"""Requests whose length can be read in two ways are refused: a proxy in front may have read the other one."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from logship.collector.answers import json_answer

MESSAGE = "Content-Length and Transfer-Encoding together; send one of them"


class OneLength:
    """Passes what has at most one of both headers; answers 400 to the others and closes their connection.

    Source: RFC 9112, 6.1: such a message ought to be handled as an error; request smuggling is made of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            names = {name for name, _ in scope["headers"]}
            if b"transfer-encoding" in names and b"content-length" in names:
                refusal = {"code": "two_lengths", "message": MESSAGE}
                await json_answer(refusal, 400, {"Connection": "close"})(scope, receive, send)
                return
        await self._app(scope, receive, send)
