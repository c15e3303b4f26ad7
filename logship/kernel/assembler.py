"""Puts programs together: registers, constants and functions by number, labels for jumps, neighbouring texts melted."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from logship.kernel.program import (
    BEHIND,
    COUNTERS,
    MOST,
    NONE,
    OPERANDS,
    PATH,
    Counter,
    Escaping,
    Function,
    Instruction,
    Op,
    Program,
)


class Label:
    """A place in the code that is jumped to before it is known."""

    def __init__(self) -> None:
        self.at = -1


class Assembler:
    """A program in the making.

    Shapes: instructions go to the making part, but for those between begin_reading() and the end of the assembly.
    """

    def __init__(self) -> None:
        self.counters = list(COUNTERS)
        self._registers = PATH + 1
        self._flags = 0
        self._constants: dict[bytes, int] = {}
        self._functions: dict[str, int] = {}
        self._function_list: list[Function] = []
        self._making: list[tuple[Op, Sequence[int | Label]]] = []
        self._reading: list[tuple[Op, Sequence[int | Label]]] = []
        self._code = self._making
        self._text = ""  # written constants that wait for more
        self._literal = NONE  # a constant to be read, which waits for a field behind it

    # -- numbers

    def register(self) -> int:
        self._registers += 1
        return self._registers - 1

    def flag(self) -> int:
        self._flags += 1
        return self._flags - 1

    def constant(self, raw: bytes | str) -> int:
        raw = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
        return self._constants.setdefault(raw, len(self._constants))

    def function(self, name: str, make: Callable[[], Function]) -> int:
        """The function called `name`, made once."""
        if name not in self._functions:
            self._functions[name] = len(self._function_list)
            self._function_list.append(make())
        return self._functions[name]

    def counter(self, what: str, name: str) -> int:
        counter = Counter(what, name)
        if counter not in self.counters:
            self.counters.append(counter)
        return self.counters.index(counter)

    # -- code

    def emit(self, op: Op, *operands: int | Label) -> None:
        """An instruction; one of BEHIND takes what waits as its last operand, which is not given."""
        if op in BEHIND:
            operands = (*operands, self._taken(op))
        self._flush()
        self._code.append((op, operands))

    def literal(self, raw: bytes) -> None:
        """Reads a constant."""
        self._flush()
        self._literal = self.constant(raw)

    def place(self, label: Label) -> None:
        """The label is here."""
        self._flush()
        label.at = len(self._code)

    def write(self, text: str) -> None:
        """A constant of the event; neighbouring ones become one instruction."""
        self._text += text

    def join(self, parts: Sequence[str | int]) -> int:
        """A new register with the parts, constants or registers, in one text."""
        numbers = [part if isinstance(part, int) else MOST + 1 + self.constant(part) for part in parts]
        joined = self.register()
        self.emit(Op.JOIN, joined, self.listed(numbers))
        return joined

    def first(self, register: int, choices: Sequence[int]) -> None:
        """The first of the registers that is not empty."""
        self.emit(Op.FIRST, register, self.listed(choices))

    def listed(self, numbers: Sequence[int]) -> int:
        """A constant with the numbers as u16s."""
        return self.constant(struct.pack(f"<{len(numbers)}H", *numbers))

    def load(self, text: str) -> int:
        """A new register with a constant."""
        register = self.register()
        self.emit(Op.LOAD, register, self.constant(text))
        return register

    def begin_reading(self) -> None:
        """What follows is how the kernel reads a line."""
        self._flush()
        self._code = self._reading

    def forget_reading(self) -> None:
        """The kernel can't read such lines."""
        self._reading.clear()
        self._literal = NONE

    def program(self, fields: Sequence[int], escaping: Escaping = Escaping.NONE) -> Program:
        """The program; `fields` are the registers that reading fills."""
        self._flush()
        shift = len(self._reading)
        code = [_resolved(op, operands, 0) for op, operands in self._reading]
        code += [_resolved(op, operands, shift) for op, operands in self._making]
        return Program(
            tuple(code), tuple(self._constants), tuple(self._function_list), tuple(self.counters), self._registers,
            self._flags, tuple(fields), shift, escaping,
        )  # fmt: skip

    def _taken(self, op: Op) -> int:
        """The constant before an operation of BEHIND."""
        if op is Op.FIELD:
            taken, self._literal = self._literal, NONE
            return taken
        text, self._text = self._text, ""
        return self.constant(text) if text else NONE

    def _flush(self) -> None:
        if self._text:
            self._code.append((Op.WRITE, (self._taken(Op.TEXT),)))
        if self._literal != NONE:
            self._code.append((Op.LITERAL, (self._taken(Op.FIELD),)))


def _resolved(op: Op, operands: Sequence[int | Label], shift: int) -> Instruction:
    assert len(operands) == len(OPERANDS[op]), f"{op.name} takes {OPERANDS[op]}, not {operands}"
    return Instruction(op, *[one.at + shift if isinstance(one, Label) else one for one in operands])
