"""The receiver's rules as its documents describe them, computed independently over finished events.

Source: Moesif's `_config-api.md`; its log-based client of 2026-10 and moesifapi 1.5 (precedence, weight).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def rate_of(event: Mapping[str, Any], config: Mapping[str, Any]) -> float:
    """The percentage at which such events are kept."""
    users, companies = config.get("user_sample_rate") or {}, config.get("company_sample_rate") or {}
    user, company = event.get("user_id"), event.get("company_id")
    if users.get(user) == 0 or companies.get(company) == 0:
        return 0.0
    for rule in config.get("regex_config") or []:
        conditions = rule.get("conditions") or []
        if conditions and all(_holds(event, one) for one in conditions):
            return float(rule.get("sample_rate", 100))
    if user in users:
        return float(users[user])
    if company in companies:
        return float(companies[company])
    return float(config.get("sample_rate", 100))


def weight_of(rate: float) -> int:
    return math.floor(100 / rate) if rate else 1


def _holds(event: Mapping[str, Any], condition: Mapping[str, str]) -> bool:
    found = _value(event, condition["path"])
    return found is not None and re.search(condition["value"], found) is not None


def _value(event: Mapping[str, Any], path: str) -> str | None:
    if path == "request.route":
        return urlsplit(event["request"]["uri"]).path or "/"
    node: Any = event
    for step in path.split("."):
        if isinstance(node, list):
            node = node[int(step)] if step.isdigit() and int(step) < len(node) else None
        elif isinstance(node, dict):
            exact = {key.lower(): value for key, value in node.items()} | node
            node = exact.get(step, exact.get(step.lower()))
        else:
            return None
    if node is None or isinstance(node, dict | list):
        return None
    return str(node)
