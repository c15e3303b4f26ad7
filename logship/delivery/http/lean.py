"""Imports requests without the detection of character sets, which guesses what a page is written in: 2.4 MiB unused.

Answers are read as UTF-8 here. requests does without, if with a warning, where none is installed; so while it is first
imported none is.
"""

from __future__ import annotations

import sys
import warnings

DETECTORS = ("chardet", "charset_normalizer")


def import_requests() -> None:
    """Call before anything else imports requests; later it changes nothing."""
    if "requests" in sys.modules:
        return
    hidden = [name for name in DETECTORS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: importing it fails
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import requests  # noqa: F401 -- for its effect
    finally:
        for name in hidden:
            del sys.modules[name]


import_requests()
