"""Container logs: inner lines come out whole, and stand where their first outer line stands."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.conversion import Envelope
from logship.conversion.envelope import MAX_HELD_BYTES, EnvelopeKind, Opened

STAMP = "2024-06-10T00:00:00.123456789Z"
streams = st.sampled_from(["stdout", "stderr"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1, max_size=20)


def docker(text: str, stream: str = "stdout", *, partial: bool = False) -> bytes:
    document = {"log": text if partial else f"{text}\n", "stream": stream, "time": STAMP}
    return json.dumps(document).encode() + b"\n"


def cri(text: str, stream: str = "stdout", *, partial: bool = False) -> bytes:
    return f"{STAMP} {stream} {'P' if partial else 'F'} {text}\n".encode()


WRITE = {"docker": docker, "cri": cri}


@pytest.mark.parametrize("kind", ["docker", "cri"])
def test_inner_lines_keep_the_positions_of_their_outer_lines(kind: EnvelopeKind) -> None:
    write = WRITE[kind]
    first, second = write("one"), write("two ü")
    opened = Envelope(kind).open(first + second, 1000)
    assert opened == Opened(
        [b"one", "two ü".encode()], [first[:-1], second[:-1]], [1000, 1000 + len(first), 1000 + len(first + second)]
    )


@pytest.mark.parametrize("kind", ["docker", "cri"])
def test_a_cut_line_is_joined_at_its_first_outer_line(kind: EnvelopeKind) -> None:
    write = WRITE[kind]
    pieces = [write("a", partial=True), write("err", "stderr"), write("b", partial=True), write("c"), write("d")]
    opened = Envelope(kind).open(b"".join(pieces), 0)
    assert opened.lines == [b"abc", b"err", b"d"]
    assert opened.outer == [pieces[0][:-1], pieces[1][:-1], pieces[4][:-1]]
    assert opened.starts == [0, len(pieces[0]), sum(map(len, pieces[:4])), sum(map(len, pieces))]


def test_an_unfinished_line_holds_the_position_until_the_rest_comes() -> None:
    envelope = Envelope("cri")
    whole, cut, other, rest = cri("w"), cri("a", partial=True), cri("err", "stderr"), cri("b")
    opened = envelope.open(whole + cut + other, 0)
    assert (opened.lines, opened.end) == ([b"w"], len(whole))
    opened = envelope.open(rest, len(whole + cut + other))
    assert opened.lines == [b"ab", b"err"]
    assert opened.starts == [len(whole), len(whole + cut), len(whole + cut + other + rest)]


def test_a_stretch_from_elsewhere_forgets_what_was_kept() -> None:
    envelope = Envelope("cri")
    envelope.open(cri("a", partial=True), 0)
    assert envelope.open(cri("b"), 5000).lines == [b"b"]


def test_the_end_of_a_log_gives_up_what_never_came() -> None:
    envelope = Envelope("docker")
    cut = docker("a", partial=True)
    assert envelope.open(cut, 7).lines == []
    assert envelope.finish() == Opened([b"a"], [cut[:-1]], [7, 7 + len(cut)])
    assert envelope.finish().lines == []


def test_a_line_that_never_ends_is_bounded() -> None:
    cut = cri("x" * 16_000, partial=True)
    envelope = Envelope("cri")
    at, found = 0, 0
    while not found:
        found = len(envelope.open(cut, at).lines)
        at += len(cut)
        assert at <= MAX_HELD_BYTES + 2 * len(cut)


def test_what_is_no_envelope_is_its_own_line() -> None:
    data = b'{"log":7}\nplain\n' + docker("inner")
    assert Envelope("docker").open(data, 0).lines == [b'{"log":7}', b"plain", b"inner"]
    assert Envelope("cri").open(b"2024 stdout F x\n", 0).lines == [b"2024 stdout F x"]


def test_auto_opens_either_and_leaves_bare_lines() -> None:
    opened = Envelope("auto").open(docker("a") + cri("b") + b"c\n", 0)
    assert opened.lines == [b"a", b"b", b"c"]


@pytest.mark.parametrize("kind", ["docker", "cri"])
@given(
    written=st.lists(st.tuples(texts, streams, st.integers(1, 3)), max_size=6),
    cuts=st.lists(st.integers(0, 20), max_size=4),
)
def test_any_chunks_give_the_same_lines(
    kind: EnvelopeKind, written: list[tuple[str, str, int]], cuts: list[int]
) -> None:
    outer = []
    for text, stream, pieces in written:
        size = -(-len(text) // pieces)
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        outer += [WRITE[kind](part, stream, partial=True) for part in parts[:-1]]
        outer.append(WRITE[kind](parts[-1], stream))
    whole = Envelope(kind).open(b"".join(outer), 0)
    assert whole.lines == [text.encode() for text, _, _ in written]
    envelope, at, lines, starts = Envelope(kind), 0, [], []
    bounds = sorted({min(cut, len(outer)) for cut in cuts} | {0, len(outer)})
    for first, last in pairwise(bounds):
        data = b"".join(outer[first:last])
        opened = envelope.open(data, at)
        lines += opened.lines
        starts += opened.starts[:-1]
        at += len(data)
    assert (lines, starts) == (whole.lines, whole.starts[:-1])
