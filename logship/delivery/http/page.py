"""GET of a receiver's page, over a connection of its own."""

from __future__ import annotations

import threading
import zlib

from logship.delivery.answer import Answer, Failure, FailureKind, RulesPage
from logship.delivery.http.transport import HttpTransport

CUT_AGAIN_S = 0.25
GZIP = 16 + zlib.MAX_WBITS


class PageTransport(HttpTransport):
    """GET the way senders POST: the same proxy, certificates and strictness; redirects are never followed."""

    def get(self, path: str, headers: dict[str, str], most_bytes: int) -> RulesPage | Failure:
        """The page with the first `most_bytes` of its body; the attempt as a whole is bounded by the timeout."""
        self.most_answer_bytes = most_bytes
        self._is_cut = False
        is_over = threading.Event()
        threading.Thread(target=self._cut_until, args=(is_over,), daemon=True).start()
        try:
            response = self._exchange("GET", path, b"", headers)
        finally:
            is_over.set()
            self.close()
        if isinstance(response, Failure):
            return response
        if isinstance(response, Answer):
            return RulesPage(response.status, {})
        try:
            body = plain(response.data, response.headers.get("content-encoding", ""), most_bytes)
        except ValueError as exc:
            return Failure(FailureKind.GARBAGE, f"the answer to GET {path} can't be read: {exc}")
        return RulesPage(response.status, response.headers, body)

    def _cut_until(self, is_over: threading.Event) -> None:
        """Cuts an attempt that takes too long, repeatedly: one that is dialling can't be cut yet."""
        wait_s = self._endpoint.timeout_s
        while not is_over.wait(wait_s):
            self.cut()
            wait_s = CUT_AGAIN_S


def plain(data: bytes, encoding: str, most_bytes: int) -> bytes:
    """The first `most_bytes` of a body, decompressed: some servers compress unasked.

    Raises: ValueError where it is compressed otherwise than by gzip, or damaged.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return data
    if name not in ("gzip", "x-gzip"):
        raise ValueError(f"its Content-Encoding is {encoding[:60]!r}, and none was asked for")
    unpacking = zlib.decompressobj(GZIP)
    try:
        text = unpacking.decompress(data, most_bytes)
    except zlib.error as exc:
        raise ValueError(f"its gzip is damaged: {exc}") from exc
    if not unpacking.eof and len(text) < most_bytes:
        raise ValueError("its gzip is cut")
    return text
