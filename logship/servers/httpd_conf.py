"""httpd.conf or apache2.conf with its includes: which logs are written, in which LogFormat.

Source: httpd 2.4, server/config.c (lines, quotes, Define), mod_log_config, rotatelogs(8).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from logship.patterns import deferred
from logship.records import record
from logship.servers.served import EVERY_SCOPE, UNCLOSED, Directive, Passed, Served, ServedLog, Word, Write, read_conf

COMMON = '%h %l %u %t "%r" %>s %b'  # what TransferLog writes without a LogFormat
TRANSFER = ""  # names the format of TransferLog among the formats
_VARIABLE = deferred(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_EXPORT = deferred(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$", re.MULTILINE)
_WORD = deferred(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')


@record(frozen=False)
class Reading:
    """What is known so far while the files are read in order."""

    base: Path
    root: str
    variables: dict[str, str]
    passed: list[Passed] = field(default_factory=list)
    within: list[Path] = field(default_factory=list)  # the files being read, each included by the one before
    scope: str = ""  # the virtual host being read
    macros: dict[str, tuple[list[str], list[tuple[int, str]]]] = field(default_factory=dict)  # parameters and lines


def read_httpd(conf: Path, base: Path = Path("/"), variables: Mapping[str, str] | None = None) -> Served:
    """The access logs of an httpd.conf; `base` replaces /; Debian's envvars beside it are read too.

    Raises: OSError for the file itself; included ones that can't be read are in `passed`.
    """
    known = {**_envvars(conf.parent / "envvars"), **(variables or {})}
    reading = Reading(base, "/" + str(conf.parent.relative_to(base)).lstrip("/"), known)
    formats: dict[str, dict[str, str]] = {}  # by the virtual host that they are of, "" for all
    errors: list[str] = []
    logs: list[ServedLog] = []
    writes: list[Write] = []
    wanted: list[Directive] = []
    reading.within.append(conf)
    for directive in _directives(conf, reading):
        if directive.name == "logformat" and len(directive.words) > 2:
            _formats_of(directive, formats)[directive.argument(1)] = directive.argument(0)
        elif directive.name == "logformat":
            _formats_of(directive, formats)[TRANSFER] = directive.argument(0)
        elif directive.name == "errorlog":
            errors.append(_path(directive, reading))
        elif directive.name in {"customlog", "globallog", "transferlog"}:
            wanted.append(directive)
    for directive in wanted:
        found = _log(directive, _seen_from(directive.scope, formats), reading)
        if isinstance(found, Passed):
            reading.passed.append(found)
        else:
            logs.append(found)
            scope = EVERY_SCOPE if directive.name == "globallog" else directive.scope
            writes.append(Write(scope, found.path, directive.argument(2)))
    named = (path for path in errors if path.startswith("/") and not path.startswith("/dev/"))
    return Served(
        tuple(dict.fromkeys(logs)), tuple(reading.passed), tuple(dict.fromkeys(writes)), tuple(dict.fromkeys(named))
    )  # fmt: skip


def _formats_of(directive: Directive, formats: dict[str, dict[str, str]]) -> dict[str, str]:
    """The formats of the place where a LogFormat stands: of one virtual host, or of all."""
    return formats.setdefault(directive.scope.strip() if not directive.scope.startswith(" ") else "", {})


def _seen_from(scope: str, formats: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The formats that a directive of this place means: its virtual host's own before those of all."""
    found: dict[str, str] = {}
    for place in sorted(formats, key=len):
        found |= formats[place] if scope.startswith(place) else {}
    return found


def _log(directive: Directive, formats: Mapping[str, str], reading: Reading) -> ServedLog | Passed:
    target, asked, place = directive.argument(0), directive.argument(1), directive.place(reading.base)
    if directive.name == "transferlog" or not asked:
        said = formats.get(TRANSFER, COMMON)
        name, text = "", formats.get(said, said)
    else:
        name, text = (asked, formats[asked]) if asked in formats else ("", asked)
    path = _path(directive, reading)
    if not path or path.startswith(("syslog:", "/dev/")):
        return Passed(place, f"logs to {target}, not to a file")
    unset = _VARIABLE.search(path)
    if unset:
        return Passed(place, f"{unset[0]} is not defined in the configuration")
    return ServedLog(path, "apache", name, text, place)


def _path(directive: Directive, reading: Reading) -> str:
    """The file that a directive names first, from / on, a glob where its name holds dates; '' for none."""
    target = directive.argument(0)
    path = _piped_path(target[1:].lstrip("|$")) if target.startswith("|") else target
    if not path or path.startswith(("syslog", "/")):
        return re.sub("(%[A-Za-z])+", "*", path)
    return re.sub("(%[A-Za-z])+", "*", f"{reading.root.rstrip('/')}/{path}")


def _piped_path(command: str) -> str:
    """The file that `rotatelogs [options] FILE …` writes, its dates as %-directives; '' for another program."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    if not words or not words[0].endswith("rotatelogs"):
        return ""
    rest = iter(words[1:])
    for word in rest:
        if word in {"-L", "-p", "-n", "-m"}:
            next(rest, "")
        elif not word.startswith("-"):
            return word if "%" in word else f"{word}.*"  # without a format rotatelogs appends the time
    return ""


def _directives(path: Path, reading: Reading) -> Iterator[Directive]:
    """All directives of a file and what it includes, sections laid flat, variables filled in."""
    yield from _of_lines(list(_lines(read_conf(path))), path, reading)


def _of_lines(lines: Sequence[tuple[int, str]], path: Path, reading: Reading) -> Iterator[Directive]:
    macro: list[tuple[int, str]] | None = None
    for line, text in lines:
        if macro is not None:
            macro.append((line, text))
            macro = None if text.lower().startswith("</macro") else macro
            continue
        words = tuple(
            Word(_VARIABLE.sub(lambda match: reading.variables.get(match[1], match[0]), word.text), word.is_quoted)
            for word in _words(text)
        )
        if any(not word.is_quoted and word.text[:1] in ('"', "'") for word in words):
            reading.passed.append(Passed(Directive(words, path, line).place(reading.base), f"{UNCLOSED}: {text[:40]}"))
        if words and words[0].text.lower() == "<macro":
            name, *parameters = [word.text.rstrip(">") for word in words[1:]] or [""]
            macro = []
            reading.macros[name.lower()] = ([one for one in parameters if one], macro)
            continue
        if words and words[0].text.lower().startswith(("<virtualhost", "</virtualhost")):
            reading.scope = f"{path}:{line} {text}" if words[0].text[1] != "/" else ""
        if not words or words[0].text.startswith("<"):
            continue
        directive = Directive(words, path, line, scope=reading.scope)
        if directive.name == "define":
            reading.variables[directive.argument(0)] = directive.argument(1)
        elif directive.name == "use" and directive.argument(0).lower() in reading.macros:
            yield from _used(directive, reading)
        elif directive.name == "serverroot":
            reading.root = directive.argument(0)
        elif directive.name in {"include", "includeoptional"} and directive.argument(0):
            yield from _included(directive, reading)
        else:
            yield directive


def _used(directive: Directive, reading: Reading) -> Iterator[Directive]:
    """The lines of a macro with its parameters filled in; a macro that uses itself is left."""
    parameters, lines = reading.macros.pop(name := directive.argument(0).lower())
    given = sorted(zip(parameters, (word.text for word in directive.words[2:]), strict=False), reverse=True)
    filled = []
    for line, text in lines[:-1]:
        for parameter, value in given:
            text = text.replace(parameter, value)
        filled.append((line, text))
    whole = " ".join(word.text for word in directive.words)
    for one in _of_lines(filled, directive.path, reading):
        yield replace(one, scope=f"{one.scope} {whole}")
    reading.macros[name] = (parameters, lines)


def _included(directive: Directive, reading: Reading) -> Iterator[Directive]:
    pattern = directive.argument(0)
    whole = pattern if pattern.startswith("/") else f"{reading.root.rstrip('/')}/{pattern}"
    for path in sorted(reading.base.glob(whole.lstrip("/"))):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_dir():
                continue
            if file in reading.within:
                reading.passed.append(Passed(directive.place(reading.base), "includes go in a circle"))
                continue
            reading.within.append(file)
            try:
                yield from _directives(file, reading)
            except OSError as exc:
                reading.passed.append(Passed(directive.place(reading.base), f"{file}: {exc.strerror}"))
            reading.within.pop()


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold something, with their numbers; a backslash at the end continues in the next."""
    whole, first = "", 1
    for number, raw in enumerate(text.split("\n"), 1):
        whole = whole + raw.strip() if whole else raw.strip()
        if not whole:
            first = number + 1
        elif whole.endswith("\\") and not whole.endswith("\\\\"):
            whole = whole[:-1]
            continue
        else:
            if not whole.startswith("#"):
                yield first, whole
            first = number + 1
        whole = ""


def _words(text: str) -> Iterator[Word]:
    for double, single, bare in _WORD.findall(text):
        if bare:
            yield Word(bare)
        else:
            yield Word(re.sub(r"\\([\"'\\])", r"\1", double or single), is_quoted=True)


def _envvars(path: Path) -> dict[str, str]:
    """Debian's settings for apache2ctl; $SUFFIX is empty for the first instance."""
    try:
        text = read_conf(path)
    except OSError:
        return {}
    found = {name: re.sub(r"\$\{?SUFFIX\}?", "", value).strip("\"'") for name, value in _EXPORT.findall(text)}
    return {name: value for name, value in found.items() if "$" not in value}
