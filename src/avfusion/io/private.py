"""Permissions of what shows people: faces, sound and features are for their owner only."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from avfusion.errors import ConfigError

VARIABLE = "AVF_UMASK"
"""Environment variable with another umask, such as 027 for a group that may read."""

OWNER_ONLY = 0o077


@contextmanager
def private() -> Iterator[None]:
    """Let what the block writes be read by this user only, or as `AVF_UMASK` says.

    Raises
    ------
    ConfigError
        If `AVF_UMASK` is not an octal number from 000 to 777.
    """
    before = os.umask(_chosen())
    try:
        yield
    finally:
        os.umask(before)


def current_umask() -> int:
    """Return the umask of this process."""
    mask = os.umask(OWNER_ONLY)
    os.umask(mask)
    return mask


def private_folder(path: Path) -> None:
    """Make a folder with the permissions of `private`, or give them to one of this user's.

    Users that the umask leaves nothing get nothing. The others keep what they have, which may be
    more than the umask leaves, and so do setgid and sticky bits.
    """
    path.mkdir(parents=True, exist_ok=True)
    state, mask = path.stat(), _chosen()
    if state.st_uid != os.getuid():
        return
    mode = stat.S_IMODE(state.st_mode)
    wanted = mode | 0o777 & ~mask
    for everyone in (0o070, 0o007):
        if mask & everyone == everyone:
            wanted &= ~everyone
    if wanted != mode:
        with suppress(OSError):  # a file system without permissions, such as vfat
            path.chmod(wanted)


def _chosen() -> int:
    text = os.environ.get(VARIABLE, "")
    try:
        mask = int(text, 8) if text else OWNER_ONLY
    except ValueError:
        mask = -1
    if not 0 <= mask <= 0o777:
        raise ConfigError(f"{VARIABLE}={text}: expected an octal number such as 077 or 027.")
    return mask
