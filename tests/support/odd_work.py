"""Work for a `Reader` that asks for more than it may have."""

import os
import time


def hoard(pipe):
    """Ask for 2 GB."""
    try:
        return {"meta": {"bytes": len(bytes(2 << 30))}}
    except MemoryError:
        return {"reason": "no memory"}


def fill(pipe, path):
    """Write 3 MB."""
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(3):
                file.write(bytes(1 << 20))
    except OSError as error:
        return {"reason": error.strerror}
    return {"meta": {}}


def wait(pipe):
    """Tell the process and wait."""
    pipe.send({"at": (os.getpid(), 0)})
    time.sleep(60)
    return {}
