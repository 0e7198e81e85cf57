"""Expected failures; each message says what happened, where, and the command to run next."""

import errno

PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors of a full or read-only disk."""


class AvfError(Exception):
    """Base of all expected failures; `avf` prints the message without a traceback."""


class ConfigError(AvfError):
    """A setting is unknown, misspelt or out of range."""


class CorpusError(AvfError):
    """A corpus folder does not hold the files that its format requires."""


class MediaError(AvfError):
    """A video cannot be read; the study continues without it and counts it as missing."""


class NotVideoError(MediaError):
    """A file is no video: a table, an array, an archive, a still picture or sound only."""


class TrainError(AvfError):
    """Training cannot start or continue (no rated windows, state file of another run)."""


class RunError(TrainError):
    """One run failed (training diverged); tables list it as failed instead of leaving it out.

    Parameters
    ----------
    name
        What failed.
    reason, remedy
        Why, and what to do; a sentence each.
    """

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name}: {reason} {remedy}")
        self.reason, self.remedy = reason, remedy


class DamagedError(TrainError):
    """A file was truncated, corrupted or edited since it was written, and must be made again."""


class BundleError(AvfError):
    """A bundle is missing, changed or cannot be made."""


def of_place(error: BaseException) -> bool:
    """Return whether an error comes from a full or read-only disk and not from a video."""
    return isinstance(error, OSError) and error.errno in PLACE
