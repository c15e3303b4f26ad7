"""Path patterns: braces, `*`, `?`, `[a-z]` and `**`, as a shell with globstar reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from logship.patterns import deferred
from logship.records import record

_MAGIC = deferred(r"[*?\[]")
MAGIC = deferred(r"[*?\[{]")  # what makes a path a pattern, braces included
_BRACES = deferred(r"\{([^{}]*,[^{}]*)\}")


def expand_braces(pattern: str) -> list[str]:
    """`a{b,c}d` -> `abd`, `acd`; innermost braces first, braces without a comma stand for themselves."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    head, tail = pattern[: found.start()], pattern[found.end() :]
    expanded = (expand_braces(head + choice + tail) for choice in found.group(1).split(","))
    return list(dict.fromkeys(path for paths in expanded for path in paths))


def spellings(pattern: str) -> list[str]:
    """What a path pattern may mean, without braces: they are choices, or a part of the name, and so are brackets.

    A name that holds them literally is found as it is written; `[[]` means a bracket and nothing else.
    """
    read = (*expand_braces(pattern), pattern)
    return list(dict.fromkeys(one for each in read for one in (each, each.replace("[", "[[]"))))


def _component_regex(component: str) -> str:
    """A regex for one path component; wildcards take no leading dot, like a shell's."""
    out: list[str] = []
    at = 0
    while at < len(component):
        char = component[at]
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (close := component.find("]", at + 1)) > 0:
            inside = component[at:close].replace("\\", r"\\").replace("[", r"\[")
            out.append(f"[{'^' + inside[1:] if inside[0] in '!^' else inside}]")
            at = close + 1
        else:
            out.append(re.escape(char))
    guard = r"(?!\.)" if component[:1] in "*?[" else ""
    return guard + "".join(out)


@record
class Glob:
    """One brace-free pattern.

    Shapes: `base` is the deepest directory without wildcards, `below` the directory components under it,
    `name` matches the last component, which is `literal` where it has no wildcards ("" else).
    """

    pattern: str
    base: str
    below: tuple[str, ...]
    literal: str
    name: re.Pattern[str]
    path: re.Pattern[str]

    def fits(self, path: str) -> bool:
        return self.path.fullmatch(path) is not None


def _path_regex(components: Sequence[str]) -> str:
    parts = []
    for component in components[:-1]:
        parts.append(r"(?:(?!\.)[^/]+/)*" if component == "**" else _component_regex(component) + "/")
    last = "*" if components[-1] == "**" else components[-1]
    return "/" + "".join(parts) + _component_regex(last)


def compile_glob(pattern: str) -> Glob:
    """A brace-free absolute pattern; `..` and double slashes are resolved, a last `**` means every file below."""
    components = [part for part in os.path.normpath(pattern).split("/") if part]
    if components and components[-1] == "**":
        components.append("*")
    fixed = 0
    while fixed < len(components) - 1 and not _MAGIC.search(components[fixed]):
        fixed += 1
    return Glob(
        pattern=pattern,
        base="/" + "/".join(components[:fixed]),
        below=tuple(components[fixed:-1]),
        literal="" if _MAGIC.search(components[-1]) else components[-1],
        name=re.compile(_component_regex(components[-1]), re.DOTALL),
        path=re.compile(_path_regex(components), re.DOTALL),
    )


class Globs:
    """Several patterns as one question: does any of them fit?"""

    __slots__ = ("extensions", "globs")

    def __init__(self, patterns: Sequence[str]) -> None:
        self.globs = tuple(compile_glob(one) for pattern in patterns for one in spellings(pattern))
        endings = (os.path.splitext(each.pattern)[1] for each in self.globs)
        self.extensions = tuple(dict.fromkeys(each for each in endings if each and not _MAGIC.search(each)))

    def fits(self, path: str) -> bool:
        return any(glob.fits(path) for glob in self.globs)

    def fitting_name(self, name: str) -> Glob | None:
        """The first pattern whose last component fits a bare file name."""
        return next((glob for glob in self.globs if glob.name.fullmatch(name)), None)
