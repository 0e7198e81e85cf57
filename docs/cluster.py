"""The table of the guide to clusters: what the studies of Aff-Wild2 take, by `avf plan`."""

from pathlib import Path

import pages

from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.encoders.cost import duration
from avfusion.layout import Layout
from avfusion.planning import rates
from avfusion.planning.plan import Plan, hours
from avfusion.planning.sizes import Size

CORPUS = "affwild2"
HOLDS = Size(564, 26.0, "as published", shown_h=26.0)
"""Videos and hours of Aff-Wild2 that are rated in valence and arousal."""
HEAD = [
    *("Study", "Jobs", "Core hours", "of these on GPUs", "Longest training job", "Disk"),
    "Data in memory of training",
]


def table() -> str:
    """Return a row per study of Aff-Wild2 in config/experiments."""
    rows = []
    for path in sorted((pages.ROOT / "config/experiments").glob("*.yaml")):
        study = load(path)
        if CORPUS in study.corpora and not path.stem.endswith("_as_published"):
            rows.append([f"`{path.stem}`", *cells(study)])
    machine = rates.rates()["machine"]
    said = (
        f"\nBy `avf plan --assume {CORPUS}={HOLDS.videos}:{HOLDS.hours:g}`, without other corpora. "
        f"Hours are of one core ({machine['processor']}, {machine['day']}); a GPU takes less. "
        f"The longest job trains all seeds of a fusion."
    )
    return f"\n{pages.table(HEAD, rows)}\n{said}\n"


def cells(study: Study) -> list[str]:
    """Return jobs, hours, longest job, disk and memory of a study on Aff-Wild2 alone."""
    alone = study.model_copy(update={"corpora": {CORPUS: study.corpora[CORPUS]}})
    plan = Plan.of(alone, Layout(Path("results/none")), {CORPUS: HOLDS})
    total = plan.total
    trained = [line for line in plan.lines if line.stage == "train"]
    longest = max(trained, key=lambda line: (line.core_s or 0.0) / line.jobs)
    each_s = (longest.core_s or 0.0) / longest.jobs
    memory_gb = (max(line.mb for line in trained) - rates.memory_mb("train")) / 1e3
    return [
        *(f"{total.jobs:,}", hours(total.core_h), hours(total.gpu_h)),
        f"{longest.what.removeprefix(f'{CORPUS} ')}, {duration(each_s)}",
        *(f"{total.disk_gb:,.0f} GB", f"{memory_gb:.1f} GB"),
    ]
