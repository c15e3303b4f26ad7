"""A source for each log that was found: its format from the server's configuration, or from its own lines."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path, PurePath
from typing import Literal

from logship.conversion import detect
from logship.conversion.detection import PEERS, assumed, envelope_of, opened_lines
from logship.errors import FormatError
from logship.formats import Detection, Format, FormatSpec, compile_format
from logship.formats.directives import with_heading
from logship.records import record
from logship.servers.served import ServedLog, Write, left_out

SAMPLE_BYTES = 65_536  # the end of a file tells best what its server writes now
SAMPLE_LINES = 200
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


def propose_served(
    logs: Iterable[ServedLog], named: Mapping[str, FormatSpec], base: Path, writes: Sequence[Write] = ()
) -> list[Proposal]:
    """A proposal for each format that the servers write, with all logs in it; one for logs in several formats.

    Logs whose requests are in another one too are proposals of their own that are not to be used.
    """
    logs = list(logs)
    holders = left_out(writes, lambda path: _worth(path, logs, named, base))
    active = _proposed([log for log in logs if log.path not in holders], named, base)
    passive = [
        replace(one, problem=one.problem or f"the same requests are in {holders[path]}")
        for path in holders
        for one in _proposed([log for log in logs if log.path == path], named, base)
    ]
    return [*active, *passive]


def _worth(path: str, logs: Sequence[ServedLog], named: Mapping[str, FormatSpec], base: Path) -> tuple[bool, ...]:
    """Whether a log can be read as its server says, is there, and holds a duration and a host."""
    formats = [fmt for log in logs if log.path == path and (fmt := _compiled(log.kind, log.text, named)) is not None]
    if not formats or any(problem_of(fmt) for fmt in formats):
        return (False,)
    lines = newest_lines(_existing(path, base))
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


def _proposed(logs: Iterable[ServedLog], named: Mapping[str, FormatSpec], base: Path) -> list[Proposal]:
    written: dict[str, list[ServedLog]] = {}
    for log in logs:
        written.setdefault(log.path, []).append(log)
    grouped: dict[tuple[tuple[ServerKind, str], ...], list[ServedLog]] = {}
    for path, group in written.items():
        # a server's own directive comes after the one for all servers that it replaces
        chosen = _that_fit(tuple(reversed(group)), newest_lines(_existing(path, base)), named)
        grouped.setdefault(tuple((log.kind, log.text) for log in chosen), []).extend(chosen)
    return _apart([_served(wordings, group, named, base) for wordings, group in grouped.items()])


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


def _apart(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Each without the logs of the others: a name made of variables is a glob, which may match theirs."""
    apart: list[Proposal] = []
    for proposal in proposals:
        others = [path for other in proposals if other is not proposal for path in other.paths]
        globs = [path for path in proposal.paths if "*" in path]
        taken = [path for path in others if "*" not in path and any(PurePath(path).match(glob) for glob in globs)]
        apart.append(replace(proposal, exclude=tuple(taken)))
    return apart


def _served(
    formats: Sequence[tuple[ServerKind, str]], logs: Sequence[ServedLog], named: Mapping[str, FormatSpec], base: Path
) -> Proposal:
    paths = tuple(dict.fromkeys(log.path for log in logs))
    places = dict.fromkeys(f"{log.place}: {log.name}".removesuffix(": ") for log in logs[: len(formats)])
    place = " and ".join(places)
    plain = tuple(Wording("", kind, text) for kind, text in formats)
    try:
        compiled = [compile_format(FormatSpec(kind, text), named) for kind, text in formats]
    except FormatError as exc:
        return Proposal(paths, place, plain, problem=str(exc))
    problem = next(filter(None, map(problem_of, compiled)), "")
    if problem:
        return Proposal(paths, place, plain, problem=problem)
    lines = [line for path in paths for line in newest_lines(_existing(path, base))][:SAMPLE_LINES]
    fits = sum(any(fmt.parse(line) is not None for fmt in compiled) for line in lines)
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
        paths, place, wordings, fits, len(lines), others, wrong if lines and not fits else "", has_host, has_duration,
        lacks_zone=local, is_forwarded=any(map(_is_forwarded, compiled)),
    )  # fmt: skip


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


def newest_lines(paths: Iterable[Path]) -> list[bytes]:
    """Whole lines from the end of each file, SAMPLE_LINES at most of each; of a compressed one from its beginning.

    A file that can't be read gives none: what is wrong with it, `logship check` says.
    """
    lines: list[bytes] = []
    for path in paths:
        try:
            lines += _tail(path)
        except (OSError, EOFError):
            continue
    return lines


def _tail(path: Path) -> list[bytes]:
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            return packed.read(SAMPLE_BYTES).split(b"\n")[:-1][-SAMPLE_LINES:]
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = file.seek(max(0, size - SAMPLE_BYTES))
        data = file.read(SAMPLE_BYTES)
        lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
        lines = (lines[1:] if start else lines)[-SAMPLE_LINES:]
        return with_heading(lines, file, start + data.rfind(b"\n") + 1 - sum(len(line) + 1 for line in lines))


def _existing(path: str, base: Path) -> list[Path]:
    """The files of a path or glob below `base`, the newest of them first."""
    found = [Path(name) for name in glob(str(base / path.lstrip("/")))]
    return [file for file in found if file.is_file()][:20]


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
