"""Freed memory that is kept for the next arrays: without it half the time of a view goes into getting pages anew."""

from __future__ import annotations

import ctypes
import logging

log = logging.getLogger(__name__)

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
KEPT_BYTES = 16 << 20  # at the end of the heap; the arrays of one segment take a third of it
MAPPED_BYTES = 4 << 20  # larger blocks go back to the system at once, as by default all from 128 kB on
PAD_BYTES = 1 << 20


def keep_freed() -> None:
    """Sets the allocator of this process where it is glibc's; others are left as they are."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        log.debug("no mallopt here: views take longer")
        return
    for option, value in ((TRIM_THRESHOLD, KEPT_BYTES), (MMAP_THRESHOLD, MAPPED_BYTES), (TOP_PAD, PAD_BYTES)):
        mallopt(option, value)
