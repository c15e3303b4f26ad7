"""Access logs that look real, the same for the same seed.

Shapes: lines of about 250 bytes in the combined format: ~2,000 user agents, ~6,000 addresses (8 % IPv6),
skewed paths with queries, referers, 0.3 % lines without a sensible request. `kind` chooses another format or content of
the same requests.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

START_S = 1_717_977_600  # 2024-06-10
REQUESTS_PER_S = 12.0
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WORDS = ("shoes", "running", "jacket", "winter", "red", "kids", "sale", "lamp", "oak", "garden", "mug", "b%C3%BCro")
STATUSES = [200] * 78 + [304] * 7 + [301] * 3 + [302] * 4 + [404] * 4 + [403, 201, 499, 500]
ODD_REQUESTS = (r"\x16\x03\x01\x00\xEE\x01\x00", "", "-", "GET /", r"\x00\x00\x00\x18", "SSH-2.0-OpenSSH_8.9")
REFERERS = ("https://www.google.com/", "https://duckduckgo.com/", "https://news.example/item?id=17")
SITE = "https://www.shop.example"


class Request(NamedTuple):
    """One request as a web server would log it."""

    address: str
    user: str
    second: int
    request: str
    status: int
    size: str
    referer: str
    agent: str


def write_log(path: Path, lines: int, kind: str = "combined", seed: int = 20240611) -> None:
    """Write `lines` lines of `kind` to `path`."""
    write = KINDS[kind]
    with path.open("w", encoding="latin-1", newline="\n") as out:
        out.writelines(write(request) for request in requests(lines, random.Random(seed)))


def requests(count: int, rng: random.Random) -> Iterator[Request]:
    """`count` requests in the order of time."""
    addresses = [_address(rng) for _ in range(6000)]
    agents = [_agent(rng) for _ in range(2000)]
    paths = [f"/products/{_slug(rng)}-{rng.randrange(99999)}" for _ in range(3000)]
    assets = [f"/assets/{_slug(rng)}-{rng.getrandbits(32):08x}.js" for _ in range(800)]
    moment = float(START_S)
    for _ in range(count):
        moment += rng.expovariate(REQUESTS_PER_S)
        address = addresses[int(rng.random() ** 2 * len(addresses))]
        if rng.random() < 0.003:
            yield Request(address, "-", int(moment), rng.choice(ODD_REQUESTS), 400, "150", "-", "-")
            continue
        status = rng.choice(STATUSES)
        size = "0" if status == 304 else "-" if rng.random() < 0.004 else str(int(rng.lognormvariate(8.6, 1.6)))
        target = _target(rng, paths, assets)
        verb = "GET" if rng.random() < 0.88 else rng.choice(("POST", "HEAD", "PUT", "DELETE", "OPTIONS"))
        protocol = "2.0" if rng.random() < 0.55 else "1.1"
        chance = rng.random()
        referer = "-" if chance < 0.5 else SITE + paths[int(chance * 3000)] if chance < 0.9 else rng.choice(REFERERS)
        user = rng.choice(("alice", "bob", "api-client")) if rng.random() < 0.012 else "-"
        agent = agents[int(rng.random() ** 3 * len(agents))]
        yield Request(address, user, int(moment), f"{verb} {target} HTTP/{protocol}", status, size, referer, agent)


def _address(rng: random.Random) -> str:
    if rng.random() < 0.08:
        return "2001:db8:" + ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(6))
    return ".".join(str(rng.randrange(1, 255)) for _ in range(4))


def _agent(rng: random.Random) -> str:
    version = f"{rng.randrange(96, 127)}.0.{rng.randrange(4000, 6700)}.{rng.randrange(20, 220)}"
    webkit = "AppleWebKit/537.36 (KHTML, like Gecko)"
    return rng.choice(
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/{version} Safari/537.36",
            f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {webkit} Chrome/{version} Mobile Safari/537.36",
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {webkit} Version/{version}",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            f"Mozilla/5.0 (compatible; examplebot/{version}; +http://bot.example/info.html)",
            f"okhttp/{version}",
        )
    )


def _slug(rng: random.Random) -> str:
    return "-".join(rng.choice(WORDS) for _ in range(2))


def _target(rng: random.Random, paths: list[str], assets: list[str]) -> str:
    chance = rng.random()
    if chance < 0.35:
        return assets[int(rng.random() ** 2 * len(assets))] + (f"?v={rng.randrange(400)}" if chance < 0.14 else "")
    if chance < 0.65:
        path = paths[int(rng.random() ** 3 * len(paths))]
        return path + (f"?utm_source=newsletter&utm_campaign={_slug(rng)}" if chance < 0.45 else "")
    if chance < 0.85:
        return f"/search?q={rng.choice(WORDS)}+{rng.choice(WORDS)}&lang=de&page={rng.randrange(40)}&per_page=48"
    return rng.choice(("/", "/health", "/robots.txt", f"/api/v2/users/{rng.randrange(500_000)}/orders?expand=items"))


def _clf_time(second: int) -> str:
    moment = time.gmtime(second + 7200)
    return f"{moment.tm_mday:02}/{MONTHS[moment.tm_mon - 1]}/{time.strftime('%Y:%H:%M:%S', moment)} +0200"


def _combined(one: Request) -> str:
    return (
        f'{one.address} - {one.user} [{_clf_time(one.second)}] "{one.request}" {one.status} {one.size} '
        f'"{one.referer}" "{one.agent}"\n'
    )


def _escaped(one: Request) -> str:
    """Every line has nginx's escapes in its request, its referer and its agent."""
    request = one.request.replace(" HTTP", r"\x22q\x22\xC3\xA9 HTTP")
    return _combined(one._replace(request=request, agent=r"caf\xC3\xA9 \x22quoted\x22 " + one.agent, referer=r"a\x5Cb"))


def _hostile(one: Request) -> str:
    """What scanners send: unbalanced quotes, brackets without end, half lines, binary bytes."""
    choice = one.second % 5
    if choice == 0:
        return '"a" ' * 500 + "\n"
    if choice == 1:
        return f"{one.address} - - " + "[" * 2000 + "\n"
    if choice == 2:
        return _combined(one)[:90] + "\n"
    if choice == 3:
        return _combined(one._replace(agent="\x01\x02\xff" * 100))
    return _combined(one)


def _json(one: Request) -> str:
    verb, _, rest = one.request.partition(" ")
    line = {
        "time_iso8601": time.strftime("%Y-%m-%dT%H:%M:%S+02:00", time.gmtime(one.second + 7200)),
        "remote_addr": one.address,
        "remote_user": "" if one.user == "-" else one.user,
        "request_method": verb,
        "request_uri": rest.partition(" ")[0],
        "status": one.status,
        "body_bytes_sent": 0 if one.size == "-" else int(one.size),
        "http_referer": "" if one.referer == "-" else one.referer,
        "http_user_agent": one.agent,
    }
    return json.dumps(line, separators=(",", ":")) + "\n"


def _custom(one: Request) -> str:
    """Apache with a virtual host, a duration and X-Forwarded-For."""
    return (
        f'shop.example:443 {_combined(one)[:-1]} D={one.second % 90_000} "{one.address}, 10.0.0.{one.second % 250}"\n'
    )


def _common(one: Request) -> str:
    return f'{one.address} - {one.user} [{_clf_time(one.second)}] "{one.request}" {one.status} {one.size}\n'


KINDS: dict[str, Callable[[Request], str]] = {
    "combined": _combined,
    "common": _common,
    "escaped": _escaped,
    "hostile": _hostile,
    "json": _json,
    "custom": _custom,
}
CUSTOM_FORMAT = r"%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" D=%D \"%{X-Forwarded-For}i\""
