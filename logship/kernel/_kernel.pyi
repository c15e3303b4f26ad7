from array import array
from collections.abc import Callable

VERSION: int

def load(blob: bytes, call: Callable[[int, bytes, bytes | None], bytes | int | None], seed: int, /) -> object: ...
def run(
    program: object,
    data: bytes,
    start: int,
    digits: bytes,
    origin: bytes,
    path: bytes,
    oldest: int,
    since: int,
    until: int,
    starts: array[int] | None,
    crcs: array[int] | None,
    /,
) -> tuple[bytearray, bytes, bytes, bytes, bytes, bytes] | None: ...
