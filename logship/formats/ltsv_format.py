"""Formats of labeled tab-separated values: `time:…<tab>host:…<tab>status:200`, in any order. Source: ltsv.org."""

from __future__ import annotations

import re

from logship.formats.escapes import decode
from logship.formats.format import Wanted
from logship.formats.json_format import Document, JsonFormat
from logship.formats.slot import Misfit
from logship.formats.text_format import bare_line
from logship.kernel.assembler import Assembler
from logship.kernel.program import Escaping

_LABEL = re.compile(rb"[0-9A-Za-z_.-]+:")


class LtsvFormat(JsonFormat):
    """A compiled LTSV format: labels are what keys are to JSON, and {ltsv: auto} knows the same names."""

    time_hint = "name its label, the field first: {ltsv: {time_received: LABEL, …}}"

    def emit_reading(self, assembler: Assembler, wanted: Wanted) -> Escaping | None:
        return None

    def _members(self, bare: bytes) -> Document | None:
        """None where a column has no label, or a label is there twice."""
        members: Document = {}
        for column in bare.split(b"\t"):
            label = _LABEL.match(column)
            if label is None or (name := label[0][:-1].decode("ascii")) in members:
                return None
            members[name] = decode(column[label.end() :].decode("latin-1"), Escaping.BACKSLASH)
        return members

    def explain(self, line: bytes) -> Misfit | None:
        if self.parse(line) is not None:
            return None
        bare, at = bare_line(line), 0
        for column in bare.split(b"\t"):
            if _LABEL.match(column) is None:
                return Misfit(at, "a label and a colon, such as status:", 0, len(self.slots))
            at += len(column) + 1
        members = self._members(bare)
        if members is None:
            return Misfit(0, "each label once", 0, len(self.slots))
        return self._explain_object(members, bare, len(self.slots))
