"""Options that replace keys of a source: --source, --format, --mapping, --field; the same for all commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path

from logship.config.compiling import Compiler
from logship.config.mapping_files import LayeredMapping, known_mappings
from logship.config.reading import FileReader
from logship.config.settings import Settings, SourceSettings
from logship.config.shipped import mapping_names, mapping_path
from logship.config.yaml_door import parse
from logship.errors import ConfigError, FormatError, UsageError
from logship.fields import closest
from logship.formats import FormatSpec, compile_format, read_spec
from logship.mapping import MappingErrors, MappingSpec, parse_mapping
from logship.records import record


@record
class Overrides:
    """Options as they were given; "" and empty leave the source as it is."""

    source: str = ""
    format: str = ""
    mapping: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def fields_of(texts: Iterable[str]) -> dict[str, str]:
    """`K=V` options as constant fields.

    Raises: UsageError for one that isn't.
    """
    fields = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign):
            raise UsageError(f"--field: '{text}' is not KEY=VALUE, such as host=shop.example.com")
        fields[name] = value
    return fields


def source_named(settings: Settings, name: str) -> SourceSettings:
    """Raises: UsageError for an unknown source."""
    names = [source.name for source in settings.sources]
    if name in names:
        return settings.sources[names.index(name)]
    near = closest(name, names)
    hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(names)}"
    raise UsageError(f"--source: no source '{name}'; {hint}")


def format_tree(text: str) -> object:
    """A format's name, or the tree of what stands behind `format:` in YAML's flow style: `{nginx: '$remote_addr …'}`.

    Raises: UsageError for text that is no YAML.
    """
    if not text.lstrip().startswith(("{", "[")):
        return text
    document = parse(text, "--format")
    if document.problems:
        raise UsageError(f"--format: {document.problems[0].message}")
    return document.tree()


def format_named(text: str, named: Mapping[str, FormatSpec]) -> FormatSpec:
    """The format that --format says, of these names or written out.

    Raises: UsageError where there is none, or where it can't be used.
    """
    try:
        spec = read_spec(format_tree(text))
        if spec.kind != "auto":
            compile_format(spec, named)
    except FormatError as exc:
        raise UsageError(f"--format: {exc}") from exc
    return spec


def mapping_named(name: str, compiler: Compiler, reader: FileReader) -> LayeredMapping:
    """The mapping that --mapping says: a file, relative to the working directory, or a shipped one's name.

    Raises: ConfigError with every mistake of reading it; UsageError where there is no such mapping.
    """
    is_shipped = not Path(name).is_file()
    if is_shipped and name not in mapping_names():
        raise UsageError(f"there is no mapping '{name}'; {known_mappings(name, 'here')}")
    layered = compiler.mappings.file(mapping_path(name) if is_shipped else Path(name).absolute())
    raise_problems(reader)
    assert layered is not None, "what can't be read is a problem"
    return layered


def spec_of(layered: LayeredMapping, reader: FileReader) -> MappingSpec:
    """The mapping that its layers make.

    Raises: ConfigError with every mistake at its place.
    """
    try:
        return parse_mapping(layered.tree)
    except MappingErrors as exc:
        reader.problems += [layered.problem(error, "") for error in exc.errors]
    raise_problems(reader)
    raise AssertionError("mistakes are problems")


def raise_problems(reader: FileReader) -> None:
    """Raises: ConfigError with all of them, if one is an error."""
    problems = reader.in_order()
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
