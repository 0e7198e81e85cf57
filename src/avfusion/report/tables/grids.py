"""What was chosen on validation, from how many points: results/tables/grids.{csv,md}."""

import json
from collections import Counter
from typing import Any

import pandas as pd

from avfusion.config.grid import grid_of, points
from avfusion.layout import Layout
from avfusion.report import format
from avfusion.report.format import markdown, number
from avfusion.runs.choose import CRITERION

HEAD = ["fusion", "points", "chosen", "validation", "least", "failed", "tries"]


def write_grids(study: dict[str, Any], layout: Layout) -> None:
    """Write a row a corpus and fusion; without any grid, the tables of an earlier study go.

    study: `Study.model_dump()`. Reads only chosen.json.
    """
    if not any(grid_of(study, name) for name in study["fusions"]):
        for path in layout.tables.glob("grids.*"):
            path.unlink()
        return
    rows = [_row(c, name, study, layout) for c in study["corpora"] for name in study["fusions"]]
    table = pd.DataFrame(rows)
    shown = [f"One point is one set of options, trained on {_seeds(study)}; score: {CRITERION}."]
    shown += budget(study)
    for corpus, own in table.groupby("corpus", sort=False):
        shown += [f"## {corpus}", markdown(HEAD, [_cells(row) for row in own.itertuples()])]
    format.write_csv(layout.tables / "grids.csv", table)
    format.write_page(layout.tables / "grids.md", "Grids", shown)


def counts(study: dict[str, Any]) -> dict[str, int]:
    """How many sets of options each fusion could choose from; 1 without a grid.

    >>> counts({"fusions": {"ca": {}, "jca": {"grid": {"hidden": [16, 32]}}}})
    {'ca': 1, 'jca': 2}
    """
    return {name: len(points(grid_of(study, name))) for name in study["fusions"]}


def more_tries(study: dict[str, Any]) -> list[str]:
    """Fusions with more points than most others have (of equally common counts, the least)."""
    found = counts(study)
    common = Counter(found.values())
    usual = min(common, key=lambda count: (-common[count], count))
    return [name for name, count in found.items() if count > usual]


def budget(study: dict[str, Any]) -> list[str]:
    """A sentence if some fusions had more tries than others, for that alone finds better scores."""
    found, more = counts(study), more_tries(study)
    if not more:
        return []
    named = ", ".join(f"{name} from {found[name]}" for name in more)
    others = sorted({count for name, count in found.items() if name not in more})
    rest = " or ".join(map(str, others))
    return [
        f"Not the same number of tries: options were chosen on validation for {named} points, for "
        f"the other fusions from {rest}; part of a difference may be that."
    ]


def origin(corpus: str, fusion: str, study: dict[str, Any], layout: Layout) -> str:
    """How a fusion came to its options, for the page; empty without a grid."""
    if not grid_of(study, fusion):
        return ""
    row = _row(corpus, fusion, study, layout)
    tries = " (more than the others)" if row["more"] else ""
    options = row["chosen"].replace(",", ", ")
    return f"chosen on validation from {row['points']} points{tries}: {options}"


def _row(corpus: str, fusion: str, study: dict[str, Any], layout: Layout) -> dict[str, Any]:
    path = layout.chosen(corpus, fusion)
    said = json.loads(path.read_text()) if path.is_file() and grid_of(study, fusion) else {}
    scores = [row["score"] for row in said.get("points", []) if row["score"] is not None]
    return {
        "corpus": corpus,
        "fusion": fusion,
        "points": counts(study)[fusion],
        "seeds": len(study["grid_seeds"]) if grid_of(study, fusion) else 0,
        "chosen": said.get("chosen", "not run" if grid_of(study, fusion) else "as set"),
        "score": said.get("score"),
        "least": min(scores, default=None),
        "failed": len(said.get("points", [])) - len(scores),
        "more": fusion in more_tries(study),
    }


def _cells(row: Any) -> list[str]:
    scores = [number(float("nan") if v is None else float(v)) for v in (row.score, row.least)]
    tries = "more than the others" if row.more else ""
    return [row.fusion, str(row.points), row.chosen, *scores, str(row.failed), tries]


def _seeds(study: dict[str, Any]) -> str:
    count = len(study["grid_seeds"])
    return f"{count} seed{'s' if count > 1 else ''}"
