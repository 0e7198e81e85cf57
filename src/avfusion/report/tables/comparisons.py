"""Table of paired comparisons: results/tables/comparisons.{csv,md,tex}."""

from typing import Any

from avfusion.report import format, sentences
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.marks import Marks
from avfusion.report.tables.grids import budget
from avfusion.report.tables.part import TableData

HEAD = ["pair", "difference", "p", "p (Holm)", "p (seeds)", "verdict"]


def write_comparisons(data: TableData) -> None:
    """Write the difference of every pair of fusions with its interval and p values."""
    study, layout = data.study, data.layout
    shown, typeset = [], []
    for part in data.parts:
        corpus = part.scored.corpus
        shown += [f"## {corpus}"]
        if not len(part.pairs):
            shown += ["One fusion, nothing to compare."]
            continue
        header = sentences.comparison_header(part.scored, study)
        cells = [_cells(row, part.marks) for row in part.mean_pairs.itertuples()]
        shown += [header, markdown(HEAD, cells)]
        shown += part.caveats(study) + budget(study)
        caption = " ".join([header, *part.same_people])
        typeset.append(latex(HEAD, cells, caption, f"comparisons-{corpus}"))
    shown += sentences.not_run(data.absent)
    format.write_csv(layout.tables / "comparisons.csv", format.join([p.pairs for p in data.parts]))
    format.write_page(layout.tables / "comparisons.md", "Comparisons", shown)
    format.write_text(layout.tables / "comparisons.tex", "\n".join(typeset))


def _cells(row: Any, marks: Marks) -> list[str]:
    size = estimate(row.difference, row.low, row.high)
    p = [number(row.p), number(row.p_holm), number(row.p_seeds)]
    remarks = [f"{name} {marks.remark(name)}" for name in (row.fusion, row.other)
               if marks.remark(name)]  # fmt: skip
    verdict = "; ".join([sentences.short_verdict(row), *remarks])
    return [f"{row.fusion} − {row.other}", size, *p, verdict]
