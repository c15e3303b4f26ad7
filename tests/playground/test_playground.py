"""The playground in a real browser: what is typed, what is shown, what is saved, and who is let in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.collector.browsing import axe_complaints, chromium, shoot
from tests.rigs.machine import require

REPOSITORY = Path(__file__).parents[2]
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
MAPPING = """\
# kept: a comment
extends: default
event: {company_id: $host}
rules:
  - {name: errors, if: {status: 5xx}, keep: true}
"""


def line(number: int, status: int = 200, agent: str = "curl/8") -> str:
    return (
        f'203.0.113.{number % 250} - - [10/Oct/2026:13:55:36 +0200] "GET /x/{number} HTTP/1.1" {status} 5 "-" "{agent}"'
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    lines = [line(number, 500 if number % 100 == 0 else 200) for number in range(12_000)]
    lines[-1] = "not a line of this format"
    lines[-2] = line(7, agent=HOSTILE.replace('"', r"\x22"))
    (tmp_path / "access.log").write_text("\n".join(lines) + "\n")
    (tmp_path / "my.yml").write_text(MAPPING)
    return tmp_path


class Running:
    """`logship playground` as a person starts it."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "logship", "playground", "--listen", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        found = re.search(r"http://\S+", first)
        assert found, first + self.process.stdout.read()
        self.url = found[0]
        self.base = self.url.partition("/?")[0]

    def close(self) -> int:
        assert self.process.stdout is not None
        self.process.terminate()
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(20)


@pytest.fixture
def unnamed(directory: Path) -> Iterator[Running]:
    """Started with a log alone."""
    started = Running(directory, "access.log")
    yield started
    assert started.close() == 0


@pytest.fixture
def running(directory: Path) -> Iterator[Running]:
    require("chromium")
    started = Running(directory, "--mapping", "my.yml", "--field", "host=shop.example", "access.log")
    yield started
    assert started.close() == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        yield context.new_page()


def opened(page: Page, url: str) -> Page:
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    return page


def write(page: Page, editor: str, text: str) -> None:
    """Replaces what the editor holds."""
    page.click(f"#{editor} .cm-content")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def measured(page: Page, text: str) -> str:
    page.locator("#coverage", has_text=text).wait_for()
    return page.inner_text("#coverage")


def test_a_mapping_is_written_seen_and_saved(running: Running, browser_page: Page, directory: Path) -> None:
    page = browser_page
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    opened(page, running.url)
    assert "key=" not in page.url
    said = measured(page, "fit no format")
    assert said.startswith("10,000 newest lines: 9,999 events · 1 fit no format")
    assert "0 events change" in said
    assert page.inner_text("#rules") == "errors 10 of 1,000"

    page.click("#lines button:last-child")  # the line that does not fit: where, and what would
    assert "expected here" in page.inner_text("#fate")
    page.click("#lines button:nth-last-child(2)")  # hostile content is text
    assert HOSTILE in page.inner_text("#event")
    assert "logship playground" in page.title()

    write(page, "mapping", MAPPING.replace("company_id", "company_id2: $host, user_id").replace("$host}", "$hst}"))
    page.wait_for_selector("#problems .error")
    assert "no field 'hst'" in page.inner_text("#problems")
    assert page.inner_text("#problems .error") == "3:38"
    assert page.is_visible("#mapping .cm-lintRange-error")

    write(page, "mapping", MAPPING.replace("$host", "'${host|upper}'").replace("keep: true", "drop: true"))
    said = measured(page, "dropped")
    assert "100 dropped" in said
    assert "9,999 events change" in said
    page.click("#lines button:nth-last-child(3)")
    assert page.inner_text("#event .altered") == "company_id: shop.exampleSHOP.EXAMPLE"
    shoot(page, "playground")

    page.click("#example")
    page.locator("#mapping .cm-content", has_text="examples:").wait_for()
    page.keyboard.press("Control+s")
    page.locator("#save", has_text="Saved").wait_for()
    saved = (directory / "my.yml").read_text()
    assert saved.startswith("# kept: a comment\n")
    assert "drop: true" in saved
    done = subprocess.run(
        [sys.executable, "-m", "logship", "test", "my.yml"], cwd=directory, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout[:5]) == (0, "ok   "), done.stdout
    assert not complaints


def test_what_somebody_else_wrote_is_noticed_and_not_written_over(
    running: Running, browser_page: Page, directory: Path
) -> None:
    page = opened(browser_page, running.url)
    (directory / "my.yml").write_text("extends: privacy\n")
    write(page, "mapping", "extends: api\n")
    page.click("#save")
    page.wait_for_selector("#changed:not([hidden])")
    assert (directory / "my.yml").read_text() == "extends: privacy\n"
    page.click("#take")
    page.locator("#mapping .cm-content", has_text="privacy").wait_for()
    (directory / "my.yml").write_text("extends: default\n")
    page.wait_for_selector("#changed:not([hidden])")  # seen without any key pressed
    write(page, "mapping", "extends: api\n")
    page.click("#over")
    page.locator("#save", has_text="Saved").wait_for()
    assert (directory / "my.yml").read_text() == "extends: api\n"


def test_what_was_typed_outlives_a_reload_of_the_page(unnamed: Running, browser_page: Page) -> None:
    page = opened(browser_page, unnamed.url)
    write(page, "mapping", "extends: default\n# typed\n")
    page.locator("#coverage", has_text="newest lines").wait_for()
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert "# typed" in page.inner_text("#mapping .cm-content")


def test_saving_after_the_end_of_the_command_says_so(running: Running, browser_page: Page) -> None:
    page = opened(browser_page, running.url)
    write(page, "mapping", "extends: default\n# typed\n")
    running.process.terminate()
    running.process.wait(20)
    page.click("#save")
    page.locator("#note", has_text="the playground has ended").wait_for()
    assert page.inner_text("#save") == "Save"
    assert "# typed" in page.inner_text("#mapping .cm-content")


def test_a_format_is_typed_until_a_pasted_line_fits(running: Running, browser_page: Page) -> None:
    page = opened(browser_page, running.url)
    page.click("#paste")
    page.fill("#pasted", "shop.example 203.0.113.9 200 [10/Oct/2026:13:55:36 +0200] GET /cart 0.250")
    page.wait_for_selector("#lines .error")
    write(
        page, "format", "{nginx: '$host $remote_addr $status [$time_local] $request_method $request_uri $request_tme'}"
    )
    write(
        page, "format", "{nginx: '$host $remote_addr $status [$time_local] $request_method $request_uri $request_time'}"
    )
    page.locator("#event", has_text="/cart").wait_for()
    assert "https://shop.example/cart" in page.inner_text("#event")


def test_fields_filters_and_keys_are_completed(running: Running, browser_page: Page) -> None:
    page = opened(browser_page, running.url)
    for typed, offered in (("event: {user_id: $remote_us", "remote_user"), ("event: {user_id: '${host|lo", "lower"),
                           ("extends: pri", "privacy"), ("red", "redact"), ("redact:\n  qu", "query")):  # fmt: skip
        write(page, "mapping", "")
        page.keyboard.type(typed)
        page.locator(".cm-tooltip-autocomplete li", has_text=offered).first.wait_for()
        page.keyboard.press("Escape")


def test_everybody_can_use_it(running: Running, browser: Browser) -> None:
    with browser.new_context(bypass_csp=True) as context:
        page = opened(context.new_page(), running.url)
        write(page, "mapping", MAPPING.replace("5xx", '">=500"'))
        page.wait_for_selector("#problems .error")
        assert "write {min: 500}" in page.inner_text("#problems")
        for width in (1440, 768, 390, 320):
            for scheme in SCHEMES:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)
                assert axe_complaints(page) == []
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                shoot(page, f"playground-{width}-{scheme}")


def asked(url: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()


def test_only_who_has_the_address_is_let_in_and_it_is_good_once(unnamed: Running) -> None:
    started = unnamed
    cookies = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    with opener.open(started.url, timeout=10) as answer:
        assert b"logship" in answer.read()
    cookie = "; ".join(f"{one.name}={one.value}" for one in cookies)
    body = json.dumps({"format": "combined", "mapping": "extends: default"}).encode()
    inside: Any = {"Cookie": cookie, "Origin": started.base}
    assert asked(f"{started.base}/lines", body, **inside)[0] == 200
    assert asked(started.url)[0] == 403  # a second time
    assert asked(f"{started.base}/")[0] == asked(f"{started.base}/start")[0] == 403
    assert asked(f"{started.base}/lines", body, Cookie=cookie)[0] == 403
    assert asked(f"{started.base}/lines", body, **(inside | {"Origin": "http://evil.example"}))[0] == 403
    assert asked(f"{started.base}/start", Cookie=cookie, Host="evil.example")[0] == 403
    unsaved = json.dumps({"mapping": "extends: default", "base": "extends: default\n"}).encode()
    assert asked(f"{started.base}/save", unsaved, **inside)[0] == 422  # there is no file to save to
    assert asked(f"{started.base}/save", body, **inside)[0] == 409  # another page's text
    for format_text, text in (("combined", ""), ("auto", ""), ("", "x"), ("combined", "\ud800"), ("combined", "[]")):
        asking = json.dumps({"format": format_text, "mapping": text}).encode()
        assert asked(f"{started.base}/lines", asking, **inside)[0] in (200, 400), text
        assert asked(f"{started.base}/coverage", asking, **inside)[0] in (200, 400), text
    for junk in (b"", b"[]", b"{}", b'{"format": 1}', b"\xff", b'{"format":"combined","mapping":[1]}'):
        assert asked(f"{started.base}/lines", junk, **inside)[0] in (200, 400)
    assert asked(f"{started.base}/lines", b" " * 5_000_000, **inside)[0] == 413
    assert asked(f"{started.base}/../setup.cfg", **inside)[0] == 404
