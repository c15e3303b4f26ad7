"""Reading users, companies, subscriptions and actions: one user's, or all of them as a file."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from logship.collector.actions import next_actions
from logship.collector.answers import json_answer
from logship.collector.database import Database
from logship.collector.profile_model import ACTIONS, KINDS, ItemKind
from logship.collector.profiles import next_profiles, user_page
from logship.collector.read_api import PRIVATE, ReadApi
from logship.collector.refusal import bad_parameter

EXPORTED_AT_ONCE = 50  # each may have 1 MB
MAX_USER_CHARS = 512  # as the filter of events takes


class ProfileApi:
    """GET endpoints under /api beside those of events; the same readers may read."""

    def __init__(self, database: Database, api: ReadApi) -> None:
        self._database = database
        self._api = api

    def routes(self) -> list[Route]:
        exports = [Route(f"/api/export/{kind.path}", functools.partial(self._export, kind)) for kind in KINDS]
        return [Route("/api/user", self.user), *exports]

    def user(self, request: Request) -> Response:
        """The profile of one user, that of the company, and the newest actions."""
        application_id = self._api.chosen(request).id
        user_id = request.query_params.get("user", "")
        if not user_id or len(user_id) > MAX_USER_CHARS or "\x00" in user_id:
            raise bad_parameter("user", user_id, "give a user_id")
        found = user_page(self._database, application_id, user_id)
        document = {"profile": found.profile, "company": found.company, "actions": found.actions}
        return json_answer(document, headers=PRIVATE)

    async def _export(self, kind: ItemKind, request: Request) -> Response:
        """Every document of a kind, one a line, as they are read: memory stays flat."""
        application = await run_in_threadpool(self._api.chosen, request)
        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{kind.path}.ndjson"'}
        lines = self._actions(application.id) if kind is ACTIONS else self._profiles(kind, application.id)
        return StreamingResponse(lines, 200, headers, media_type="application/x-ndjson")

    async def _profiles(self, kind: ItemKind, application_id: str) -> AsyncIterator[bytes]:
        after, limit = "", EXPORTED_AT_ONCE
        while found := await run_in_threadpool(next_profiles, self._database, application_id, kind, after, limit):
            yield "".join(f"{document}\n" for _, document in found).encode()
            after = found[-1][0]

    async def _actions(self, application_id: str) -> AsyncIterator[bytes]:
        after = 0
        while found := await run_in_threadpool(next_actions, self._database, application_id, after, EXPORTED_AT_ONCE):
            yield "".join(f"{action}\n" for _, action in found).encode()
            after = found[-1][0]
