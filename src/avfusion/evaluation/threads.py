"""Threads for work on large arrays, during which NumPy and SciPy release the interpreter's lock."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 4
"""Most threads of a process: tables may be written on the login node of a cluster."""

AHEAD = 8
"""Results per thread that are computed before they are taken: draws of many fill the memory."""


def count() -> int:
    """Return how many threads, or processes, a report uses."""
    return min(MOST, len(os.sched_getaffinity(0)))


def each(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield the result for each item, in their order; equal to `map`.

    Examples
    --------
    >>> list(each(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    threads = min(count(), len(items))
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(items), AHEAD * threads):
            yield from pool.map(work, items[start : start + AHEAD * threads])
