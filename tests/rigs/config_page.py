"""GET /v1/config as a receiver answers it, and as it should not; beside Receiver."""

from __future__ import annotations

import gzip
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import orjson

BROKEN = {
    "500": (500, b"oops", "text/plain"),
    "garbage": (200, b"}{", "application/json"),
    "html": (200, b"<html>{}</html>", "text/html"),
    "wrong type": (200, b'{"sample_rate": "none"}', "application/json"),
    "list": (200, b"[]", "application/json"),
    "empty": (200, b"", "application/json"),
    "too big": (200, b'{"x": "' + b"x" * 8_100_000 + b'"}', "application/json"),
    "301": (301, b"", "text/plain"),
    "404": (404, b"", "text/plain"),
    "401": (401, b"", "text/plain"),
    "says nothing": (200, b"{}", "application/json"),
    "only bots": (200, b'{"app_id": "3:4", "sample_rate": null, "block_bot_traffic": true}', "application/json"),
    "304": (304, b"", "application/json"),
}


@dataclass
class ConfigPage:
    """The page; `script` are keys of BROKEN that the next requests are answered with, `always` one for all."""

    config: dict[str, Any] = field(default_factory=dict)
    script: deque[str] = field(default_factory=deque)
    always: str = ""
    is_gzipped: bool = False  # good answers, though nobody asks for it
    asked: list[dict[str, str]] = field(default_factory=list)  # headers of each request
    statuses: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def etag(self) -> str:
        return f"{crc32(orjson.dumps(self.config)):08x}"

    def answer(self, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        with self._lock:
            self.asked.append(headers)
            broken = self.script.popleft() if self.script else self.always
            status, body, kind = BROKEN.get(broken, (200, orjson.dumps(self.config), "application/json"))
            etag = self.etag
            if not broken and headers.get("if-none-match") == etag:
                status, body = 304, b""
            self.statuses.append(status)
        if self.is_gzipped and status == 200:
            return status, gzip.compress(body), {"Content-Type": kind, "Content-Encoding": "gzip"}
        return status, body, {"Content-Type": kind} | ({} if broken else {"X-Moesif-Config-ETag": etag})
