"""How long a body may take: as long as it keeps coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from logship.collector.body import Budget, read_body
from logship.collector.refusal import RefusalError


def read(pieces: int, piece_bytes: int, each_s: float) -> int:
    """The length of a body that comes in pieces, `each_s` apart on the loop's clock."""
    loop = asyncio.new_event_loop()
    clock = [0.0]
    loop.time = lambda: clock[0]  # type: ignore[method-assign]

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            clock[0] += each_s
            for _ in range(3):  # turns of the loop, in which a deadline that is over ends the reading
                await asyncio.sleep(0)
            yield b" " * piece_bytes

    async def take() -> int:
        with Budget(10**9).request() as share:
            return len(await read_body(stream(), {}, 60_000_000, 20.0, share))

    try:
        return loop.run_until_complete(take())
    finally:
        loop.close()


def test_a_large_body_on_a_slow_line_has_the_time_it_needs() -> None:
    assert read(40, 1_250_000, each_s=1.0) == 50_000_000  # 10 Mbit/s


@pytest.mark.parametrize("piece_bytes", [1, 10_000])
def test_a_body_that_drips_is_given_up(piece_bytes: int) -> None:
    with pytest.raises(RefusalError, match="did not arrive within 20 s"):
        read(100, piece_bytes, each_s=1.0)
