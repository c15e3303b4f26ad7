"""A view as one file: what it says is what the page says, and nothing in it runs or loads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from playwright.sync_api import Browser

from logship.cli.collector_report import FIELDS, FILTERS, command
from logship.collector import CollectorServer
from logship.collector.applications import label_of
from logship.collector.asked import FILTERS as ASKED
from logship.errors import UsageError
from tests.collector.browsing import axe_complaints, chromium, shoot
from tests.collector.conftest import APPLICATION_ID
from tests.collector.sending import event, post
from tests.collector.test_page import HOSTILE, recent

LOADING = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction", "style"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


class Elements(HTMLParser):
    """Which elements and attributes a document has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def made(store: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--store", store, "-o", "-", *arguments])


def test_the_options_are_the_filters_of_the_page() -> None:
    options = {*FILTERS, *FIELDS, *(f"not-{name}" for name in FIELDS)}
    assert options == {*ASKED, "range", "tz"}
    assert options <= {parameter.opts[0].removeprefix("--") for parameter in command.params}


def test_a_report_shows_the_filtered_view(collector: CollectorServer) -> None:
    failed = recent(3, first=500, user_id="ann")
    for one in failed:
        one["response"]["status"] = 502
    post(collector.url, [*recent(30), *failed])
    text = made(collector.store, "--status", "5xx", "--not-user", "bob").output
    assert re.search(r"Requests</h2><p title=\"3\">3</p>", text)
    assert "Events <small>3</small>" in text
    assert "/items/500" in text
    assert "/items/7" not in text
    assert "<b>not user</b> <span>bob</span>" in text
    assert APPLICATION_ID not in text
    assert label_of(APPLICATION_ID) in text


def test_the_last_hours_of_a_report_end_when_it_was_made(collector: CollectorServer) -> None:
    post(collector.url, recent(3))
    text = made(collector.store, "--range", "24h").output
    until, made_on = re.search(r" to ([^<]*)</small>", text), re.search(r"Made on <time[^>]*>([^<]*)<", text)
    assert until is not None
    assert made_on is not None
    assert until[1] == made_on[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--range", "all"), "all times"),
        (("--until", "2026-11-27"), "before 27 Nov 2026 00:00"),
        (("--since", "2026-11-26", "--until", "2026-11-27"), "26 Nov 2026 00:00 to 27 Nov 2026 00:00"),
    ],
)
def test_a_report_says_what_time_it_is_of(collector: CollectorServer, options: tuple[str, ...], said: str) -> None:
    assert post(collector.url, recent(1)).status_code == 201
    assert f"<small>{said}</small>" in made(collector.store, *options).output


def test_nothing_in_a_report_runs_or_loads(collector: CollectorServer) -> None:
    bad = recent(1, user_id=HOSTILE, company_id=HOSTILE, metadata={"source": HOSTILE})[0]
    headers = {"User-Agent": HOSTILE, "Referer": f"https://{HOSTILE}/"}
    bad["request"] |= {
        "uri": f"https://{HOSTILE}/{HOSTILE}",
        "verb": HOSTILE,
        "headers": headers,
        "ip_address": HOSTILE,
    }
    assert post(collector.url, [bad]).status_code == 201
    found = Elements(made(collector.store, "--range", "all", "--not-path", HOSTILE).output)
    assert found.tags.isdisjoint({"script", "img", "iframe", "object", "embed", "form", "input", "link", "base"})
    assert found.attributes.isdisjoint(LOADING)
    assert not any(name.startswith("on") for name in found.attributes)


def test_a_report_opens_from_a_file_in_any_scheme_and_prints(
    browser: Browser, collector: CollectorServer, tmp_path: Path
) -> None:
    samples = recent(60, user_id="ann")
    for number, status in enumerate((200, 301, 404, 503, 429)):
        samples[number]["response"]["status"] = status
    post(collector.url, samples)
    done = CliRunner().invoke(command, ["--store", collector.store, "-o", str(tmp_path / "report.html")])
    assert (done.exit_code, (tmp_path / "report.html").stat().st_mode & 0o777) == (0, 0o600)
    asked_for: list[str] = []
    for width, scheme in ((320, "dark"), (1440, "light")):
        size: Any = {"width": width, "height": 900}
        with browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True) as context:  # type: ignore[arg-type]
            page = context.new_page()
            page.on("request", lambda request: asked_for.append(request.url))
            page.goto((tmp_path / "report.html").as_uri())
            shoot(page, f"report-{scheme}-{width}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert axe_complaints(page) == []
            if scheme == "light":
                pdf = page.pdf(path=tmp_path / "report.pdf")
                assert pdf.startswith(b"%PDF")
    assert set(asked_for) == {(tmp_path / "report.html").as_uri()}


def test_the_page_hands_out_the_same_report(collector: CollectorServer) -> None:
    post(collector.url, recent(5))
    answer = requests.get(f"{collector.url}/report?range=1h", timeout=20)
    assert 'filename="report.html"' in answer.headers["Content-Disposition"]
    assert "Events <small>5</small>" in answer.text
    assert requests.get(f"{collector.url}/report?range=x", timeout=20).status_code == 400


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--range", "soon"], "--range='soon': give 90m"),
        (["--status", "bad"], "--status='bad': give a status as 404"),
        (["--since", "2026-11-28", "--until", "2026-11-27"], "--until='2026-11-27': the time must end after it begins"),
        (["--tz", "Nowhere/City"], "--tz='Nowhere/City': write an IANA name"),
        (["--application-id", "nobody"], "this application has no events"),
        (["-o", "/nowhere/report.html"], "/nowhere/report.html can't be written"),
    ],
)
def test_what_can_not_be_reported_is_one_sentence(arguments: list[str], words: str, collector: CollectorServer) -> None:
    post(collector.url, recent(1))
    done = made(collector.store, *arguments)
    assert isinstance(done.exception, UsageError)
    assert words in str(done.exception)


def test_a_store_of_several_applications_asks_for_one(tmp_path: Path) -> None:
    with CollectorServer(store=str(tmp_path / "e.db")) as collector:
        done = made(collector.store)
        assert "no event is stored" in str(done.exception)
        for name in ("shop", "blog"):
            post(collector.url, [event(1)], application_id=name)
        assert "2 applications; give --application-id" in str(made(collector.store).exception)
        for given in ("blog", label_of("shop")):
            done = made(collector.store, "--application-id", given, "--range", "all")
            assert "Events <small>1</small>" in done.output
        named = made(collector.store, "--application-id", "The.blog=blog", "--range", "all").output
        assert "application The.blog" in named
