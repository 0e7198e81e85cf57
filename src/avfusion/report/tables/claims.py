"""Table of the papers' claims and what this study finds: results/tables/claims.{csv,md,tex}."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.literature import claims, published
from avfusion.literature.check_claims import check_claims, not_run
from avfusion.report import format
from avfusion.report.format import difference, latex, markdown, number
from avfusion.report.marks import Marks
from avfusion.report.recordings import same_people
from avfusion.report.tables.part import TableData

AREAS = [
    *("corpus", "corruption", "target", "fusion", "other", "difference", "low", "high", "p"),
    *("area", "area_low", "area_high"),
]
HEAD = ["claim", "quantity", "effect", "p (Holm)", "verdict"]


def write_claims(data: TableData) -> None:
    """Write the verdict on every claim for every corpus."""
    study, layout, known = data.study, data.layout, claims.load()
    areas, numbers = read_areas(layout), published.load()
    tables = {
        part.scored.corpus: check_claims(part.scored, study, known, areas, numbers)
        for part in data.parts
    }
    shown, typeset = [_preface(study)], []
    for corpus, table in tables.items():
        sentence = header(table, corpus)
        cells = [_cells(row) for row in table.itertuples() if row.verdict != "not run"]
        people = same_people(corpus, layout)
        limits = Marks.read([corpus], study, layout).caveats() + people
        shown += [f"## {corpus}", sentence, *limits]
        if cells:
            shown.append(markdown(HEAD, cells))
            caption = " ".join([sentence, *people])
            typeset.append(latex(HEAD, cells, caption, f"claims-{corpus}"))
        shown.append("\n".join(_line(row) for row in table.itertuples()))
    for gone in data.absent:
        tables |= {name: not_run(name, study, known, gone.why) for name in gone.names}
        shown += [f"## {gone.title}", f"All {len(known.claims)} claims not run: {gone.why}."]
    format.write_csv(layout.tables / "claims.csv", format.join(list(tables.values())))
    format.write_page(layout.tables / "claims.md", "Claims of the papers", shown)
    format.write_text(layout.tables / "claims.tex", "\n".join(typeset))


def read_areas(layout: Layout) -> pd.DataFrame:
    """Read the paired areas under robustness curves; empty if robustness was not run.

    Raises
    ------
    AvfError
        If the table lacks a column.
    """
    path = layout.tables / "areas.csv"
    if not path.is_file():
        return pd.DataFrame(columns=AREAS)
    table = pd.read_csv(path)
    lost = [name for name in AREAS if name not in table]
    if lost:
        raise AvfError(
            f"{path} has no column {', '.join(lost)}. Remove it. Run: avf report --only tables"
        )
    return table


def header(table: pd.DataFrame, corpus: str) -> str:
    """Return how many claims were checked on a corpus, under which protocol, by verdict."""
    counts = table["verdict"].value_counts()
    parts = [f"{n} {verdict}" for verdict, n in counts.items()]
    first = table.iloc[0]
    leaks = " (LEAKS GOLD)" if first.leaks else ""
    where = f"protocol {first.protocol}{leaks}"
    if first.videos:
        where += f", {first.partition} partition, {first.videos} videos"
    return f"{corpus}, {where}: {len(table)} claims, of them {', '.join(parts)}."


def _preface(study: Study) -> str:
    statistics = study.statistics
    return (
        f"Each claim is checked in the mean CCC over the targets (for classes: their mean recall, "
        f"UA): effect with its uncorrected {100 * (1 - statistics.alpha):g}% interval over people "
        f"and trainings, p of a studentised exchange test, Holm's correction over the claims of a "
        f"corpus. Supported or contradicted: corrected p at most {statistics.alpha:g} and an "
        f"interval that agrees. Smaller than published: the effect is surely below the gain in "
        f"published.csv. Equality is tested by two one-sided tests."
    )


def _cells(row: Any) -> list[str]:
    size = difference(row.effect, row.low, row.high)
    return [row.claim, row.quantity, size, number(row.p_holm), row.verdict]


def _line(row: Any) -> str:
    """Return the claim in words, its source, and the details of its check or what is missing."""
    made = f"; tested there on {row.claimed_on}" if row.claimed_on else ""
    text = f"- **{row.claim}**: {row.says} ({row.source}{made}.)"
    if row.missing:
        return f"{text} **Not run**: {row.missing}."
    gain = f" Published gain: {number(row.published)}." if np.isfinite(row.published) else ""
    return f"{text} **{row.verdict.capitalize()}**{f': {row.detail}' if row.detail else ''}.{gain}"
