"""A source for each log that was found: its format from the server's configuration, or from its own lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Literal

from logship.conversion import detect
from logship.conversion.detection import PEERS, assumed, envelope_of, opened_lines
from logship.errors import FormatError
from logship.formats import Detection, Format, FormatSpec, compile_format
from logship.records import record
from logship.servers.machine import SAMPLE_LINES, Machine, newest_lines
from logship.servers.served import Served, ServedLog, left_out

ZONE_LINES = 5  # whose times are looked at for their zone
USUAL_LOGS = (
    "var/log/nginx/*access*.log",
    "var/log/apache2/*access*.log",
    "var/log/httpd/*access_log",
    "var/log/caddy/*.log",
    "var/log/traefik/*access*.log",
    "var/log/lighttpd/*access*.log",
)


DEFAULT_PROXY_HEADER_FIELD = "request_header_x_forwarded_for"
REQUESTS = frozenset({"request_first_line", "request_url", "request_method", "url_path", "target", "path", "method"})
ServerKind = Literal["nginx", "apache"]
Kind = ServerKind | Literal[""]


@record
class Wording:
    """A format as a config has it: a preset's name, or "" for an own format of `kind` and `text`."""

    preset: str
    kind: Kind = ""
    text: str = ""


@record
class Proposal:
    """One source.

    Shapes: `wordings` are its formats, each line being of the first that fits; none for a log whose format nobody
    knows. `fits` of `lines` sample lines fit; `others` are presets that fit too. `problem` says why the source can't be
    used as it is, "" if it can.
    """

    paths: tuple[str, ...]
    place: str = ""
    wordings: tuple[Wording, ...] = ()
    fits: int = 0
    lines: int = 0
    others: tuple[Detection, ...] = ()
    problem: str = ""
    has_host: bool = False
    has_duration: bool = False
    envelope: str = ""  # what wraps its lines
    lacks_zone: bool = False  # its times are local ones
    is_forwarded: bool = False  # the client's address is in X-Forwarded-For alone, at least in some lines
    assumed: tuple[str, ...] = ()  # what is taken for granted of its values
    exclude: tuple[str, ...] = ()  # what its globs match and other proposals read

    @property
    def kind(self) -> Kind:
        """The server's, "" where the log was found by its name."""
        return self.wordings[0].kind if self.wordings else ""


def propose_served(served: Served, named: Mapping[str, FormatSpec], base: Path) -> list[Proposal]:
    """A proposal for each format that the servers write, with all logs in it; one for logs in several formats.

    Logs whose requests are in another one too are proposals of their own that are not to be used.
    """
    known = dict.fromkeys([*(log.path for log in served.logs), *served.errors])
    machine = Machine(named, base.absolute(), tuple(known))
    holders = left_out(served.writes, lambda path: _worth(path, served.logs, machine))
    active = _proposed([log for log in served.logs if log.path not in holders], machine)
    passive = [
        replace(one, problem=one.problem or f"the same requests are in {holders[path]}")
        for path in holders
        for one in _proposed([log for log in served.logs if log.path == path], machine)
    ]
    return [*active, *passive]


def _worth(path: str, logs: Sequence[ServedLog], machine: Machine) -> tuple[bool, ...]:
    """Whether a log can be read as its server says, is there, and holds a duration and a host."""
    formats = [
        fmt for log in logs if log.path == path and (fmt := _compiled(log.kind, log.text, machine.named)) is not None
    ]
    if not formats or any(problem_of(fmt) for fmt in formats):
        return (False,)
    lines = machine.newest(path)
    fits = not lines or any(fmt.parse(line) is not None for line in lines for fmt in formats)
    has_host, has_duration = (all(each) for each in zip(*map(_logs, formats), strict=True))
    return fits, bool(lines), has_duration, has_host


def problem_of(fmt: Format) -> str:
    """Why no events can come of a format that can be read, "" where they can."""
    if not any(slot.kind.is_time for slot in fmt.slots):
        return "it holds no time; log $time_iso8601 (nginx) or %t (Apache)"
    if not any(slot.field in REQUESTS for slot in fmt.slots):
        return "it holds no request; log $request (nginx) or %r (Apache)"
    return ""


def _proposed(logs: Iterable[ServedLog], machine: Machine) -> list[Proposal]:
    written: dict[str, list[ServedLog]] = {}
    for log in logs:
        written.setdefault(log.path, []).append(log)
    grouped: dict[tuple[object, ...], tuple[list[ServedLog], list[str]]] = {}
    for path, group in written.items():
        # a server's own directive comes after the one for all servers that it replaces
        chosen = _that_fit(tuple(reversed(group)), machine.newest(path), machine.named)
        each = {_reads(log, machine.named): log for log in reversed(chosen)}  # equal formats may have several names
        formats = dict(reversed(each.items()))
        grouped.setdefault(tuple(formats), (list(formats.values()), []))[1].append(path)
    return [_served(formats, paths, machine) for formats, paths in grouped.values()]


def _reads(log: ServedLog, named: Mapping[str, FormatSpec]) -> object:
    """What makes two formats of servers the same."""
    fmt = _compiled(log.kind, log.text, named)
    return log.kind, log.text if fmt is None else fmt.shape


def _that_fit(
    logs: tuple[ServedLog, ...], lines: Sequence[bytes], named: Mapping[str, FormatSpec]
) -> tuple[ServedLog, ...]:
    """Of the formats that may be in one log those that are; all where its lines don't tell."""
    if len(logs) == 1:
        return logs
    usable = [(log, fmt) for log in logs if (fmt := _compiled(log.kind, log.text, named)) is not None]
    fitting = tuple(log for log, fmt in usable if any(fmt.parse(line) is not None for line in lines))
    return fitting or tuple(log for log, _ in usable) or logs[:1]


def _compiled(kind: ServerKind, text: str, named: Mapping[str, FormatSpec]) -> Format | None:
    try:
        return compile_format(FormatSpec(kind, text), named)
    except FormatError:
        return None


def _served(logs: Sequence[ServedLog], paths: Sequence[str], machine: Machine) -> Proposal:
    """The proposal for paths that are written in the formats of these logs."""
    named = machine.named
    place = " and ".join(dict.fromkeys(f"{log.place}: {log.name}".removesuffix(": ") for log in logs))
    plain = tuple(Wording("", log.kind, log.text) for log in logs)
    exclude = tuple(dict.fromkeys(other for path in paths for other in machine.besides(path)))
    try:
        compiled = [compile_format(FormatSpec(log.kind, log.text), named) for log in logs]
    except FormatError as exc:
        return Proposal(tuple(paths), place, plain, problem=str(exc), exclude=exclude)
    problem = next(filter(None, map(problem_of, compiled)), "")
    if problem:
        return Proposal(tuple(paths), place, plain, problem=problem, exclude=exclude)
    found = {file: newest_lines([file]) for path in paths for file in machine.files(path)}
    strange = [file for file, lines in found.items() if lines and not _count(compiled, lines)]
    if len(strange) < sum(map(bool, found.values())):  # else it is the format that is wrong
        globs = [path for path in paths if "*" in path]
        seen = {file: PurePath("/") / file.relative_to(machine.base) for file in strange}
        matched = [file for file in strange if any(seen[file].match(path) for path in globs)]
        exclude += tuple(str(seen[file]) for file in matched)
        found = {file: lines for file, lines in found.items() if file not in matched}
    lines = [line for each in found.values() for line in each][:SAMPLE_LINES]
    fits = _count(compiled, lines)
    others = tuple(detect(lines, named)[:3]) if lines and not fits else ()
    wrong = "none of the newest lines fit: the server's configuration says something else"
    wordings = tuple(
        Wording(_preset_like(fmt, named, each.kind), each.kind, each.text)
        for fmt, each in zip(compiled, plain, strict=True)
    )
    has_host, has_duration = (all(each) for each in zip(*map(_logs, compiled), strict=True))
    local = any(fmt.lacks_zone(line) for fmt in compiled for line in lines[:ZONE_LINES]) or any(
        slot.time is not None and slot.time.lacks_zone(slot.time.example) for fmt in compiled for slot in fmt.slots
    )
    return Proposal(
        tuple(paths), place, wordings, fits, len(lines), others, wrong if lines and not fits else "", has_host,
        has_duration, lacks_zone=local, is_forwarded=any(map(_is_forwarded, compiled)), exclude=exclude,
    )  # fmt: skip


def _count(formats: Sequence[Format], lines: Sequence[bytes]) -> int:
    """How many lines fit one of the formats."""
    return sum(any(fmt.parse(line) is not None for fmt in formats) for line in lines)


def propose_file(path: Path, named: Mapping[str, FormatSpec]) -> Proposal:
    """A proposal for a log by its newest lines."""
    lines = newest_lines([path])
    found, envelope = detect(lines, named), envelope_of(lines)
    if not found and envelope is not None:
        lines = opened_lines(lines, envelope)
        found = detect(lines, named)
    else:
        envelope = None
    paths = (str(path.absolute()),)
    if not found:
        problem = "no preset fits its lines" if lines else "it holds no lines yet"
        return Proposal(paths, lines=len(lines), problem=problem)
    best = found[0]
    fmt = compile_format(named[best.name], named, best.name)
    return Proposal(
        paths, "", (Wording(best.name),), best.fits, best.of, tuple(found[1:4]), "", *_logs(fmt), envelope or "",
        any(map(fmt.lacks_zone, lines[:ZONE_LINES])), assumed=_assumed(fmt, lines),
    )  # fmt: skip


def _assumed(fmt: Format, lines: Sequence[bytes]) -> tuple[str, ...]:
    """What is assumed of the unit of its durations, each once."""
    each = (*assumed(fmt), *(one for line in lines for one in fmt.assumes(line) if one.is_of_value))
    return tuple(dict.fromkeys(f"{one.said}; {one.hint}" for one in each))


def _preset_like(fmt: Format, named: Mapping[str, FormatSpec], kind: Kind) -> str:
    """The preset that reads the same fields from the same text; '' for none."""
    for name, spec in named.items():
        if spec.kind == kind and compile_format(spec, named, name).shape == fmt.shape:
            return name
    return ""


def _is_forwarded(fmt: Format) -> bool:
    """Whether a proxy's word is all that it holds of the client."""
    fields = {slot.field for slot in fmt.slots}
    return DEFAULT_PROXY_HEADER_FIELD in fields and not fields & PEERS


def _logs(fmt: Format) -> tuple[bool, bool]:
    """Whether the format holds a host, and a duration."""
    fields = {slot.field for slot in fmt.slots}
    hosts = {"host", "server_name", "server_name2", "request_header_host"}
    return bool(fields & hosts), any(slot.kind.is_duration for slot in fmt.slots)
