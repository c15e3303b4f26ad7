"""Random events of any kind in a store, and random questions about them."""

from __future__ import annotations

import random
from typing import Any

import orjson

from logship.collector.database import Database
from logship.collector.intake import Intake
from logship.collector.retention import erase
from logship.collector.row import EventRow
from logship.collector.segments import fold
from logship.collector.times import iso_time

BATCHES = 10  # that the events come in
NOW_MS = 1_791_640_600_000
SPAN_MS = 40 * 86_400_000
APPS = ("shop", "other")
PATHS = (
    "/", "/cart", "/pay", "/search", "/api/users/{}", "/api/items/{}/reviews", "/\u00e9/{}", "/100%_sure",
    "/\x00nul/{}", "/\U0001f6a2/\u202e{}", "/long/" + "x" * 500, "/<b>{}</b>",
)  # fmt: skip
WRONG_TIMES_MS = (
    0, 1, -2_500_000_000_123, -62_000_000_000_000, 253_402_300_799_999, NOW_MS, NOW_MS + 30_000, NOW_MS + 86_400_000,
    1_792_889_999_999, 1_792_890_000_000, 1_792_893_599_000,  # around the end of Berlin's summer time
)  # fmt: skip
AGENTS = ("curl/8.5.0", "Mozilla/5.0 (X11) Firefox/128.0", "Mozilla/5.0 (compatible; Googlebot/2.1)", "", "okhttp/4")
ZONES = (
    "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Europe/Amsterdam", "Pacific/Apia",
)  # fmt: skip
TEXTS = ("cart", "GOOGLE", "items/7", '"status":50', "nowhere", "100%_", "\u00e9")


def stored(choose: random.Random, number: int) -> dict[str, Any]:
    """An event of any kind."""
    at = choose.choice(WRONG_TIMES_MS) if choose.random() < 0.03 else NOW_MS - choose.randrange(SPAN_MS)
    path = choose.choice(PATHS).format(choose.randrange(300))
    headers = {"User-Agent": choose.choice(AGENTS)}
    if choose.random() < 0.3:
        headers["Referer"] = f"https://{choose.choice(('a', 'b'))}.example/x"
    event: dict[str, Any] = {
        "request": {
            "time": iso_time(at),
            "verb": choose.choice(("GET", "GET", "POST", "DELETE", "BREW")),
            "uri": f"https://{choose.choice(('a', 'b', 'c'))}.example{path}?n={number}",
            "ip_address": f"203.0.113.{choose.randrange(200)}",
            "headers": headers,
        },
        "transaction_id": f"00000000-0000-8000-8000-{number:012x}",
    }
    if choose.random() < 0.95:
        lasted = choose.choice((0, 1, 12, 40, 250, 1_900, 60_000, -5_000, 10**10))
        status = choose.choice((200, 200, 200, 204, 301, 404, 429, 500, 502, 599, 600, 999, 0))
        event["response"] = {"time": iso_time(at + lasted), "status": status}
    if choose.random() < 0.5:
        usual = f"user-{choose.randrange(60)}"
        event["user_id"] = choose.choice(
            (usual, usual, f"\x00{choose.randrange(3)}", "\u202e\U0001f6a2", "=1+1", 'a,"b"')
        )
    if choose.random() < 0.2:
        event["company_id"] = f"company-{choose.randrange(5)}"
    if choose.random() < 0.2:
        event["metadata"] = {"source": choose.choice(("web-1", "web-2"))}
    if choose.random() < 0.3:
        event["weight"] = choose.choice((1, 2, 10, 1_000_000_000))
    return event


def fill(database: Database, events: int) -> None:
    """Stores random events of APPS: in large and small segments, the last ones in none, some of them erased."""
    choose = random.Random(events)
    intake = Intake()
    each = events // len(APPS)
    batch = max(each // BATCHES, 1)
    for first in range(0, each, batch):
        rows: list[EventRow] = []
        for application_id in APPS:
            body = orjson.dumps([stored(choose, first + number) for number in range(batch)])
            rows += intake.rows(body, batch=True, application_id=application_id, received_ms=NOW_MS, peer="")
        choose.shuffle(rows)
        database.insert(rows)
        if first % (3 * batch) and first < each - batch:
            fold(database)
    assert erase(database, "user-7", "shop").events > 0
    database.insert([row._replace(transaction_id=None) for row in rows[:500]])


def question(choose: random.Random) -> dict[str, str]:
    """A random query string: none to four filters, each kind of value, and a time."""
    values = {
        "verb": ("GET", "POST", "BREW", "PUT"),
        "status": ("200", "404", "5xx", "2xx", "none", "502", "418"),
        "route": ("/", "/cart", "/api/users/{id}", "/none"),
        "path": (
            "/cart",
            "/api/users/17",
            "/api/*",
            "/\u00e9*",
            "/100%_sure",
            "/api/users/{id}",
            "/none",
            "*",
            "/\ufffdnul/*",
            "/\U0001f6a2/*",
            "/long/*",
            "/<b>*",
        ),
        "user": ("user-3", "user-7", "nobody", "\u202e\U0001f6a2", "\ufffd1", 'a,"b"'),
        "company": ("company-1", "company-9"),
        "client": ("203.0.113.5", "203.0.113.250"),
        "source": ("web-1", "a.example", "none"),
        "host": ("a.example", "b.example"),
        "agent": ("curl", "Firefox", "Googlebot", "okhttp", "wget"),
        "referrer": ("a.example", "c.example"),
    }
    asked = {}
    for name in choose.sample(sorted(values), choose.choice((0, 1, 1, 2, 2, 3, 4))):
        asked[("not-" if choose.random() < 0.3 else "") + name] = choose.choice(values[name])
    if choose.random() < 0.15:
        asked["q"] = choose.choice(TEXTS)
    if choose.random() < 0.4:
        asked["tz"] = choose.choice(ZONES)
    kind = choose.random()
    if kind < 0.5:
        asked["range"] = choose.choice(
            ("15m", "1h", "24h", "7d", "30d", "all", "all", "today", "2026-09-20", "2026-09")
        )
    else:
        since = NOW_MS - choose.randrange(SPAN_MS)
        asked["since"] = iso_time(since)
        if kind < 0.9:
            asked["until"] = iso_time(since + choose.choice((1, 60_000, 3_600_000, 86_400_000, 10**9)))
    return asked
