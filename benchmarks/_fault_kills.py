"""Kill a study at random moments: all of it, its head, or one process of a job."""

import contextlib
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from _fault_place import Place, commands, kill, processes, said

GROUP, HEAD, ONE = "the whole process group", "the head alone", "one process of a job"
VICTIMS = (GROUP, HEAD, ONE, ONE)
REFUSED = 40
"""Calls that may end with an error before the case is given up."""


class Hit(NamedTuple):
    """One kill: seconds after the start of the head, victim, its command, and what was at work."""

    at_s: float
    victim: str
    command: str
    work: tuple[str, ...]

    def __str__(self) -> str:
        work = " and ".join(self.work) or "no job"
        return f"{self.at_s:6.1f} s  {work}: {self.victim}: {self.command}"


def killed(place: Place, kills: int = 20, seed: int = 1) -> dict[str, str]:
    """Send SIGKILL at moments spread over a first run, and give the same command until it is done.

    A study that is through is compared, removed and begun from nothing. After a kill of the head
    its jobs go on without it while the next head starts. A study whose tables differ is kept, and
    ends the case.
    """
    draw, hits, passes, refused = random.Random(seed), [], 0, 0
    place.undo()
    while refused <= REFUSED:
        place.unlock()
        job, at_s = place.head(log=place.folder / "head.log"), draw.uniform(2, place.cold_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.wait(at_s if len(hits) < kills else None)
        if job.poll() is None:
            hits.append(_strike(job, at_s, draw))
            print(f"{len(hits):2d}  {hits[-1]}", flush=True)
        elif job.returncode == 0:
            passes += 1
            print("    done", flush=True)
            if place.tables() != place.expected or len(hits) == kills:
                break
            place.undo()
        else:
            refused += 1
            told = said((place.folder / "head.log").read_text())
            print(f"    exit code {job.returncode}: {told}", flush=True)
    return _row(place, hits, passes, refused)


def _row(place: Place, hits: list[Hit], passes: int, refused: int) -> dict[str, str]:
    moments = [hit.at_s for hit in hits]
    victims = Counter(hit.victim for hit in hits)
    work = Counter(name for hit in hits for name in hit.work or ("no job",))
    named = ", ".join(f"{name} {count}" for name, count in work.most_common())
    whom = ", ".join(f"{name} {victims[name]}" for name in (GROUP, HEAD, ONE))
    files = len(place.expected)
    return {"done": f"kill -9 at {len(hits)} random moments, {min(moments):.0f} to "
            f"{max(moments):.0f} s after a start: {whom}. Undisturbed, the study takes "
            f"{place.cold_s:.0f} s; it was begun from nothing {passes} times",
            "seen": f"at work: {named}", "ended": f"`snakemake --unlock` and the same "
            f"command, which ended with an error {refused} more times. {files} tables are compared "
            f"after each of the {passes} studies", "found": str(place.tables() == place.expected),
            }  # fmt: skip


def _strike(job: subprocess.Popen[str], at_s: float, draw: random.Random) -> Hit:
    """Kill the head, a process of its jobs, or all, and wait until the head has ended."""
    running = processes(job)
    work = tuple(sorted(set(commands(job))))
    jobs = [pid for pid in running if pid != job.pid]
    victim = draw.choice(VICTIMS)
    if victim == ONE and not jobs:
        victim = HEAD
    chosen = draw.choice(jobs) if victim == ONE else job.pid
    command = _short(running.get(chosen, []))
    if victim == GROUP:
        kill(job)
    else:
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(chosen, signal.SIGKILL)
        job.wait()
    return Hit(at_s, victim, command, work)


def _short(words: list[str]) -> str:
    """Return a command in few words: what it runs, without its options."""
    if len(words) > 1 and words[1] == "-c" and "avf " in words[2]:
        return "shell of avf " + words[2].partition("avf ")[2].split(" --")[0]
    names = [Path(word).name if "/" in word else word for word in words]
    return " ".join(names)[:70]
