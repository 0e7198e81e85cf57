"""Make the sockets of processes in a folder with a short path: the system allows 107 bytes."""

import os
import tempfile
from multiprocessing import util
from threading import Lock

_LONGEST = 70
"""Bytes of a folder in which `multiprocessing` can make sockets; macOS allows 104 in all."""

_SHORT = ("/tmp", "/var/tmp", "/dev/shm")


_lock = Lock()


def use_short_sockets() -> None:
    """Let this process make its sockets below /tmp if the path of TMPDIR is too long for them.

    The folder is this user's only. It is removed when the process ends.
    """
    if len(os.fsencode(tempfile.gettempdir())) <= _LONGEST:
        return
    with _lock:
        before = tempfile.tempdir
        usable = (folder for folder in _SHORT if os.access(folder, os.W_OK | os.X_OK))
        tempfile.tempdir = next(usable, before)
        try:
            util.get_temp_dir()  # made once for the process, and kept
        finally:
            tempfile.tempdir = before
