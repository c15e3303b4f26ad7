"""From the leaves of a mapping to the instructions that write an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted

import orjson

from logship.kernel.assembler import Label
from logship.kernel.program import Op
from logship.kernel.values import text_of
from logship.mapping.derived import Fields, Value
from logship.mapping.event_keys import KEEPS_EMPTY, Path, Shape, shape_of
from logship.mapping.literals import json_constant
from logship.mapping.member import Members, MemberWriter
from logship.mapping.plan import Branch, Leaf
from logship.mapping.redaction_places import Covers
from logship.mapping.remote_decision import OwnShares, RemoteDecision
from logship.mapping.template import Template
from logship.records import record


@record
class LeafChoice:
    """A leaf that stands at its place while a flag has a value; `groups` are the named groups of its rule."""

    number: int
    leaf: Leaf
    groups: Mapping[str, Value]


class EventWriter:
    """Writes the event; `choices` are the leaves that rules may change, each with its flag."""

    def __init__(
        self, fields: Fields, covers: Covers, choices: Mapping[Path, tuple[int, Sequence[LeafChoice]]],
        max_body_bytes: int | None = None, remote: RemoteDecision | None = None,
    ) -> None:  # fmt: skip
        self._remote = remote
        self._assembler = fields.assembler
        self._choices = choices
        self._member = MemberWriter(fields, covers, max_body_bytes, remote)

    def write(self, event: Branch, weights: OwnShares | None, is_kept: int) -> None:
        """The whole event; `weights` is what sampling kept, None without sampling; `is_kept` the flag of `keep`."""
        self._assembler.write("{")
        members = Members(self._assembler)
        event = {key: node for key, node in event.items() if key != "weight" or weights is None}
        self._branch(event, (), members)
        if "transaction_id" not in event:
            self._member.own_id(members)
        if self._remote is not None:
            self._remote.emit(is_kept, weights or ())
            self._remote.emit_weight()
        else:
            self._weights(weights or ())
        self._assembler.write("}")
        self._assembler.emit(Op.DONE)

    def _weights(self, weights: OwnShares) -> None:
        for flag, value, weight in weights:
            skip = Label()
            self._assembler.emit(Op.UNLESS_FLAG, flag, value, skip)
            self._assembler.write(f',"weight":{weight}')
            self._assembler.place(skip)

    def _branch(self, branch: Branch, path: Path, members: Members) -> None:
        for key, node in branch.items():
            here = (*path, key)
            if isinstance(node, Leaf):
                self._place(here, node, members)
            elif here in KEEPS_EMPTY and members.has_one is not None:
                members.begin(f"{quoted(key)}:{{")
                self._branch(node, here, Members(self._assembler))
                self._assembler.write("}")
            else:
                before = members.has_one
                self._assembler.emit(Op.OPEN, self._assembler.constant(f"{quoted(key)}:"))
                self._branch(node, here, Members(self._assembler))
                self._assembler.emit(Op.CLOSE, here not in KEEPS_EMPTY)
                members.optional(before)

    def _place(self, path: Path, leaf: Leaf, members: Members) -> None:
        """The leaf at a place, or what rules put there."""
        if path not in self._choices:
            self._leaf(path, leaf, members)
            return
        flag, choices = self._choices[path]
        end, before, after = Label(), members.has_one, []
        for choice in choices:
            skip = Label()
            members.has_one = before
            if choice is not choices[-1]:
                self._assembler.emit(Op.UNLESS_FLAG, flag, choice.number, skip)
            self._member.groups = choice.groups
            self._leaf(path, choice.leaf, members)
            after.append(members.has_one)
            if choice is not choices[-1]:
                self._assembler.emit(Op.JUMP, end)
                self._assembler.place(skip)
        self._member.groups = {}
        self._assembler.place(end)
        members.has_one = after[0] if len(set(after)) == 1 else None

    # -- one leaf

    def _leaf(self, path: Path, leaf: Leaf, members: Members) -> None:
        shape = shape_of(path)
        if isinstance(leaf.value, Template):
            self._member.template(path, shape, leaf.value, members)
        elif shape is Shape.UUID and leaf.value is None:
            self._member.own_id(members)
        else:
            text = json_constant(leaf.value, shape, path)
            if text and self._member.notes(path):
                self._member.note(path, self._assembler.load(text_of(orjson.loads(text))))
            if text and not self._member.is_last(path):
                members.begin(f"{quoted(path[-1])}:{text}")
