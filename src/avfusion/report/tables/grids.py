"""Table of options chosen on validation from a grid: results/tables/grids.{csv,md}."""

from collections import Counter
from typing import Any

import pandas as pd

from avfusion.config.grid import CRITERION, points
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.report import format
from avfusion.report.format import markdown, number
from avfusion.report.inputs import read_json
from avfusion.report.tables.part import TableData

HEAD = ["fusion", "points", "chosen", "validation", "least", "failed", "tries"]


def write_grids(data: TableData) -> None:
    """Write the choice of every corpus and fusion; reads only chosen.json."""
    study, layout = data.study, data.layout
    rows = [_row(c, name, study, layout) for c in study.corpora for name in study.fusions]
    table = pd.DataFrame(rows)
    shown = [f"One point is one set of options, trained on {_seeds(study)}; score: {CRITERION}."]
    shown += budget(study)
    for corpus, choices in table.groupby("corpus", sort=False):
        shown += [f"## {corpus}", markdown(HEAD, [_cells(row) for row in choices.itertuples()])]
    format.write_csv(layout.tables / "grids.csv", table)
    format.write_page(layout.tables / "grids.md", "Grids", shown)


def counts(study: Study) -> dict[str, int]:
    """Return the number of grid points of each fusion; 1 without a grid.

    >>> grid = {"hidden": [16, 32]}
    >>> counts(Study(corpora={"a": {"root": "a"}}, fusions={"ca": {}, "jca": {"grid": grid}}))
    {'ca': 1, 'jca': 2}
    """
    return {name: len(points(study.grid_of(name))) for name in study.fusions}


def more_tries(study: Study) -> list[str]:
    """Return the fusions with more points than most others.

    The usual count is the most common one; of equally common counts, the smallest. A fusion in
    closed form is left out, because it chooses its penalty from a list of its own.
    """
    tries = _tuned(study)
    common = Counter(tries.values())
    usual = min(common, key=lambda count: (-common[count], count), default=1)
    return [name for name, count in tries.items() if count > usual]


def budget(study: Study) -> list[str]:
    """Return a caveat if some fusions had more points to choose from than others."""
    tries, more = _tuned(study), more_tries(study)
    if not more:
        return []
    named = ", ".join(f"{name} from {tries[name]}" for name in more)
    others = sorted({count for name, count in tries.items() if name not in more})
    rest = " or ".join(map(str, others))
    return [
        f"Unequal tuning: options were chosen on validation for {named} points, for the other "
        f"fusions from {rest}; this may explain part of a difference."
    ]


def _tuned(study: Study) -> dict[str, int]:
    return {name: n for name, n in counts(study).items() if not study.closed_form(name)}


def origin(corpus: str, fusion: str, study: Study, layout: Layout) -> str:
    """Return how the options of a fusion were chosen; empty without a grid."""
    if not study.grid_of(fusion):
        return ""
    row = _row(corpus, fusion, study, layout)
    tries = " (more than the others)" if row["more"] else ""
    options = row["chosen"].replace(",", ", ")
    return f"chosen on validation from {row['points']} points{tries}: {options}"


def _row(corpus: str, fusion: str, study: Study, layout: Layout) -> dict[str, Any]:
    grid = study.grid_of(fusion)
    choice = read_json(layout.chosen(corpus, fusion)) if grid else {}
    scores = [row["score"] for row in choice.get("points", []) if row["score"] is not None]
    return {
        "corpus": corpus,
        "fusion": fusion,
        "points": counts(study)[fusion],
        "seeds": len(study.grid_seeds) if grid else 0,
        "chosen": choice.get("chosen", "not run" if grid else "as set"),
        "score": choice.get("score"),
        "least": min(scores, default=None),
        "failed": len(choice.get("points", [])) - len(scores),
        "more": fusion in more_tries(study),
    }


def _cells(row: Any) -> list[str]:
    scores = [number(float("nan") if v is None else float(v)) for v in (row.score, row.least)]
    tries = "more than the others" if row.more else ""
    return [row.fusion, str(row.points), row.chosen, *scores, str(row.failed), tries]


def _seeds(study: Study) -> str:
    count = len(study.grid_seeds)
    return f"{count} seed{'s' if count > 1 else ''}"
