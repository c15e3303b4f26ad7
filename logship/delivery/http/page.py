"""Pages of the receiver that are read for their content, each over a connection of its own."""

from __future__ import annotations

import threading

from logship.delivery.answer import Answer, Failure, Page
from logship.delivery.http.transport import HttpTransport


class PageTransport(HttpTransport):
    """GET as the senders POST: the same proxy, certificates and strictness; redirects are never followed."""

    def get(self, path: str, headers: dict[str, str], most_bytes: int) -> Page | Failure:
        """The page with the first `most_bytes` of its body; the attempt as a whole is bounded by the timeout."""
        self.most_answer_bytes = most_bytes
        self._is_cut = False
        guard = threading.Timer(self._endpoint.timeout_s, self.cut)
        guard.daemon = True
        guard.start()
        try:
            response = self._exchange("GET", path, b"", headers)
        finally:
            guard.cancel()
            self.close()
        if isinstance(response, Failure):
            return response
        if isinstance(response, Answer):
            return Page(response.status, {})
        return Page(response.status, response.headers, response.data)
