"""Why a request was refused, in words its sender can act on."""

from __future__ import annotations

from collections.abc import Sequence

from logship.records import record

MAX_FAULTS = 100  # of one answer; a batch that is wrong throughout says so after a hundred


@record
class Fault:
    """One mistake in a batch: which event or item (from 0), which field ("" = all of it), what is wrong with it."""

    index: int
    field: str
    reason: str


class RefusalError(Exception):
    """An answer that is not 201: nothing of the request was stored.

    Shapes: `code` is one word for programs, `message` a sentence for people, `retry_after_s` None unless trying again
    can help.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        faults: tuple[Fault, ...] = (),
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.faults = faults
        self.retry_after_s = retry_after_s
        self.headers = headers or {}

    def document(self) -> dict[str, object]:
        """The JSON body of the answer."""
        document: dict[str, object] = {"code": self.code, "message": self.message}
        if self.faults:
            shown = self.faults[:MAX_FAULTS]
            key = "events" if self.code == "invalid_events" else "items"
            document[key] = [{"index": f.index, "field": f.field, "reason": f.reason} for f in shown]
        return document


def bad_parameter(name: str, value: str, advice: str) -> RefusalError:
    """The refusal of a parameter of a query string."""
    return RefusalError(400, "bad_parameter", f"{name}={value[:80]!r}: {advice}")


def refuse_twice(names: Sequence[str]) -> None:
    """Refuses a query string in which a parameter stands twice: one of both would count for nothing.

    Raises: RefusalError 400.
    """
    twice = next((name for name in names if names.count(name) > 1), None) if len(names) > len(set(names)) else None
    if twice is not None:
        raise RefusalError(400, "bad_parameter", f"{twice[:80]}= is given twice: give it once, or ask twice")
