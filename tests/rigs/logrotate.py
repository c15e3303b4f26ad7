"""One run of the real logrotate.

rotate(nginx.log_path("access.log"), nginx.pid)                       # rename, create, USR1
rotate(path, nginx.pid, "copytruncate compress")                      # no signal needed
rotate(path, nginx.pid, "dateext dateformat -%Y%m%d-%s compress delaycompress")
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.rigs.machine import require


def rotate(log: Path, server_pid: int | None = None, options: str = "create", keep: int = 100) -> None:
    """Rotates `log` now; unless `options` say copytruncate, `server_pid` then gets USR1 to open its logs anew.

    Shapes: `options` are logrotate's directives, separated by spaces; a directive with a value is written `name=value`
    or, for dateformat, `dateformat -%Y…`. logrotate's memory stands beside the log's directory.
    """
    program = require("logrotate")
    folder = log.parent.parent
    config, state = folder / f"rotate-{log.name}.conf", folder / f"rotate-{log.name}.state"
    config.write_text(_config(log, server_pid, options, keep))
    config.chmod(0o644)
    done = subprocess.run([program, "-f", "-s", str(state), str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"logrotate failed: {done.stderr}"


def _config(log: Path, server_pid: int | None, options: str, keep: int) -> str:
    lines = _directives(options)
    if server_pid is not None and "copytruncate" not in lines:
        lines += ["postrotate", f"kill -USR1 {server_pid}", "endscript"]
    body = "\n  ".join(lines)
    return f"{log} {{\n  rotate {keep}\n  missingok\n  notifempty\n  {body}\n}}\n"


def _directives(options: str) -> list[str]:
    words, lines = options.split(), list[str]()
    for word in words:
        if lines and lines[-1] == "dateformat":
            lines[-1] += f" {word}"
        else:
            lines.append(word.replace("=", " "))
    return lines
