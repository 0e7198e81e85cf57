"""Names of folders and files that a killed process left."""

import os

from avfusion.io.halves import half_name


def left_half(name: str, suffix: str = "") -> str:
    """Return the name under which a process of this machine that no longer runs wrote `name`."""
    return half_name(name, suffix).replace(f".half{os.getpid()}-", ".half999999999-")
