"""The decoded body of a request, bounded while it is read and inflated, alone and together with all others."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

from logship.collector.options import RETRY_AFTER_S
from logship.collector.refusal import RefusalError

DRAIN_BYTES = 8_000_000  # of a body that is too large, read and thrown away so that its sender sees the answer
WIRE_SLACK_BYTES = 1_024  # a compressed body may be this much larger than what it holds
INFLATED_AT_ONCE = 250_000  # bytes; the share is asked for them before the next ones are made
MIN_BYTES_PER_S = 500_000  # a large body has longer than a small one: 50 MB take 40 s at 10 Mbit/s
MAX_MEMBERS = 1_000  # of gzip in a body; each is a copy of the rest
GZIP_WBITS = 31
ZLIB_WBITS = 15
RAW_DEFLATE_WBITS = -15
ENCODINGS = "gzip, deflate, identity"


class Budget:
    """Bytes that requests share; who would go over it is told to come again. A request alone may always go over."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    @contextmanager
    def request(self) -> Iterator[BudgetShare]:
        """The share of one request, given back at the end."""
        share = BudgetShare(self)
        try:
            yield share
        finally:
            self._held_bytes -= share.held_bytes

    def take(self, share: BudgetShare, more_bytes: int) -> None:
        """Raises: RefusalError 503 when others hold so much that it does not fit."""
        others_bytes = self._held_bytes - share.held_bytes
        if others_bytes and self._held_bytes + more_bytes > self._limit_bytes:
            raise busy("more is arriving than can be stored")
        self._held_bytes += more_bytes
        share.held_bytes += more_bytes


class BudgetShare:
    """What one request holds of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def grow_to(self, size_bytes: int) -> None:
        """Takes what is missing to `size_bytes`.

        Raises: RefusalError 503, see Budget.
        """
        if size_bytes > self.held_bytes:
            self._budget.take(self, size_bytes - self.held_bytes)


def busy(reason: str) -> RefusalError:
    return RefusalError(503, "busy", f"{reason}; try again", retry_after_s=RETRY_AFTER_S)


def declared_length(headers: Mapping[str, str]) -> int | None:
    """Content-Length as a number, None when the body is chunked."""
    text = headers.get("content-length")
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def content_encoding(headers: Mapping[str, str]) -> str:
    """The one encoding of the body: identity, gzip or deflate.

    Raises: RefusalError 415 for any other, and for several.
    """
    encoding = headers.get("content-encoding", "").strip().lower() or "identity"
    encoding = {"x-gzip": "gzip"}.get(encoding, encoding)
    if encoding not in ("identity", "gzip", "deflate"):
        raise RefusalError(
            415,
            "unsupported_encoding",
            f"Content-Encoding {encoding[:40]!r} is not read here; send gzip, deflate or none",
            headers={"Accept-Encoding": ENCODINGS},
        )
    return encoding


def check_content_type(headers: Mapping[str, str]) -> None:
    """Passes JSON in UTF-8, and requests that don't say what they hold.

    Raises: RefusalError 415.
    """
    media, _, parameters = headers.get("content-type", "").lower().partition(";")
    media = media.strip()
    if media and media != "text/json" and not (media.startswith("application/") and media.endswith("json")):
        raise RefusalError(415, "unsupported_type", f"Content-Type {media[:60]!r} is not JSON; send application/json")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(" \"'") not in ("utf-8", "utf8", "us-ascii", "ascii"):
            shown = value.strip()[:40]
            raise RefusalError(415, "unsupported_charset", f"charset {shown!r} is not read here; send UTF-8")


async def read_body(
    stream: AsyncIterator[bytes], headers: Mapping[str, str], limit_bytes: int, timeout_s: float, share: BudgetShare
) -> bytes:
    """The decoded body, at most `limit_bytes` long; `share` grows with what it takes.

    Raises: RefusalError 400 (broken compression), 408 (too slow), 413 (too large), 415, 503 (too much at once).
    """
    check_content_type(headers)
    encoding = content_encoding(headers)
    wire_limit = limit_bytes if encoding == "identity" else limit_bytes + WIRE_SLACK_BYTES
    length = declared_length(headers)
    if length is not None and length > wire_limit:
        if length <= DRAIN_BYTES:
            await drain(stream, timeout_s)
        raise too_large(limit_bytes)
    share.grow_to(length or 0)
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            wire = await _collect(stream, wire_limit, share, deadline)
    except TimeoutError as exc:
        reason = f"the body did not arrive within {timeout_s:g} s, and 1 s more for each {MIN_BYTES_PER_S:,} bytes"
        raise RefusalError(408, "too_slow", reason, headers={"Connection": "close"}) from exc
    if wire is None:
        await drain(stream, timeout_s)
        raise too_large(limit_bytes)
    if encoding == "identity":
        return wire
    return await inflate(wire, encoding, limit_bytes, share)


async def _collect(
    stream: AsyncIterator[bytes], limit_bytes: int, share: BudgetShare, deadline: asyncio.Timeout
) -> bytes | None:
    """All of the stream, None once it passed the limit; what arrives puts the deadline off."""
    pieces: list[bytes] = []
    size, first_s = 0, deadline.when() or 0.0
    async for piece in stream:
        size += len(piece)
        if size > limit_bytes:
            return None
        share.grow_to(size)
        deadline.reschedule(first_s + size / MIN_BYTES_PER_S)
        pieces.append(piece)
    return b"".join(pieces)


async def drain(stream: AsyncIterator[bytes], timeout_s: float) -> None:
    """Reads and forgets up to DRAIN_BYTES: a sender that is cut in mid-body sees a reset, not the answer."""
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in stream:
                left -= len(piece)
                if left < 0:
                    return
    except TimeoutError:
        return


async def inflate(data: bytes, encoding: str, limit_bytes: int, share: BudgetShare) -> bytes:
    """Undoes gzip (MAX_MEMBERS at most) or deflate (with or without the zlib header); others run between its steps.

    Raises: RefusalError 400 for broken or truncated data, 413 as soon as more than `limit_bytes` came out, 503.
    """
    wbits = GZIP_WBITS if encoding == "gzip" else _deflate_wbits(data)
    pieces: list[bytes] = []
    size = members = 0
    rest = data
    while rest:
        members += 1
        if members > MAX_MEMBERS:
            raise RefusalError(400, "broken_compression", f"the body has more than {MAX_MEMBERS} gzip members")
        decoder = zlib.decompressobj(wbits)
        for piece in _steps(decoder, rest, encoding):
            size += len(piece)
            if size > limit_bytes:
                raise too_large(limit_bytes)
            share.grow_to(len(data) + size)
            pieces.append(piece)
            await asyncio.sleep(0)
        if not decoder.eof:
            raise RefusalError(400, "broken_compression", f"the {encoding} body ends in the middle")
        rest = decoder.unused_data.lstrip(b"\0") if encoding == "gzip" else b""
    return b"".join(pieces)


def _steps(decoder: zlib._Decompress, data: bytes, encoding: str) -> Iterator[bytes]:
    """What a decoder gives, INFLATED_AT_ONCE bytes at most in one piece."""
    while not decoder.eof:
        try:
            piece = decoder.decompress(data, INFLATED_AT_ONCE)
        except zlib.error as exc:
            raise RefusalError(400, "broken_compression", f"the body is not valid {encoding}: {exc}") from exc
        yield piece
        data = decoder.unconsumed_tail
        if not data and len(piece) < INFLATED_AT_ONCE:
            return


def _deflate_wbits(data: bytes) -> int:
    """Whether deflate data carries the zlib header that RFC 9110 asks for and many senders leave out."""
    has_header = len(data) >= 2 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return ZLIB_WBITS if has_header else RAW_DEFLATE_WBITS


def too_large(limit_bytes: int) -> RefusalError:
    return RefusalError(
        413,
        "body_too_large",
        f"the decoded body is over {limit_bytes} bytes; send fewer events at once",
        headers={"Connection": "close"},
    )
