"""Jobs of this folder that SLURM knows, if this is a cluster."""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PREFIX = "avf_"
"""Begin of the names of the jobs that the SLURM profile submits."""
LIMIT_S = 10
ENDINGS = re.compile(r"(s|_classes|_verification|_fits|_part)$")
"""What names of rules of one kind differ by."""


class Queue(NamedTuple):
    """Rule -> number of jobs that run, and that wait; `fault` is why squeue did not answer."""

    running: Counter[str]
    waiting: Counter[str]
    fault: str = ""


def queue(folder: Path) -> Queue | None:
    """Return the jobs that were submitted from a folder; None if there is no SLURM.

    A squeue that does not answer gives no jobs, and the reason.
    """
    if not shutil.which("squeue"):
        return None
    words = ["squeue", "--me", "--array", "-h", "-o", "%T|%j|%Z|%k"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except subprocess.TimeoutExpired:
        return Queue(Counter(), Counter(), f"it took more than {LIMIT_S} s")
    except subprocess.CalledProcessError as error:
        fault = error.stderr.strip() or f"exit status {error.returncode}"
        return Queue(Counter(), Counter(), fault)
    except OSError as error:
        return Queue(Counter(), Counter(), str(error))
    return read(done.stdout, folder)


def read(squeue: str, folder: Path) -> Queue:
    """Read `squeue -h -o "%T|%j|%Z|%k"`: state, name, folder and comment of each job.

    >>> line = "RUNNING|avf_1f|/home/me|rule_train_classes_wildcards_demo_ca"
    >>> read(line, Path("/home/me"))
    Queue(running=Counter({'train': 1}), waiting=Counter(), fault='')
    """
    here, jobs = os.path.realpath(folder), Queue(Counter(), Counter())
    for line in squeue.splitlines():
        state, name, place, comment = [*line.split("|", 3), "", "", ""][:4]
        if not name.startswith(PREFIX) or os.path.realpath(place) != here:
            continue
        rule = comment.removeprefix("rule_").partition("_wildcards_")[0]
        (jobs.running if state in ("RUNNING", "COMPLETING") else jobs.waiting)[plain(rule)] += 1
    return jobs


def plain(rule: str) -> str:
    """Return the rule that another one was made of.

    >>> plain("fit_encoders"), plain("encode_fits"), plain("tables")
    ('fit_encoder', 'encode', 'tables')
    """
    return rule if rule in ("tables", "figures") else ENDINGS.sub("", rule)
