"""Find files dated in the future, after a jump of the clock; Snakemake orders jobs by dates."""

import os
import time
from pathlib import Path

SLACK_S = 120.0
"""Tolerance for differences between the clocks of a cluster."""


REDATE = "find {} -newermt '2 minutes' -exec touch {{}} +"


def dated_ahead(folder: Path, limit_s: float = 10.0) -> Path | None:
    """Return a file below `folder` that is dated in the future, or None; search for `limit_s`."""
    until = time.monotonic() + limit_s
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            if path.lstat().st_mtime > time.time() + SLACK_S:
                return path
            if time.monotonic() > until:
                return None
    return None


def explained(folder: Path) -> str:
    """Return a message about files dated in the future; empty if there are none."""
    path = dated_ahead(folder)
    if path is None:
        return ""
    days = (path.lstat().st_mtime - time.time()) / 86400
    return (
        f"{path} and perhaps others are dated after now, by {days:.1f} days: the clock has jumped. "
        f"Snakemake refuses a job whose input is dated after its output. Set the clock right, then "
        f"`{REDATE.format(folder)}` and the same command again."
    )
