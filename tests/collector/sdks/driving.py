"""What the programs of the SDKs have in common: a shop that answers 20 kB, the profiles, and their end."""

from __future__ import annotations

import sys
from typing import Any, Protocol

TEXT = "é" * 3_200  # 19,200 bytes of JSON as Python writes it
USER = {"user_id": "ann", "company_id": "acme", "metadata": {"plan": "free", "seats": {"paid": 1}}}
USER_LATER = {"user_id": "ann", "metadata": {"plan": "gold"}}
COMPANY = {"company_id": "acme", "company_domain": "acme.example", "metadata": {"size": 9}}


class Profiling(Protocol):
    """The part of a middleware that sends profiles."""

    def update_user(self, user_profile: dict[str, Any]) -> None: ...
    def update_users_batch(self, user_profiles: list[dict[str, Any]]) -> None: ...
    def update_company(self, company_profile: dict[str, Any]) -> None: ...
    def update_companies_batch(self, companies_profiles: list[dict[str, Any]]) -> None: ...


def arguments() -> tuple[str, str, int]:
    """Base URL, application id and number of requests, as the test gives them."""
    return sys.argv[1], sys.argv[2], int(sys.argv[3])


def body_of(number: int) -> dict[str, Any]:
    """20 kB of JSON, another for each number."""
    return {"number": number, "text": TEXT, "items": list(range(100))}


def send_profiles(middleware: Profiling) -> None:
    middleware.update_user(USER)
    middleware.update_user(USER_LATER)
    middleware.update_users_batch([{"user_id": "bob"}, {"user_id": "eve", "metadata": {"x": None}}])
    middleware.update_company(COMPANY)
    middleware.update_companies_batch([{"company_id": "other"}])


def wait_for_the_end() -> None:
    """Returns when the test has seen everything: it closes our standard input."""
    sys.stdout.write("sent\n")
    sys.stdout.flush()
    sys.stdin.read()
