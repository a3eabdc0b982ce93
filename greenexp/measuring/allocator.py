"""The C library's memory allocator, held to one behaviour.

glibc gives large blocks back to the system when they are freed, and stops doing so above a
threshold that it moves by what the process has freed before. Two processes that run the same model
can so end on different sides of it for good: one fetches the memory of each forward pass anew, page
by page, the other does not. That alone makes up to a quarter of the latency of a small model.

Small pages lie anywhere in the machine's memory, which decides what of them the caches can hold
together. In huge pages a process has the same layout as its peers.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

TUNABLES = "GLIBC_TUNABLES"  # read when a program starts
HUGE_PAGES = "glibc.malloc.hugetlb=1"  # asks for them where the kernel gives them to who asks

# Of mallopt(3); its arguments are ints.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
NEVER = -1  # as a threshold: freed memory at the heap's end is not given back
LARGEST_MMAP_THRESHOLD_BYTES = 32 * 2**20  # that glibc takes on 64 bits


@contextlib.contextmanager
def huge_pages() -> Iterator[None]:
    """Lets programs that are started meanwhile ask for huge pages; tunables of the user's stay."""
    if TUNABLES in os.environ:
        yield
        return
    os.environ[TUNABLES] = HUGE_PAGES
    try:
        yield
    finally:
        del os.environ[TUNABLES]


def keep_freed_memory() -> bool:
    """Lets this process keep what it frees, blocks above 32 MiB apart; tells whether it could."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library has no such function
        return False
    return bool(
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD_BYTES) and mallopt(TRIM_THRESHOLD, NEVER)
    )
