"""Records of finished jobs: what each was made from, so that a copied study is recognised.

Snakemake compares dates, and keeps its own records in `.snakemake`. A copy, a transfer or another
branch changes both. These records, results/settings/jobs.json, hold contents instead of dates.
"""

import hashlib
import json
import logging
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from avfusion.encoders.named_files import digests
from avfusion.errors import DamagedError
from avfusion.io.atomic import locked, write_text
from avfusion.io.stamped import digest, read_sealed, write_sealed
from avfusion.layout import Layout

log = logging.getLogger(__name__)

OF_MACHINE = "mlflow.*.json"
"""Files that say what the MLflow store of a machine holds; only whether they exist counts."""

KEPT = 8
"""Records kept per output, the newest: of branches that a folder is switched between."""


@dataclass(frozen=True)
class Job:
    """A job as Snakemake plans it.

    Attributes
    ----------
    rule
        Name of its rule.
    command
        The command before names are filled in.
    params
        Name -> value: its file of settings, the fingerprint of its code, and others.
    inputs, outputs
        Paths as in the rules. Inputs whose date does not count are left out.
    order
        Inputs whose date does not count: their jobs run earlier, and their content is not compared.
    """

    rule: str
    command: str
    params: dict[str, str]
    inputs: list[str]
    outputs: list[str]
    order: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Record:
    """What a finished job was: its outputs and inputs with their digests."""

    rule: str
    command: str
    params: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, str]


class Contents:
    """Digests of files and folders; each is read once."""

    def __init__(self, layout: Layout) -> None:
        self.cache = layout.results / "settings" / "digests.json"
        self.known: dict[str, str | None] = {}

    def read(self, paths: Iterable[str]) -> None:
        """Read files together, which is faster than one by one."""
        new = [path for path in dict.fromkeys(paths) if path not in self.known]
        for path in [path for path in new if Path(path).match(OF_MACHINE)]:
            self.known[path] = OF_MACHINE if Path(path).is_file() else None
            new.remove(path)
        inside = {path: _files(Path(path)) for path in new}
        read = digests([file for files in inside.values() for file in files], self.cache)
        for path, files in inside.items():
            listed = [(str(file.relative_to(path)), read[file]) for file in files]
            self.known[path] = digest(listed) if listed else None

    def of(self, path: str) -> str | None:
        """Return the digest of a file or folder; None if it is missing or empty."""
        if path not in self.known:
            self.read([path])
        return self.known[path]


def add(jobs: list[Job], layout: Layout) -> int:
    """Record finished jobs whose files are all there; return the number of new records.

    A job is left out if an input is newer than its outputs: it may have changed since. Damaged
    records are kept as jobs.damaged.json.

    Raises
    ------
    AvfError
        If another process is writing the records.
    """
    settled = [job for job in jobs if _settled(job)]
    if not settled:
        return 0
    with locked(layout.jobs.parent, layout.jobs.stem):
        return _add(settled, layout)


def _add(settled: list[Job], layout: Layout) -> int:
    """Add the records of jobs whose files are all there; return their number."""
    try:
        kept = read(layout)
    except DamagedError as error:
        aside = layout.jobs.with_suffix(".damaged.json")
        layout.jobs.replace(aside)
        log.warning("%s It is kept as %s, and new records begin.", error, aside)
        kept = []
    contents = Contents(layout)
    contents.read(path for job in settled for path in (*job.inputs, *job.outputs))
    known = {digest(asdict(record)) for record in kept}
    made = [_record(job, contents) for job in settled]
    new = [record for record in made if digest(asdict(record)) not in known]
    if new:
        records = [asdict(record) for record in _newest([*kept, *new])]
        write_sealed(layout.jobs, {"jobs": records})
    return len(new)


def read(layout: Layout) -> list[Record]:
    """Return the records, oldest first; none if no study has written any.

    Raises
    ------
    DamagedError
        If the file is damaged, or was edited.
    """
    path = layout.jobs
    if not path.is_file():
        return []
    remove = f"rm {shlex.quote(str(path))}"
    remedy = f"Without it, no file can be taken over: `{remove}`, then `snakemake all`."
    return [Record(**record) for record in read_sealed(path, remedy)["jobs"]]


def shown(value: Any) -> str:
    """Return a parameter as text; a long one as its digest.

    >>> shown(["a", "b"])
    "['a', 'b']"
    """
    text = str(value)
    return text if len(text) <= 200 else hashlib.sha256(text.encode()).hexdigest()


def without_root(path: str) -> str:
    """Return the path of a file of settings as if they did not say where the corpus lies.

    The path has a digest of the settings. A study that is sent to a machine with the corpus in
    another folder keeps its records. The settings are written there, so that a difference can be
    named.
    """
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    parts = [document]
    for inner in (document.get("encoders") or [], document.get("corpora") or {}):
        parts += inner.values() if isinstance(inner, dict) else inner
    stating = [p for p in parts if isinstance(p, dict) and isinstance(p.get("root"), str)]
    if not stating:
        return path
    for part in stating:
        del part["root"]
    text = json.dumps(document, indent=2) + "\n"
    names = Path(path).name.rsplit(".", 2)[0]
    digest_of = hashlib.sha256(text.encode()).hexdigest()[:8]
    other = Path(path).parent / "recorded" / f"{names}.{digest_of}.json"
    if not other.is_file():
        write_text(other, text)
    return str(other)


def _record(job: Job, contents: Contents) -> Record:
    inputs, outputs = (
        {path: contents.of(path) or "" for path in paths} for paths in (job.inputs, job.outputs)
    )
    return Record(job.rule, job.command, job.params, inputs, outputs)


def _newest(records: list[Record]) -> list[Record]:
    """Return the newest records of each set of outputs, in their order."""
    count: dict[str, int] = {}
    newest = []
    for record in reversed(records):
        first = next(iter(record.outputs))
        count[first] = count.get(first, 0) + 1
        newest += [record] if count[first] <= KEPT else []
    return newest[::-1]


def _settled(job: Job) -> bool:
    paths = [Path(path) for path in (*job.inputs, *job.outputs)]
    if not job.outputs or not all(path.exists() for path in paths):
        return False
    made = min(Path(path).stat().st_mtime_ns for path in job.outputs)
    files = [path for path in map(Path, job.inputs) if path.is_file()]
    return all(path.stat().st_mtime_ns <= made for path in files)


def _files(path: Path) -> list[Path]:
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in inside if file.is_file()]
