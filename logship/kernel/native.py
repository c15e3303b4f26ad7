"""The door to the native kernel: the module if there is one that fits, and the programs that it has loaded."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from types import ModuleType
from weakref import WeakKeyDictionary

from logship.kernel.encoded import Encoded
from logship.kernel.program import VERSION, Function, Program
from logship.kernel.values import Unreadable, memory

SWITCH = "LOGSHIP_KERNEL"
MOST_NUMBER = (1 << 63) - 1
_SEED = int.from_bytes(os.urandom(8))  # nobody outside can know which texts share a place in the kernel's tables
Answer = bytes | int | None


def find_module(switch: str) -> tuple[ModuleType | None, str]:
    """The native module, or None and why conversion is done in Python."""
    if switch.lower() == "off":
        return None, f"{SWITCH}=off"
    try:
        from logship.kernel import _kernel
    except ImportError:
        return None, "no native module: install gcc, then logship again"
    if _kernel.VERSION != VERSION:
        return None, f"the native module is version {_kernel.VERSION}, {VERSION} is needed: install logship again"
    return _kernel, ""


MODULE, REASON = find_module(os.environ.get(SWITCH, ""))
_loaded: WeakKeyDictionary[Program, object] = WeakKeyDictionary()


def run(
    program: Program, data: bytes, start: int, digits: str, origin: str, path: str, bounds: tuple[int, int, int],
    starts: array[int] | None = None, crcs: array[int] | None = None,
) -> Encoded | None:  # fmt: skip
    """What the native kernel makes of whole lines; None: it can't do them, all are for `exact`.

    Shapes: as kernel.run().
    """
    if MODULE is None or not program.make:
        return None
    loaded = _loaded.get(program)
    if loaded is None:
        loaded = _loaded[program] = MODULE.load(program.encode(), _caller(program), _SEED)
    try:
        labels = (origin.encode(), path.encode())
    except UnicodeEncodeError:  # a file name that is no UTF-8
        return None
    made = MODULE.run(loaded, data, start, digits.encode("ascii"), *labels, *bounds, starts, crcs)
    if made is None:  # another thread is running this program
        return None
    text, *lists = made
    return Encoded(text, *(array(code, raw) for code, raw in zip("IIQIQ", lists, strict=True)))


def _called(function: Function) -> Callable[..., object]:
    """A function; only what several programs share is remembered in Python too."""
    if not function.is_shared:
        return function.call
    known = memory(function)
    return known.__getitem__ if function.arity == 1 else lambda *texts: known[texts]


def _caller(program: Program) -> Callable[[int, bytes, bytes | None], Answer]:
    """What the kernel calls for what it has not seen yet."""
    calls = [_called(function) for function in program.functions]

    def call(number: int, first: bytes, second: bytes | None) -> Answer:
        try:
            value = calls[number](first.decode()) if second is None else calls[number](first.decode(), second.decode())
            if isinstance(value, str):
                return value.encode()
        except (Unreadable, ValueError):
            return None
        return value if isinstance(value, int) and 0 <= value <= MOST_NUMBER else None

    return call
