"""Short lists of names and faults for the results of checks."""

from collections.abc import Iterable


def listed(names: Iterable[object], most: int = 5, separator: str = ", ") -> str:
    """Return the first few names, and the number of the others."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more


def stated(faults: list[str], count: int) -> str:
    """Return the first few faults; if there are none, how many of `count` items are fine."""
    return listed(faults, separator="; ") or (f"{count} fine" if count else "none")
