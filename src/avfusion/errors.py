"""Errors a person can act on: each names the thing, what was found, and the next command."""

import errno

PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class AvfError(Exception):
    """Base of every expected failure; `avf` prints its text alone, without a traceback."""


class ConfigError(AvfError):
    """A setting is unknown, misspelt or out of range."""


class CorpusError(AvfError):
    """A corpus tree does not hold what its form promises."""


class MediaError(AvfError):
    """One video cannot be read; the study goes on without it and counts it as missing."""


class TrainError(AvfError):
    """A fit cannot start or go on (no rated windows, foreign state file)."""


class RunError(TrainError):
    """One run failed for reasons of its own (diverged); it is a row of the tables, not a hole."""

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name}: {reason} {remedy}")
        self.reason, self.remedy = reason, remedy


class DamagedError(TrainError):
    """A file is not as it was written: cut, flipped or edited; what made it can make it again."""


def of_place(error: BaseException) -> bool:
    """Whether it is the disk's fault (full, read-only), so that no video is to blame."""
    return isinstance(error, OSError) and error.errno in PLACE
