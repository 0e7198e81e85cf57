"""Open a partial download, whose name is fixed so that the next call can resume it."""

import os
import stat
from pathlib import Path
from typing import IO

from avfusion.corpora.obtain.remote import DownloadError


def open_part(path: Path, append: bool = False) -> IO[bytes]:
    """Open a `.part` file to write; it is emptied unless `append` is true.

    Anybody can guess its name. In a folder that several users may write, it could be a link to a
    file of this user, or a file in which somebody else can change what was checked.

    Raises
    ------
    DownloadError
        If it is a link, or not a file of this user with one name.
    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if path.is_symlink() or isinstance(error, PermissionError):
            raise _refusal(path) from None
        raise
    state = os.fstat(number)
    if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_nlink != 1:
        os.close(number)
        raise _refusal(path)
    if not append:
        os.ftruncate(number, 0)
    os.lseek(number, 0, os.SEEK_END)
    return open(number, "rb+")


def _refusal(path: Path) -> DownloadError:
    return DownloadError(
        f"{path}: not a partial download of this user, but a link or a file of somebody else. "
        f"Remove it, or choose another `root`; then run the same command again."
    )
