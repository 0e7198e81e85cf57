"""Time a peer's work in its own process and print the result as one line of JSON."""

import json
import sys
import time
from collections.abc import Callable


def timed(work: Callable[[], object]) -> float:
    """Return the processor seconds of one call, of all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def report(took: list[float], **more: object) -> None:
    """Print the processor seconds of each round, and what was found."""
    sys.stdout.write(json.dumps({"processor_s": took, **more}) + "\n")
