"""Jobs of this folder that SLURM knows, if this is a cluster."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PREFIX = "avf_"
"""Begin of the names of the jobs that the SLURM profile submits."""
LIMIT_S = 10
ENDINGS = re.compile(r"(s|_classes|_verification|_fits|_part)$")
"""What names of rules of one kind differ by."""


class Job(NamedTuple):
    """Rule of a job, and its wildcards joined by `_`; None if it is a task of an array.

    The comment of an array has the wildcards of its first task.
    """

    rule: str
    wildcards: str | None

    def may_make(self, rule: str, words: Iterable[str]) -> bool:
        """Return whether its result may be of these words, such as corpus and fusion.

        An encoder also matches its fits, such as `mel_cnn-fit3`.

        >>> job = Job("train", "demo_ca")
        >>> job.may_make("train", ["demo", "ca"]), job.may_make("train", ["demo", "jca"])
        (True, False)
        >>> Job("encode", "demo_mel_cnn-fit3_0_2").may_make("encode", ["demo", "mel_cnn"])
        True
        """
        inside = f"_{self.wildcards}_".replace("-", "_")
        parts = (f"_{word}_".replace("-", "_") for word in words)
        alike = self.wildcards is None or all(part in inside for part in parts)
        return self.rule == rule and alike


class Queue(NamedTuple):
    """Jobs that run, and that wait; `fault` is why squeue did not answer."""

    running: list[Job]
    waiting: list[Job]
    fault: str = ""


def queue(folder: Path) -> Queue | None:
    """Return the jobs that were submitted from a folder; None if there is no SLURM.

    A squeue that does not answer gives no jobs, and the reason.
    """
    if not shutil.which("squeue"):
        return None
    words = ["squeue", "--me", "--array", "-h", "-o", "%T|%j|%Z|%K|%k"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except subprocess.TimeoutExpired:
        return Queue([], [], f"it took more than {LIMIT_S} s")
    except subprocess.CalledProcessError as error:
        fault = error.stderr.strip() or f"exit status {error.returncode}"
        return Queue([], [], fault)
    except OSError as error:
        return Queue([], [], str(error))
    return read(done.stdout, folder)


def read(squeue: str, folder: Path) -> Queue:
    """Read `squeue -h -o "%T|%j|%Z|%K|%k"`: state, name, folder, number in an array, comment.

    >>> line = "RUNNING|avf_1f|/home/me|N/A|rule_train_classes_wildcards_demo_ca"
    >>> read(line, Path("/home/me")).running
    [Job(rule='train', wildcards='demo_ca')]
    """
    here, jobs = os.path.realpath(folder), Queue([], [])
    for line in squeue.splitlines():
        state, name, place, task, comment = [*line.split("|", 4), "", "", "", ""][:5]
        if not name.startswith(PREFIX) or os.path.realpath(place) != here:
            continue
        rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
        job = Job(plain(rule), None if task.isdigit() else wildcards)
        (jobs.running if state in ("RUNNING", "COMPLETING") else jobs.waiting).append(job)
    return jobs


def plain(rule: str) -> str:
    """Return the rule that another one was made of.

    >>> plain("fit_encoders"), plain("encode_fits"), plain("tables")
    ('fit_encoder', 'encode', 'tables')
    """
    return rule if rule in ("tables", "figures", "make_corpus") else ENDINGS.sub("", rule)
