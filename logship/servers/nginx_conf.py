"""nginx.conf with its includes: which access logs are written, in which log_format.

Source: ngx_conf_file.c (words, quotes, comments), ngx_http_log_module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from logship.patterns import deferred
from logship.servers.served import UNCLOSED, Directive, Passed, Served, ServedLog, Word, Write, below, read_conf

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
REQUEST_ID = deferred(r"\$\{?request_id\b")
VARIABLE = r"\$\{\w+\}|\$\w+"
NO_REQUESTS = frozenset({"stream", "mail"})
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}
_WORD = deferred(r"""(?P<space>\s+)|(?P<comment>#[^\n]*)|(?P<end>[;{}])""")


def read_nginx(conf: Path, base: Path = Path("/")) -> Served:
    """The access logs of an nginx.conf; `base` replaces /.

    Raises: OSError for the file itself; included ones that can't be read are in `passed`.
    """
    passed: list[Passed] = []
    directives = list(_directives(conf, conf.parent, base, passed, ()))
    formats = {"combined": COMBINED}
    for directive in directives:
        if directive.name == "log_format" and len(directive.words) > 2 and not _is_of_connections(directive):
            formats[directive.argument(0)] = _format_text(directive)
    logs: list[ServedLog] = []
    writes: list[Write] = []
    prefix = _prefix(conf, base)
    nested = next((one for one in directives if one.name == "log_subrequest" and one.argument(0) == "on"), None)
    repeats_ids = nested.place(base) if nested else ""
    said = [directive for directive in directives if directive.name == "access_log"]
    for directive in said or _default(directives, prefix):
        found = _access_log(directive, formats, base, prefix)
        if isinstance(found, Passed):
            passed.append(found)
        elif found is not None:
            logs.append(replace(found, repeats_ids=repeats_ids) if REQUEST_ID.search(found.text) else found)
            condition = next((word.text for word in directive.words[2:] if word.text.startswith("if=")), "")
            writes.append(Write(directive.scope, found.path, condition))
    errors = [_whole(one.argument(0), prefix) for one in directives if one.name == "error_log"]
    named = (re.sub(VARIABLE, "*", path) for path in errors if path.startswith("/") and not path.startswith("/dev/"))
    return Served(
        tuple(dict.fromkeys(logs)), tuple(passed), tuple(dict.fromkeys(writes)), tuple(dict.fromkeys(named))
    )  # fmt: skip


def _whole(path: str, prefix: str) -> str:
    """The path from / on, where nginx's prefix is known."""
    return path if path.startswith("/") or not prefix else f"{prefix}/{path}"


def _prefix(conf: Path, base: Path) -> str:
    """Where relative paths begin: beside the `conf` directory of a build from source; "" for what only nginx knows."""
    return f"/{conf.parent.parent.relative_to(base)}" if conf.parent.name == "conf" else ""


def _default(directives: Sequence[Directive], prefix: str) -> list[Directive]:
    """What nginx logs to where a server serves HTTP and no directive says it."""
    http = next((one for one in directives if one.name == "http" and not one.blocks), None)
    if http is None or not prefix:
        return []
    return [Directive((Word("access_log"), Word("logs/access.log")), http.path, http.line, ("http",))]


def _access_log(directive: Directive, formats: dict[str, str], base: Path, prefix: str) -> ServedLog | Passed | None:
    target, place = directive.argument(0), directive.place(base)
    name = next((word.text for word in directive.words[2:] if "=" not in word.text), "combined")
    if target == "off" or not target:
        return None
    if target.startswith(("syslog:", "/dev/")):
        return Passed(place, f"logs to {target}, not to a file")
    if _is_of_connections(directive):
        return Passed(place, f"{target} is a log of connections ({directive.blocks[0]}), not of requests")
    target = _whole(target, prefix)
    if not target.startswith("/"):
        return Passed(place, f"{target} is relative to nginx's prefix, which its configuration doesn't say")
    if name not in formats:
        return Passed(place, f"no log_format {name}")
    path = re.sub(VARIABLE, "*", target)
    return ServedLog(path, "nginx", name, formats[name], place)


def _is_of_connections(directive: Directive) -> bool:
    """Whether it is in a block whose logs, and names of formats, are none of http's."""
    return directive.blocks[:1] != () and directive.blocks[0] in NO_REQUESTS


def _format_text(directive: Directive) -> str:
    """The format string in one piece; backslashes doubled, as a file would have them."""
    words = directive.words[2:]
    escape = ""
    if words[0].text.startswith("escape=") and not words[0].is_quoted:
        escape, words = words[0].text, words[1:]
    text = "".join(word.text for word in words).replace("\\", "\\\\")
    if not escape and not text.startswith("'"):
        return text
    quoted = text.replace("'", "\\'")
    return f"{escape} '{quoted}'".lstrip()


def _directives(
    path: Path,
    root: Path,
    base: Path,
    passed: list[Passed],
    within: tuple[Path, ...],
    blocks: tuple[str, ...] = (),
    scope: str = "",
) -> Iterator[Directive]:
    """All directives of a file and what it includes, blocks laid flat; `within` are the files that include it.

    Raises: OSError for the outermost file.
    """
    for directive in _read(path, base, passed, blocks, scope):
        pattern = directive.argument(0)
        if directive.name != "include" or not pattern:
            yield directive
            continue
        where = below(base, pattern) if pattern.startswith("/") else root / pattern
        for included in sorted(where.parent.glob(where.name)):
            if included in (*within, path):
                passed.append(Passed(directive.place(base), "includes go in a circle"))
                continue
            try:
                yield from _directives(included, root, base, passed, (*within, path), directive.blocks, directive.scope)
            except OSError as exc:
                passed.append(Passed(directive.place(base), f"{included}: {exc.strerror}"))


def _read(path: Path, base: Path, passed: list[Passed], outer: tuple[str, ...], scope: str) -> Iterator[Directive]:
    """The directives of one file, in order; a block's head is one. `outer` are the blocks that include the file."""
    scopes = [scope]
    text = read_conf(path)
    blocks = list(outer)
    words: list[Word] = []
    at, line, first_line = 0, 1, 1
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            word, end = _word(text, at)
            if word.is_quoted and not _closes(text, end):
                said = Directive((word,), path, line)
                passed.append(Passed(said.place(base), f"{UNCLOSED}: {text[at : at + 20].splitlines()[0]}"))
            if not words:
                first_line = line
            words.append(word)
        else:
            end = match.end()
            if match["end"] and words:
                yield Directive(tuple(words), path, first_line, tuple(blocks), scopes[-1])
            if match["end"] == "{":
                blocks.append(words[0].text if words else "")
                scopes.append(f"{path}:{at}")
            elif match["end"] == "}" and len(blocks) > len(outer):
                blocks.pop()
                scopes.pop()
            if match["end"]:
                words = []
        line += text.count("\n", at, end)
        at = end


def _word(text: str, at: int) -> tuple[Word, int]:
    """The word at `at`, and where the text continues."""
    quote = text[at] if text[at] in "'\"" else ""
    end = at + 1 if quote else at
    out: list[str] = []
    while end < len(text):
        char = text[end]
        if char == "\\" and text[end + 1 : end + 2] in _ESCAPES:
            out.append(_ESCAPES[text[end + 1]])
            end += 2
            continue
        if char == quote:
            return Word("".join(out), is_quoted=True), end + 1
        if not quote and (char.isspace() or char in ";{}") and not _is_variable(text, end):
            break
        out.append(char)
        end += 1
    return Word("".join(out), is_quoted=bool(quote)), end


def _closes(text: str, end: int) -> bool:
    """Whether the quote before `end` is where its word ends: nginx allows nothing but these behind one."""
    return text[end - 1 : end] in ('"', "'") and (end == len(text) or text[end].isspace() or text[end] in ";{)")


def _is_variable(text: str, at: int) -> bool:
    """Whether a brace belongs to ${name} rather than to a block."""
    if text[at] == "{":
        return text[at - 1 : at] == "$"
    return text[at] == "}" and re.search(r"\$\{\w*$", text[max(0, at - 64) : at]) is not None
