"""The program: plain data that says how a line is read, which values are computed, and what event they make.

A program is executed by `exact` (Python, the reference) and by the kernel (C). Both give the same bytes for the same
line. Time is linear by construction: jumps only go forward.

Registers  hold a text (decoded, UTF-8; empty means absent) and a number; all are empty and 0 when a line begins, but
           ORIGIN and PATH, which hold the file's labels. A text may be marked *bare*: it is the spelling of a JSON
           value that is no string (200, 0.5, true), as JSON formats log it.
Flags      small numbers, 0 when a line begins.
Reading    code[:make] fills the registers `fields` from the line. Only the kernel executes it: `exact` has the same
           values from the format's own parser, which also takes the lines that the kernel hands back.
Making     code[make:] writes the event. It ends with DONE, DROP, SAMPLE or WINDOW, or the line is handed back.

Handing back: the kernel gives a line back to `exact` whenever it is not sure; it never decides that a line is
unmatched. It may do any subset: every operation may be handed back, every Known left to Python. Texts are compared, cut
and written as their decoded UTF-8 bytes.

Layout of `Program.encode()`, little-endian, checked by whoever loads it:
    4s magic b"LSP\x01" | u16 version | u16 registers | u16 flags | u16 0 | u16 make | u16 escaping
    u16 instructions | u16 constants | u16 functions | u16 counters
    instructions * (u16 op, u16 a, u16 b, u16 c, u16 d, u16 e)
    constants * u32 length; then all their bytes
    functions * (u16 known, u16 arity, u16 gives_number, u16 length, u32 entries); then their names, each of its length
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple

from logship.records import record

VERSION = 4  # of the encoding and of what Op, How, Known and Escaping have; core.h says it too
MAGIC = b"LSP\x01"
ORIGIN, PATH = 0, 1  # registers
OUT_OF_RANGE, TOO_OLD = 0, 1  # counters that every program has
NONE = 0xFFFF  # an operand that is not used
MOST = 0x7FFF  # of registers, constants, functions, counters, instructions
MEMO_BYTES = 256  # longest key of a function's memory (both texts together), and longest text remembered under it
MEMO_ENTRIES = 4_096  # of a function's memory unless it says otherwise; a full memory is emptied
MAX_DEPTH = 32  # of OPEN
LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z; no event has a later time, or one before 1970


class Escaping(IntEnum):
    """How the values of a text line are escaped: FIELD passes over escapes, its text is decoded.

    BACKSLASH  nginx and Apache: \\xHH, \\" \\\\ \\b \\n \\r \\t \\v; any other backslash stays as it is
    JSON       nginx's escape=json: JSON string escapes; the kernel hands back what is not valid inside of JSON quotes
    NONE       nothing is escaped, a quote is a character like others
    In all of them, bytes that are not UTF-8 become U+FFFD as in Python's decode("utf-8", "replace").
    """

    NONE = 0
    BACKSLASH = 1
    JSON = 2


class How(IntEnum):
    """How far a FIELD reaches from the cursor on; never over the line's end. A space never matters but where said."""

    TEXT = 0  # to the first of the stops (the constant's bytes; none: the line's end). With escaping BACKSLASH or
    #           JSON a backslash is passed over, together with a `"` or `\` behind it: neither ends the value
    BARE = 1  # to the first of the stops; a backslash is a character like others
    STATUS = 2  # [1-9][0-9]{2}, else -, else hand back
    INTEGER = 3  # [0-9]+, else a - without a digit behind it, else hand back
    NUMBER = 4  # [0-9]+(\.[0-9]*)?, else as INTEGER
    LIST = 5  # [^ ,"]* then any number of (`,` or ` :`, a space, [^ ,"]*); the stops don't matter
    MARK = 6  # \??
    CLF = 7  # 26 bytes like `10/Oct/2000:13:55:36 -0700`, digits and signs where they belong; else hand back
    ISO = 8  # [0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.,]{8,18}([Zz]| ?[+-][0-9:]{2,5})? as far as possible; else hand back
    EPOCH = 9  # [0-9]{1,19}(\.[0-9]{1,9})? as far as possible; else hand back


class Known(IntEnum):
    """What the kernel may know of a function, to spare itself a look into the memory or a call.

    The condition is on the decoded text(s); where it doesn't hold, the memory and then Python are asked. `same`: the
    function gives its (first) text unchanged.
    """

    NOTHING = 0
    # times to epoch milliseconds. A second of 60 is the next second; a date that does not exist is for Python to refuse
    CLF = 1  # as How.CLF; month names in any case
    ISO_UTC = 2  # YYYY-MM-DD[Tt ]HH:MM:SS, [.,] and 1-9 digits (the first three count), an optional space, Z, z, +hh,
    #              +hhmm or +hh:mm (or -); without a zone it is UTC
    ISO_ZONED = 3  # the same; without a zone Python is asked
    EPOCH_S = 4  # [0-9]{1,19}(\.[0-9]{1,9})?: whole * 1000 + the first three digits of the fraction
    EPOCH_MS = 5  # whole
    EPOCH_US = 6  # whole // 1000
    EPOCH_ANY = 7  # the unit by the size of the whole: < 10^11 s, < 10^14 ms, < 10^17 us, else ns (// 1_000_000)
    ANY_UTC = 8  # text[2] is '/': CLF, text[4] is '-': ISO_UTC, else EPOCH_ANY; in brackets `[…]` too
    ANY_ZONED = 9  # the same with ISO_ZONED
    # durations to milliseconds
    MS_OF_S = 10  # [0-9]{1,7}(\.[0-9]{0,3})?: whole * 1000 + fraction
    MS_OF_MS = 11  # [0-9]{1,10}: itself
    MS_OF_US = 12  # [0-9]{1,10}: (n + 500) // 1_000
    MS_OF_NS = 13  # [0-9]{1,10}: (n + 500_000) // 1_000_000
    # texts
    ADDRESS = 20  # four numbers 0-255 without leading zeros, joined by dots: same. So is IPv6 as inet_ntop() writes it,
    #               but for what begins with '::': groups of lower-case hex digits without leading zeros; eight of which
    #               no two neighbours are 0, or at most six, none of them 0, and one '::'
    SLASHED = 21  # begins with '/': same
    NO_EQUALS = 22  # holds no '=' and no '%': same
    STATUS = 23  # [1-9][0-9]{2}: same
    NUMBER = 24  # 0 or [1-9][0-9]{0,14}: same
    HOST = 25  # begins with a lower-case letter, holds such letters, digits, '.' and '-' only: same
    NO_AUTHORITY = 26  # begins with '/': gives the empty text
    METHOD = 27  # is not empty and not '-': same
    PAIRS = 28  # a URL, redacted by `names`: see below
    PEER = 29  # as ADDRESS, or as HOST with at most 255 bytes: same
    USER = 30  # begins with a letter, holds no space and no ':': same
    AMONG = 31  # an address of IPv4 as ADDRESS: '1' where it is in a range of `names`, else the empty text. A range is
    #             the first and the last address, 8 lower-case hex digits each
    FRACTION = 32  # [0-9]{1,10}\.[0-9]{1,10}: same


class Op(IntEnum):
    """The operations. r: a register read, w: one written, k: a constant, f: a function, n: a number, c: a counter,
    g: a flag, t: a jump target (an index into the code, greater than the jump's own). `?` may be NONE."""

    # reading
    LITERAL = 1  # k          the constant is at the cursor, which moves behind it; else hand back
    FIELD = 2  # w n k n k?   LITERAL k; then How, stops, lead: a byte that the value begins with, 0 for none; the stop
    #                         is behind it. '/': hand back without it; '?': without it the value is empty. `-` alone
    #                         becomes the empty text; all else is decoded by `escaping`
    END = 3  #                the cursor is at the line's end; else hand back
    SPLIT = 4  # r w w w n    method, target and version of a request line (see below); n 1: of a JSON log, where a text
    #                         that begins with '/' is the target alone, and a bare text is handed back
    OBJECT = 5  # k           the whole line is one JSON object; its members go where the tree k says (see Tree)
    ATLEAST = 6  # n k        hand back unless n of the registers k (u16s) are not empty
    CHECK = 7  # f r          hand back unless the text is empty or the function gives one
    # values
    FIRST = 10  # w k         the first text of the registers k (u16s) that is not empty, with its mark; w may be one
    LOAD = 11  # w k          the constant
    CALL = 12  # w f r r?     the function of one or two texts; a call that gives nothing hands back
    NUMBER = 13  # w f r      the number that the function gives, 0 … LAST_MS; else hand back
    ADD = 14  # w r r         the sum of two numbers, within 0 … LAST_MS; else hand back
    SUBTRACT = 15  # w r r    the difference, the same
    ISO = 16  # w r           the text YYYY-MM-DDTHH:MM:SS.mmmZ of a number of epoch milliseconds
    CUT = 17  # w w r n       what is before the first byte n, and what is behind it ('' where there is none)
    JOIN = 18  # w k          the constant is u16s: a register, or MOST + 1 plus a constant's index; their texts joined
    LIMIT = 19  # w r n c     the text; one of more than n characters becomes the empty text and counts
    # choices
    JUMP = 30  # t
    EMPTY = 31  # r t         jump if the text is empty
    UNLESS_IN = 32  # r k t   jump unless the text is one of the set k (see texts())
    UNLESS_PREFIX = 33  # r k t   jump unless the text begins with the constant
    FLAG = 34  # g n          set the flag
    UNLESS_FLAG = 35  # g n t     jump unless the flag has this value
    VISIT = 36  # n           for traces: rule n matched; the kernel continues
    # ends
    WINDOW = 40  # r          by the number: < since or >= until counts OUT_OF_RANGE, else < oldest TOO_OLD; no event
    DROP = 41  # c            counts; no event
    SAMPLE = 42  # c k        no event and counts if (crc << 32 ^ start) * 0x9E3779B97F4A7C15 mod 2^64 >= k, a u64
    DONE = 43  #              the event is complete
    # writing, behind the constant k
    WRITE = 50  # k           the constant as it is
    TEXT = 51  # r k?         the text as it is inside of JSON quotes: ASCII as Python's json.dumps writes it
    PLAIN = 52  # r k?        the text as it is; hand back what is not ASCII
    VALUE = 53  # r f? k?     a bare text as it is; any other by the function (as PLAIN), or in JSON quotes
    TIME = 54  # r k?         as ISO
    ID = 55  # k?             the transaction_id: 8 hex digits of the line's CRC-32, the file's digits, 12 of its start
    MEMBER = 56  # k          a comma unless the last byte written is '{', then the constant
    OPEN = 57  # k            as MEMBER, then '{'
    CLOSE = 58  # n           '}'; n 1: where the last byte written is '{', all since its OPEN is taken back instead


# How each operand is checked, in order.
OPERANDS: dict[Op, str] = {
    Op.LITERAL: "k", Op.FIELD: "wnknK", Op.END: "", Op.SPLIT: "rwwwn", Op.OBJECT: "k", Op.ATLEAST: "nk", Op.CHECK: "fr",
    Op.FIRST: "wk", Op.LOAD: "wk", Op.CALL: "wfrR", Op.NUMBER: "wfr", Op.ADD: "wrr", Op.SUBTRACT: "wrr",
    Op.ISO: "wr", Op.CUT: "wwrn", Op.JOIN: "wk", Op.LIMIT: "wrnc",
    Op.JUMP: "t", Op.EMPTY: "rt", Op.UNLESS_IN: "rkt", Op.UNLESS_PREFIX: "rkt", Op.FLAG: "gn", Op.UNLESS_FLAG: "gnt",
    Op.VISIT: "n", Op.WINDOW: "r", Op.DROP: "c", Op.SAMPLE: "ck", Op.DONE: "",
    Op.WRITE: "k", Op.TEXT: "rK", Op.PLAIN: "rK", Op.VALUE: "rFK", Op.TIME: "rK", Op.ID: "K",
    Op.MEMBER: "k", Op.OPEN: "k", Op.CLOSE: "n",
}  # fmt: skip
READING = frozenset({Op.LITERAL, Op.FIELD, Op.END, Op.SPLIT, Op.OBJECT, Op.ATLEAST, Op.CHECK})
BEHIND = frozenset({Op.FIELD, Op.TEXT, Op.PLAIN, Op.VALUE, Op.TIME, Op.ID})  # their last operand comes before

# PAIRS: Python is asked for a text with any of %3d %25 %7b %5b %22 %26 %3f %3b %23 in it, in any case, and for one
# with a '=' before its first [?#]. Else the text is given unchanged if no '=' is behind that. In that rest (of less
# than 4,096 bytes, else Python is asked) a name begins behind each [?&;#] and ends before the first of [=&;#?], or of
# [%+.[]*\x00-\x20\x7f-\xff], for which Python is asked, as for a value that begins with [{[]. If it is '=', the name
# in lower case is one of the function's, and text is behind it up to '&' or the end, that text becomes [redacted];
# more than 100 of them are for Python.
#
# SPLIT: the method is what is before the first space (of the text), [A-Za-z][!#$%&'*+.^_`|~0-9A-Za-z-]*, else all three
# are empty. In the rest behind that space the last `HTTP/` counts if it is at its beginning or behind a space and
# [0-9]{1,2}(\.[0-9]{1,2})? follows to the end: the version is that, the target what is before it without spaces around
# it; an empty target makes all three empty. Otherwise the target is the whole rest without spaces around it, which
# begins with '/' or else all three are empty; the version is empty.
#
# OBJECT: spaces may surround the object; hand back what is not strict JSON in valid UTF-8 (as orjson is), any wanted
# key that is there twice, nesting deeper than 64, and:
#   a wanted string becomes its decoded text (`-` the empty one), null the empty text
#   true and false become bare texts; a number [0-9]{1,15} without leading zeros too
#   a number with a fraction and at most 15 digits, >= 0.0001 or 0, becomes the bare text without trailing zeros of the
#   fraction (one stays: 5.0); any other number is handed back
#   a wanted array of one string is that string; any other wanted array or object (but for its members) is handed back


@record
class Tree:
    """The wanted members of a JSON object: key, register (NONE: none; REFUSE: hand back), members below (None: none).

    A key with members below and no register of its own may hold anything but an object, too: then they are absent.
    """

    members: tuple[tuple[str, int, Tree | None], ...]

    def encode(self) -> bytes:
        """u16 nodes; each node: u16 members; each member: u16 register, u16 node below or NONE, u16 length, the key.

        The root is node 0, nodes below have greater numbers than those above.
        """
        nodes: list[Tree] = [self]
        out = b""
        for node in nodes:  # grows while it is read
            out += struct.pack("<H", len(node.members))
            for key, register, below in node.members:
                raw = key.encode()
                out += struct.pack("<HHH", register, NONE if below is None else len(nodes), len(raw)) + raw
                if below is not None:
                    nodes.append(below)
        return struct.pack("<H", len(nodes)) + out


REFUSE = 0xFFFE  # in the place of a Tree member's register


def texts(members: Sequence[str]) -> bytes:
    """A set of texts as a constant: u16 count; each u16 length and the UTF-8 bytes; sorted by these bytes."""
    raw = sorted({member.encode() for member in members})
    return struct.pack("<H", len(raw)) + b"".join(struct.pack("<H", len(one)) + one for one in raw)


class Instruction(NamedTuple):
    op: Op
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0


@record
class Function:
    """A pure function of one or two texts, which gives a text or a number; None: no event can come of it.

    Shapes: called with as many texts as `arity`. `entries` bounds what is remembered of it. `names`, in lower case, are
    for Known.PAIRS and AMONG.
    """

    name: str
    call: Callable[..., str | int | None]
    known: Known = Known.NOTHING
    arity: int = 1
    gives_number: bool = False
    entries: int = MEMO_ENTRIES
    is_shared: bool = False  # depends on nothing but its texts: all programs may share its memory
    names: tuple[str, ...] = ()


class Counter(NamedTuple):
    """What a number counts: `what` is out of range, too old, dropped, sampled out or left out; `name` a rule or key."""

    what: str
    name: str = ""


NO_BOUNDS = (-1, -1, LAST_MS + 1)  # oldest, since and until of no window
COUNTERS = (Counter("out of range"), Counter("too old"))


class ProgramError(Exception):
    """A program that no executor may run; a mistake in the lowering."""


@record(eq=False, weakref_slot=True)
class Program:
    """Checked when made; equal only to itself.

    Shapes: `make` is where making begins; 0: the kernel can't read such lines, all are done by `exact`. `fields` are
    the registers that reading fills.
    """

    code: tuple[Instruction, ...]
    constants: tuple[bytes, ...]
    functions: tuple[Function, ...]
    counters: tuple[Counter, ...]
    registers: int
    flags: int
    fields: tuple[int, ...]
    make: int = 0
    escaping: Escaping = Escaping.NONE

    def __post_init__(self) -> None:
        for at, instruction in enumerate(self.code):
            self._check(at, instruction)
        sizes = (len(self.code), len(self.constants), len(self.functions), len(self.counters), self.registers)
        if max(sizes) > MOST or any(not 0 <= field < self.registers for field in self.fields):
            raise ProgramError("too large")
        if not self.code or self.code[-1].op not in (Op.DONE, Op.DROP) or self.make >= len(self.code):
            raise ProgramError("the code has no end")

    def _check(self, at: int, instruction: Instruction) -> None:
        limits = {
            "r": self.registers, "w": self.registers, "k": len(self.constants), "f": len(self.functions), "n": 1 << 16,
            "c": len(self.counters), "g": self.flags, "t": len(self.code),
        }  # fmt: skip
        is_reading = at < self.make
        if instruction.op in READING and not is_reading:
            raise ProgramError(f"{at}: {instruction} reads while the event is made")
        for kind, value in zip(OPERANDS[instruction.op], instruction[1:], strict=False):
            if kind.isupper() and value == NONE:
                continue
            lower = kind.lower()
            if not 0 <= value < limits[lower] or (lower == "t" and value <= at):
                raise ProgramError(f"{at}: {instruction} has a wrong operand {value}")
            if lower == "t" and is_reading and value > self.make:
                raise ProgramError(f"{at}: {instruction} jumps over the beginning of the event")

    def encode(self) -> bytes:
        """The program but for its Python functions, as the kernel takes it."""
        head = struct.pack(
            "<4s10H", MAGIC, VERSION, self.registers, self.flags, 0, self.make, self.escaping,
            len(self.code), len(self.constants), len(self.functions), len(self.counters),
        )  # fmt: skip
        code = b"".join(struct.pack("<6H", *instruction) for instruction in self.code)
        lengths = b"".join(struct.pack("<I", len(constant)) for constant in self.constants)
        names = [texts(one.names) if one.names else b"" for one in self.functions]
        functions = b"".join(
            struct.pack("<4HI", one.known, one.arity, one.gives_number, len(own), one.entries)
            for one, own in zip(self.functions, names, strict=True)
        )
        return b"".join([head, code, lengths, *self.constants, functions, *names])
