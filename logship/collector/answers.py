"""Answers in JSON, errors among them."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from logship import digits
from logship.collector.options import RETRY_AFTER_S
from logship.collector.refusal import RefusalError

RETRY = {"Retry-After": str(RETRY_AFTER_S)}
WORDS = {404: "not_found", 405: "method_not_allowed"}


def json_answer(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(digits.dumps(document), status, headers, media_type="application/json")


async def refused(request: Request, exc: Exception) -> Response:
    """The answer to a RefusalError."""
    assert isinstance(exc, RefusalError)
    headers = dict(exc.headers)
    if exc.retry_after_s is not None:
        headers["Retry-After"] = str(exc.retry_after_s)
    return json_answer(exc.document(), exc.status, headers)


async def no_store(request: Request, exc: Exception) -> Response:
    """The answer to a reader while the store can't be read."""
    return json_answer({"code": "no_store", "message": "the store can't be read now; try again"}, 503, RETRY)


async def broken(request: Request, exc: Exception) -> Response:
    """The answer to a mistake of ours; uvicorn logs it with its traceback."""
    return json_answer({"code": "broken", "message": "the collector failed; its log says how"}, 500)


async def no_route(request: Request, exc: Exception) -> Response:
    """The answer where the path or the method is wrong."""
    assert isinstance(exc, HTTPException)
    message = f"{request.method[:20]} {request.url.path[:200]}: {exc.detail}; see /openapi.json"
    document = {"code": WORDS.get(exc.status_code, "error"), "message": message}
    return json_answer(document, exc.status_code, dict(exc.headers or {}))
