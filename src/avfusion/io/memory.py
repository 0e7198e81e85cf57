"""Keep freed memory in the process, so that the next tensor does not need new pages."""

import os
import sys

_TRIM, _TOP_PAD, _MMAP = -1, -2, -3
"""Numbers of mallopt(3): M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD."""

KEPT = {_MMAP: 32 << 20, _TRIM: 1 << 30, _TOP_PAD: 16 << 20}
"""Bytes: larger blocks are mapped singly (the most that glibc allows); free memory at the end of
the heap that is kept; what the heap grows by in addition."""


def keep_freed() -> bool:
    """Let glibc keep memory that is freed, up to 1 GB; return whether it does.

    By default it returns large blocks to the system. A step of training frees and allocates some
    hundred MB, and the system clears each page again when it is used.
    Other C libraries are left as they are, and so are settings of the user in the environment.
    """
    stated = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if sys.platform != "linux" or stated:
        return False
    import ctypes

    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return all([library.mallopt(number, size) for number, size in KEPT.items()])
