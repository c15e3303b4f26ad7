"""What a mapping meets: a format, a source's constants, its own defaults and proxies. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from logship.fields import FIELDS, Kind, canonical, lookup
from logship.formats.format import Format
from logship.formats.slot import Moment, Slot
from logship.mapping.made_fields import MadeField
from logship.mapping.proxies import Networks
from logship.mapping.spec import MappingSpec
from logship.records import record

DEFAULT_PROXY_HEADER = "X-Forwarded-For"
PEERS = ("client_ip", "remote_ip", "remote_host", "peer_ip", "proxy_protocol_addr")  # the first is believed
HOSTS = ("host", "request_header_host", "server_name", "server_name2", "ssl_server_name")  # the first is believed
FORWARDED = ("proxy_add_x_forwarded_for", "request_header_x_forwarded_for")  # their last address is a peer's
BODY_SIZES = ("response_bytes_clf", "response_bytes")  # the same but for how none is written
_DURATIONS = ("duration", "time_us", "duration_ns", "time_ms", "time_s")  # the finest first
QUERIES = ("query", "query_string", "target", "request_url")  # any of them holds the query
COOKIES = "request_header_cookie"
_DURATION_PARTS = ("request_processing_time", "target_processing_time", "response_processing_time")
_LABELS = frozenset({"origin", "source", "file"})
_ALWAYS = frozenset({"method", "target", "path", "query", "scheme", "host", "client_ip"})


@record
class Constants:
    """What is known of a source's lines beside their text."""

    origin: str
    source: str
    fields: Mapping[str, str] = field(default_factory=dict)
    timezone: str = ""  # of times without one; '' is UTC, which nobody said


@record
class Setting:
    """Shapes: `proxies` tells of an address whether it is a trusted proxy's; `proxy_header` is the field they write;
    `made` are the mapping's own fields.
    """

    format: Format
    constants: Constants
    defaults: Mapping[str, str]
    proxies: Networks | None = None
    proxy_header: str = ""
    made: Mapping[str, MadeField] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: MappingSpec, fmt: Format, constants: Constants, made: Sequence[MadeField] = ()) -> Setting:
        trusted = Networks(spec.trusted_proxies) if spec.trusted_proxies else None
        header = f"request_header_{(spec.client_ip_header or DEFAULT_PROXY_HEADER).lower().replace('-', '_')}"
        own = {field.name: field for field in made}
        return cls(fmt, constants, spec.defaults, trusted, canonical(header) or header, own)

    def slot(self, name: str) -> Slot | None:
        """The slot of a canonical name that the format itself names."""
        return next((slot for slot in self.format.slots if slot.field == name), None)

    def first(self, names: Sequence[str]) -> Slot | None:
        return next((slot for name in names if (slot := self.slot(name))), None)

    def known(self, name: str) -> str:
        """What the source or the mapping says of a field; '' for nothing."""
        for texts in (self.constants.fields, self.defaults):
            for key, text in texts.items():
                if (canonical(key) or key) == name and text:
                    return text
        return ""

    def kind(self, name: str) -> Kind | None:
        """The kind of a field as a person named it; None: neither the vocabulary nor the format knows it."""
        if name in self.made:
            return Kind.TEXT
        known = canonical(name) or name
        field = lookup(known)
        if field is not None and field.derived:
            return Kind.TEXT if known in _LABELS or known in _ALWAYS else field.kind
        slot = self.format.slot(known)
        if slot is not None:
            return slot.kind
        is_known = field is not None or known in self.constants.fields or bool(self.known(known))
        return Kind.TEXT if is_known else None

    def parameter_of(self, name: str) -> tuple[str, str] | None:
        """The field and the parameter or cookie in it that a canonical `arg_…` or `cookie_…` is read from."""
        if name.startswith("arg_") and self.first(QUERIES):
            return "query", name.removeprefix("arg_")
        if name.startswith("cookie_") and (self.slot(COOKIES) or self.format.is_open):
            return COOKIES, name.removeprefix("cookie_")
        return None

    def can_hold(self, name: str) -> bool:
        """Whether any line can give a value of a field that kind() knows."""
        known = canonical(name) or name
        field = lookup(known)
        if name in self.made or known in self.constants.fields or self.known(known):
            return True
        if self.format.slot(known) is not None or self.parameter_of(known) is not None:
            return True
        return field is not None and field.derived and (known != "duration" or self.has_duration)

    # -- times

    def time_slot(self, moment: Moment) -> Slot | None:
        """The slot that says when requests start (or end), the finest of several."""
        slots = [slot for slot in self.format.slots if slot.kind.is_time and slot.time is not None]
        fitting = [slot for slot in slots if slot.moment == moment]
        if not fitting and moment is Moment.START and not any(slot.moment is Moment.END for slot in slots):
            fitting = slots
        return min(fitting, key=lambda slot: slot.time.resolution_ms if slot.time else 0, default=None)

    @property
    def duration_slots(self) -> list[Slot]:
        """Where a line's duration is, the finest first; only a format of open keys needs more than one look."""
        slots = [slot for name in _DURATIONS if (slot := self.slot(name))]
        return slots if self.format.is_open else slots[:1]

    @property
    def duration_parts(self) -> list[Slot]:
        """Slots whose seconds together are the time taken, where a load balancer logs it in parts."""
        parts = [slot for name in _DURATION_PARTS if (slot := self.slot(name))]
        return parts if len(parts) == len(_DURATION_PARTS) and not self.duration_slots else []

    @property
    def has_duration(self) -> bool:
        return bool(self.duration_slots or self.duration_parts)

    @property
    def has_time(self) -> bool:
        return self.time_slot(Moment.START) is not None or self.time_slot(Moment.END) is not None

    @property
    def has_both_ends(self) -> bool:
        return {Moment.START, Moment.END} <= {slot.moment for slot in self.format.slots if slot.kind.is_time}

    # -- who and where

    @property
    def host_slots(self) -> list[Slot]:
        return [slot for name in HOSTS if (slot := self.slot(name))]

    @property
    def peer(self) -> Slot | None:
        return self.first(PEERS)


assert all(FIELDS[name].derived for name in _LABELS | _ALWAYS)
