"""The demo's shop: its visitors, their requests, how long answers take and which fail."""

from __future__ import annotations

import base64
import http.server
import random
import time
from collections.abc import Iterator

from logship.records import record

DAY_S = 86_400
HISTORY_S = 2 * DAY_S
HISTORY_LINES = 20_000
OUTAGE_S = (9.0 * 3_600, 8.4 * 3_600)  # of most of the API, before now: from, to
NO_ANSWER = 502  # nginx's answer when the shop closes the connection
SLOWER = 1.35  # today than yesterday

# host, verb, path, weight, usual duration in seconds, statuses
PAGES = (
    ("shop.example", "GET", "/", 16, 0.030, (200,)),
    ("shop.example", "GET", "/search?q={word}", 12, 0.140, (200,)),
    ("shop.example", "GET", "/products/{number}", 20, 0.055, (200,) * 24 + (404,)),
    ("shop.example", "POST", "/login", 3, 0.210, (302,) * 6 + (401,)),
    ("shop.example", "GET", "/old-shop", 1, 0.004, (301,)),
    ("shop.example", "GET", "/wp-login.php", 1, 0.003, (404,)),
    ("api.shop.example", "GET", "/api/v2/orders?page={number}", 9, 0.090, (200,)),
    ("api.shop.example", "GET", "/api/v2/users/{number}", 6, 0.045, (200,) * 30 + (404,)),
    ("api.shop.example", "PUT", "/api/v2/cart/{number}", 6, 0.070, (200,) * 20 + (409,)),
    ("api.shop.example", "POST", "/api/v2/checkout", 4, 0.480, (201,) * 40 + (502,)),
    ("api.shop.example", "GET", "/api/v2/reports/daily", 1, 2.100, (200,) * 8 + (504,)),
    ("api.shop.example", "DELETE", "/api/v2/cart/{number}", 2, 0.040, (204,)),
    ("static.shop.example", "GET", "/app.css", 8, 0.002, (200, 304, 304)),
    ("static.shop.example", "GET", "/img/{number}/large.webp", 14, 0.003, (200, 200, 304)),
)
WEIGHTS = tuple(page[3] for page in PAGES)
WORDS = ("shoes", "winter+coat", "lamp", "caf%C3%A9", "100%25+wool")
USERS = ("ann", "bob", "carla", "dmitri", "eve", "farid", "grace", "heidi")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 Version/17.6 Mobile Safari/604.1"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
AGENTS = (FIREFOX, CHROME, CHROME, SAFARI, "okhttp/4.12.0", "curl/8.5.0", GOOGLEBOT, 'odd "agent" \\ 1')
REFERRERS = (
    "-",
    "https://shop.example/",
    "https://shop.example/",
    "https://news.example/deals",
    "https://duckduckgo.com/",
)


@record
class Visit:
    """One request and its answer; `user` is "-" for nobody, `lasted_s` is how long the answer takes."""

    host: str
    client: str
    user: str
    verb: str
    target: str
    status: int
    lasted_s: float
    agent: str
    referrer: str


def visit(choose: random.Random, ago_s: float = 0.0) -> Visit:
    """A random request, made some seconds ago."""
    host, verb, path, _, usual_s, statuses = choose.choices(PAGES, WEIGHTS)[0]
    status = choose.choice(statuses)
    is_api = host.startswith("api")
    if is_api and OUTAGE_S[1] < ago_s < OUTAGE_S[0] and choose.random() < 0.8:
        status = NO_ANSWER
    client = choose.randrange(40)
    return Visit(
        host=host,
        client=f"203.0.113.{client + 1}",
        user=USERS[client % len(USERS)] if is_api or client < 6 else "-",
        verb=verb,
        target=path.format(number=choose.randrange(1, 400), word=choose.choice(WORDS)),
        status=status,
        lasted_s=min(usual_s * choose.lognormvariate(0.0, 0.45) * (SLOWER if ago_s < DAY_S else 1.0), 9.0),
        agent=AGENTS[client % len(AGENTS)],
        referrer=choose.choice(REFERRERS),
    )


def history(choose: random.Random, now_s: float) -> Iterator[str]:
    """Lines of the last two days, oldest first, fewer by night."""
    times: list[float] = []
    while len(times) < HISTORY_LINES:
        ago_s = choose.uniform(5.0, HISTORY_S)
        hour = time.gmtime(now_s - ago_s).tm_hour
        if choose.random() < (0.25 if hour < 6 else 0.6 if hour < 9 or hour > 20 else 1.0):
            times.append(ago_s)
    for ago_s in sorted(times, reverse=True):
        yield line(visit(choose, ago_s), now_s - ago_s)


def line(made: Visit, at_s: float) -> str:
    """The line of a visit in the demo's log format, as nginx writes it."""
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at_s))
    agent = made.agent.replace("\\", "\\x5C").replace('"', "\\x22")
    size = 0 if made.status in (204, 304) else 17
    return (
        f'{made.client} - {made.user} [{at}] "{made.verb} {made.target} HTTP/1.1" {made.status} {size} '
        f'"{made.referrer}" "{agent}" {made.host} {made.lasted_s:.3f}\n'
    )


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers as X-Answer says: a status, after some seconds."""

    def handle_one_request(self) -> None:
        """One request, of any method."""
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self.close_connection = True
        status, _, lasted_s = self.headers.get("X-Answer", "200 0").partition(" ")
        time.sleep(float(lasted_s))
        if int(status) != NO_ANSWER:
            self.send_response_only(int(status))
            if status in ("301", "302"):
                self.send_header("Location", "/")
            self.send_header("Content-Length", "0" if status in ("204", "304") else "6")
            self.end_headers()
            self.wfile.write(b"" if status in ("204", "304") else b"hello\n")


def headers_of(made: Visit) -> dict[str, str]:
    """The head of a visitor's request."""
    headers = {"Host": made.host, "X-Forwarded-For": made.client, "User-Agent": made.agent}
    headers["X-Answer"] = f"{made.status} {made.lasted_s:.3f}"
    if made.referrer != "-":
        headers["Referer"] = made.referrer
    if made.user != "-":
        headers["Authorization"] = "Basic " + base64.b64encode(f"{made.user}:secret".encode()).decode()
    return headers
