"""How the C library hands out large blocks.

Bodies and chunks have a quarter of a megabyte: by default glibc maps such a block afresh from the kernel for each use,
which then pays a page fault for every 4 KiB of it (240 instead of 20 us for a body of 250 kB). Blocks that stay in the
heap are reused; one arena for all sender threads keeps the heap small.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
IN_HEAP_BYTES = 4 << 20  # blocks up to here come from the heap
KEPT_BYTES = 16 << 20  # free heap above this goes back to the kernel


def reuse_large_blocks() -> bool:
    """Call once, before threads; False where the C library is not glibc and nothing was changed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((M_MMAP_THRESHOLD, IN_HEAP_BYTES), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_ARENA_MAX, 1))
    return all(mallopt(name, value) == 1 for name, value in settings)
