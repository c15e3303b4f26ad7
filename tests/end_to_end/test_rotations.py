"""Every program that people rotate, copy or edit logs with: each line arrives once, under one id, whatever happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.rotations import FATES, Trial, told


@pytest.mark.parametrize("fate", FATES)
def test_nothing_is_lost_or_sent_under_two_ids(tmp_path: Path, fate: str) -> None:
    trial = Trial(tmp_path, fate)
    trial.run()
    assert trial.outcomes == told(fate), "run: python -m tests.end_to_end.rotations"
    assert set(trial.outcomes.values()) == {"once"}
    assert trial.errors == []
    assert set(trial.exits) == {0}
    assert trial.statuses == [0]
    if fate != "killed":
        assert trial.repeats == 0, "what was confirmed was sent again"
