"""Who may post: those that know the id of an application."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from logship.collector.options import CollectorOptions
from logship.collector.refusal import RefusalError

ID_HEADER = "X-Moesif-Application-Id"
MAX_ID_CHARS = 512  # with a user it must fit into a row of a PostgreSQL index


class Senders:
    """Knows senders by the application id that they send."""

    def __init__(self, options: CollectorOptions) -> None:
        self._known = [one.encode() for one in options.application_ids]

    def application_of(self, request: Request) -> str:
        """The application id of a request.

        Raises: RefusalError 401; comparing takes as long for a wrong id as for a right one.
        """
        given = request.headers.get(ID_HEADER, "").strip()
        if not given:
            raise RefusalError(401, "no_application_id", f"the header {ID_HEADER} is missing")
        if len(given) > MAX_ID_CHARS:
            raise RefusalError(401, "unknown_application_id", f"{ID_HEADER} is over {MAX_ID_CHARS} characters long")
        matches = [hmac.compare_digest(given.encode(), one) for one in self._known]
        if self._known and not any(matches):
            raise RefusalError(401, "unknown_application_id", f"{ID_HEADER} is not an id of this collector")
        return given
