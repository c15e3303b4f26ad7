"""Which preset a log is written in, by trying them all on a few of its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from logship.conversion.envelope import UNWRAP, Envelope, EnvelopeKind
from logship.conversion.headed import headed_lines
from logship.fields import Kind
from logship.formats.compiling import compile_format
from logship.formats.format import Assumption, Format
from logship.formats.meaning import are_forwarded
from logship.formats.slot import Detection, Values
from logship.formats.spec import FormatSpec

MAX_SAMPLES = 200  # enough to distinguish presets
MAX_SAMPLE_BYTES = 8_192  # a longer line tells no more, and every preset looks at it


def detect(samples: Sequence[bytes], named: Mapping[str, FormatSpec]) -> list[Detection]:
    """The named formats that fit at least one sample line, best first.

    Best is most lines, then most lines that fit to the letter, then most found in them; ties keep the order of `named`:
    of formats that can't be distinguished the better known comes first. Blank and over-long lines are no samples.
    A format that reads lines below directives has the others as its samples.
    """
    lines = [line for line in samples if line.strip() and len(line) <= MAX_SAMPLE_BYTES][:MAX_SAMPLES]
    if not lines:
        return []
    headed = headed_lines(lines)
    tried: list[tuple[Detection, tuple[int, int, int]]] = []
    for name, spec in named.items():
        if spec.kind in {"list", "auto", "named"} or (spec.kind == "w3c" and spec.text and headed != lines):
            continue  # what a log says of its own fields is believed before what a preset says
        fmt = _compiled(name, spec, named)
        fits, exact, found = _try(fmt, headed if fmt.is_headed else lines)
        if fits and found:
            tried.append((Detection(name, fits, len(headed if fmt.is_headed else lines)), (-fits, -exact, -found)))
    tried.sort(key=lambda entry: entry[1])
    return [detection for detection, _ in tried]


def assumed(fmt: Format) -> Iterator[Assumption]:
    """What a format that was found by trying takes for granted: the unit of a bare number."""
    for slot in fmt.slots:
        if slot.spelled == "%D":
            said = f"{fmt.name}: the number at the end is read as microseconds"
            hint = "if the server writes milliseconds, give its own format with %{ms}T in that place"
            yield Assumption("duration", said, hint)


def envelope_of(samples: Sequence[bytes]) -> EnvelopeKind | None:
    """What wraps the lines, where it wraps most of them; None for lines that stand alone."""
    lines = [line for line in samples if line.strip()][:MAX_SAMPLES]
    for kind in ("docker", "cri", "syslog"):
        unwrap = UNWRAP[kind]
        if lines and sum(unwrap(line) is not None for line in lines) * 2 > len(lines):
            return kind
    return None


def opened_lines(samples: Sequence[bytes], kind: EnvelopeKind) -> list[bytes]:
    """The lines inside of an envelope."""
    return list(Envelope(kind).open(b"".join(line + b"\n" for line in samples), 0).lines)


_known: dict[str, tuple[FormatSpec, Format]] = {}


def _compiled(name: str, spec: FormatSpec, named: Mapping[str, FormatSpec]) -> Format:
    """The format, compiled at the first look only: a log whose lines fit nothing is looked at again with each chunk."""
    if spec.kind == "regex":  # RE2 would keep what it learnt of hostile lines
        return compile_format(spec, named, name)
    known = _known.get(name)
    if known is None or known[0] is not spec:
        known = _known[name] = (spec, compile_format(spec, named, name))
    return known[1]


def _try(fmt: Format, lines: Sequence[bytes]) -> tuple[int, int, int]:
    """How many lines fit, how many of them to the letter, and how much is found in them.

    A value of a kind that not any text could be counts twice. Identd's name is what nobody logs: a value there is
    rather another field, and counts against the format. Nothing is found in lines that never name a client, or a host,
    where the format has one, nor where nginx would write three digits and others don't: their columns are others.
    """
    fits = exact = found = 0
    fields = [] if fmt.is_open else [slot.field for slot in fmt.slots]
    sizes = [fields.index(name) for name in _SIZES if name in fields]
    sure = [(number, check) for number, slot in enumerate(fmt.slots) if (check := _SURE.get(slot.spelled))]
    peers = [number for number, slot in enumerate(fmt.slots) if slot.field in PEERS]
    has_peer = not peers or fmt.is_open  # keys don't shift
    hosts = [] if fmt.is_open else [number for number, slot in enumerate(fmt.slots) if slot.field in HOSTS]
    has_host = not hosts
    weights = [-1 if slot.field == "remote_logname" else 1 + (slot.kind not in _LOOSE) for slot in fmt.slots]
    for line in lines:
        values = fmt.parse(line)
        if values is not None and all(check(values[number]) for number, check in sure) and _grow(values, sizes):
            fits += 1
            has_peer = has_peer or any(values[number] for number in peers)
            has_host = has_host or any(_is_host(str(values[number])) for number in hosts)
            exact += fmt.is_exact(line)
            found += sum(weight for weight, value in zip(weights, values, strict=True) if value != "")
    fmt.forget()
    return fits, exact, found if has_peer and has_host else 0


def _grow(values: Values, sizes: Sequence[int]) -> bool:
    """Whether what was sent with headers is no less than what was sent without."""
    counts = [int(values[number]) for number in sizes if values[number].isdecimal()]
    return counts == sorted(counts)


def _is_host(text: str) -> bool:
    """Whether it can be nothing but a host name: any word or address may stand before a line for other reasons."""
    name = text.partition(":")[0]
    return name == "localhost" or ("." in name and name.rpartition(".")[2].isalpha())


_THREE_DIGITS = re.compile(r"(?:[0-9]+\.[0-9]{3})?")
_SURE = {  # by spelling: what only the server that spells it so writes
    "$request_time": lambda text: _THREE_DIGITS.fullmatch(text) is not None,
    "$http_x_forwarded_for": are_forwarded,
}
_SIZES = ("response_bytes_clf", "bytes_tx")
HOSTS = frozenset({"server_name", "server_name2", "host"})
PEERS = frozenset({"remote_host", "remote_ip", "peer_ip"})
_LOOSE = frozenset({Kind.TEXT, Kind.TOKEN, Kind.LIST, Kind.ADDRESS})
