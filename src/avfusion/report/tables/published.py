"""Table of published scores next to ours: results/tables/published.{csv,md,tex}."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.match import groups
from avfusion.config.study import Study
from avfusion.evaluation import estimates
from avfusion.evaluation.scored import Scored
from avfusion.layout import Layout
from avfusion.literature import published
from avfusion.literature.compare import compare
from avfusion.report import format
from avfusion.report.absent import left_out
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.tables.classes import measures
from avfusion.report.tables.folds import in_several, pooled
from avfusion.report.tables.part import Part, TableData

HEAD = ["method", "paper", "partition", "target", "theirs", "kind", "ours", "verdict"]
MARKS = {"digitised": " †", "log": " ‡"}
"""Marks of numbers that were not printed: read off a figure, or from a log."""
COLUMNS = ["corpus", "fusion", "partition", "protocol", "target", "mean", "low", "high", "seeds"]


def write_published(data: TableData) -> None:
    """Write every published number, with ours where the two can be compared."""
    study, layout = data.study, data.layout
    rows = published.load()
    away = {name: one.why for one in left_out(study, layout) for name in one.names}
    table = compare(scores(data.parts, study, layout), rows, study, away)
    compared = table["verdict"] != "not run"
    sentence = header(table)
    shown, typeset = [sentence], []
    for corpus, numbers in table.groupby("corpus", sort=False):
        cells = [cells_of(row) for row in numbers.itertuples()]
        shown += [f"## {corpus}", markdown(HEAD, cells)]
        ours = numbers[numbers["fusion"].ne("") & numbers["metric"].isin(published.COMPARED)]
        cells = [cells_of(row) for row in ours.itertuples()]
        if cells and (compared & table["corpus"].eq(corpus)).any():
            typeset.append(latex(HEAD, cells, f"{corpus}. {sentence}", f"published-{corpus}"))
    shown += ["## Sources", "\n".join(_sources(rows))]
    format.write_csv(layout.tables / "published.csv", table)
    format.write_page(layout.tables / "published.md", "Published numbers", shown)
    format.write_text(layout.tables / "published.tex", "\n".join(typeset))


def scores(parts: list[Part], study: Study, layout: Layout) -> pd.DataFrame:
    """Return our scores on all partitions, also of folds together and on corrupted input."""
    tables = [t[COLUMNS] for part in parts for t in (part.scores, part.validation)]
    tables += [classes(part.scored, study) for part in parts]
    here = {part.scored.corpus: part.scored for part in parts}
    for names in groups(study).values():
        folds = [here[name] for name in names if name in here]
        if len(folds) == len(names) and not in_several(folds):
            merged = pooled("+".join(names), folds)
            tables += [estimates.estimates(merged, study)[COLUMNS], classes(merged, study)]
    path = layout.tables / "robustness.csv"
    if path.is_file():
        curves = pd.read_csv(path)
        curves = curves[curves["corpus"].isin(here)]
        curves["partition"] = [here[c].partition for c in curves["corpus"]]
        curves["protocol"] = [here[c].rule.name for c in curves["corpus"]]
        tables.append(curves)
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def classes(scored: Scored, study: Study) -> pd.DataFrame:
    """Return UA and WA of each fusion; empty if the task is ratings."""
    if scored.rule.pooling != "recall":
        return pd.DataFrame(columns=COLUMNS)
    order = [name for name in study.fusions if name in scored.sums]
    table = measures(scored, order, study)
    table = table[table["measure"].isin(published.CLASS_MEASURES.values())]
    return table.assign(protocol="classes", target="")


def header(table: pd.DataFrame) -> str:
    """Return how many published numbers could be compared, and how to read the table."""
    counts = table["verdict"].value_counts()
    inside, outside = (int(counts.get(name, 0)) for name in ("inside interval", "outside"))
    return (
        f"{len(table)} published numbers; {inside + outside} have a counterpart here: {inside} lie "
        f"inside our interval, {outside} outside, and the others were not run (`why` in "
        f"published.csv). A counterpart is the same fusion on the same corpus (its edition, split "
        f"or folds) and partition, target and scoring rule; encoders and training differ. "
        f"° the source does not state its scoring rule; ours is our headline protocol. Kind: "
        f"printed by the authors, † digitised from their figure, ‡ log in their repository, "
        f"user_report, or quoted by a third party."
    )


def cells_of(row: Any) -> list[str]:
    """Return one line of the table as text."""
    method = f"{row.method}, {row.corruption} {row.level:g}" if row.corruption else row.method
    theirs = _plain(row.theirs) + (f" ± {_plain(row.spread)}" if np.isfinite(row.spread) else "")
    theirs += "%" if row.unit == "%" else ""
    theirs += MARKS.get(row.kind, "")
    ours = "" if row.verdict == "not run" else _ours(row)
    ours += "" if row.protocol_known or not ours else " °"
    what = row.target if row.metric == "ccc" else f"{row.target}, {row.metric}"
    part = row.partition
    part += f" (ours: {row.ours_partition})" if row.ours_partition != row.partition else ""
    return [method, row.paper, part, what, theirs, row.kind, ours, row.verdict]


def _ours(row: Any) -> str:
    """Return our number with its interval, in the unit of the source."""
    if row.unit != "%":
        return estimate(row.ours, row.low, row.high)
    return f"{row.ours:.1f}% [{row.low:.1f}, {row.high:.1f}]"


def _plain(value: float) -> str:
    """Return as many digits as the source gives, at least three for a CCC."""
    return number(value) if abs(value) < 1 and round(value, 3) == value else f"{value:g}"


def _sources(rows: list[published.Published]) -> list[str]:
    """Return a line per paper: title, arXiv number and the places that its numbers are from."""
    places: dict[str, list[str]] = {}
    for row in rows:
        arxiv = f", arXiv:{row.arxiv}" if row.arxiv else ""
        paper = f"- **{row.paper}**: {row.title}, {row.year}{arxiv}."
        places.setdefault(paper, []).append(row.source)
    return [f"{paper} {'; '.join(dict.fromkeys(seen))}." for paper, seen in places.items()]
