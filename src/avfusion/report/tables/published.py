"""Published numbers beside ours: results/tables/published.{csv,md,tex}."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.match import groups
from avfusion.evaluation import estimates
from avfusion.evaluation.estimates import Scored
from avfusion.layout import Layout
from avfusion.literature import published
from avfusion.literature.compare import beside
from avfusion.report import format
from avfusion.report.absent import left_out
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.tables.classes import measures
from avfusion.report.tables.folds import in_several, pooled
from avfusion.report.tables.part import Part

HEAD = ["method", "paper", "partition", "target", "theirs", "kind", "ours", "verdict"]


MARKS = {"digitised": " †", "log": " ‡"}
"""Beside a number that nobody printed: read off a figure, or left in a log."""


COLUMNS = ["corpus", "fusion", "partition", "protocol", "target", "mean", "low", "high", "seeds"]


def write_published(parts: list[Part], study: dict[str, Any], layout: Layout) -> None:
    """Write every published number, ours beside it where the two can be compared."""
    rows = published.load()
    away = {name: one.why for one in left_out(study, layout) for name in one.names}
    table = beside(scores(parts, study, layout), rows, study, away)
    met = table["verdict"] != "not run"
    said = header(table)
    shown, typeset = [said], []
    for corpus, own in table.groupby("corpus", sort=False):
        cells = [cells_of(row) for row in own.itertuples()]
        shown += [f"## {corpus}", markdown(HEAD, cells)]
        ours = own[own["fusion"].ne("") & own["metric"].isin(published.COMPARED)]
        cells = [cells_of(row) for row in ours.itertuples()]
        if cells and (met & table["corpus"].eq(corpus)).any():
            typeset.append(latex(HEAD, cells, f"{corpus}. {said}", f"published-{corpus}"))
    shown += ["## Sources", "\n".join(_sources(rows))]
    format.write_csv(layout.tables / "published.csv", table)
    format.write_page(layout.tables / "published.md", "Published numbers", shown)
    format.write_text(layout.tables / "published.tex", "\n".join(typeset))


def scores(parts: list[Part], study: dict[str, Any], layout: Layout) -> pd.DataFrame:
    """All our scores of all partitions: of folds together too, and on corrupted input."""
    tables = [t[COLUMNS] for part in parts for t in (part.scores, part.validation)]
    tables += [classes(part.scored, study) for part in parts]
    here = {part.scored.corpus: part.scored for part in parts}
    for names in groups(study).values():
        folds = [here[name] for name in names if name in here]
        if len(folds) == len(names) and not in_several(folds):
            whole = pooled("+".join(names), folds)
            tables += [estimates.estimates(whole, study)[COLUMNS], classes(whole, study)]
    path = layout.tables / "robustness.csv"
    if path.is_file():
        curves = pd.read_csv(path)
        curves = curves[curves["corpus"].isin(here)]
        curves["partition"] = [here[c].partition for c in curves["corpus"]]
        curves["protocol"] = [here[c].rule.name for c in curves["corpus"]]
        tables.append(curves)
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def classes(scored: Scored, study: dict[str, Any]) -> pd.DataFrame:
    """UA and WA of each fusion; empty where ratings are predicted."""
    if scored.rule.pooling != "recall":
        return pd.DataFrame(columns=COLUMNS)
    order = [name for name in study["fusions"] if name in scored.sums]
    table = measures(scored, order, study)
    table = table[table["measure"].isin(published.CLASS_MEASURES.values())]
    return table.assign(protocol="classes", target="")


def header(table: pd.DataFrame) -> str:
    """How many numbers there are, how many could be met, and how to read the table."""
    counts = table["verdict"].value_counts()
    inside, outside = (int(counts.get(said, 0)) for said in ("inside interval", "outside"))
    return (
        f"{len(table)} published numbers; {inside + outside} have a counterpart here: {inside} lie "
        f"inside our interval, {outside} outside, and the others were not run (`why` in "
        f"published.csv). A counterpart is the same fusion on the same corpus (its edition, split "
        f"or folds) and partition, target and scoring rule; encoders and training differ. "
        f"° a scoring rule that the source "
        f"does not state, met by our headline protocol. Kind: printed by the authors, † digitised "
        f"from their figure, ‡ log in their repository, user_report, or quoted by a third party."
    )


def cells_of(row: Any) -> list[str]:
    """One line of the table as text."""
    method = f"{row.method}, {row.corruption} {row.level:g}" if row.corruption else row.method
    theirs = _plain(row.theirs) + (f" ± {_plain(row.spread)}" if np.isfinite(row.spread) else "")
    theirs += "%" if row.unit == "%" else ""
    theirs += MARKS.get(row.kind, "")
    ours = "" if row.verdict == "not run" else _ours(row)
    ours += "" if row.protocol_known or not ours else " °"
    what = row.target if row.metric == "ccc" else f"{row.target}, {row.metric}"
    return [method, row.paper, row.partition, what, theirs, row.kind, ours, row.verdict]


def _ours(row: Any) -> str:
    """Ours with its interval, in their unit."""
    if row.unit != "%":
        return estimate(row.ours, row.low, row.high)
    return f"{row.ours:.1f}% [{row.low:.1f}, {row.high:.1f}]"


def _plain(value: float) -> str:
    """As many digits as the source gives, three at least for a CCC."""
    return number(value) if abs(value) < 1 and round(value, 3) == value else f"{value:g}"


def _sources(rows: list[published.Published]) -> list[str]:
    """A line a paper: title, arXiv and every place that numbers of it were seen in."""
    found: dict[str, list[str]] = {}
    for row in rows:
        arxiv = f", arXiv:{row.arxiv}" if row.arxiv else ""
        found.setdefault(f"- **{row.paper}**: {row.title}, {row.year}{arxiv}.", []).append(
            row.source
        )
    return [f"{paper} {'; '.join(dict.fromkeys(seen))}." for paper, seen in found.items()]
