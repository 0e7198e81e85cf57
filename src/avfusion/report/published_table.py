"""Published numbers beside ours: results/tables/published.{csv,md,tex}."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion import published
from avfusion.layout import Layout
from avfusion.report import _text
from avfusion.report._absent import left_out
from avfusion.report._part import Part
from avfusion.report._text import estimate, latex, markdown, number

HEAD = ["method", "paper", "partition", "target", "theirs", "kind", "ours", "verdict"]
MARKS = {"digitised": " †", "log": " ‡"}
"""Beside a number that nobody printed: read off a figure, or left in a log."""
COLUMNS = ["corpus", "fusion", "partition", "protocol", "target", "mean", "low", "high", "seeds"]


def write_published(parts: list[Part], study: dict[str, Any], layout: Layout) -> None:
    """Write every published number, ours beside it where the two can be compared."""
    rows = published.load()
    away = {
        study["corpora"][name].get("is") or name: one.why
        for one in left_out(study, layout)
        for name in one.names
    }
    table = published.beside(scores(parts, layout), rows, study, away)
    met = table["verdict"] != "not run"
    said = header(table)
    shown, typeset = [said], []
    for corpus, own in table.groupby("corpus", sort=False):
        cells = [cells_of(row) for row in own.itertuples()]
        shown += [f"## {corpus}", markdown(HEAD, cells)]
        ours = own[own["fusion"].ne("") & own["metric"].eq("ccc")]
        cells = [cells_of(row) for row in ours.itertuples()]
        if cells and (met & table["corpus"].eq(corpus)).any():
            typeset.append(latex(HEAD, cells, f"{corpus}. {said}", f"published-{corpus}"))
    shown += ["## Sources", "\n".join(_sources(rows))]
    _text.write_csv(layout.tables / "published.csv", table)
    _text.write_page(layout.tables / "published.md", "Published numbers", shown)
    _text.write_text(layout.tables / "published.tex", "\n".join(typeset))


def scores(parts: list[Part], layout: Layout) -> pd.DataFrame:
    """All our scores of all partitions, with those on corrupted input where there are any."""
    tables = [t[COLUMNS] for part in parts for t in (part.scores, part.validation)]
    path = layout.tables / "robustness.csv"
    if path.is_file():
        names = {part.scored.corpus: part.scored for part in parts}
        curves = pd.read_csv(path)
        curves = curves[curves["corpus"].isin(names)]
        curves["partition"] = [names[c].partition for c in curves["corpus"]]
        curves["protocol"] = [names[c].rule.name for c in curves["corpus"]]
        tables.append(curves)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def header(table: pd.DataFrame) -> str:
    """How many numbers there are, how many could be met, and how to read the table."""
    counts = table["verdict"].value_counts()
    inside, outside = (int(counts.get(said, 0)) for said in ("inside interval", "outside"))
    return (
        f"{len(table)} published numbers; {inside + outside} have a counterpart here: {inside} lie "
        f"inside our interval, {outside} outside, and the others were not run (`why` in "
        f"published.csv). A counterpart is the same fusion on the same corpus and partition, "
        f"target and scoring rule; encoders and training differ. ° a scoring rule that the source "
        f"does not state, met by our headline protocol. Kind: printed by the authors, † digitised "
        f"from their figure, ‡ log in their repository, user_report, or quoted by a third party."
    )


def cells_of(row: Any) -> list[str]:
    """One line of the table as text."""
    method = f"{row.method}, {row.corruption} {row.level:g}" if row.corruption else row.method
    theirs = _plain(row.theirs) + (f" ± {_plain(row.spread)}" if np.isfinite(row.spread) else "")
    theirs += "%" if row.unit == "%" else ""
    theirs += MARKS.get(row.kind, "")
    ours = "" if row.verdict == "not run" else estimate(row.ours, row.low, row.high)
    ours += "" if row.protocol_known or not ours else " °"
    what = row.target if row.metric == "ccc" else f"{row.target}, {row.metric}"
    return [method, row.paper, row.partition, what, theirs, row.kind, ours, row.verdict]


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
