"""Whether an event is valid, and what is wrong with it; and cutting bodies that are too large to store."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from pydantic import TypeAdapter, ValidationError

from logship import digits
from logship.collector.model import ONE
from logship.collector.refusal import Fault

MAX_EVENT_CHARS = 1_000_000  # of an event's JSON; beyond it bodies are cut
KEPT_BYTES = 450_000  # of a body
KEPT_BASE64_CHARS = KEPT_BYTES // 3 * 4
MAX_KEYS = 5_000  # of one event
MANY_KEYS_CHARS = MAX_KEYS * 5  # the shortest text that holds more: "a":1,
REASONS = {  # pydantic's words where they speak of Python
    "is_instance_of": "Input should be an object",
    "dict_type": "Input should be an object",
    "missing": "Field required",
}


def cut_bodies(event: dict[str, Any]) -> None:
    """Cuts both bodies of an event in place to KEPT_BYTES, in base64; `body_bytes` says how long a cut one was."""
    for name in ("request", "response"):
        message = event.get(name) or {}
        body = message.get("body")
        if body is None:
            continue
        if isinstance(body, str) and message.get("transfer_encoding") == "base64":
            if len(body) > KEPT_BASE64_CHARS:
                message["body"], message["body_bytes"] = body[:KEPT_BASE64_CHARS], len(body) // 4 * 3
            continue
        whole = body.encode() if isinstance(body, str) else digits.dumps(body)
        if len(whole) > KEPT_BYTES:
            message["body"], message["transfer_encoding"] = b64encode(whole[:KEPT_BYTES]).decode(), "base64"
            message["body_bytes"] = len(whole)


def checked(event: object, index: int, faults: list[Fault]) -> dict[str, Any] | None:
    """The event if it is valid, after what the contract tolerates was corrected; else None, and `faults` say why."""
    try:
        return _check(event)
    except ValidationError:
        relax(event)
    try:
        return _check(event)
    except ValidationError as exc:
        faults += [Fault(index, field, reason) for field, reason in reasons(exc)]
        return None


def reasons(error: ValidationError) -> list[tuple[str, str]]:
    """Which fields are wrong, and why."""
    return [
        (".".join(map(str, one["loc"])), REASONS.get(one["type"], one["msg"]))
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _check(event: object, model: TypeAdapter[Any] = ONE) -> dict[str, Any]:
    valid: dict[str, Any] = model.validate_python(event)
    return valid


def relax(event: object) -> None:
    """Corrects in place what the contract tolerates: a response of nulls is none, 200.0 is the integer 200."""
    if not isinstance(event, dict):
        return
    response = event.get("response")
    if isinstance(response, dict):
        if all(value is None for value in response.values()):
            event["response"] = None
        else:
            _make_whole(response, "status")
    _make_whole(event, "weight")


def _make_whole(holder: dict[str, Any], key: str) -> None:
    value = holder.get(key)
    if type(value) is float and value.is_integer():
        holder[key] = int(value)


def encoded_event(event: dict[str, Any]) -> str:
    """Its compact JSON, after the bodies of a large one were cut.

    Raises: TypeError for what is nested too deeply.
    """
    text = digits.dumps(event).decode()
    if len(text) <= MAX_EVENT_CHARS:
        return text
    cut_bodies(event)
    return digits.dumps(event).decode()


def oversize_of(text: str) -> str:
    """In what respect an encoded event is too large, "" if it isn't."""
    if len(text) > MAX_EVENT_CHARS + 2 * KEPT_BASE64_CHARS:
        return f"longer than {MAX_EVENT_CHARS} bytes beside its bodies"
    if len(text) > MANY_KEYS_CHARS and text.count('":') > MAX_KEYS:
        return f"more than {MAX_KEYS} keys"
    return ""
