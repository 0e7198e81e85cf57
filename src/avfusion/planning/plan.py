"""`avf plan`: what a study will take, per stage, before anything runs."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from avfusion.config.study import Study
from avfusion.config.widths import width
from avfusion.encoders.cost import duration
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.planning import rates
from avfusion.planning.absent import absent
from avfusion.planning.lines import GB, STAGES, Line, Planner, Sizes, here
from avfusion.planning.requests import SAFETY, request
from avfusion.planning.sizes import Size, size_of

HOUR_S = 3600.0
HEAD: tuple[str, ...] = ("stage", "of", "jobs", "core hours", "GPU hours", "memory", "disk")


@dataclass(frozen=True)
class Total:
    """Jobs of a stage together; `core_h` is None if a corpus of unknown size has a part in it."""

    stage: str
    what: str
    jobs: int
    core_h: float | None
    gpu_h: float | None
    memory_mb: float
    disk_gb: float


@dataclass(frozen=True)
class Plan:
    """What a study takes.

    Parameters
    ----------
    lines
        Its jobs.
    sizes
        Corpus -> what it holds.
    notes
        What the reader must know: corpora that are not here, stand-ins, widths and lengths that
        are not known.
    """

    lines: list[Line]
    sizes: dict[str, Size]
    notes: list[str]

    @classmethod
    def of(cls, study: Study, layout: Layout, assumed: Sizes | None = None) -> "Plan":
        """Plan a fresh study of the corpora that are here, or that `assumed` gives a size."""
        given = assumed or {}
        sizes = {
            name: given.get(name) or size_of(study, name, layout)
            for name in here(study, layout, given)
        }
        lines = list(Planner(study, layout, sizes).lines())
        away = absent(study, layout, given)
        hint = ["To plan a corpus that is not here: --assume NAME=VIDEOS:HOURS"] if away else []
        return cls(lines, sizes, [*away, *hint, *_notes(study, lines, sizes)])

    @property
    def totals(self) -> list[Total]:
        """A row per stage; fits, features and training by encoder and fusion."""
        keys = dict.fromkeys((line.stage, _group(line)) for line in self.lines)
        ordered = sorted(keys, key=lambda key: STAGES.index(key[0]))
        return [
            total(*key, [x for x in self.lines if (x.stage, _group(x)) == key]) for key in ordered
        ]

    @property
    def total(self) -> Total:
        """All jobs together."""
        return total("all", "", self.lines)

    def document(self) -> dict[str, Any]:
        """Return the plan for `--json`."""
        return {
            "corpora": {name: asdict(size) for name, size in self.sizes.items()},
            "stages": [asdict(row) for row in self.totals],
            "total": asdict(self.total),
            "jobs": [asdict(line) for line in self.lines],
            "notes": self.notes,
            "rates": rates.rates()["machine"],
        }

    def text(self) -> list[str]:
        """Return the plan as lines of text."""
        head = [f"{name}: {_size(size)}" for name, size in self.sizes.items()]
        rows = [HEAD, *(cells(row) for row in [*self.totals, self.total])]
        wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        table = [
            "  ".join(
                cell.ljust(n) if i < 2 else cell.rjust(n)
                for i, (cell, n) in enumerate(zip(row, wide, strict=True))
            ).rstrip()
            for row in rows
        ]
        return [*head, "", *table, "", *self.notes]


def total(stage: str, what: str, lines: list[Line]) -> Total:
    """Add up jobs."""
    known = all(line.core_s is not None for line in lines)
    core_s = sum(line.core_s or 0.0 for line in lines)
    gpu_s = sum(line.core_s or 0.0 for line in lines if line.gpu)
    return Total(
        stage,
        what,
        sum(line.jobs for line in lines),
        core_s / HOUR_S if known else None,
        gpu_s / HOUR_S if known else None,
        max(line.mb for line in lines),
        sum(line.disk for line in lines) / GB,
    )


def cells(row: Total) -> tuple[str, ...]:
    """Return the cells of a row of the table."""
    return (
        *(row.stage, row.what, f"{row.jobs:,}"),
        *(hours(row.core_h), hours(row.gpu_h) if row.gpu_h != 0 else ""),
        *(f"{row.memory_mb / 1e3:.1f} GB", f"{row.disk_gb:,.2g} GB" if row.disk_gb else ""),
    )


def hours(value: float | None) -> str:
    """Return hours with two digits; `?` if they are not known.

    >>> hours(None), hours(0.0412), hours(1234.5)
    ('?', '0.041', '1,234')
    """
    if value is None:
        return "?"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _group(line: Line) -> str:
    """Return what a row of the table is of: an encoder, a fusion, or all corpora."""
    split = line.stage in ("fit", "encode", "grid", "train") and " " in line.what
    return line.what.rpartition(" ")[2] if split else ""


def _size(size: Size) -> str:
    if not size.known:
        return f"{size.videos:,} recordings of unknown length"
    return f"{size.videos:,} recordings, {size.hours:.3g} h, {size.basis}"


def _notes(study: Study, lines: Iterable[Line], sizes: dict[str, Size]) -> Iterable[str]:
    """Yield what the numbers rest on."""
    lines = list(lines)
    machine = rates.rates()["machine"]
    yield (
        f"Rates of one core ({machine['processor']}, measured {machine['day']}). Every epoch is "
        f"counted, though a run may stop early."
    )
    yield (
        "GPU hours are those of jobs that the SLURM profile gives a GPU, at the speed of one core: "
        "a GPU takes less. `avf doctor --measure` tells the speed of encoders on it."
    )
    if unmeasured := [name for name, size in sizes.items() if not size.known]:
        yield f"Length not known, so that their stages have no hours: {', '.join(unmeasured)}."
    if stand_ins := sorted({line.stand_in for line in lines if line.stand_in}):
        yield f"Not measured, a slow one of their kind stands for them: {', '.join(stand_ins)}."
    if unknown := [name for name in study.features.encoders if not _known(study, name)]:
        yield f"Width not known before its files are read, taken as 512: {', '.join(unknown)}."
    trained = [line for line in lines if line.stage == "train" and line.core_s]
    if trained:
        worst = max(trained, key=lambda line: (line.core_s or 0.0) / line.jobs)
        each_s = (worst.core_s or 0.0) / worst.jobs
        minutes = request(each_s, worst.mb, gpu=False, attempt=1).minutes
        yield (
            f"Longest training job on a core: {worst.what}, {duration(each_s)}. Without a GPU the "
            f"workflow requests {duration(60 * minutes)} for it ({SAFETY:g} times as much)."
        )


def _known(study: Study, encoder: str) -> bool:
    try:
        return width(study, encoder) is not None
    except (AvfError, OSError):
        return False
