"""Table of paired comparisons: results/tables/comparisons.{csv,md,tex}."""

from typing import Any

import pandas as pd

from avfusion.evaluation.significance import p_text
from avfusion.metrics.sums import MEAN
from avfusion.report import format, sentences
from avfusion.report.format import difference, latex, markdown, p_value, share
from avfusion.report.marks import Marks
from avfusion.report.tables.grids import budget
from avfusion.report.tables.part import Part, TableData

HEAD = ["pair", "difference", "p", "p (Holm)", "worse", "equal", "better", "needed", "verdict"]
EXPLORATORY = (
    "### All pairs, exploratory",
    "Every pair, also those that were declared: p and needed units here are those of the family of "
    "all pairs. They may suggest what to declare in a next study, and support no claim.",
)


def write_comparisons(data: TableData) -> None:
    """Write the declared comparisons and all pairs, with interval, p and probabilities."""
    study, layout = data.study, data.layout
    shown, typeset = [], []
    for part in data.parts:
        corpus = part.scored.corpus
        shown += [f"## {corpus}"]
        if not len(part.pairs):
            shown += ["One fusion, nothing to compare."]
            continue
        header = sentences.comparison_header(part.scored, study)
        shown += [header, *_declared(part)]
        cells = [_cells(row, part.marks) for row in part.mean_pairs.itertuples()]
        shown += [*EXPLORATORY, markdown(HEAD, cells)]
        shown += part.caveats(study) + budget(study)
        caption = " ".join([header, *part.same_people])
        typeset.append(latex(HEAD, cells, caption, f"comparisons-{corpus}"))
    shown += sentences.not_run(data.absent)
    tables = [table for part in data.parts for table in (part.declared, part.pairs) if len(table)]
    format.write_csv(layout.tables / "comparisons.csv", format.join(tables))
    format.write_page(layout.tables / "comparisons.md", "Comparisons", shown)
    format.write_text(layout.tables / "comparisons.tex", "\n".join(typeset))


def _declared(part: Part) -> list[str]:
    """Return a table of the declared comparisons, with each target below the mean."""
    if not len(part.declared):
        return ["### Declared comparisons", "None: no single modality and no concatenation here."]
    several = len(part.scored.names) > 1
    cells = []
    for row in part.declared.itertuples():
        if row.target == MEAN or several:
            first, *rest = _cells(row, part.marks)
            cells.append([first if row.target == MEAN else f"{first}, {row.target}", *rest])
    return ["### Declared comparisons", markdown(HEAD, cells)]


def _cells(row: Any, marks: Marks) -> list[str]:
    size = difference(row.difference, row.low, row.high)
    p = [p_value(row.p), p_value(row.p_holm)]
    chances = [share(value) for value in (row.p_worse, row.p_equal, row.p_better)]
    needed = f"{row.units_needed:,}" if pd.notna(row.units_needed) else format.NONE
    remarks = [f"{name} {marks.remark(name)}" for name in (row.fusion, row.other)
               if marks.remark(name)]  # fmt: skip
    words = row.decision
    if words == "equivalent":
        words = f"practically equal ({p_text(row.p_equivalent)})"
    verdict = "; ".join([words, *remarks])
    return [f"{row.fusion} − {row.other}", size, *p, *chances, needed, verdict]
