"""The reference: what each operation means, as Python. Any line, any value; about thirty times slower than the kernel.

The making part of a program becomes one Python function. Texts are str, a bare one is Bare; numbers are int. The tables
below say all there is to know of an operation. Texts of a mapping enter as names, never as source.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted

from logship.kernel.program import BEHIND, MOST, NONE, OPERANDS, Instruction, Op, Program
from logship.kernel.values import Bare, iso, memory, within
from logship.patterns import deferred

MIXER = 0x9E3779B97F4A7C15  # Fibonacci hashing: CRC and position are mixed by 2^64 / golden ratio
MASK = 0xFFFF_FFFF_FFFF_FFFF
# values of the fields, CRC-32 and position of the line, digits of its file's key, labels, bounds, counts by counter
PARAMETERS = "values, crc, start, digits, r0, r1, oldest, since, until, counts, visit"
Make = Callable[..., str | None]

# r5 is the text of register 5, n5 its number, k5 constant 5 as text, s5 as a set, f5 function 5 with its memory, g5 a
# flag; {a} … {e} are the operands.
STATEMENTS: dict[Op, str] = {
    Op.LOAD: "r{a} = k{b}",
    Op.NUMBER: "n{a} = within(f{b}[r{c}])",
    Op.ADD: "n{a} = within(n{b} + n{c})",
    Op.SUBTRACT: "n{a} = within(n{b} - n{c})",
    Op.ISO: "r{a} = iso(n{b})",
    Op.CUT: "r{a}, _, r{b} = r{c}.partition(chr({d}))",
    Op.LIMIT: "r{a} = r{b} if len(r{b}) <= {c} else left_out(counts, {d})",
    Op.FLAG: "g{a} = {b}",
    Op.VISIT: "visit({a})",
    Op.WINDOW: "if is_outside(n{a}, oldest, since, until, counts): return None",
    Op.DROP: "counts[{a}] += 1; return None",
    Op.DONE: "return out",
    Op.MEMBER: 'out += k{a} if out[-1:] == "{{" else "," + k{a}',
    Op.OPEN: 'marks.append(len(out)); out += ("" if out[-1:] == "{{" else ",") + k{a} + "{{"',
}
GOES_ON: dict[Op, str] = {  # when a conditional jump does not jump; its target is the last operand
    Op.EMPTY: "r{a}",
    Op.UNLESS_IN: "r{a} in s{b}",
    Op.UNLESS_PREFIX: "r{a}.startswith(k{b})",
    Op.UNLESS_FLAG: "g{a} == {b}",
}
WRITES: dict[Op, str] = {  # what is written
    Op.WRITE: "k{a}",
    Op.TEXT: "quoted(r{a})[1:-1]",
    Op.PLAIN: "r{a}",
    Op.TIME: "iso(n{a})",
    Op.ID: "f'{{crc:08x}}-{{digits}}-{{start:012x}}'",
}
_NAMES = deferred(r"\b[rng][0-9]+\b")  # of texts, numbers and flags in what is written
CLOSES = (
    'marks.pop(); out += "}"',
    'mark = marks.pop(); out = out[:mark] if out[-1:] == "{" else out + "}"',
)


def compile_exact(program: Program) -> Make:
    """The making part as a function of PARAMETERS.

    Shapes: `values` are texts in the order of `program.fields`; the function gives the event, None for a line without
    one, which it counts in `counts`.
    Raises (the function): Unreadable for a line whose time no event can have.
    """
    names: dict[str, object] = {
        "quoted": quoted, "iso": iso, "within": within, "Bare": Bare, "is_outside": _is_outside, "left_out": _left_out,
    }  # fmt: skip
    for number, raw in enumerate(program.constants):
        names[f"k{number}"] = raw.decode("utf-8", "replace")
    for number, function in enumerate(program.functions):
        names[f"f{number}"] = memory(function)
    source = "\n".join([f"def make({PARAMETERS}):", *_Writer(program, names).lines()])
    exec(compile(source, "<program>", "exec"), names)  # noqa: S102 -- made of the tables above and numbers
    made = names["make"]
    assert callable(made)
    return made


def _is_outside(moment_ms: int, oldest: int, since: int, until: int, counts: list[int]) -> bool:
    if moment_ms < since or moment_ms >= until:
        counts[0] += 1
        return True
    counts[1] += moment_ms < oldest
    return moment_ms < oldest


def _left_out(counts: list[int], counter: int) -> str:
    counts[counter] += 1
    return ""


class _Writer:
    """Writes the function's body: straight code, an `if` around what a jump skips, a look at `at` where jumps cross."""

    def __init__(self, program: Program, names: dict[str, object]) -> None:
        self._program = program
        self._code = program.code
        self._names = names
        self._lines: list[str] = []
        self._jumps = [(at, _target(one)) for at, one in enumerate(self._code) if _is_jump(one)]
        self._targets = {target for _, target in self._jumps}

    def lines(self) -> list[str]:
        program = self._program
        self._region(program.make, len(self._code), 1)
        used = set(_NAMES.findall("\n".join(self._lines)))
        given = {"r0", "r1", *(f"r{field}" for field in program.fields)}
        made, self._lines = self._lines, []
        if program.fields:
            self._put(1, ", ".join(f"r{field}" for field in program.fields) + ", = values")
        self._put(1, " = ".join([*sorted(name for name in used - given if name[0] == "r"), "out"]) + ' = ""')
        self._put(1, " = ".join([*sorted(name for name in used if name[0] != "r"), "at"]) + " = 0")
        self._put(1, "marks = []")
        return self._lines + made

    def _put(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    def _region(self, at: int, end: int, depth: int) -> None:
        """The instructions [at, end), none of which is jumped to from outside of it but the first."""
        skipped_to = 0
        while at < end:
            deeper = depth
            if at < skipped_to:
                self._put(depth, f"if at <= {at}:")
                deeper += 1
            at = self._straight(at, end, deeper)
            last = self._code[at - 1]
            if _is_jump(last):
                target = _target(last)
                if last.op in GOES_ON and self._is_nested(at - 1, target, end):
                    self._put(deeper, f"if {self._filled(GOES_ON[last.op], last)}:")
                    self._region(at, target, deeper + 1)
                    at = target
                else:
                    test = f"if not ({self._filled(GOES_ON[last.op], last)}): " if last.op in GOES_ON else ""
                    self._put(deeper, f"{test}at = {target}")
                    skipped_to = max(skipped_to, target)

    def _straight(self, at: int, end: int, depth: int) -> int:
        """Writes up to the next jump (which it leaves to others) or jump target; gives the index behind it."""
        first = at
        while at < end and (at == first or at not in self._targets):
            instruction = self._code[at]
            if _is_jump(instruction):
                return at + 1
            written: list[str] = []
            while at < end and (text := self._written(self._code[at])) and (at == first or at not in self._targets):
                written.append(text)
                at += 1
            if written:
                self._put(depth, f'out += f"""{"".join(written)}"""')
                continue
            self._put(depth, self._statement(instruction))
            at += 1
        return at

    def _is_nested(self, jump: int, target: int, end: int) -> bool:
        """Whether no other jump crosses the border of what this one skips."""
        return (
            target > jump + 1
            and target <= end
            and not any(
                (jump < at < target and to > target) or (at < jump and jump < to < target) for at, to in self._jumps
            )
        )

    def _written(self, instruction: Instruction) -> str:
        """What an instruction writes, as parts of a formatted string."""
        op = instruction.op
        if op is Op.VALUE:
            other = f"quoted(r{instruction.a})" if instruction.b == NONE else f"f{instruction.b}[r{instruction.a}]"
            written = f"r{instruction.a} if type(r{instruction.a}) is Bare else {other}"
        elif op in WRITES:
            written = self._filled(WRITES[op], instruction)
        else:
            return ""
        before = instruction[len(OPERANDS[op])] if op in BEHIND else NONE
        return f"{{{written}}}" if before == NONE else f"{{k{before}}}{{{written}}}"

    def _statement(self, instruction: Instruction) -> str:
        op, a, b, c, d, _ = instruction
        if op is Op.CALL:
            return f"r{a} = f{b}[r{c}]" if d == NONE else f"r{a} = f{b}[r{c}, r{d}]"
        if op is Op.FIRST:
            return f"r{a} = " + " or ".join(f"r{register}" for register in self._listed(b))
        if op is Op.JOIN:
            parts = self._listed(b)
            named = [f"{{r{part}}}" if part <= MOST else f"{{k{part - MOST - 1}}}" for part in parts]
            return f'r{a} = f"{"".join(named)}"'
        if op is Op.SAMPLE:
            threshold = int.from_bytes(self._program.constants[b], "little")
            return f"if (crc << 32 ^ start) * {MIXER} & {MASK} >= {threshold}: counts[{a}] += 1; return None"
        if op is Op.CLOSE:
            return CLOSES[a]
        return self._filled(STATEMENTS[op], instruction)

    def _listed(self, constant: int) -> tuple[int, ...]:
        raw = self._program.constants[constant]
        return struct.unpack(f"<{len(raw) // 2}H", raw)

    def _filled(self, template: str, instruction: Instruction) -> str:
        op, a, b, c, d, e = instruction
        if op is Op.UNLESS_IN:
            self._names[f"s{b}"] = frozenset(members(self._program.constants[b]))
        return template.format(a=a, b=b, c=c, d=d, e=e)


def _is_jump(instruction: Instruction) -> bool:
    return instruction.op is Op.JUMP or instruction.op in GOES_ON


def _target(instruction: Instruction) -> int:
    """Where a jump goes: its last operand."""
    return instruction[len(OPERANDS[instruction.op])]


def members(raw: bytes) -> list[str]:
    """The texts of a set, as program.texts() writes it."""
    count, at, found = int.from_bytes(raw[:2], "little"), 2, []
    for _ in range(count):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "little")
        found.append(raw[at + 2 : end].decode("utf-8", "replace"))
        at = end
    return found
