"""What a command doesn't use, it doesn't load: each start pays for all that is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
endpoint: {{url: "http://127.0.0.1:1", application_id: id}}
state_dir: {directory}/state
status: null
origin: web-1
sources: [{{paths: ["{directory}/access.log"], format: combined}}]
"""
LINE = '203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200 2326 "-" "curl/8"\n'
SENDS = "logship.delivery.http"
KEEPS = "logship.state"
READS = "logship.tail.tailer"
SHOWS = "rich"
CONVERTS = "logship.mapping"
CONFIGS = Path(__file__).parents[2] / "configs"
COMPLETES = "click.shell_completion"  # a shell asks for it, not a command
VALIDATES = "pydantic"  # only the collector does: 90 ms and 9 MiB


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["--version"], [SENDS, KEEPS, READS, SHOWS, CONVERTS, VALIDATES, "yaml"]),
        (["status"], [READS, SHOWS, CONVERTS, VALIDATES, COMPLETES]),
        (["dead-letters", "list"], [READS, SHOWS, CONVERTS, VALIDATES]),
        (["check"], [SENDS, KEEPS, READS, SHOWS, VALIDATES]),
        (["preview", "-n", "1"], [SENDS, KEEPS, READS, VALIDATES, COMPLETES]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].islower() else "",
)
def test_a_command_loads_only_what_it_uses(arguments: list[str], unused: list[str], tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(LINE)
    config = tmp_path / "logship.yml"
    config.write_text(CONFIG.format(directory=tmp_path))
    named = [] if arguments == ["--version"] else ["-c", str(config)]
    program = (
        "import sys; from logship.cli import execute; "
        f"code = execute({[*arguments, *named]}); "
        f"loaded = set({unused}) & set(sys.modules); "
        "print(code, *sorted(loaded), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] in ("0", "1"), done.stderr + done.stdout


def test_the_daemon_loads_nothing_that_only_other_commands_use() -> None:
    unused = [SHOWS, VALIDATES, "logship.backfill", "logship.collector", "difflib"]
    program = f"""
import os, sys, logship.daemon
from pathlib import Path
from logship.config import load_settings
load_settings(Path({str(CONFIGS / "logship.yml")!r}), {{"MOESIF_ID": "an-id"}})
print(*sorted(set({unused}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
