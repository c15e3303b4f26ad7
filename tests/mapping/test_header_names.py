"""Names of headers have no case: what one spelling writes, another replaces or removes."""

from __future__ import annotations

import pytest

from tests.mapping.world import at, combined, event

REFERER = "https://a.example/s3cret"


@pytest.mark.parametrize("name", ["Referer", "referer", "REFERER"])
@pytest.mark.parametrize(
    "text",
    ["event: {{request: {{headers: {{{0}: null}}}}}}", "rules: [{{set: {{request.headers.{0}: null}}}}]",
     "rules: [{{set: {{request: {{headers: {{{0}: null}}}}}}}}]"],
)  # fmt: skip
def test_a_header_is_removed_in_any_spelling(name: str, text: str) -> None:
    assert REFERER not in str(event(combined(referer=REFERER), text.format(name)))


@pytest.mark.parametrize(
    "text",
    ["event: {request: {headers: {referer: other}}}", "rules: [{set: {request.headers.referer: other}}]",
     "rules: [{set: {request.headers.X-A: a}}, {set: {request.headers.x-a: b, request.headers.referer: other}}]"],
)  # fmt: skip
def test_a_header_is_sent_once_in_whatever_spelling_it_is_set(text: str) -> None:
    headers = at(event(combined(referer=REFERER), text), "request", "headers")
    assert isinstance(headers, dict)
    assert len(headers) == len({name.lower() for name in headers})
    assert {name.lower(): value for name, value in headers.items()}["referer"] == "other"
