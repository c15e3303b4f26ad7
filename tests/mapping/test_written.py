"""What counts as only written: everything else is a look, so that no escaped value decides anything."""

from __future__ import annotations

import ast

import pytest

from logship.mapping.written import looked_at


@pytest.mark.parametrize(
    ("body", "event", "looked"),
    [
        ("", "f'a{v1}'", set()),
        ("", "f'{v1}' if v1 != '-' else ''", set()),
        ("", "f'{v1}' if v1 == 'a' else ''", {"v1"}),
        ("", "v1 if v1[0] == '/' else odd(v1)", set()),
        ("", "v1 if v1[0] == 'x' else ''", {"v1"}),
        ("", "v1 if v1[1] == '/' else ''", {"v1"}),
        ("", "v1 or v2", set()),
        ("", "m[v1] + v2", {"m", "v1", "v2"}),
        ("", "redact(f'a{v1}')", {"redact", "v1"}),
        ("", "f'{v1:>5}'", {"v1"}),
        ("", "f'{v1!r}'", {"v1"}),
        ("kept = v1", "kept", set()),
        ("kept = v1", "m[kept]", {"m", "kept", "v1"}),
        ("kept = f'{v1}'\nother = kept", "m[other]", {"m", "other", "kept", "v1"}),
        ("", "r(held) if '=' in (held := f'{v1}') else held", {"r", "held", "v1"}),
        ("if v1 != '-':\n    kept = v2", "kept", set()),
        ("if v1.startswith('a'):\n    kept = v2", "kept", {"v1"}),
        ("a, b = v1", "a", {"a", "b", "v1"}),
        ("count += v1", "''", {"count", "v1"}),
        ("if not is_kept and v1:\n    continue", "''", set()),
    ],
)
def test_what_is_looked_at(body: str, event: str, looked: set[str]) -> None:
    expression = ast.parse(event, mode="eval").body
    assert looked_at(ast.parse(body).body, expression, {"odd"}) == looked
