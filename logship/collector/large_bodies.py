"""Bodies of calls that are too large to be kept whole: their beginning stays, as the hosted service has it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from logship import digits

MAX_EVENT_CHARS = 1_000_000  # of an event's JSON; beyond it bodies are cut
KEPT_BYTES = 450_000  # of a body
KEPT_BASE64_CHARS = KEPT_BYTES // 3 * 4


def cut_bodies(event: dict[str, Any]) -> None:
    """Cuts both bodies of an event in place to KEPT_BYTES, in base64; `body_bytes` says how long a cut one was."""
    for name in ("request", "response"):
        message = event.get(name) or {}
        body = message.get("body")
        if body is None:
            continue
        if isinstance(body, str) and message.get("transfer_encoding") == "base64":
            if len(body) > KEPT_BASE64_CHARS:
                message["body"], message["body_bytes"] = body[:KEPT_BASE64_CHARS], len(body) // 4 * 3
            continue
        whole = body.encode() if isinstance(body, str) else digits.dumps(body)
        if len(whole) > KEPT_BYTES:
            message["body"], message["transfer_encoding"] = b64encode(whole[:KEPT_BYTES]).decode(), "base64"
            message["body_bytes"] = len(whole)
