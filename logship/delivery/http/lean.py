"""Imports requests without its detection of character sets, which would take 2.4 MiB for nothing.

Answers are read as UTF-8 here. Where none is installed, requests warns and does without; so none is found while it is
imported first.
"""

from __future__ import annotations

import sys
import warnings

from logship.patterns import lazily_compiled

DETECTORS = ("chardet", "charset_normalizer")


def import_requests() -> None:
    """Call before anything else imports requests; later it changes nothing."""
    if "requests" in sys.modules:
        return
    hidden = [name for name in DETECTORS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: importing it fails
    try:
        with warnings.catch_warnings(), lazily_compiled():
            warnings.simplefilter("ignore")
            import requests  # noqa: F401 -- for its effect
    finally:
        for name in hidden:
            del sys.modules[name]


import_requests()
