"""The C library's memory allocator, held to one behaviour.

glibc gives large blocks back to the system when they are freed, and stops doing so above a
threshold that it moves by what the process has freed before. Two processes that run the same model
can so end on different sides of it for good: one fetches the memory of each forward pass anew, page
by page, the other does not. That alone makes up to a quarter of the latency of a small model.
"""

from __future__ import annotations

import ctypes

# Of mallopt(3); its arguments are ints.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
NEVER = -1  # as a threshold: freed memory at the heap's end is not given back
LARGEST_MMAP_THRESHOLD_BYTES = 32 * 2**20  # that glibc takes on 64 bits


def keep_freed_memory() -> bool:
    """Lets this process keep what it frees, blocks above 32 MiB apart; tells whether it could."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library has no such function
        return False
    return bool(
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD_BYTES) and mallopt(TRIM_THRESHOLD, NEVER)
    )
