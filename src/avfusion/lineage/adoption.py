"""Decide which files of a copied study are those that the planned jobs would make."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avfusion.io.nested import flat
from avfusion.layout import Layout
from avfusion.lineage.jobs import Contents, Job, Record

MATCHES, ABSENT, STALE = "matches", "absent", "stale"


@dataclass(frozen=True)
class Verdict:
    """Whether the outputs of a planned job match, are absent or are stale, and why."""

    job: Job
    state: str
    reason: str = ""


def judge(jobs: list[Job], records: list[Record], layout: Layout) -> list[Verdict]:
    """Compare the outputs of planned jobs with the records of finished ones.

    The outputs of a job match if a record names the same rule, command and params, if its inputs
    are as they were then, and if the outputs are too. Outputs that are absent do not make later
    files stale: what these were made from is in the records.

    Parameters
    ----------
    jobs
        The plan, each job after those that it depends on.
    records
        Records of finished jobs, oldest first.
    layout
        Paths of the results.

    Returns
    -------
    list of Verdict
        One per job.
    """
    judged = _Judged({path: job for job in jobs for path in job.outputs}, Contents(layout))
    judged.contents.read(path for job in jobs for path in (*job.inputs, *job.outputs))
    kept: dict[str, list[Record]] = {}
    for record in records:
        for path in record.outputs:
            kept.setdefault(path, []).insert(0, record)
    return [judged.add(job, kept.get(job.outputs[0], [])) for job in jobs]


def to_force(verdicts: list[Verdict]) -> list[str]:
    """Return an output of each stale job that follows from no stale job; the others follow."""
    stale = [verdict.job for verdict in verdicts if verdict.state == STALE]
    made = {path for job in stale for path in job.outputs}
    return [job.outputs[0] for job in stale if not made.intersection(job.inputs)]


class _Judged:
    """The verdicts so far, and the digests of outputs, also of those that are absent."""

    def __init__(self, makers: Mapping[str, Job], contents: Contents) -> None:
        self.makers, self.contents = makers, contents
        self.states: dict[str, str] = {}  # output -> state of its job
        self.recorded: dict[str, str] = {}  # absent output -> digest that it had

    def add(self, job: Job, records: list[Record]) -> Verdict:
        """Judge a job from the records of its first output, newest first."""
        verdict = self._verdict(job, records)
        self.states |= dict.fromkeys(job.outputs, verdict.state)
        return verdict

    def _verdict(self, job: Job, records: list[Record]) -> Verdict:
        there = [path for path in job.outputs if self.contents.of(path)]
        missing = [path for path in job.outputs if path not in there]
        if not records:
            return Verdict(job, STALE if there else ABSENT, "no record of how it was made")
        for path in job.inputs:
            if self.states.get(path) == STALE:
                return Verdict(job, STALE, f"follows from {path}, which is stale")
        reasons = []
        for record in records:
            reason = self._differs(job, record, there)
            if not reason and missing:
                self.recorded |= {path: record.outputs[path] for path in missing}
                return Verdict(job, STALE if there else ABSENT, f"missing: {', '.join(missing)}")
            if not reason:
                return Verdict(job, MATCHES)
            reasons.append(reason)
        return Verdict(job, STALE, reasons[0])

    def _differs(self, job: Job, record: Record, there: list[str]) -> str:
        """Return in what a record differs from the job and its files; "" if in nothing."""
        if sorted(record.outputs) != sorted(job.outputs):
            return "made by a job with other outputs"
        if (record.rule, record.command) != (job.rule, job.command):
            return "made by another command"
        if record.params != job.params:
            return _other_params(record.params, job.params)
        if sorted(record.inputs) != sorted(job.inputs):
            return "made from other inputs"
        for path, expected in record.inputs.items():
            if (self.contents.of(path) or self.recorded.get(path)) != expected:
                if not self.contents.of(path) and not self.recorded.get(path):
                    return f"its input {path} is gone, and no record tells what it was"
                absent = " is gone, and" if not self.contents.of(path) else ""
                return f"its input {path}{absent} is another one than it was made from"
        for path in there:
            if self.contents.of(path) != record.outputs[path]:
                return f"{path} was changed after it was made, or belongs to other settings"
        return ""


def _other_params(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return which settings or code differ, from the files of settings if both are there."""
    names = [name for name in now if before.get(name) != now[name]]
    if "settings" in names and (keys := _other_settings(before.get("settings"), now["settings"])):
        return f"made with other settings: {', '.join(keys)}"
    words = {"settings": "settings", "code": "code", "weights": "weights", "assets": "data files"}
    return f"made with other {' and '.join(words.get(name, name) for name in names) or 'params'}"


def _other_settings(before: str | None, now: str) -> list[str]:
    """Return the names of settings that differ between two files of settings."""
    paths = [Path(path) for path in (before, now) if path]
    if not all(path.is_file() for path in paths) or len(paths) < 2:
        return []
    first, second = (flat(json.loads(path.read_text(encoding="utf-8"))) for path in paths)
    return sorted(name for name in first | second if first.get(name) != second.get(name))[:5]
