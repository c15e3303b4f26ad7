"""Everything that `logship check` finds, in the order in which people want to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from logship.check.exposure import leading_beyond, readable_by_all, writable_by_all
from logship.check.logs import MisfitLine, Survey, survey
from logship.check.newest import pairs_of_same
from logship.check.permissions import User, service_user, state_obstacle
from logship.config.loading import Loaded, examine
from logship.config.settings import SourceSettings
from logship.endpoint import Endpoint
from logship.errors import Problem
from logship.records import record
from logship.tail.globs import MAGIC
from logship.words import bytes_words, counted

if TYPE_CHECKING:
    from logship.servers import Served

Level = Literal["ok", "warning", "error"]


@record
class Finding:
    """One fact about the configuration, its logs or its receiver.

    Shapes: `subject` is a source, 'endpoint' or ''; `problem` is set for mistakes in files; `line` and `at` show a log
    line and the byte where it stopped fitting.
    """

    level: Level
    subject: str
    message: str
    hint: str = ""
    problem: Problem | None = None
    line: bytes = b""
    at: int = 0


def inspect(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    base: Path | None = None,
    served: Served | None = None,
) -> tuple[Loaded, list[Finding]]:
    """Everything about a config and the logs that it names.

    Shapes: `base` replaces / in the search for logs and servers' configs; `served` is what servers' configs say of
    logs, None to search for them.
    """
    loaded = examine(path, environ, proving=True)
    findings = [_of_problem(problem) for problem in loaded.problems if not problem.source]
    served = _served(base) if served is None and loaded.sources else served
    if loaded.settings is not None:
        usable = (endpoint for endpoint in _endpoints(loaded) if endpoint.url and endpoint.application_id)
        findings += [_endpoint(endpoint, loaded.settings.origin) for endpoint in usable]
    user = service_user()
    if loaded.settings is not None and base is None:
        findings += _state(loaded.settings.state_dir, environ, user)
        findings += _exposed(loaded)
    converters = loaded.converters
    surveys = {source.name: survey(_below(source, base), converters[source.name], user) for source in loaded.sources}
    for name in _names(loaded):
        findings += [_of_problem(problem) for problem in loaded.problems if problem.source == name]
        source = next((source for source in loaded.sources if source.name == name), None)
        if source is not None:
            findings += _source(source, loaded, surveys[name], user)
            findings += _drift(source, loaded, served)
    return loaded, [*findings, *_shared_files(surveys), *_same_requests(surveys)]


def _names(loaded: Loaded) -> list[str]:
    """Every source in the order of the files."""
    return list(dict.fromkeys([*loaded.names, *(problem.source for problem in loaded.problems if problem.source)]))


def _of_problem(problem: Problem) -> Finding:
    return Finding(problem.severity, problem.source, problem.message, problem.hint, problem)


def _endpoints(loaded: Loaded) -> list[Endpoint]:
    assert loaded.settings is not None
    own = [source.endpoint for source in loaded.settings.sources]
    return list(dict.fromkeys(own)) or [loaded.settings.endpoint]


def _endpoint(endpoint: Endpoint, origin: str) -> Finding:
    way = f"{endpoint.url} api {endpoint.api}, compression {endpoint.compression}"
    return Finding("ok", "endpoint", f"{way} · application id set · origin {origin}")


def _state(state_dir: Path, environ: Mapping[str, str], user: User | None) -> Iterator[Finding]:
    """Whether the state can be written; root's default directory is not the service's, so it is not checked."""
    homes = [environ[name] for name in ("XDG_STATE_HOME", "HOME") if environ.get(name)]
    if user is not None and any(state_dir.is_relative_to(home) for home in homes):
        return
    obstacle = state_obstacle(str(state_dir), user)
    if obstacle is not None:
        yield Finding("error", "", obstacle.message, obstacle.hint)


def _exposed(loaded: Loaded) -> Iterator[Finding]:
    """Files of the configuration that others may write, and secrets that they may read."""
    secrets = [endpoint.application_id.file for endpoint in _endpoints(loaded) if endpoint.application_id]
    doors = (
        *writable_by_all(map(str, loaded.files)),
        *readable_by_all([*filter(None, secrets), *map(str, loaded.secret_files)]),
    )
    for door in doors:
        yield Finding("warning", "", door.message, door.hint)


def _below(source: SourceSettings, base: Path | None) -> SourceSettings:
    """The source with its globs below `base`."""
    if base is None:
        return source
    root = str(base.absolute()).rstrip("/")
    return replace(
        source,
        paths=tuple(root + pattern for pattern in source.paths),
        exclude=tuple(root + pattern for pattern in source.exclude),
    )


def _source(source: SourceSettings, loaded: Loaded, seen: Survey, user: User | None) -> Iterator[Finding]:
    name = source.name
    for obstacle in seen.obstacles:
        yield Finding("error", name, obstacle.message, obstacle.hint)
    if not seen.obstacles:
        for pattern in seen.unmatched:
            yield Finding("warning", name, f"no file matches {pattern}", _nearest(pattern))
    for path, why in seen.special:
        yield Finding("warning", name, f"{path} {why}; it is not read", f"exclude it:  exclude: ['{path}']")
    for door in leading_beyond(found.path for found in seen.files):
        yield Finding("warning", name, door.message, door.hint)
    if not seen.files:
        return
    fmt = loaded.converters[name].format
    label = fmt.name if fmt else f"auto: {seen.detected.name}" if seen.detected else "auto"
    files = f"{counted(len(seen.files), 'file')}, {bytes_words(seen.size_bytes)}"
    if not seen.lines:
        yield Finding("ok", name, f"{label} · {files} · no line yet")
        return
    own = loaded.converters[name].doubts(seen.newest) if fmt is None else loaded.converters[name].reviewed().warnings
    of_lines = [doubt for doubt in seen.doubts if str(doubt) not in map(str, own)]
    for doubt in (*(own if fmt is None else ()), *of_lines):
        yield Finding("warning", name, doubt.message, doubt.hint)
    for said, remedy in seen.disclosed:
        yield Finding("warning", name, said, remedy)
    fitting = f"{seen.fits:,} of the newest {seen.lines:,} lines fit"
    if seen.lines == 1:
        fitting = f"the only line {'fits' if seen.fits else 'does not fit'}"
    message = f"{label} · {files} · {fitting}"
    if seen.misfit_line is None:
        yield Finding("ok", name, message)
    else:
        yield _misfit(name, message, seen.misfit_line, is_hopeless=seen.fits == 0)


def _served(base: Path | None) -> Served:
    from logship.servers import served_logs

    return served_logs(base or Path("/"))


def _drift(source: SourceSettings, loaded: Loaded, served: Served | None) -> Iterator[Finding]:
    if served is not None and served.logs:
        from logship.check.server_configs import besides, differences, repeated_ids

        for said, remedy in besides(source, served):
            yield Finding("warning", source.name, said, remedy)
        for said in repeated_ids(source, loaded.converters[source.name], served.logs):
            yield Finding(
                "warning", source.name, said, "write  log_subrequest off;  or leave transaction_id to logship"
            )
        for difference in differences(source, loaded.converters[source.name], served.logs):
            yield Finding("warning", source.name, difference.message, difference.hint)


def _nearest(pattern: str) -> str:
    """Which directory of a pattern is missing."""
    if Path(pattern).is_dir():
        return f"it is a directory; write {pattern.rstrip('/')}/*.log"
    directory = Path(MAGIC.split(pattern, maxsplit=1)[0]).parent
    if directory.is_dir():
        return "it is read as soon as there is one"
    existing = next(parent for parent in directory.parents if parent.is_dir())
    return f"there is no directory {directory}, only {existing}"


def _misfit(name: str, message: str, line: MisfitLine, *, is_hopeless: bool) -> Finding:
    others = [other.name for other in line.others]
    if others and is_hopeless:
        hint = f"'{others[0]}' fits: write  format: {others[0]}"
    elif line.misfit is not None:
        hint = f"{line.misfit.fits} of {line.misfit.of} fields fit; then expected {line.misfit.expected}"
    else:
        hint = "see: logship preview"
    at = line.misfit.at if line.misfit else 0
    return Finding("error" if is_hopeless else "warning", name, message, hint, None, line.line, at)


def _shared_files(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    """Files that two sources match: the first source reads them."""
    owners: dict[str, str] = {}
    for name, seen in surveys.items():
        for found in seen.files:
            owner = owners.setdefault(found.path, name)
            if owner != name:
                message = f"{found.path} is read by {owner}, which matches it too"
                yield Finding("warning", name, message, "exclude it in one of them")


def _same_requests(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    for first, second in pairs_of_same({name: seen.requests for name, seen in surveys.items()}):
        message = f"its newest requests are in the log of {first} too: each becomes two events"
        yield Finding("warning", second, message, "read one of the two logs")
