"""A WSGI application under moesifwsgi, with its default settings and users whose ids are texts and numbers."""

from __future__ import annotations

import io
import json
from typing import Any
from wsgiref.util import setup_testing_defaults

from moesifwsgi import MoesifMiddleware

from tests.collector.sdks.driving import arguments, body_of, send_profiles, wait_for_the_end


def shop(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(body_of(int(environ["PATH_INFO"].rpartition("/")[2]))).encode()]


def user_of(app: Any, environ: dict[str, Any], response_headers: object = None) -> int | str:
    """Every fifth call is of one whose id is a number, as ids of databases are."""
    return 42 if int(environ["PATH_INFO"].rpartition("/")[2]) % 5 == 0 else "ann"


def main() -> None:
    url, application_id, count = arguments()
    middleware = MoesifMiddleware(shop, {"APPLICATION_ID": application_id, "BASE_URI": url, "IDENTIFY_USER": user_of})
    for number in range(count):
        body = json.dumps(body_of(number)).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/wsgi/{number}",
            "HTTP_HOST": "shop.example",
            "REMOTE_ADDR": "203.0.113.9",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        setup_testing_defaults(environ)
        list(middleware(environ, lambda status, headers, *more: None))
    send_profiles(middleware)
    wait_for_the_end()


main()
