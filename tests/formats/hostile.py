"""Lines made to make patterns backtrack; also what the benchmark feeds to every format."""

from __future__ import annotations

from collections.abc import Iterator

HEAD = b"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "
TAIL = b' 200 5 "-" "curl/8"'


def hostile_lines(size: int) -> Iterator[tuple[str, bytes]]:
    """A name and a line of about `size` bytes each."""
    units: dict[str, bytes] = {
        "quotes": b'"a" ', "bare quotes": b'"', "brackets": b"[", "spaced brackets": b" [", "closed brackets": b"[] ",
        "spaces": b" ", "dashes": b"- ", "colons": b":", "slashes": b"/", "questions": b"/?", "commas": b", ",
        "colon lists": b" : ", "backslashes": b"\\", "escaped quotes": rb"\"", "hex": rb"\x22", "digits": b"1",
        "dots": b"1.", "methods": b"GET ", "versions": b" HTTP/1.1", "braces": b'{"a":', "json lists": b"[",
        "json escapes": rb"\u00", "nul": b"\0", "high": b"\xff", "utf8": "é".encode(), "percent": b"%2", "tabs": b"\t",
    }  # fmt: skip
    for name, unit in units.items():
        many = unit * (size // len(unit))
        yield name, many
        yield f"{name} in the user", HEAD.replace(b"- - ", b"- " + many + b" ") + b'"GET / HTTP/1.1"' + TAIL
        yield f"{name} in the request", HEAD + b'"GET /' + many + b' HTTP/1.1"' + TAIL
        yield f"half a request of {name}", HEAD + b'"GET /' + many
        yield f"{name} in a header", HEAD + b'"GET / HTTP/1.1" 200 5 "' + many + b'" "x"'
        yield f"{name} after the end", HEAD + b'"GET / HTTP/1.1"' + TAIL + many
        yield f"{name} in json", b'{"ts":1718000000,"status":200,"uri":"/' + many + b'"}'
        yield f"half json of {name}", b'{"ts":1718000000,"status":' + many
