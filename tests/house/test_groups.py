"""Tests that share a booted machine run in one process, or each of them boots its own."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("together")
def test_the_scheduler_sees_which_tests_belong_together(request: pytest.FixtureRequest) -> None:
    """It reads the group from the name of a test; pytest 9.2 with pytest-xdist 3.8 loses it without a word."""
    is_grouping = getattr(request.config.option, "loadgroup", False)
    assert request.node.nodeid.endswith("@together") == is_grouping
