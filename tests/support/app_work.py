"""Work for the processes of the app, which import it by its name."""

import os
import signal
import subprocess
import sys
import tempfile
import time

from avfusion.errors import MediaError
from avfusion.media.isolate import Reader
from support import odd_work


def working():
    """Work of a process: an echo, an error, a crash, or a long wait."""

    def work(job, report):
        report("reading", 0.5)
        if job == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if job == "bad":
            raise MediaError("a.mp4: bad.")
        if job == "odd":
            raise ValueError("odd")
        if job == "child":
            return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
        if job == "reader":
            with Reader(preload=("support.odd_work",)) as reader:
                return reader.attempt(odd_work.fill, (os.devnull,), 60), tempfile.gettempdir()
        if job == "long":
            time.sleep(600)
        return job, os.getpid()

    return work
