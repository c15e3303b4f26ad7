"""Whether the web server's configuration and ours disagree about a log's format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from logship.config.quoting import in_quotes
from logship.config.settings import SourceSettings
from logship.conversion import SourceConverter
from logship.errors import FormatError
from logship.formats import Format, compile_format, read_spec
from logship.records import record
from logship.servers import Served, ServedLog
from logship.servers.served import left_out
from logship.tail.globs import Globs

IGNORED = frozenset({"remote_logname"})  # %l is a literal '-' in nginx's formats: the lines are the same


@record
class FormatDifference:
    """One served log that its source reads with another format.

    Shapes: `more` are fields that the server writes and our format doesn't read, `fewer` those it doesn't write.
    """

    log: ServedLog
    more: tuple[str, ...]
    fewer: tuple[str, ...]

    @property
    def message(self) -> str:
        """What the server does, in a sentence."""
        name = f"'{self.log.name}', " if self.log.name else ""
        more = f"it also writes {', '.join(self.more)}" if self.more else ""
        fewer = f"it doesn't write {', '.join(self.fewer)}" if self.fewer else ""
        other = "it writes the same fields otherwise" if not self.more and not self.fewer else ""
        what = " and ".join(part for part in (more, fewer, other) if part)
        return f"{self.log.place} logs {self.log.path} as {name}which is another format: {what}"

    @property
    def hint(self) -> str:
        return f"write  format: {{{self.log.kind}: {in_quotes(self.log.text)}}}"


def differences(
    source: SourceSettings, converter: SourceConverter, served: Iterable[ServedLog]
) -> Iterator[FormatDifference]:
    """The logs of the source that the server writes in another format than ours."""
    ours = converter.format
    if ours is None:
        return
    for log in _own(source, served):
        try:
            theirs = compile_format(read_spec({log.kind: log.text}), converter.named)
        except FormatError:
            continue  # `logship init` reports why it can't be compiled
        difference = compared(ours, theirs, log)
        if difference is not None:
            yield difference


def besides(source: SourceSettings, served: Served) -> Iterator[tuple[str, str]]:
    """What its globs match beside its requests: error logs, and logs of the same requests; with what to write."""
    for path in _among(source, served.errors):
        yield (
            f"its paths match {path}, which the server's configuration calls an error log",
            f"write  exclude: ['{path}']",
        )
    read = set(_among(source, (write.path for write in served.writes)))
    writes = [write for write in served.writes if write.path in read]
    for path, holder in left_out(writes, lambda path: ("*" not in path,)).items():
        if holder in read:
            said = f"its paths match {path} and {holder}, to which the server writes the same requests"
            yield f"{said}: each becomes two events", f"read one of them, or write  exclude: ['{path}']"


def _among(source: SourceSettings, paths: Iterable[str]) -> Iterator[str]:
    """Those that the source reads; a glob stands for the names that the server makes of variables or dates."""
    globs, excluded = Globs(source.paths), Globs(source.exclude)
    for path in dict.fromkeys(paths):
        one = path.replace("*", "x")
        if (path in source.paths or globs.fits(one)) and not (path in source.exclude or excluded.fits(one)):
            yield path


def one_id(path: str) -> str:
    """What a server does that logs subrequests with their request's id."""
    return (
        f"log_subrequest writes a line of {path} for each subrequest, with the $request_id of its request;"
        " as transaction_id it would name several events, of which the receiver keeps one"
    )


def repeated_ids(source: SourceSettings, converter: SourceConverter, served: Iterable[ServedLog]) -> Iterator[str]:
    """Of the served logs among the source's, those whose id the mapping sends though several lines have it."""
    if "request_id" not in str(converter.mapping.event.get("transaction_id")):
        return
    for log in _own(source, served):
        if log.repeats_ids:
            yield f"{log.repeats_ids}: {one_id(log.path)}"


def _own(source: SourceSettings, served: Iterable[ServedLog]) -> Iterator[ServedLog]:
    """The served logs that the source reads."""
    logs = list(served)
    read = set(_among(source, (log.path for log in logs)))
    return (log for log in logs if log.path in read)


def compared(ours: Format, theirs: Format, log: ServedLog) -> FormatDifference | None:
    """How the two differ; None if one of our formats reads what the server writes."""
    written = _fields(theirs)
    read = [_fields(member) for member in ours.members]
    if any(fields == written for fields in read):
        return None
    nearest = max(read, key=lambda fields: len(set(fields) & set(written)))
    more = tuple(field for field in written if field not in nearest)
    fewer = tuple(field for field in nearest if field not in written)
    return FormatDifference(log, more, fewer)


def _fields(fmt: Format) -> tuple[str, ...]:
    """The fields of a line in the order they are written."""
    return tuple(slot.field for slot in fmt.slots if not slot.part_of and slot.field not in IGNORED)
