"""What senders are told to sample: a file's content, read again when it changes; and the governance rules in it."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
import time
import warnings
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, NotRequired

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from logship import digits
from logship.collector.intake import BOM, MAX_DEPTH
from logship.errors import ConfigError, FormatError, Problem
from logship.formats.re2_door import compile_pattern
from logship.records import record

log = logging.getLogger(__name__)

MAX_CONFIG_BYTES = 16_000_000  # a hundred thousand users with rates of their own take 3 MB
SETTLED_S = 2.0  # a file written to within this time may change again without a new modification time
TAG_BYTES = 8
OPEN = ConfigDict(extra="allow", strict=True)
Rate = Annotated[float, Field(ge=0, le=100, description="percent of the calls to keep")]


class RuleCondition(TypedDict):
    """One part of a call and the regular expression it has to hold."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # pydantic's documented way for a TypedDict
    path: str
    value: str


class RegexRule(TypedDict):
    """A rate for the calls that meet every condition."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    conditions: list[RuleCondition]
    sample_rate: Rate


class SamplingConfig(TypedDict):
    """The document of GET /v1/config; keys that are left out are answered with what keeps everything."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    org_id: NotRequired[str]
    app_id: NotRequired[str]
    sample_rate: NotRequired[Rate]
    block_bot_traffic: NotRequired[bool]
    user_sample_rate: NotRequired[dict[str, Rate]]
    company_sample_rate: NotRequired[dict[str, Rate]]
    user_rules: NotRequired[dict[str, Any]]
    company_rules: NotRequired[dict[str, Any]]
    ip_addresses_blocked_by_name: NotRequired[dict[str, str]]
    regex_config: NotRequired[list[RegexRule]]
    billing_config_jsons: NotRequired[dict[str, Any]]
    rules: NotRequired[list[dict[str, Any]]]


ADAPTER = TypeAdapter(SamplingConfig)
KNOWN_KEYS = tuple(SamplingConfig.__annotations__)
# every key is always there: some clients keep the old value of one that is missing
EVERYTHING: dict[str, Any] = {
    "org_id": "",
    "app_id": "",
    "sample_rate": 100,
    "block_bot_traffic": False,
    "user_sample_rate": {},
    "company_sample_rate": {},
    "user_rules": {},
    "company_rules": {},
    "ip_addresses_blocked_by_name": {},
    "regex_config": [],
    "billing_config_jsons": {},
}


@record
class ServedDocuments:
    """Both answers as they go out, JSON; a tag changes exactly when its document does."""

    config: bytes
    rules: bytes
    config_tag: str
    rules_tag: str

    @property
    def headers(self) -> dict[str, str]:
        """What tells senders on other answers that there is news."""
        return {
            "X-Moesif-Config-ETag": self.config_tag,
            "X-Moesif-Rules-Tag": self.rules_tag,
            "X-Moesif-Rules-ETag": self.rules_tag,  # what the Envoy plugin reads
        }


class ServedConfig:
    """The documents of a file, or without one those that keep everything; used by one thread."""

    def __init__(self, path: Path | None, now: Callable[[], float] = time.time) -> None:
        """Raises: ConfigError where the file can't be read or is wrong."""
        self._path = path
        self._now = now
        self._seen: tuple[int, int, int] | None = None  # of the file that was read and can't change unseen
        self._content = b""  # what was read last, good or not
        self._unreadable = ""
        self._documents = documents_of({})
        if path is not None:
            try:
                self._documents = parsed(self._new_content(path) or b"", path)
            except OSError as exc:
                raise wrong(path, f"{exc.strerror}; give a file that this user may read") from exc

    def current(self) -> ServedDocuments:
        """The documents of now; of a file that is wrong now, those of its last good content, after an ERROR."""
        if self._path is None:
            return self._documents
        try:
            content = self._new_content(self._path)
            self._unreadable = ""
        except OSError as exc:
            if self._unreadable != str(exc):
                log.error("%s: %s; the last good config stays", self._path, exc.strerror)
            self._unreadable, self._seen = str(exc), None
            return self._documents
        if content is not None:
            try:
                self._documents = parsed(content, self._path)
                log.info("the config has changed etag=%s", self._documents.config_tag)
            except ConfigError as exc:
                log.error("%s; the last good config stays", exc)
        return self._documents

    def _new_content(self, path: Path) -> bytes | None:
        """The file's content where it is another than last time."""
        facts = os.stat(path)
        seen = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if seen == self._seen:
            return None
        if not stat.S_ISREG(facts.st_mode):  # opening a FIFO would wait for its writer
            raise OSError(errno.EINVAL, "it is no regular file")
        with open(path, "rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        self._seen = seen if abs(self._now() - facts.st_mtime) > SETTLED_S else None
        if content == self._content:
            return None
        self._content = content
        return content


def documents_of(config: dict[str, Any]) -> ServedDocuments:
    """Both answers for a checked document."""
    rules = digits.dumps(config.get("rules", []))
    answer = {**EVERYTHING, **{key: value for key, value in config.items() if key != "rules"}}
    document = digits.dumps(answer)
    return ServedDocuments(document, rules, tag_of(document), tag_of(rules))


def tag_of(document: bytes) -> str:
    return hashlib.blake2b(document, digest_size=TAG_BYTES).hexdigest()


def parsed(content: bytes, path: Path) -> ServedDocuments:
    """Both answers for the content of a file.

    Raises: ConfigError with everything that is wrong with it.
    """
    if len(content) > MAX_CONFIG_BYTES:
        raise wrong(path, f"it is over {MAX_CONFIG_BYTES:,} bytes; give a shorter one")
    try:
        document = digits.loads(content.removeprefix(BOM))
    except orjson.JSONDecodeError as exc:
        hint = "give what GET /v1/config shall answer, as JSON"
        raise ConfigError((Problem(str(path), exc.lineno, exc.colno, f"not JSON: {exc.msg}", hint),)) from exc
    try:
        ADAPTER.validate_python(document)
    except ValidationError as exc:
        raise ConfigError(tuple(Problem(str(path), None, None, sentence(error)) for error in mistakes(exc))) from exc
    for key in document:
        near = get_close_matches(key, KNOWN_KEYS, 1, 0.8) if key not in KNOWN_KEYS else []
        if near:
            raise wrong(path, f"unknown key {key[:60]!r}; did you mean {near[0]!r}?")
    for place, pattern, reason in doubtful_patterns(document):
        log.warning("%s: %s: %r: %s", path, place, pattern[:60], reason)
    try:
        return documents_of(document)
    except TypeError as exc:
        raise wrong(path, f"it is nested deeper than {MAX_DEPTH} levels; give a flatter one") from exc


def doubtful_patterns(config: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Place, text and reason of each pattern that some client can't read; it is served all the same.

    Clients have dialects: those of SDKs are near to Python's; logship and the service's log-based client take RE2.
    """
    for number, rule in enumerate(config.get("regex_config", [])):
        for index, condition in enumerate(rule["conditions"]):
            place, pattern = f"regex_config.{number}.conditions.{index}.value", condition["value"]
            try:
                with warnings.catch_warnings(action="ignore"):
                    re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as exc:
                yield place, pattern, f"no regular expression for most clients: {exc}"
                continue
            try:
                compile_pattern(pattern, captures=False)
            except FormatError as exc:
                yield place, pattern, f"none for clients with RE2, as logship: they leave the rule out: {exc.message}"


def mistakes(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_context=False))[:20]


def sentence(error: Any) -> str:
    """Where in the document, what is wrong, and the value."""
    place = ".".join(map(str, error["loc"])) or "the document"
    try:
        value = digits.dumps(error["input"]).decode()
    except TypeError:  # nested too deeply to be shown
        value = "…"
    return f"{place}: {value if len(value) <= 60 else value[:60] + '…'}: {error['msg']}"


def wrong(path: Path, message: str) -> ConfigError:
    return ConfigError((Problem(str(path), None, None, message),))


def is_unchanged(if_none_match: str, tag: str) -> bool:
    """Whether the header If-None-Match names this tag: quoted or as X-Moesif-Config-ETag gives it, weak or not."""
    given = [one.strip().removeprefix("W/").strip('"') for one in if_none_match.split(",")]
    return tag in given or "*" in given
