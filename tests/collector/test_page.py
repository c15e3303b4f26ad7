"""The page in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from logship.collector import CollectorServer
from tests.collector.browsing import axe_complaints, chromium, shoot
from tests.collector.sending import event, many, post

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\'"]]>{{7*7}}${7*7}'
WIDE = {"width": 1360, "height": 1000}
PHONE = {"width": 390, "height": 844}
ADDRESSES = {
    "list": "/?user=ann",
    "wrong": "/nothing",
    "event": "/events/1",
    "nothing": "/?q=nothing",
    "refused": "/?range=x",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test when a script fails or the content security policy stops something."""
    complaints: list[str] = []
    with browser.new_context(viewport=WIDE) as context:  # type: ignore[arg-type]
        opened = context.new_page()
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        yield opened
    assert [said for said in complaints if "Failed to load resource" not in said] == []


def recent(count: int, *, first: int = 0, **extra: Any) -> list[dict[str, Any]]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return many(count, first=first, time=now, **extra)


def paths(page: Page) -> list[str]:
    return page.locator("#events .path a").all_inner_texts()


def test_an_event_that_arrives_appears_without_a_reload(page: Page, collector: CollectorServer) -> None:
    post(collector.url, recent(1))
    page.goto(collector.url)
    page.evaluate("window.isSamePage = true")
    post(collector.url, recent(1, first=7))
    expect(page.locator("#events .path", has_text="/items/7")).to_be_visible(timeout=15_000)
    expect(page.locator(".figures p").first).to_have_text("2", timeout=15_000)
    assert page.evaluate("window.isSamePage")


def test_the_empty_page_says_what_to_do_and_fills_itself(page: Page, collector: CollectorServer) -> None:
    page.goto(collector.url)
    expect(page.get_by_role("heading", name="Listening")).to_be_visible()
    assert collector.url in page.locator(".snippet").inner_text()
    shoot(page, "empty")
    post(collector.url, recent(1))
    expect(page.locator("#events tbody tr")).to_have_count(1, timeout=15_000)


def test_filters_narrow_the_list_and_stand_in_the_address(page: Page, collector: CollectorServer) -> None:
    failed = recent(1, first=500, user_id="ann")[0]
    failed["response"]["status"] = 503
    post(collector.url, [*recent(5), failed])
    page.goto(collector.url)
    page.locator("select[name=status]").select_option("5xx")
    expect(page.locator("#events tbody tr")).to_have_count(1)
    assert "status=5xx" in page.url
    page.get_by_label("Remove the filter status 5xx").click()
    expect(page.locator("#events tbody tr")).to_have_count(6)
    page.keyboard.press("/")
    page.keyboard.type("items/3?")
    page.keyboard.press("Enter")
    expect(page.locator("#events tbody tr")).to_have_count(1)
    assert paths(page) == ["/items/3"]
    page.go_back()
    expect(page.locator("#events tbody tr")).to_have_count(6)
    page.locator("input[name=user]").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No events match")).to_be_visible()
    expect(page.get_by_role("link", name="all time")).to_have_count(0)  # nobody is in none: this is all time already
    shoot(page, "nothing-fits")
    page.goto(f"{collector.url}/?range=1h&user=nobody")
    page.get_by_role("link", name="all time").click()
    expect(page.locator(".ranges [aria-current]")).to_have_text("all")


def test_older_pages_follow_and_lead_back(page: Page, collector: CollectorServer) -> None:
    post(collector.url, recent(60))
    page.goto(collector.url)
    first = paths(page)
    assert len(first) == 50
    page.get_by_role("link", name="Older").click()
    expect(page.locator("#events tbody tr")).to_have_count(10)
    assert not set(first) & set(paths(page))
    page.get_by_role("link", name="Newest").click()
    expect(page.locator("#events tbody tr")).to_have_count(50)


def test_keys_walk_the_list_and_open_an_event(page: Page, collector: CollectorServer) -> None:
    post(collector.url, recent(3, user_id="ann"))
    page.goto(collector.url)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.locator("#drawer")
    expect(drawer.locator(".json")).to_contain_text('"transaction_id": "00000000-0000-8000-8000-000000000001"')
    expect(drawer.locator(".headers").first).to_contain_text("curl/8")
    shoot(page, "detail")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert page.evaluate("document.activeElement.textContent") == "/items/1"
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def test_what_events_hold_is_shown_and_never_run(page: Page, collector: CollectorServer) -> None:
    bad = recent(1, user_id=HOSTILE, metadata={"source": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}})[0]
    bad["request"] |= {"uri": f"https://x/{HOSTILE}", "verb": HOSTILE, "headers": {"User-Agent": HOSTILE, HOSTILE: "x"}}
    assert post(collector.url, [bad]).status_code == 201
    page.goto(collector.url)
    row = page.locator("#events tbody tr")
    expect(row.locator(".user")).to_have_text(HOSTILE)
    expect(row.locator(".source")).to_have_text(HOSTILE[:120])
    row.locator("a.open").click()
    expect(page.locator("#drawer .headers").first).to_contain_text(HOSTILE)
    expect(page.locator("#drawer .json")).to_contain_text("<script>window.hacked=1</script>")
    page.keyboard.press("Escape")
    page.locator(".values td a").first.click()
    expect(page.locator(".chips")).to_contain_text("<img src=x")
    assert page.locator("#part img, #part script").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_lost_collector_is_told_and_found_again(page: Page, collector: CollectorServer) -> None:
    post(collector.url, recent(1))
    page.goto(collector.url)
    collector.stop()
    expect(page.locator("#notice")).to_contain_text("can't be reached", timeout=15_000)
    expect(page.locator("#events tbody tr")).to_have_count(1)
    with collector:
        expect(page.locator("#notice")).to_be_hidden(timeout=20_000)


def test_without_its_script_the_page_filters_pages_and_shows(browser: Browser, collector: CollectorServer) -> None:
    post(collector.url, recent(60))
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(collector.url)
        page.get_by_label("Search in events").fill("items/33?")
        page.get_by_role("button", name="Apply").click()
        assert paths(page) == ["/items/33"]
        page.get_by_role("link", name="/items/33").click()
        expect(page.locator(".json")).to_contain_text("items/33")


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", PHONE)], ids=["light-wide", "dark-phone"])
def test_axe_finds_nothing_serious(browser: Browser, collector: CollectorServer, scheme: Any, size: Any) -> None:
    samples = recent(40, user_id="ann")
    for number, status in enumerate((200, 301, 404, 503, 429)):
        samples[number]["response"]["status"] = status
    samples[9] = {**samples[9], "response": None, "weight": 10}
    post(collector.url, samples)
    post(collector.url, {"user_id": "ann", "metadata": {"plan": "gold"}}, path="/v1/users")
    clicked = {"action_name": "Clicked", "user_id": "ann", "request": {"uri": "/", "time": "2026-10-10T10:00:00Z"}}
    post(collector.url, [clicked] * 20, path="/v1/actions/batch")
    with browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True) as context:
        page = context.new_page()
        for name, address in ADDRESSES.items():
            page.goto(collector.url + address)
            assert axe_complaints(page) == [], name
            if name == "list":
                shoot(page, f"{scheme}-{size['width']}")
                page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
                shoot(page, f"{'dark' if scheme == 'light' else 'light'}-{size['width']}")
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_token_opens_the_page_once_and_for_all(browser: Browser, tmp_path: Any) -> None:
    with (
        CollectorServer(store=str(tmp_path / "events.db"), page_token="correct-horse-battery") as collector,
        browser.new_context() as context,
    ):
        post(collector.url, [event(1)])
        page = context.new_page()
        page.goto(collector.url)
        page.get_by_label("Token").fill("wrong-horse-battery-x")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert").filter(has_text="not the token")).to_be_visible()
        shoot(page, "sign-in")
        page.get_by_label("Token").fill("correct-horse-battery")
        page.get_by_role("button", name="Open").click()
        expect(page.locator("#events tbody tr")).to_have_count(1)
        assert "correct-horse" not in str(context.cookies())


def test_values_to_choose_from_are_those_that_the_other_filters_leave(page: Page, collector: CollectorServer) -> None:
    failed = recent(2, first=500, user_id="Bob*")
    for one in failed:
        one["response"]["status"] = 503
    post(collector.url, [*recent(3, user_id="ann"), *recent(1, first=90, user_id="bert"), *failed])
    page.goto(collector.url)
    page.locator("input[name=user]").press_sequentially("b")
    options = page.locator("#user-values option")
    expect(options).to_have_count(2)
    assert [one.get_attribute("value") for one in options.all()] == ["Bob*", "bert"]
    page.goto(f"{collector.url}/?status=5xx&user=nobody")
    page.locator("input[name=user]").fill("")
    expect(options).to_have_count(1)
    page.get_by_text("More", exact=True).click()
    page.locator("input[name=host]").fill(" shop.example.com ")
    page.keyboard.press("Enter")
    expect(page.locator(".chips")).to_contain_text("host shop.example.com")
    assert "host=shop.example.com&" in f"{page.url}&"


def test_a_day_that_is_chosen_is_the_readers_day(browser: Browser, collector: CollectorServer) -> None:
    samples = recent(2)
    for one, time in zip(samples, ("2026-10-24T21:30:00.000Z", "2026-10-24T22:30:00.000Z"), strict=True):
        one["request"]["time"] = one["response"]["time"] = time
    post(collector.url, samples)
    with browser.new_context(viewport=WIDE, timezone_id="Europe/Berlin") as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{collector.url}/?range=all")
        page.get_by_role("link", name="Europe/Berlin").click()
        expect(page.locator(".zone")).to_contain_text("Times in Europe/Berlin")
        assert page.locator("#events .time").first.inner_text().startswith("25 Oct 00:30:00")
        page.get_by_role("button", name="From: choose a day").locator("+ .native").fill("2026-10-25T00:00")
        expect(page.locator("#events tbody tr")).to_have_count(1)
        expect(page.locator(".chips")).to_contain_text("from 25 Oct 2026 00:00")
        page.get_by_role("link", name="UTC", exact=True).click()
        expect(page.locator(".zone")).to_contain_text("Times in UTC")


@pytest.mark.parametrize("path", ["/nothing", "/events/x", "/events/999", "/Login", "/page/none.css"])
def test_a_wrong_address_is_a_page_for_people_and_json_for_programs(collector: CollectorServer, path: str) -> None:
    seen = requests.get(collector.url + path, headers={"Accept": "text/html,*/*"}, timeout=10)
    assert (seen.status_code, seen.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "Not here" in seen.text
    assert "script-src 'self'" in seen.headers["Content-Security-Policy"]
    if not path.startswith("/events/9"):
        assert requests.get(collector.url + path, timeout=10).json()["code"] == "not_found"
    posted = requests.post(f"{collector.url}/v1/nothing", headers={"Accept": "text/html"}, timeout=10)
    assert (posted.status_code, posted.json()["code"]) == (404, "not_found")


def test_an_address_that_is_markup_is_shown_as_it_is(collector: CollectorServer) -> None:
    seen = requests.get(f"{collector.url}/<script>alert(1)<%2fscript>", headers={"Accept": "text/html"}, timeout=10)
    assert "there is no page /&lt;script&gt;alert(1)" in seen.text


@pytest.mark.parametrize("user_id", ["ann", "a/b/../c", "x y*", HOSTILE])
def test_a_users_page_has_their_events_profile_and_actions(
    page: Page, collector: CollectorServer, user_id: str
) -> None:
    post(collector.url, [*recent(3, user_id=user_id), *recent(2, first=50)])
    profile = {"user_id": user_id, "company_id": "acme", "session_token": "s3cret-key", "email": HOSTILE}
    post(collector.url, {**profile, "metadata": {"plan": "gold", HOSTILE: [HOSTILE]}}, path="/v1/users")
    post(collector.url, {"company_id": "acme", "company_domain": "acme.example"}, path="/v1/companies")
    action = {"action_name": "Clicked <b>buy</b>", "user_id": user_id, "metadata": {"button": HOSTILE}}
    asked = {"uri": f"https://shop.example/{HOSTILE}", "time": "2026-10-10T10:00:00Z"}
    post(collector.url, {**action, "request": asked}, path="/v1/actions")
    page.goto(collector.url)
    page.locator("#events .user a:not(.client)").first.click()
    person = page.locator(".person")
    expect(person).to_contain_text(f"User {user_id}", use_inner_text=False)
    for shown in ("gold", "acme.example", HOSTILE, "Clicked <b>buy</b>", "10 Oct 2026 10:00"):
        expect(person).to_contain_text(shown)
    assert "s3cret-key" not in page.content()
    expect(person).to_contain_text("session tokens1")
    expect(page.locator("#events tbody tr")).to_have_count(3)
    person.get_by_role("link", name="acme").click()
    expect(page.locator(".chips")).to_contain_text("company acme")
    assert page.evaluate("window.hacked") is None
