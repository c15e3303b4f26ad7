"""What people on call ask, each answered in at most two interactions from the start page, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from logship.collector import CollectorServer
from tests.collector.browsing import chromium, shoot
from tests.collector.sending import event, post

SIZES = {"phone": (320, 700), "handheld": (390, 844), "tablet": (768, 1024), "wide": (1440, 1000)}
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def at(ago: timedelta, number: int, **what: Any) -> dict[str, Any]:
    """An event of some time ago: path, status, duration in ms, user and client are given."""
    made = event(number)
    start = NOW - ago
    end = start + timedelta(milliseconds=what.get("lasted", 40))
    made["request"] |= {"time": iso(start), "uri": f"https://shop.example{what['path']}"}
    made["request"] |= {"ip_address": what.get("client", "203.0.113.9"), "headers": {"User-Agent": "Firefox/128.0"}}
    made["response"] |= {"time": iso(end), "status": what.get("status", 200)}
    if "user" in what:
        made["user_id"] = what["user"]
    return made


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A collector with two days of a shop: 502 of two routes in the night, slower today than yesterday."""
    hour = timedelta(hours=1)
    sent = [at(hour * (number % 23), number, path=f"/items/{number}", lasted=80) for number in range(200)]
    sent += [at(hour * (25 + number % 20), 1_000 + number, path="/items/1", lasted=20) for number in range(200)]
    sent += [at(hour * 9, 2_000 + number, path="/pay", status=502, user="ann") for number in range(12)]
    sent += [at(hour * 9, 3_000 + number, path=f"/users/{number}", status=502, user="bob") for number in range(5)]
    sent += [at(hour * 2, 4_000 + number, path="/login", status=401, client="198.51.100.66") for number in range(30)]
    store = tmp_path_factory.mktemp("shop") / "events.db"
    with CollectorServer(store=str(store), application_ids=("shop", "second", "third")) as collector:
        for start in range(0, len(sent), 200):
            assert post(collector.url, sent[start : start + 200], application_id="shop").status_code == 201
        yield collector.url


@pytest.fixture
def page(browser: Browser, shop: str) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1440, "height": 1000}) as context:
        opened = context.new_page()
        opened.goto(shop)
        yield opened


def test_which_routes_gave_502_last_night(page: Page) -> None:
    page.locator(".statuses a", has_text="502").click()
    expect(page.locator(".values tbody tr")).to_have_count(2)
    assert page.locator(".values td:first-child a:not(.not)").all_inner_texts() == ["/pay", "/users/{id}"]
    expect(page.locator(".figures p").first).to_have_text("17")


def test_what_this_client_did(page: Page) -> None:
    page.get_by_role("link", name="Clients").click()
    page.locator(".values").get_by_role("link", name="198.51.100.66", exact=True).click()
    expect(page.locator(".figures p").first).to_have_text("30")
    assert set(page.locator("#events .path a").all_inner_texts()) == {"/login"}


def test_which_user_has_most_errors(page: Page) -> None:
    page.get_by_role("link", name="Users", exact=True).click()
    expect(page.locator(".values tbody")).to_contain_text("ann")  # the list has come: "Errors" is of users from now on
    page.get_by_role("link", name="Errors", exact=True).click()
    expect(page.locator(".values th [aria-current]")).to_have_text("Errors")
    first = page.locator(".values tbody tr").first
    expect(first.locator("a").first).to_have_text("ann")
    expect(first).to_contain_text("12 5xx")


def test_whether_it_is_slower_than_yesterday(page: Page) -> None:
    durations = page.locator(".durations").inner_text()
    assert "the 24h before (+" in durations
    page.get_by_role("link", name="p95", exact=True).click()
    expect(page.locator(".values tbody tr").first).to_contain_text("/items/{id}")


def test_the_request_with_this_id(page: Page) -> None:
    page.get_by_label("Search in events").fill("00000000-0000-8000-8000-0000000007d3")
    page.keyboard.press("Enter")
    expect(page.locator("#events tbody tr")).to_have_count(1)
    page.locator("#events a.open").click()
    expect(page.locator("#drawer")).to_contain_text("/pay")


def test_a_value_is_taken_in_and_out_where_it_is_shown(page: Page) -> None:
    page.locator(".statuses a", has_text="502").click()
    page.locator("#events .user a", has_text="ann").first.click()
    expect(page.locator(".figures p").first).to_have_text("12")
    page.locator("#events a.open").first.click()
    page.locator("#drawer").get_by_label("All but /pay").click()
    expect(page.locator(".chips")).to_contain_text("not route")
    expect(page.get_by_role("heading", name="No events match")).to_be_visible()


def test_dragging_over_the_chart_zooms(page: Page) -> None:
    box = page.locator("#plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60, steps=5)
    page.mouse.up()
    expect(page.locator(".chips")).to_contain_text("from")
    assert "since=" in page.url
    assert "until=" in page.url


def test_the_keyboard_walks_over_the_chart_marks_zooms_and_goes_back(page: Page) -> None:
    chart = page.get_by_role("slider", name="Requests over time")
    chart.focus()
    bars = int(chart.get_attribute("aria-valuemax") or "")
    titles = page.locator("#plot title").all_text_contents()
    expect(chart).to_have_attribute("aria-valuetext", titles[-1])
    chart.press("Home")
    chart.press("PageDown")
    chart.press("ArrowRight")
    expect(chart).to_have_attribute("aria-valuenow", "11")
    expect(chart).to_have_attribute("aria-valuetext", titles[11])
    expect(page.locator("#marked")).to_have_text(titles[11])
    chart.press("ArrowLeft")
    for _ in range(3):
        chart.press("Shift+ArrowRight")
    first, last = (titles[number].rsplit(": ", 1)[0] for number in (10, 14))
    requests = sum(int(one) for one in (page.locator("#plot").get_attribute("data-totals") or "").split()[10:14])
    said = f"{first} to {last}: {requests} requests in 4 bars"
    expect(chart).to_have_attribute("aria-valuetext", said)
    shoot(page, "chart-keyboard")
    edges = (page.locator("#plot").get_attribute("data-edges") or "").split()
    chart.press("Enter")
    expect(page.locator(".chips")).to_contain_text("from")
    since, until = (datetime.fromtimestamp(int(edges[number]), UTC) for number in (10, 14))
    assert parse_qs(urlsplit(page.url).query) == {"since": [iso(since)], "until": [iso(until)]}
    expect(page.locator(".figures p").first).to_have_text(str(requests))
    expect(chart).to_be_focused()
    chart.press("Escape")
    expect(page.locator(".chips")).to_have_count(0)
    expect(chart).to_be_focused()
    expect(chart).to_have_attribute("aria-valuemax", str(bars))


def test_every_width_and_scheme_fits(browser: Browser, shop: str) -> None:
    for name, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            size: Any = {"width": width, "height": height}
            with browser.new_context(viewport=size, color_scheme=scheme) as context:
                page = context.new_page()
                for view, address in {"start": "/", "users": "/?list=user&sort=errors", "event": "/events/1"}.items():
                    page.goto(shop + address)
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    if view == "start" or (name, scheme) == ("wide", "light"):
                        shoot(page, f"{view}-{scheme}-{width}")
                    assert wide <= width, (name, view)
