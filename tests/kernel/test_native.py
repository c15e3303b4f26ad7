"""The native kernel at its door: which one is used and why, what it refuses, what it knows without asking Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship import kernel
from logship.formats.times import AnyTime, ClfTime, EpochTime, IsoTime
from logship.kernel import native
from logship.kernel.encoded import Encoded
from logship.kernel.program import (
    COUNTERS,
    NO_BOUNDS,
    NONE,
    OPERANDS,
    VERSION,
    Escaping,
    Function,
    How,
    Instruction,
    Known,
    Op,
    Program,
)
from logship.kernel.values import iso
from logship.mapping.redaction import plain_names, query_redactor
from logship.mapping.spec import KeepQuery
from tests.rigs.machine import lacking

ROOT = Path(__file__).parents[2]
DIGITS = "0123-8456-8789"
FIELD, MADE = 2, 3  # registers: the line's text, and what is made of it
READING = (Instruction(Op.FIELD, FIELD, How.BARE, 0, 0), Instruction(Op.END))
BORDERS = (
    b"\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff"  # of UTF-8's ranges
)
ID, TEXT, DONE = Instruction(Op.ID), Instruction(Op.TEXT, FIELD), Instruction(Op.DONE)


def program(*making: Instruction, functions: tuple[Function, ...] = (), constants: tuple[bytes, ...] = ()) -> Program:
    """A program whose lines are one field."""
    return Program(
        (*READING, *making, DONE), (b"", *constants), functions, COUNTERS,
        registers=5, flags=1, fields=(FIELD,), make=len(READING),
    )  # fmt: skip


def run(one: Program, *lines: bytes, start: int = 0, data: bytes | None = None) -> Encoded:
    if kernel.IMPLEMENTATION != "native":
        lacking(f"this is a test of the native kernel: {kernel.REASON}")
    data = b"".join(line + b"\n" for line in lines) if data is None else data
    found = kernel.run(one, data, start, DIGITS, "web-1", "/var/log/x.log", NO_BOUNDS)
    assert found is not None
    return found


def events(found: Encoded) -> list[bytes]:
    starts = [0, *(end + 1 for end in found.ends)]
    return [bytes(found.text[start:end]) for start, end in zip(starts, found.ends, strict=False)]


# -- which kernel


def test_the_kernel_is_native_where_nothing_may_be_missing() -> None:
    if os.environ.get(native.SWITCH) != "off" and kernel.IMPLEMENTATION != "native":
        lacking(f"the native kernel is missing: {kernel.REASON}")


def test_the_switch_turns_it_off_and_every_line_is_left_to_exact() -> None:
    assert native.find_module("off") == (None, "LOGSHIP_KERNEL=off")
    environ = os.environ | {native.SWITCH: "off"}
    done = subprocess.run(
        [sys.executable, "-m", "logship", "--version"], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1] == "kernel: python (LOGSHIP_KERNEL=off)"


def test_a_module_of_another_version_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    if native.MODULE is None:
        lacking(f"there is no module: {kernel.REASON}")
    monkeypatch.setattr(native.MODULE, "VERSION", VERSION - 1)
    module, reason = native.find_module("")
    assert module is None
    assert reason == f"the native module is version {VERSION - 1}, {VERSION} is needed: install logship again"


def test_a_member_more_or_less_of_what_both_sides_know_is_another_version() -> None:
    """A module built before must not pass for one that fits: raise VERSION and LS_VERSION with this digest."""
    known = [[(one.name, one.value) for one in kind] for kind in (Op, How, Known, Escaping)]
    operands = [(op.name, kinds) for op, kinds in OPERANDS.items()]
    assert (VERSION, zlib.crc32(repr((known, operands)).encode())) == (4, 3436972081)


def test_without_a_compiler_it_installs_works_and_says_so(tmp_path: Path) -> None:
    for name in ("logship", "configs"):
        left_out = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=left_out)
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    environ = {key: value for key, value in os.environ.items() if key != native.SWITCH} | {"CC": "/bin/false"}
    build = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(build, cwd=tmp_path, env=environ, check=True, capture_output=True)
    said = "import logship, logship.kernel as k; print(logship.__file__, k.described())"
    done = subprocess.run(
        [sys.executable, "-c", said], cwd=tmp_path, env=environ, check=True, capture_output=True, text=True
    )
    where, _, described = done.stdout.strip().partition(" ")
    assert Path(where).is_relative_to(tmp_path)
    assert described == "kernel: python (no native module: install gcc, then logship again)"


# -- what it refuses and passes on


@given(at=st.integers(0, 400), byte=st.integers(0, 255), end=st.integers(0, 400))
def test_a_damaged_program_is_refused_or_runs_within_its_bounds(at: int, byte: int, end: int) -> None:
    if native.MODULE is None:
        lacking(f"there is no module: {kernel.REASON}")
    functions = (Function("f", str, Known.HOST),)
    blob = bytearray(program(Instruction(Op.CALL, MADE, 0, FIELD, NONE), TEXT, ID, functions=functions).encode())
    blob[at % len(blob)] = byte
    del blob[len(blob) - end % 3 :]
    try:
        loaded = native.MODULE.load(bytes(blob), lambda number, first, second: first, 1)
    except ValueError:
        return
    native.MODULE.run(loaded, b"web-1\nx\n", 5, DIGITS.encode(), b"o", b"p", *NO_BOUNDS, None, None)


def test_what_a_function_raises_ends_the_run() -> None:
    class Stopped(BaseException):
        pass

    def stop(text: str) -> str:
        raise Stopped(text)

    one = program(Instruction(Op.CALL, MADE, 0, FIELD, NONE), functions=(Function("stop", stop),))
    with pytest.raises(Stopped):
        run(one, b"x")
    assert events(run(program(TEXT), b"x")) == [b"x"], "the kernel goes on"


@pytest.mark.parametrize("given", [None, -1, 1 << 70, 7])
def test_a_function_that_gives_no_text_leaves_the_line(given: object) -> None:
    functions = (Function("nothing", lambda text: given),)  # type: ignore[arg-type, return-value]
    found = run(program(Instruction(Op.CALL, MADE, 0, FIELD, NONE), functions=functions), b"x", b"y")
    assert list(found.left) == [0, 1]


def test_a_program_that_runs_already_gives_nothing_to_another_thread() -> None:
    inner: list[Encoded | None] = []

    def nested(text: str) -> str:
        def again() -> None:
            inner.append(kernel.run(one, b"y\n", 0, DIGITS, "o", "p", NO_BOUNDS))

        thread = threading.Thread(target=again)
        thread.start()
        thread.join()
        return text

    one = program(Instruction(Op.CALL, MADE, 0, FIELD, NONE), TEXT, functions=(Function("nested", nested),))
    assert events(run(one, b"x")) == [b"x"]
    assert inner == [None]


def test_another_program_may_run_while_a_function_is_asked() -> None:
    other = program(TEXT)

    def nested(text: str) -> str:
        return events(run(other, b"inner"))[0].decode()

    one = program(
        TEXT, Instruction(Op.CALL, MADE, 0, FIELD, NONE), Instruction(Op.TEXT, MADE), functions=(Function("n", nested),)
    )
    assert events(run(one, b"x", b"y")) == [b"xinner", b"yinner"]


@pytest.mark.parametrize(
    ("starts", "crcs"), [([0, 2], [1, 2]), ([0, 2, 4, 6], [1, 2, 3]), ([], []), ([0, 2, 4], None), (None, [1, 2])]
)
def test_positions_of_other_lines_are_refused(starts: list[int] | None, crcs: list[int] | None) -> None:
    one = program(ID)
    run(one, b"x")
    lists = (None if starts is None else array("Q", starts), None if crcs is None else array("I", crcs))
    with pytest.raises(ValueError, match="kernel:"):
        kernel.run(one, b"x\ny\n", 0, DIGITS, "o", "p", NO_BOUNDS, *lists)


def test_positions_may_be_given() -> None:
    one = program(ID)
    run(one, b"x")
    found = kernel.run(
        one, b"x\ny\n", 0, DIGITS, "o", "p", NO_BOUNDS, array("Q", [7, 1 << 40, 1 << 41]), array("I", [1, 0xFFFF_FFFF])
    )
    assert found is not None
    middle = DIGITS.encode()
    assert events(found) == [b"00000001-%b-000000000007" % middle, b"ffffffff-%b-010000000000" % middle]
    assert list(found.starts) == [7, 1 << 40, 1 << 41]


def test_half_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="the last line has no end"):
        run(program(ID), data=b"x\ny")


@pytest.mark.parametrize("line", [b"", b"\r", b"x\r\r", b"\xef\xbb\xbfx", b"\tx", b"x\0", b"\x7f"])
def test_a_line_that_is_unusual_is_left(line: bytes) -> None:
    assert list(run(program(TEXT), b"a", line, b"b").left) == [1]


# -- what it does by itself

PIECES = [
    "?",
    "&",
    ";",
    "#",
    "=",
    "%71",
    "+",
    "q",
    "Q",
    "token",
    "ToKen",
    "a",
    "x=1",
    "?q=",
    "&q=b",
    "é",
    "/",
    " ",
    "&token=s",
    "&q[]=b",
    ".",
    "[",
    "{",
    "%3d",
    "%253D",
    "%7B",
    "%26",
    "%3f",
    "&a=[",
]


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14), repeated=st.sampled_from([1, 1, 1, 40, 300]))
def test_a_query_is_redacted_as_python_does_it(pieces: list[str], repeated: int) -> None:
    names = ["q", "Token"]
    redact = query_redactor(names)
    asked: list[str] = []

    def cover(url: str) -> str:
        asked.append(url)
        return redact(url)

    function = Function("cover", cover, Known.PAIRS, names=plain_names(names))
    url = "/a?" + "".join(pieces) * repeated
    one = program(Instruction(Op.CALL, MADE, 0, FIELD, NONE), Instruction(Op.TEXT, MADE), functions=(function,))
    assert [json.loads(b'"%b"' % event) for event in events(run(one, url.encode()))] == [redact(url)]
    is_unusual = not url.isascii() or any(char in url for char in "%+.[]{ ")
    assert not asked or is_unusual or len(url) > 2_000 or url.count("=") > 100


def test_a_name_that_is_not_found_by_its_spelling_alone_is_for_python() -> None:
    assert plain_names(["q", "a~0", "Utm_Source"]) == ("q", "a~0", "utm_source")
    assert not any(plain_names(["q", name]) for name in ("a+b", "%71", "ß", "", "a b", "a[0]", "a.b", "*", "x" * 65))
    assert plain_names(KeepQuery(keep=["q"])) == ()


@given(pieces=st.lists(st.sampled_from([bytes([byte]) for byte in BORDERS] + ["é".encode(), b"a"]), max_size=9))
def test_what_is_no_utf8_becomes_what_python_makes_of_it(pieces: list[bytes]) -> None:
    line = b"x" + b"".join(pieces)
    text = json.dumps(line.decode("utf-8", "replace"))
    assert [b'"%b"' % event for event in events(run(program(TEXT), line))] == [text.encode()]


@pytest.mark.parametrize("length", [*range(1, 90), 127, 128, 129, 255, 256, 1_000, 70_000])
def test_the_crc_is_zlibs_at_every_length(length: int) -> None:
    line = bytes(33 + number * 7 % 90 for number in range(length))
    start = (1 << 32) - length
    found = run(program(ID), line, line + b"\r", start=start)
    crc = zlib.crc32(line)
    assert events(found) == [
        b"%08x-%b-%012x" % (crc, DIGITS.encode(), at) for at in (start, start + length + 1)
    ]  # fmt: skip


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40), min_size=1, max_size=4))
def test_texts_are_written_as_json(texts: list[str]) -> None:
    import json

    found = run(program(TEXT), *[f"x{text}".encode() for text in texts])
    assert not found.left
    assert [json.loads(b'"%b"' % event) for event in events(found)] == [f"x{text}" for text in texts]
    assert events(found) == [json.dumps(f"x{text}")[1:-1].encode() for text in texts]


CLF = (
    r"(0[0-9]|[12][0-9]|3[0-2])/(Jan|Feb|Mar|jul|DEC|Xxx)/(19[67]|200|999)[0-9]:[0-2][0-9]:[0-6][0-9]:[0-6][0-9] "
    r"[+-][0-2][0-9][0-6][0-9]"
)
ISO = (
    r"(196[89]|197[0-2]|20[0-2][0-9]|9999)-(0[0-9]|1[0-3])-(0[0-9]|[12][0-9]|3[0-2])[Tt ]"
    r"[0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,][0-9]{0,10})?( ?([Zz]|[+-][0-2][0-9](:?[0-6][0-9])?)?)?"
)
EPOCH = r"[0-9]{1,20}(\.[0-9]{0,10})?"
Decode = Callable[[str], int | None]
KNOWN: list[tuple[Known, str, Decode]] = [
    (Known.CLF, CLF, ClfTime().decoder("UTC")),
    (Known.ISO_UTC, ISO, IsoTime().decoder("UTC")),
    (Known.ISO_ZONED, ISO, IsoTime().decoder("Europe/Berlin")),
    (Known.EPOCH_S, EPOCH, EpochTime("s").decoder("UTC")),
    (Known.EPOCH_MS, EPOCH, EpochTime("ms").decoder("UTC")),
    (Known.EPOCH_US, EPOCH, EpochTime("us").decoder("UTC")),
    (Known.EPOCH_ANY, EPOCH, EpochTime("").decoder("UTC")),
    (Known.ANY_UTC, rf"\[?({CLF}|{ISO}|{EPOCH})\]?", AnyTime().decoder("UTC")),
    (Known.ANY_ZONED, rf"\[?({CLF}|{ISO}|{EPOCH})\]?", AnyTime().decoder("Europe/Berlin")),
]


@pytest.mark.parametrize(("known", "like", "decode"), KNOWN, ids=[known.name for known, _, _ in KNOWN])
@settings(max_examples=max(10, settings.default.max_examples // 3) if settings.default else 20)
@given(data=st.data())
def test_a_time_that_it_knows_is_the_one_that_python_says(
    known: Known, like: str, decode: Decode, data: st.DataObject
) -> None:
    texts = data.draw(st.lists(st.from_regex(re.compile(like, re.ASCII), fullmatch=True), min_size=1, max_size=8))
    functions = (Function("unasked", lambda text: None, known, gives_number=True),)
    one = program(Instruction(Op.NUMBER, MADE, 0, FIELD), Instruction(Op.TIME, MADE), functions=functions)
    found = run(one, *[text.encode() for text in texts], *[text.encode() for text in texts])
    for line, event in zip(found.lines, events(found), strict=True):
        moment_ms = decode(texts[line % len(texts)])
        assert moment_ms is not None, texts[line % len(texts)]
        assert event.decode() == iso(moment_ms)


@pytest.mark.parametrize(
    ("known", "text"),
    [(Known.CLF, b"10/Oct/2000:13:55:36 -0700"), (Known.ISO_UTC, b"2000-10-10T13:55:36.123+02:00"),
     (Known.ISO_UTC, b"2000-02-29 23:59:59"), (Known.ISO_ZONED, b"1970-01-01T00:00:00Z"),
     (Known.EPOCH_S, b"971211336.123"), (Known.EPOCH_ANY, b"971211336123"),
     (Known.ANY_ZONED, b"[10/Oct/2000:13:55:36 -0700]"),
     (Known.ANY_UTC, b"9999-12-31T23:59:59.999Z")],
)  # fmt: skip
def test_an_ordinary_time_is_known(known: Known, text: bytes) -> None:
    functions = (Function("unasked", lambda text: None, known, gives_number=True),)
    one = program(Instruction(Op.NUMBER, MADE, 0, FIELD), Instruction(Op.TIME, MADE), functions=functions)
    assert len(run(one, text, text).ends) == 2


def test_memories_are_emptied_when_they_are_full_and_nothing_changes() -> None:
    asked: list[str] = []

    def shown(text: str) -> str:
        asked.append(text)
        return f"<{text}>"

    functions = (Function("shown", shown, entries=16),)
    one = program(Instruction(Op.CALL, MADE, 0, FIELD, NONE), Instruction(Op.TEXT, MADE), functions=functions)
    lines = [b"%d" % (number * number % 97) for number in range(500)]
    assert events(run(one, *lines)) == [b"<%b>" % line for line in lines]
    assert len(asked) > 50, "the table holds 16"
    long = b"x" * 300
    assert events(run(one, long, long)) == [b"<%b>" % long] * 2
