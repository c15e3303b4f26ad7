"""Archives that are cut, damaged or followed by something else: what stands before is read, and the damage is told."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from zlib import crc32, decompressobj

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from logship.tail.archives import compression_of, open_log
from logship.tail.notices import What
from tests.tail.driver import Rig, source

SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0" + b"size"  # as pzstd writes one before each frame


def zst(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: True})


def pzst(data: bytes) -> bytes:
    return SKIPPABLE + zst(data)


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 6, mtime=0),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": zst,
    "pzst": pzst,
}
TEXTS = [
    b"".join(b"%d %x a line of member %d\n" % (line, crc32(b"%d %d" % (line, member)), member) for line in range(lines))
    for member, lines in enumerate((40, 3_000, 40))  # the second is more than one block of bzip2's
]
MEMBERS = {name: [compress(text) for text in TEXTS] for name, compress in CODECS.items()}
UNDECODED = 8  # bytes before a cut that isal, which decodes several symbols at a time, gives later than zlib
codecs = st.sampled_from([*CODECS])


def read(data: bytes, tmp: Path) -> tuple[bytes, str]:
    """What comes out, and the damage, "" for none."""
    path = tmp / "log"
    path.write_bytes(data)
    parts: list[bytes] = []
    with open_log(path) as log:
        assert log.compression is not None
        try:
            while part := log.read(100_000):
                parts.append(part)
        except OSError as exc:
            with pytest.raises(OSError, match="damaged"):
                log.read(1)
            return b"".join(parts), str(exc)
        return b"".join(parts), "cut" if log.is_cut else ""


@pytest.fixture(scope="module")
def tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives")


def borders(codec: str) -> list[int]:
    return [0, *accumulate(map(len, MEMBERS[codec]))]


@given(codec=codecs, share=st.floats(0, 1), offset=st.integers(-12, 12), near=st.none() | st.integers(1, 3))
def test_of_an_archive_cut_anywhere_all_that_is_there_is_read(
    tmp: Path, codec: str, share: float, offset: int, near: int | None
) -> None:
    data = b"".join(MEMBERS[codec])
    cut = min(len(data), max(6, int(share * len(data)) if near is None else borders(codec)[near] + offset))
    got, damage = read(data[:cut], tmp)
    whole = [text for text, end in zip(TEXTS, borders(codec)[1:], strict=True) if end <= cut]
    assert got.startswith(b"".join(whole))
    assert b"".join(TEXTS).startswith(got)
    is_between = cut in borders(codec) or (codec == "pzst" and cut - len(SKIPPABLE) in borders(codec))
    assert damage == "" if cut in borders(codec) else bool(damage) or is_between
    if codec in ("gz", "bz2", "xz") and len(whole) < 3:
        rest = data[borders(codec)[len(whole)] : cut]
        reference = {"gz": _gunzip, "bz2": bz2.BZ2Decompressor().decompress, "xz": lzma.LZMADecompressor().decompress}
        assert len(got) >= len(b"".join(whole) + reference[codec](rest)) - UNDECODED


def _gunzip(data: bytes) -> bytes:
    return decompressobj(31).decompress(data)


@given(codec=codecs, after=st.integers(1, 3), zeros=st.integers(0, 9), junk=st.binary(min_size=1, max_size=40))
def test_what_is_no_archive_between_members_or_behind_is_told_and_all_before_it_is_read(
    tmp: Path, codec: str, after: int, zeros: int, junk: bytes
) -> None:
    members = MEMBERS[codec]
    got, damage = read(b"".join(members[:after]) + b"\0" * zeros + junk + b"".join(members[after:]), tmp)
    text = b"".join(TEXTS[:after])
    if not junk.strip(b"\0") or compression_of(junk.lstrip(b"\0") + b"\0" * 6):
        return  # padding; or it happens to begin like a member
    assert (got, bool(damage)) == (text, True)


@given(codec=codecs, zeros=st.lists(st.integers(0, 70_000), min_size=3, max_size=3))
def test_zero_padding_is_no_damage(tmp: Path, codec: str, zeros: list[int]) -> None:
    padded = b"".join(member + b"\0" * count for member, count in zip(MEMBERS[codec], zeros, strict=True))
    assert read(padded, tmp) == (b"".join(TEXTS), "")


@given(codec=codecs, share=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_is_told_unless_it_changes_nothing(tmp: Path, codec: str, share: float, change: int) -> None:
    data = bytearray(b"".join(MEMBERS[codec]))
    at = max(12, int(share * len(data)))
    data[at] ^= change
    got, damage = read(bytes(data), tmp)
    assert damage or got == b"".join(TEXTS)


# the daemon


DAMAGES: dict[str, Callable[[list[bytes]], tuple[bytes, int]]] = {  # the file, and how many of its members come
    "cut": lambda members: (b"".join(members)[:-5], 2),
    "cut in its first block": lambda members: (members[0][:-20], 0),
    "between": lambda members: (members[0] + b"JUNK" * 9 + members[1], 1),
    "behind": lambda members: (b"".join(members) + b"JUNK", 3),
    "broken": lambda members: (members[0] + members[1][:40] + b"\xff" * 99, 1),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_daemon_sends_what_stands_before_a_damage_and_needs_a_person(
    tmp_path: Path, codec: str, damage: str
) -> None:
    path = tmp_path / f"access.log.1.{codec}"
    data, count = DAMAGES[damage](MEMBERS[codec])
    path.write_bytes(data)
    rig = Rig(tmp_path / "state", source(tmp_path / "access.log.*"))
    before = b"".join(TEXTS[:count]).splitlines()
    assert rig.step()[: len(before)] == before
    for _ in range(5):
        rig.clock.pass_s(20)
        rig.step()
    (problem,) = [file.problem for file in rig.tail.files()]
    assert "damaged" in problem or "ends in the middle of the archive" in problem
    assert len(rig.told(What.DAMAGED)) == 1, "it is told once, however often it is looked at"
    rig.clock.pass_s(1_000)
    rig.step()
    assert [file.problem for file in rig.tail.files()] == [problem], "it does not pass by waiting"
    path.write_bytes(b"".join(MEMBERS[codec]))
    os.utime(path, ns=(1, 1))
    rig.step()
    assert rig.step() == b"".join(TEXTS).splitlines()
    assert [file.problem for file in rig.tail.files()] == [""]


@pytest.mark.parametrize("seen_bytes", [0, 1, 2, 30])
@pytest.mark.parametrize("codec", CODECS)
def test_an_archive_in_the_making_that_was_seen_empty_is_read_as_one(
    tmp_path: Path, codec: str, seen_bytes: int
) -> None:
    log, packed = tmp_path / "access.log", tmp_path / f"access.log.1.{codec.removeprefix('p')}"
    log.write_bytes(TEXTS[0])
    rig = Rig(tmp_path / "state", source(tmp_path / "access.log*"))
    assert rig.step() == TEXTS[0].splitlines()
    log.rename(tmp_path / "access.log.1")
    log.write_bytes(b"the next\n")
    for size in (seen_bytes, seen_bytes + 40):
        packed.write_bytes(MEMBERS[codec][0][:size])
        rig.step()
    packed.write_bytes(MEMBERS[codec][0])
    (tmp_path / "access.log.1").unlink()
    rig.clock.pass_s(5)
    rig.step()
    assert rig.receiver.lines == [*TEXTS[0].splitlines(), b"the next"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_to_the_end_does_not_wait_for_the_rest_of_an_archive(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "access.log.1.gz"
    path.write_bytes(DAMAGES[damage](MEMBERS["gz"])[0])
    rig = Rig(tmp_path / "state", source(tmp_path / "access.log.*"), once=True)
    rig.step()
    rig.look()
    assert all(file.problem for file in rig.tail.files())
    assert len(rig.told(What.DAMAGED)) == 1
