"""`avf status`: how far a study is, from its files, and from SLURM where there is one."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avfusion.config.study import Study
from avfusion.encoders.cost import duration
from avfusion.io.cells import visible
from avfusion.layout import Layout
from avfusion.planning.absent import absent, needed
from avfusion.planning.items import LOCKING, Item, items
from avfusion.planning.lines import STAGES
from avfusion.planning.plan import Plan
from avfusion.planning.scheduler import Queue, queue
from avfusion.planning.spent import planned_s, speed
from avfusion.runs.files import failure

LOCKS = Path("/proc/locks")
SHOWN, LONGEST = 5, 100
"""Failures that are listed, and characters of a line of a log."""


@dataclass(frozen=True)
class Row:
    """Results of a stage by state; `left` includes what runs, waits or failed.

    `running` includes what may run.
    """

    stage: str
    done: int
    running: int
    queued: int
    failed: int
    left: int


@dataclass(frozen=True)
class Status:
    """How far a study is.

    Parameters
    ----------
    rows
        Stages.
    failures
        Result -> reason.
    unsure
        Result -> last line of its log, of jobs that run or failed since Snakemake was started.
    left_s
        Seconds of one core for what is left; None if a corpus of unknown length has a part in it.
    at_once
        Jobs that run now, at least 1.
    locked
        Whether Snakemake's lock is in this folder.
    queue_fault
        Why squeue did not answer; "" if it did, or if there is no SLURM. Then nothing tells of a
        job without a result whether it runs on another machine, and none is in `failures`.
    absent
        A line per reason why corpora of the study are not here, and are in no row.
    complete
        Whether a corpus is here, and all those without which Snakemake does not start.
    """

    rows: list[Row]
    failures: dict[str, str]
    unsure: dict[str, str]
    left_s: float | None
    at_once: int
    locked: bool
    queue_fault: str
    absent: list[str]
    complete: bool

    def document(self) -> dict[str, Any]:
        """Return the status for `--json`."""
        total = {name: sum(getattr(row, name) for row in self.rows) for name in COUNTS}
        return {**asdict(self), "total": total}

    def text(self) -> list[str]:
        """Return the status as lines of text, which fit on a screen."""
        total = self.document()["total"]
        table = [("stage", *COUNTS)]
        table += [(row.stage, *(getattr(row, name) for name in COUNTS)) for row in self.rows]
        table += [("all", *total.values())]
        lines = [
            f"{stage:<8}" + "".join(f"{value:>9}" for value in counts) for stage, *counts in table
        ]
        listed = [*_first("FAILED", self.failures), *_first("RUNS OR FAILED", self.unsure)]
        lines += ["", *listed] if listed else []
        return [*lines, "", *self._notes(), self._time_left(total["left"])]

    def _notes(self) -> Iterable[str]:
        """Yield what the table does not show."""
        yield from self.absent
        if self.queue_fault and any(row.left for row in self.rows):
            fault = _short(" ".join(self.queue_fault.split()))
            yield (
                f"squeue did not answer: {fault}. So jobs on other machines are not counted, and "
                f"jobs that ended without a result are not listed."
            )

    def _time_left(self, left: int) -> str:
        if not left and not self.complete:
            return "Nothing is left of the corpora that are here."
        if not left:
            return "Everything is there. `snakemake -n all` tells whether anything is out of date."
        lock = "Snakemake runs here, or was killed. " if self.locked else ""
        if self.left_s is None:
            return f"{lock}Time left is not known: a corpus has no known length yet."
        wall = duration(self.left_s / self.at_once)
        jobs = f"{self.at_once} jobs at once" if self.at_once > 1 else "one job at a time"
        return f"{lock}About {duration(self.left_s)} of one core left; {wall} with {jobs}."


COUNTS = ("done", "running", "queued", "failed", "left")


def status(study: Study, layout: Layout, folder: Path) -> Status:
    """Return how far a study is, which Snakemake runs in `folder`."""
    plan = Plan.of(study, layout)
    listed = list(items(study, layout, [*plan.sizes]))
    done = {item.name: item.output.is_file() for item in listed}
    jobs, held = queue(folder), locks()
    running = {item.name: not done[item.name] and _held(item.lock, held) for item in listed}
    fault = jobs.fault if jobs else ""
    turns = _turns(study, listed, running)
    failures = dict(_failures(listed, done, running | dict.fromkeys(turns, True), jobs))
    started_s = _started_s(folder)
    unsure = {
        item.name: failures.pop(item.name).removeprefix("ended: ")
        for item in listed
        if item.name in failures and item.stage not in LOCKING and _since(item.log, started_s)
    }
    running |= dict.fromkeys(unsure, True)
    each_s = planned_s(plan, listed)
    left = [item for item in listed if not done[item.name]]
    known = all(each_s[item.name] is not None for item in left)
    work_s = sum(each_s[item.name] or 0.0 for item in left) * speed(listed, done, each_s, layout)
    rows = [_row(stage, listed, done, running, failures, jobs) for stage in STAGES]
    rows = [row for row in rows if row.done + row.left]
    at_once = max(sum(row.running for row in rows), 1)
    left_s = work_s if known else None
    return Status(
        *(rows, failures, unsure, left_s, at_once, started_s is not None, fault),
        *(absent(study, layout), bool(plan.sizes) and not needed(study, layout)),
    )


def _turns(study: Study, listed: list[Item], running: dict[str, bool]) -> set[str]:
    """Return the runs of jobs that train now: a job trains them one after the other."""
    if study.training_jobs != "fusion":
        return set()
    busy = {item.what for item in listed if item.stage == "train" and running[item.name]}
    return {item.name for item in listed if item.stage == "train" and item.what in busy}


def _started_s(folder: Path) -> float | None:
    """Return when Snakemake locked the folder; None if it has not, so that nothing runs here."""
    locks = [*(folder / ".snakemake/locks").glob("*.lock")]
    return min((path.stat().st_mtime for path in locks), default=None)


def _since(log: Path, started_s: float | None) -> bool:
    """Return whether a log was written since Snakemake was started."""
    return started_s is not None and log.stat().st_mtime >= started_s


def _first(word: str, reasons: dict[str, str]) -> list[str]:
    """Return a line for each of the first results, and one that counts the others."""
    lines = [f"{word}  {name}: {why}" for name, why in [*reasons.items()][:SHOWN]]
    more = len(reasons) - SHOWN
    return lines + ([f"and {more} more: avf status --json"] if more > 0 else [])


def _row(
    stage: str,
    listed: list[Item],
    done: dict[str, bool],
    running: dict[str, bool],
    failures: dict[str, str],
    jobs: Queue | None,
) -> Row:
    mine = [item for item in listed if item.stage == stage]
    ready = sum(done[item.name] for item in mine)
    busy, waiting = sum(running[item.name] for item in mine), 0
    if jobs is not None:
        rules = {item.rule for item in mine}
        busy = max(busy, sum(job.rule in rules for job in jobs.running))
        waiting = sum(job.rule in rules for job in jobs.waiting)
    failed = sum(item.name in failures for item in mine)
    return Row(stage, ready, busy, waiting, failed, len(mine) - ready)


def _failures(
    listed: Iterable[Item], done: dict[str, bool], busy: dict[str, bool], jobs: Queue | None
) -> Iterable[tuple[str, str]]:
    """Yield results that failed: runs that say so, and jobs that ended without their result.

    `busy` are the results whose jobs run.
    """
    active = [] if jobs is None else [*jobs.running, *jobs.waiting]
    answered = jobs is None or not jobs.fault
    for item in listed:
        if done[item.name] and item.stage in ("train", "grid"):
            if reason := failure(item.output.parent):
                yield item.name, _short(reason.removeprefix("failed: "))
            continue
        if not answered or done[item.name] or busy[item.name]:
            continue
        makers = (job for job in active if job.may_make(item.rule, item.what.split()))
        if not any(makers) and (last := _last_line(item.log)):
            yield item.name, f"ended: {_short(last)} ({item.log})"


def _last_line(log: Path) -> str:
    """Return the last line of a log; "" without one."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _short(text: str) -> str:
    line = visible(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def locks() -> set[tuple[int, int, int]]:
    """Return device and inode of the files that are locked on this machine; none is touched."""
    held = set()
    try:
        lines = LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return set()
    for line in lines:
        words = line.split()
        if "FLOCK" in words and "->" not in words:
            major, minor, inode = next(w for w in words if w.count(":") == 2).split(":")
            held.add((int(major, 16), int(minor, 16), int(inode)))
    return held


def _held(lock: Path, held: set[tuple[int, int, int]]) -> bool:
    try:
        file = lock.stat()
    except OSError:
        return False
    return (os.major(file.st_dev), os.minor(file.st_dev), file.st_ino) in held
