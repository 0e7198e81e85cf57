"""Table of classes: results/tables/classes.{csv,md,tex} with UA, WA, macro F1 and recalls."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.match import groups
from avfusion.config.study import Study
from avfusion.evaluation import inference
from avfusion.evaluation.estimates import estimates, ranking
from avfusion.evaluation.scored import Scored
from avfusion.metrics.sums import class_scores
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown
from avfusion.report.tables.folds import in_several, pooled
from avfusion.report.tables.part import TableData

MEASURES = {"ua": "UA", "wa": "WA", "f1": "macro F1"}
NAMES = (
    "UA (unweighted accuracy) is the mean recall of the classes, WA (weighted accuracy) the share "
    "of videos predicted correctly, as is usual. Rajan, Brutti and Cavallaro (arXiv:2202.09263) "
    "use the two names the other way round. A run's epoch was chosen by UA on validation."
)


def write_classes(data: TableData) -> None:
    """Write the measures of every corpus with classes, and of its folds together."""
    study, layout = data.study, data.layout
    parts = [part for part in data.parts if part.scored.rule.pooling == "recall"]
    shown, typeset, rows = [NAMES], [], []
    single = [(part.scored, part.order) for part in parts]
    for scored, order in single + splits([part.scored for part in parts], study):
        table = measures(scored, order, study)
        rows.append(table)
        header = f"{scored.corpus}, {scored.partition} partition, {len(scored.videos)} videos."
        head = ["fusion", *MEASURES.values()]
        cells = [_cells(table, name) for name in order]
        shown += [f"## {scored.corpus}", header, markdown(head, cells)]
        typeset.append(latex(head, cells, f"{header} {NAMES}", f"classes-{scored.corpus}"))
        recalls = [f"recall_{name}" for name in scored.names]
        cells = [_cells(table, name, recalls) for name in order]
        shown += ["Recall of each class.", markdown(["fusion", *scored.names], cells)]
    format.write_csv(layout.tables / "classes.csv", pd.concat(rows, ignore_index=True))
    format.write_page(layout.tables / "classes.md", "Classes", shown)
    format.write_text(layout.tables / "classes.tex", "\n".join(typeset))


def splits(folds: list[Scored], study: Study) -> list[tuple[Scored, list[str]]]:
    """Return the folds of each split as one corpus, with its fusions, best first."""
    merged = []
    for name, entries in groups(study).items():
        members = [fold for fold in folds if fold.corpus in entries]
        if len(members) > 1 and not in_several(members):
            corpus = pooled(name if name not in study.corpora else f"{name}_folds", members)
            merged.append((corpus, ranking(estimates(corpus, study))))
    return merged


def measures(scored: Scored, order: list[str], study: Study) -> pd.DataFrame:
    """Estimate UA, WA, macro F1 and recalls.

    Parameters
    ----------
    scored
        Sums of the runs of a corpus with classes.
    order
        Fusions, in the order of the rows.
    study
        Its `statistics` are read.

    Returns
    -------
    DataFrame
        A row per fusion and measure: mean and sd over seeds, interval over units.
    """
    statistics = study.statistics
    count, rows = len(scored.videos), []
    names = [*("wa", "ua", "f1"), *(f"recall_{name}" for name in scored.names)]
    for fusion in order:
        seeds = sorted(scored.sums.get(fusion, {})) if count else []
        values = np.full((4, len(names)), np.nan)
        if seeds:
            sums = scored.stack(fusion, seeds)  # (S, K, V, 3)
            weight = scored.draw(statistics)
            each = _measured(sums, np.ones((1, count)))[..., 0]  # (M, S)
            drawn = _measured(sums, weight).mean(axis=1)  # (M, N)
            spread = each.std(axis=1, ddof=1) if len(seeds) > 1 else np.full(len(names), np.nan)
            ends = inference.interval(drawn, scored.units, statistics.alpha)
            recalls = drawn[[*range(3, len(names)), 1]]  # as targets: the classes, then UA
            of_classes = inference.interval_of_targets(
                recalls, sums, "recall", statistics.alpha, scored.unit
            )
            ends[:, 3:] = of_classes[:, :-1]
            values = np.stack([each.mean(axis=1), spread, *ends])
        for name, column in zip(names, values.T, strict=True):
            rows.append({"corpus": scored.corpus, "partition": scored.partition, "fusion": fusion,
                         "measure": name, "mean": column[0], "sd": column[1], "low": column[2],
                         "high": column[3], "seeds": len(seeds), "videos": count})  # fmt: skip
    return pd.DataFrame(rows)


def _measured(sums: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return WA, UA, macro F1 and the recall of each class in each draw, (3 + K, S, N)."""
    total = np.moveaxis(weight @ sums, 1, 2)  # (S, N, K, 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.moveaxis(total[..., 1] / total[..., 0], -1, 0)  # (K, S, N)
    return np.concatenate([class_scores(total), recall])


def _cells(table: pd.DataFrame, fusion: str, names: list[str] | None = None) -> list[str]:
    rows = table[table["fusion"] == fusion].set_index("measure")
    wanted = rows.loc[names or list(MEASURES)]
    if not wanted["seeds"].iloc[0]:
        return [fusion, "not run", *[""] * (len(wanted) - 1)]
    return [fusion, *(estimate(r.mean_, r.low, r.high, r.sd) for r in _tuples(wanted))]


def _tuples(table: pd.DataFrame) -> Any:
    return table.rename(columns={"mean": "mean_"}).itertuples()
