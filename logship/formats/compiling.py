"""From format specs to compiled formats."""

from __future__ import annotations

import re
from collections.abc import Mapping

from logship.errors import FormatError
from logship.fields import closest
from logship.formats.format import Format
from logship.formats.spec import KINDS, FormatSpec

MAX_DEPTH = 8  # of names that stand for names; more is a circle


def compile_format(spec: FormatSpec, named: Mapping[str, FormatSpec], name: str = "") -> Format:
    """The compiled format; `named` are the presets and the configuration's own formats.

    Raises: FormatError with the column in the format string, the reason, and what to write instead.
    """
    return _compile(spec, named, name, 0)


def _compile(spec: FormatSpec, named: Mapping[str, FormatSpec], name: str, depth: int) -> Format:
    """Each kind is imported when it is asked for: a daemon that reads one kind starts without the others."""
    if spec.kind == "apache":
        from logship.formats import apache
        from logship.formats.text_format import TextFormat

        return TextFormat(name or "apache", apache.read_log_format(spec.text))
    if spec.kind == "nginx":
        from logship.formats import nginx
        from logship.formats.text_format import TextFormat

        return TextFormat(name or "nginx", nginx.read_log_format(spec.text))
    if spec.kind == "named":
        return _compile(_resolve(spec.text, named, depth), named, spec.text, depth + 1)
    if spec.kind == "json":
        from logship.formats.json_format import JsonFormat

        return JsonFormat(name or "json", spec.keys)
    if spec.kind == "ltsv":
        from logship.formats.ltsv_format import LtsvFormat

        return LtsvFormat(name or "ltsv", spec.keys)
    if spec.kind == "w3c":
        from logship.formats.w3c import W3cFormat

        return W3cFormat(name or "w3c", spec.text)
    if spec.kind == "regex":
        from logship.formats.regex_format import RegexFormat

        return RegexFormat(name or "regex", spec.text, spec.keys or {}, spec.escape)
    if spec.kind == "list":
        from logship.formats.either import EitherFormat

        members = [_compile(member, named, "", depth + 1) for member in spec.members]
        flat = [single for member in members for single in member.members]
        return EitherFormat(name or ", ".join(member.name for member in flat), flat)
    raise FormatError("auto is not a format by itself: detect the format from lines first")


def is_headed(spec: FormatSpec, named: Mapping[str, FormatSpec]) -> bool:
    """Whether the format's lines mean something below their directives only."""
    for _ in range(MAX_DEPTH):
        if spec.kind != "named" or spec.text not in named:
            break
        spec = named[spec.text]
    return spec.kind == "w3c"


def _resolve(name: str, named: Mapping[str, FormatSpec], depth: int) -> FormatSpec:
    if depth > MAX_DEPTH:
        raise FormatError(f"format {name!r} refers to itself", text=name, column=0, width=len(name))
    if name in named:
        return named[name]
    kind, colon, text = name.partition(":")
    near = next((word for word in re.split("[-_ ]", name) if word in named), None) or closest(name, named)
    hint = f"did you mean '{near}'?" if near else "see `logship formats` for the presets"
    if colon and kind.strip() in KINDS:
        hint = f"write {{{kind.strip()}: {text.strip()}}}"
    raise FormatError(f"no preset '{name}'", text=name, column=0, width=len(name), hint=hint)
