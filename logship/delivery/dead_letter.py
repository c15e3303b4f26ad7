"""One dead letter, and the line of JSON it is stored as."""

from __future__ import annotations

from base64 import b64decode, b64encode

import orjson

from logship import digits
from logship.event import EventOrigin, LogFile, transaction_id
from logship.formats.directives import headed
from logship.records import record

LETTER_BYTES = 600  # of memory for a letter, without its texts
NO_FORMAT = "fits no format"


@record
class DeadLetter:
    """One line that didn't become a delivered event, from where it is set aside to the store.

    Shapes: `id` is the line's transaction_id; `time` is when the letter was stored, "" before; `raw` is the line
    without its newline, cut if `is_cut`; `status` and `answer` are the receiver's, None and "" where nothing was sent;
    `event` is "" where none was made.
    """

    id: str
    time: str
    reason: str
    file: LogFile
    position: int
    raw: bytes
    event: str = ""
    status: int | None = None
    answer: str = ""
    is_cut: bool = False

    @classmethod
    def of(
        cls, origin: EventOrigin, reason: str, event: str = "", status: int | None = None, answer: str = ""
    ) -> DeadLetter:
        """The letter of a line, or of its event."""
        name = transaction_id(headed(origin.raw)[1].removesuffix(b"\r"), origin.file.key, origin.position)
        return cls(name, "", reason, origin.file, origin.position, origin.raw, event, status, answer)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory."""
        return LETTER_BYTES + len(self.raw) + len(self.event)


def too_large(origin: EventOrigin, event: str) -> DeadLetter:
    """The letter of an event that is too large for any body."""
    return DeadLetter.of(origin, f"its event has {len(event)} bytes, over batch.max_bytes", event)


def to_json(letter: DeadLetter) -> bytes:
    """One line of NDJSON with its newline. `raw` is text where the line is UTF-8, else `raw_base64` holds it."""
    file = letter.file
    fields: dict[str, object] = {
        "id": letter.id,
        "time": letter.time,
        "reason": letter.reason,
        "status": letter.status,
        "answer": letter.answer,
        "source": file.source,
        "path": file.path,
        "position": letter.position,
        "origin": file.origin,
        "file_key": file.key,
        "is_cut": letter.is_cut,
    }
    try:
        fields["raw"] = letter.raw.decode("utf-8")
    except UnicodeDecodeError:
        fields["raw_base64"] = b64encode(letter.raw).decode("ascii")
    if letter.event:
        fields["event"] = orjson.Fragment(letter.event)
    try:
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a path or an answer with halves of surrogate pairs: a file name that is not UTF-8
        return orjson.dumps(
            {name: _printable(value) for name, value in fields.items()}, option=orjson.OPT_APPEND_NEWLINE
        )


def from_json(line: bytes) -> DeadLetter | None:
    """The letter of a line; None for a line that is damaged."""
    try:
        fields = digits.loads(line)
        raw = b64decode(fields["raw_base64"]) if "raw_base64" in fields else fields["raw"].encode("utf-8")
        event = fields.get("event")
        return DeadLetter(
            id=fields["id"],
            time=fields["time"],
            reason=fields["reason"],
            file=LogFile(0, fields["path"], fields["source"], fields["file_key"], fields["origin"]),
            position=fields["position"],
            raw=raw,
            event=digits.dumps(event).decode("utf-8") if event is not None else "",
            status=fields["status"],
            answer=fields["answer"],
            is_cut=fields["is_cut"],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _printable(value: object) -> object:
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value
