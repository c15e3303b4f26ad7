"""The measured experiment: 20,000 lines, the receiver down, the process ended, the receiver up, a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.site import APPLICATION_ID, Site, targets
from tests.rigs.receiver import Receiver
from tests.rigs.waiting import wait_until

LINES = 20_000


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM"])
def test_all_lines_of_an_outage_arrive_though_the_process_ended_in_it(tmp_path: Path, end: str) -> None:
    receiver = Receiver()
    with receiver:
        site = Site(tmp_path, receiver.url, shutdown="1s")
        site.write(1)
        site.start()
        site.wait_for_all(receiver)
    site.write(LINES - 1)
    site.daemon.wait_for_log("refused")
    if end == "SIGKILL":
        site.daemon.kill()
    else:
        assert site.daemon.terminate() == 0
    with receiver:
        site.start()
        site.wait_for_all(receiver)
        assert site.daemon.terminate() == 0
    assert len(receiver.events) == LINES
    assert receiver.repeats <= 1  # the line before the outage, if its confirmation was not on disk when the end came
    assert receiver.conflicts == []


HELD_OFF = """{{name: blocked, paths: ["{here}/blocked.log"], format: combined, start_at: beginning, mapping: default,
     endpoint: {{application_id: refused}}}}"""
OPEN = '{{name: open, paths: ["{log}"], format: combined, start_at: beginning, mapping: default}}'


def test_a_refused_application_id_of_one_source_holds_only_this_source(tmp_path: Path) -> None:
    with Receiver(application_ids={APPLICATION_ID}) as receiver:
        site = Site(tmp_path, receiver.url, sources=(HELD_OFF, OPEN), shutdown="1s")
        site.start()
        blocked = tmp_path / "blocked.log"
        site.write(5_000, blocked)
        site.daemon.wait_for_log("401")
        site.write(5_000)
        wait_until(lambda: len(receiver.events) == 5_000, 30, "all lines of the open source")
        assert set(targets(receiver)) == set(site.written[5_000:])
        assert "ERROR" in site.daemon.log()
        assert site.daemon.terminate() == 0
        receiver.application_ids = None
        site.start()
        site.wait_for_all(receiver)
        assert site.daemon.terminate() == 0
        assert receiver.repeats == 0
