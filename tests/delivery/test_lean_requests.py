"""requests comes without what guesses character sets, and leaves it to whoever else asks for it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import logship.delivery.http, requests, sys
assert "charset_normalizer" not in sys.modules and "chardet" not in sys.modules
answer = requests.Response()
answer._content = "caf\\u00e9".encode()
assert answer.text == "caf\\u00e9"
import charset_normalizer
"""


def test_requests_is_imported_without_detecting_character_sets() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
