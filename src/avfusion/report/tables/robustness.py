"""Tables of corrupted input: robustness (CCC by level), losses and areas (pairs)."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from avfusion.config.corruptions import describe, find
from avfusion.config.study import Study
from avfusion.evaluation import units
from avfusion.report import format
from avfusion.report.format import and_list, estimate, latex, markdown, number
from avfusion.report.recordings import same_people
from avfusion.report.tables.part import TableData
from avfusion.robustness import curve_estimates
from avfusion.robustness import curves as _curves
from avfusion.robustness.curves import Curves

EMPTY = [
    *("corpus", "corruption", "level", "target", "fusion", "other", "mean", "difference"),
    *("low", "high", "p", "area", "area_low", "area_high", "seeds"),
]
TITLES = {"robustness": "Robustness", "areas": "What corruption costs"}


@dataclass
class _Texts:
    """Blocks of a Markdown page and the tables of a LaTeX file."""

    shown: list[str] = field(default_factory=list)
    typeset: list[str] = field(default_factory=list)


def write_robustness(data: TableData) -> None:
    """Write robustness.*, areas.* and losses.csv from the scores of `avf robust`."""
    study, layout = data.study, data.layout
    tables: dict[str, list[pd.DataFrame]] = {"robustness": [], "losses": [], "areas": []}
    texts = {name: _Texts() for name in TITLES}
    missing = []
    for corpus in study.corpora:
        curves = _curves.read_curves(corpus, study, layout)
        if curves:
            _add(curves, data, tables, texts)
        else:
            missing.append(corpus)
    for corpus in missing:
        for text in texts.values():
            text.shown += [f"## {corpus}", f"Not run. Run: `avf robust {corpus}`"]
    for name, parts in tables.items():
        format.write_csv(layout.tables / f"{name}.csv", _joined(parts))
    for name, title in TITLES.items():
        format.write_page(layout.tables / f"{name}.md", title, texts[name].shown)
        format.write_text(layout.tables / f"{name}.tex", "\n".join(texts[name].typeset))


def _add(
    curves: Curves,
    data: TableData,
    tables: dict[str, list[pd.DataFrame]],
    texts: dict[str, _Texts],
) -> None:
    """Add one corpus to the tables and to both pages."""
    corpus, study = curves.corpus, data.study
    header = " ".join([_header(curves, study), *same_people(corpus, data.layout)])
    samples = curve_estimates.CurveSamples(curves, study.statistics)
    points, losses = curve_estimates.estimates(curves, study, samples)
    pairs = curve_estimates.comparisons(curves, study, samples)
    for table, rows in zip(tables.values(), (points, losses, pairs), strict=True):
        table.append(rows)
    for text in texts.values():
        text.shown += [f"## {corpus}", header]
    by_level, costs = texts["robustness"], texts["areas"]
    for name in curves.levels:
        what = f"{name}: {describe(name)}"
        head, cells = _point_cells(points, curves, name)
        by_level.shown += [f"### {what}", markdown(head, cells)]
        by_level.typeset.append(latex(head, cells, f"{what}. {header}", f"{corpus}-{name}"))
        head, cells = _loss_cells(losses, name)
        sentence = _differences(pairs, curves, name, study)
        costs.shown += [f"### {what}", markdown(head, cells), sentence]
        costs.typeset.append(latex(head, cells, f"{what}. {header}", f"loss-{corpus}-{name}"))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables; without any, return a table with columns and no rows."""
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=EMPTY)


def _point_cells(
    points: pd.DataFrame, curves: Curves, name: str
) -> tuple[list[str], list[list[str]]]:
    """Return the mean CCC of each fusion at each level, best on clean input first.

    For missing input, a last row has the share of clips without the modality.
    """
    rows = points[(points["corruption"] == name) & (points["target"] == "mean")]
    table = rows.pivot(index="fusion", columns="place", values="mean")
    table = table.sort_values(table.columns[0], ascending=False, kind="stable")
    kind = find(name)[1]
    head = ["fusion", *(kind.text(level) for level in curves.levels[name])]
    cells = [[str(fusion), *map(number, row)] for fusion, *row in table.itertuples()]
    if kind.missing:
        absent = rows.drop_duplicates("place").sort_values("place")["absent"]
        cells.append(["(clips without it)", *(f"{100 * share:.0f}%" for share in absent)])
    return head, cells


def _loss_cells(losses: pd.DataFrame, name: str) -> tuple[list[str], list[list[str]]]:
    """Return each fusion's CCC on clean input, mean over levels and loss, smallest loss first."""
    rows = losses[(losses["corruption"] == name) & (losses["target"] == "mean")]
    rows = rows.sort_values("loss", kind="stable")
    head = ["fusion", "clean", "mean over levels", "loss"]
    return head, [
        [r.fusion, number(r.whole), number(r.mean), estimate(r.loss, r.low, r.high)]
        for r in rows.itertuples()
    ]


def _differences(pairs: pd.DataFrame, curves: Curves, name: str, study: Study) -> str:
    """Return which fusions lose significantly less than others."""
    rows = pairs[(pairs["corruption"] == name) & (pairs["target"] == "mean")]
    significant = rows[rows["significant"].astype(bool)]
    if not len(significant):
        return f"No significant difference in loss between {len(rows)} pairs (Holm-corrected p)."
    sentences = []
    for row in significant.itertuples():
        first, second = (row.fusion, row.other)[:: 1 if row.difference > 0 else -1]
        low, high = sorted(np.sign(row.difference) * np.array([row.low, row.high]))
        gap = row.area if first == row.fusion else -row.area
        sentences.append(
            f"{first} loses less than {second} by {estimate(abs(row.difference), low, high)}, and "
            f"its mean over the levels is {number(abs(gap))} {'higher' if gap >= 0 else 'lower'}"
        )
    return f"{len(significant)} of {len(rows)} pairs differ significantly: {and_list(sentences)}."


def _header(curves: Curves, study: Study) -> str:
    statistics = study.statistics
    return (
        f"{curves.corpus}, protocol {curves.rule.stamp}, {curves.partition} partition, "
        f"{len(curves.videos)} videos: mean CCC of {and_list(list(curves.names))} with one "
        f"modality corrupted at test time, the same draw for every run; averaged over seeds. "
        f"Brackets: {100 * (1 - statistics.alpha):g}% interval over {units.word(curves.unit)}s "
        f"({statistics.draws:,} bootstrap draws). Loss: CCC on clean input minus the "
        f"curve's mean over its levels (trapezoids). A fusion that hardly reads a modality loses "
        f"little when it is corrupted, so compare the mean over the levels too."
    )
