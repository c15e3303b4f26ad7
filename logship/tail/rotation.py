"""Where did it go? Contents compared with generations, and siblings put in order of age."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum

from logship.checkpoint import Anchor, Checkpoint
from logship.event import ANCHOR_BYTES
from logship.records import record
from logship.tail.content import (
    ArchiveContent,
    Content,
    Facts,
    FromStart,
    PlainContent,
    has_anchor,
    is_punched,
    open_content,
)
from logship.tail.generation import Generation, Log
from logship.tail.identity import Place, anchor_of, digest, first_line_of
from logship.tail.naming import rotation_number

_BACKWARDS_BYTES = 65_536


class RotationVerdict(Enum):
    """Whether a content is a generation's."""

    SAME = "same"
    SHORTER = "shorter"  # it begins as the generation did, and ends before or differs after an anchor
    OTHER = "other"
    UNDECIDED = "undecided"  # too short yet to tell: a copy in the making


def first_line_hash(content: Content) -> bytes | None:
    """None while the first line is not complete."""
    line = first_line_of(FromStart(content))
    return None if line is None else digest(line)


def compare(content: Content, facts: Facts, first_line: bytes | None, generation: Generation) -> RotationVerdict:
    """First line and an anchor at or below the content's size decide; numbers like inodes do not.

    `first_line` is the content's, hashed; None while it is not complete. Of a file that was empty there is nothing but
    numbers; it is read from its start in any case. Raises: OSError as reading gives it.
    """
    if generation.key is None:
        return _verdict(generation.facts.hint == facts.hint)
    if first_line != generation.first_line and not _is_punched(content, generation):
        return RotationVerdict.OTHER
    if content.is_archive:
        return _compare_archive(content, generation)
    size = content.facts().size_bytes
    below = [anchor for anchor in generation.anchors if anchor.position <= size]
    if below and has_anchor(content, below[-1]):
        return RotationVerdict.SAME if size >= generation.positions.confirmed else RotationVerdict.SHORTER
    if below:
        return RotationVerdict.OTHER if last_common(content, size, generation) is None else RotationVerdict.SHORTER
    if generation.content is not None:
        return _verdict(end_alike(content, generation.content))
    # too short to tell; of one that nothing is known of, reading from the start is right either way
    return RotationVerdict.UNDECIDED if generation.anchors else RotationVerdict.SAME


def _is_punched(content: Content, generation: Generation) -> bool:
    """Whether only its beginning was taken away: a hole is there, and the content before the position is as it was."""
    known = generation.positions.anchors[-1:]
    return (
        bool(known)
        and is_punched(content, known[0].position)
        and bool(known[0].digest)
        and has_anchor(content, known[0])
    )


def last_common(content: Content, size: int, generation: Generation) -> Anchor | None:
    """The last anchor of a generation's confirmed positions that a content of `size` bytes has. Raises: OSError."""
    end = min(size, generation.positions.confirmed)
    below = (anchor for anchor in reversed(generation.positions.anchors) if anchor.digest and anchor.position <= end)
    return next((anchor for anchor in below if has_anchor(content, anchor)), None)


def is_copy_in_the_making(verdict: RotationVerdict, facts: Facts, generation: Generation) -> bool:
    """Whether a content may become the generation's, once it has grown."""
    is_short = verdict is RotationVerdict.SHORTER and facts.size_bytes < generation.positions.confirmed
    return verdict is RotationVerdict.UNDECIDED or is_short


def has_nothing_new(content: Content, facts: Facts, judged: Mapping[Generation, RotationVerdict]) -> bool:
    """Whether a file that rotation or an editor left is the beginning of what is confirmed of another.

    Raises: OSError.
    """
    return not content.is_archive and any(
        verdict is RotationVerdict.SHORTER and each.facts.hint != facts.hint and _is_beginning(content, facts, each)
        for each, verdict in judged.items()
    )


def _is_beginning(content: Content, facts: Facts, generation: Generation) -> bool:
    if facts.size_bytes > generation.positions.confirmed:
        return False
    if not isinstance(generation.content, PlainContent) and not generation.names:
        anchor = last_common(content, facts.size_bytes, generation)
        return anchor is not None and anchor.position == facts.size_bytes
    known = generation.content or open_content(generation.names[0])
    try:
        return end_alike(content, known)
    finally:
        if generation.content is None:
            known.close()


def verdicts(
    its: Log, moved: Generation | None, content: Content, facts: Facts, first_line: bytes | None
) -> dict[Generation, RotationVerdict]:
    """What each candidate is to a content, up to one that is the same and has its numbers.

    It may be of several, which begin alike: then the one with the last common anchor comes first. Those whose numbers
    agree come before that, then the newest, and last those of which nothing but numbers is known; `moved` is the one
    whose numbers agree, perhaps another log's (the file was given that log's name).
    """
    known = (each for each in its.generations if not each.is_offshoot)
    own = sorted(known, key=lambda each: (each.key is None, each.facts.hint != facts.hint, -each.number))
    judged: dict[Generation, RotationVerdict] = {}
    for each in [*own, moved] if moved is not None and moved not in own else own:
        judged[each] = compare(content, facts, first_line, each)
        if judged[each] is RotationVerdict.SAME and each.facts.hint == facts.hint:
            break
    same = [each for each, verdict in judged.items() if verdict is RotationVerdict.SAME]
    if len(same) < 2:
        return judged
    return {max(same, key=lambda each: last_reached(content, each)): RotationVerdict.SAME} | judged


def last_reached(content: Content, generation: Generation) -> int:
    """The position of the last of a generation's anchors that a content has, read forwards; 0 without one.

    Raises: OSError.
    """
    reached = 0
    for anchor in generation.anchors:
        if not has_anchor(content, anchor):
            break
        reached = anchor.position if anchor.digest else reached
    return reached


def known_as(
    content: Content, first_line: bytes, place: Place, rows: Iterable[Checkpoint], *, is_own: bool
) -> Checkpoint | None:
    """The checkpoint of a log whose content this is, under whatever name it is now; its key makes the same ids.

    `first_line` is hashed; `is_own`: the name is a log's own, so what is known of other logs does not count, but for
    what was seen under that name. Raises: OSError as reading gives it.
    """
    own = os.path.join(place.directory, place.stem)
    alike = [each for each in rows if each.key is not None and each.first_line == first_line and each.anchors]
    for row in sorted(alike, key=lambda each: (_place(each) != place, -each.generation)):
        if (_place(row) == place or row.path == own or not is_own) and _reaches_an_anchor(content, row.anchors):
            return row
    return None


def _place(row: Checkpoint) -> Place:
    return Place(row.directory, row.stem)


def _reaches_an_anchor(content: Content, anchors: Sequence[Anchor]) -> bool:
    """Whether the first anchor that can be looked at agrees: the last of a plain file, the lowest of an archive."""
    for anchor in anchors if content.is_archive else reversed(anchors):
        at = max(0, anchor.position - ANCHOR_BYTES)
        before = content.read_at(at, anchor.position - at)
        if anchor.digest and len(before) == anchor.position - at:
            return anchor_of(before) == anchor.digest
    return False


def _compare_archive(content: Content, generation: Generation) -> RotationVerdict:
    """An archive is read forwards: the lowest anchor that it reaches decides."""
    for anchor in generation.anchors:
        before = content.read_at(max(0, anchor.position - ANCHOR_BYTES), min(ANCHOR_BYTES, anchor.position))
        if len(before) == min(ANCHOR_BYTES, anchor.position):
            return _verdict(not anchor.digest or anchor_of(before) == anchor.digest)
        if content.is_cut or not isinstance(generation.content, PlainContent):
            return RotationVerdict.UNDECIDED if content.is_cut else RotationVerdict.SHORTER
        return _verdict(end_alike(content, generation.content))  # its beginning, all of which is known
    return RotationVerdict.SAME


def end_alike(content: Content, known: Content) -> bool:
    """Whether the last bytes before the shorter one's end agree; an archive ends where it can't be read on.

    One of them is no archive. Raises: OSError.
    """
    end = min(each.facts().size_bytes for each in (content, known) if not each.is_archive)
    for each in (content, known):
        if isinstance(each, ArchiveContent):
            with suppress(OSError):  # damaged: its reading will say so
                each.read_at(end, 0)
            end = min(end, each.seen_bytes)
    at = max(0, end - ANCHOR_BYTES)
    return content.read_at(at, end - at) == known.read_at(at, end - at)


def _verdict(agrees: bool) -> RotationVerdict:
    return RotationVerdict.SAME if agrees else RotationVerdict.OTHER


@record(frozen=False, eq=False)
class Stranger:
    """An opened content that no generation claims yet."""

    path: str
    content: Content
    facts: Facts
    is_sibling: bool  # found beside the log, not by `paths`
    is_nameless: bool = False  # deleted: only the descriptor is left
    first_line: bytes | None = None  # hashed


def by_age(strangers: Iterable[Stranger], live_stem: str) -> list[Stranger]:
    """Oldest first: by rotation number where all have one, else by the time of the last write."""
    known = list(strangers)
    if len(known) < 2:
        return known
    numbers = {id(each): rotation_number(os.path.basename(each.path), live_stem) for each in known}
    if all(number is not None for number in numbers.values()):
        return sorted(known, key=lambda each: -(numbers[id(each)] or 0))
    return sorted(known, key=lambda each: (_is_live(each.path, live_stem), each.facts.mtime_ns, each.path))


def _is_live(path: str, live_stem: str) -> bool:
    return os.path.basename(path) == live_stem


def is_newer(path: str, facts: Facts, known: Generation, live_stem: str) -> bool:
    """Whether a sibling was rotated away after what the newest known generation is."""
    mine = rotation_number(os.path.basename(path), live_stem)
    its = rotation_number(os.path.basename(known.path), live_stem) if known.names else None
    if mine is not None and its is not None:
        return mine < its
    return facts.mtime_ns >= known.facts.mtime_ns


def last_line_start(content: Content, size: int) -> int:
    """The position after the last newline before `size`; 0 without one."""
    end = size
    while end > 0:
        start = max(0, end - _BACKWARDS_BYTES)
        newline = content.read_at(start, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
