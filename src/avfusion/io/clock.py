"""Files dated after now, as a clock that jumped leaves them; Snakemake takes dates for order."""

import os
import time
from pathlib import Path

SLACK_S = 120.0
"""The clocks of one cluster's nodes differ by less."""


REDATE = "find {} -newermt '2 minutes' -exec touch {{}} +"


def dated_ahead(folder: Path, limit_s: float = 10.0) -> Path | None:
    """A file below `folder` that is dated after now, or None; it looks for `limit_s` seconds."""
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
    """What to do about files dated after now; empty where there are none."""
    path = dated_ahead(folder)
    if path is None:
        return ""
    days = (path.lstat().st_mtime - time.time()) / 86400
    return (
        f"{path} and perhaps others are dated after now, by {days:.1f} days: the clock has jumped. "
        f"Snakemake refuses a job whose input is dated after its output. Set the clock right, then "
        f"`{REDATE.format(folder)}` and the same command again."
    )
