"""The request line: method, target and version of `GET /x HTTP/1.1`, or nothing where it holds no request."""

from __future__ import annotations

from logship.patterns import deferred

PARTS = ("request_method", "request_url", "request_http_ver")
NO_REQUEST = ("", "", "")
_METHOD = deferred(r"[A-Za-z][!#$%&'*+.^_`|~0-9A-Za-z-]*")  # RFC 9110 token, starting like a word
_USUAL = deferred(rf"({_METHOD.pattern}) (/[^ ]*) HTTP/([0-9](?:\.[0-9])?)")
_VERSION = deferred(r"[0-9]{1,2}(?:\.[0-9]{1,2})?")


def is_method(text: str) -> bool:
    """Whether it can be a method."""
    return _METHOD.fullmatch(text) is not None


def split_request_line(line: str) -> tuple[str, str, str]:
    """Method, target and version; the target may hold spaces; version '' is HTTP/0.9; NO_REQUEST for anything else.

    `-`, an empty line, TLS bytes and probes such as `SSH-2.0-x` hold no request. Linear in the length of the line.
    """
    usual = _USUAL.fullmatch(line)
    if usual is not None:
        return usual[1], usual[2], usual[3]
    method, _, rest = line.partition(" ")
    if not is_method(method):
        return NO_REQUEST
    end = rest.rfind("HTTP/")
    if end >= 0 and rest[end - 1 : end] in {" ", ""} and _VERSION.fullmatch(rest, end + 5):
        url = rest[:end].strip(" ")
        return (method, url, rest[end + 5 :]) if url else NO_REQUEST
    url = rest.strip(" ")
    return (method, url, "") if url.startswith("/") else NO_REQUEST
