"""What a converter is made of, in a form that travels to other processes: patterns and compiled code don't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from logship.config.converting import PathFields, SourceConverter
from logship.formats import FormatSpec, compile_format
from logship.mapping import Constants, MappingSpec


@dataclass(frozen=True, slots=True)
class Kit:
    """One source's format and mapping, read and checked, to be compiled where the lines are.

    Shapes: `format` is of any kind but auto; what was detected stands there by its name.
    """

    source: str
    format: FormatSpec
    named: Mapping[str, FormatSpec]
    mapping: MappingSpec
    constants: Constants
    path_fields: str | None = None

    def converter(self) -> SourceConverter:
        """The compiled converter."""
        pattern = PathFields() if self.path_fields is None else PathFields.of(self.path_fields)
        compiled = compile_format(self.format, self.named)
        return SourceConverter(self.source, compiled, self.mapping, self.constants, pattern, self.named)
