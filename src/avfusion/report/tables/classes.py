"""Table of classes: results/tables/classes.{csv,md,tex} with UA, WA, macro F1 and recalls."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.match import groups
from avfusion.config.study import Study
from avfusion.evaluation import crossed
from avfusion.evaluation.estimates import estimates, ranking
from avfusion.evaluation.samples import Samples
from avfusion.evaluation.scored import Scored
from avfusion.metrics.sums import MEAN, class_scores
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown
from avfusion.report.tables.folds import in_several, pooled
from avfusion.report.tables.part import TableData

MEASURES = {"ua": "UA", "wa": "WA", "f1": "macro F1"}
OVER_VIDEOS = ("wa", "f1")
"""Measures that are no scores of the protocol."""
ENDS = ["mean", "sd", "low", "high"]
NAMES = (
    "UA (unweighted accuracy) is the mean recall of the classes, WA (weighted accuracy) the share "
    "of videos predicted correctly, as is usual. Rajan, Brutti and Cavallaro (arXiv:2202.09263) "
    "use the two names the other way round. A run's epoch was chosen by UA on validation. "
    "Brackets: interval over people and trainings; ±: standard deviation over seeds."
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
        A row per fusion and measure: mean and sd over seeds, interval over people and trainings.
        UA and recalls are those of `estimates`.
    """
    samples = Samples(scored, study.statistics)
    table = estimates(scored, study, samples)
    names = {"ua": MEAN, **{f"recall_{name}": name for name in scored.names}}
    rows = []
    for fusion in order:
        of_fusion = table[table["fusion"] == fusion].set_index("target")
        known = {name: of_fusion.loc[target, ENDS] for name, target in names.items()}
        known |= dict(zip(OVER_VIDEOS, _over_videos(samples, fusion).T, strict=True))
        count = int(of_fusion["seeds"].iloc[0])
        for name in ("wa", "ua", "f1", *list(names)[1:]):
            rows.append({"corpus": scored.corpus, "partition": scored.partition, "fusion": fusion,
                         "measure": name, **dict(zip(ENDS, known[name], strict=True)),
                         "seeds": count, "videos": len(scored.videos)})  # fmt: skip
    return pd.DataFrame(rows)


def _over_videos(samples: Samples, fusion: str) -> np.ndarray:
    """Return mean, sd, low and high (4, 2) of a fusion's WA and macro F1."""
    scored, statistics = samples.scored, samples.statistics
    seeds = sorted(scored.sums.get(fusion, {})) if scored.videos else []
    if not seeds:
        return np.full((4, len(OVER_VIDEOS)), np.nan)
    weight = np.ones((1, len(scored.videos)))
    each = _measured(scored.stack(fusion, seeds), weight)[..., 0]  # (S, 2)
    spread = each.std(axis=0, ddof=1) if len(seeds) > 1 else np.full(each.shape[1], np.nan)
    ends = np.full((2, each.shape[1]), np.nan)
    if scored.units > 1:
        grid = samples.grid([fusion])
        sums = np.stack([scored.stack(fusion, list(fit)) for fit in grid])  # (E, S, K, V, 3)
        count = [scored.units] * each.shape[1]
        sample = crossed.measured(sums, scored.draw(statistics), _measured, count, scored.unit)
        estimate = crossed.score(sample, statistics.alpha, statistics.seed)
        ends = np.stack([estimate.low, estimate.high]) + each.mean(axis=0) - estimate.value
    return np.stack([each.mean(axis=0), spread, *np.clip(ends, 0.0, 1.0)])


def _measured(sums: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return WA and macro F1 of runs with sums (S, K, V, 3) in each draw, (S, 2, N)."""
    total = np.moveaxis(weight @ sums, 1, 2)  # (S, N, K, 3)
    wa, _, f1 = class_scores(total)
    return np.stack([wa, f1], axis=1)


def _cells(table: pd.DataFrame, fusion: str, names: list[str] | None = None) -> list[str]:
    rows = table[table["fusion"] == fusion].set_index("measure")
    wanted = rows.loc[names or list(MEASURES)]
    if not wanted["seeds"].iloc[0]:
        return [fusion, "not run", *[""] * (len(wanted) - 1)]
    return [fusion, *(estimate(r.mean_, r.low, r.high, r.sd) for r in _tuples(wanted))]


def _tuples(table: pd.DataFrame) -> Any:
    return table.rename(columns={"mean": "mean_"}).itertuples()
