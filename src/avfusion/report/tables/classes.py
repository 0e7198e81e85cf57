"""Tables of runs on classes: results/tables/classes.{csv,md,tex}, UA, WA, macro F1 and recalls."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.match import groups
from avfusion.evaluation import inference
from avfusion.evaluation.estimates import Scored, estimates, ranking
from avfusion.layout import Layout
from avfusion.metrics.sums import class_scores
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown
from avfusion.report.tables.folds import in_several, pooled
from avfusion.report.tables.part import Part

MEASURES = {"ua": "UA", "wa": "WA", "f1": "macro F1"}


NAMES = (
    "UA (unweighted accuracy) is the mean recall of the classes, WA (weighted) the share of videos "
    "told right: the usual names. Rajan, Brutti and Cavallaro (arXiv:2202.09263) use them the "
    "other way round. A run's epoch was chosen by UA on validation."
)


def write_classes(parts: list[Part], study: dict[str, Any], layout: Layout) -> None:
    """Write the classes' tables; without a run on classes, those of an earlier study go."""
    parts = [part for part in parts if part.scored.rule.pooling == "recall"]
    if not parts:
        for path in layout.tables.glob("classes.*"):
            path.unlink()
        return
    shown, typeset, rows = [NAMES], [], []
    whole = [(part.scored, part.order) for part in parts]
    for scored, order in whole + splits([part.scored for part in parts], study):
        table = measures(scored, order, study)
        rows.append(table)
        said = f"{scored.corpus}, {scored.partition} partition, {len(scored.videos)} videos."
        head = ["fusion", *MEASURES.values()]
        cells = [_cells(table, name) for name in order]
        shown += [f"## {scored.corpus}", said, markdown(head, cells)]
        head = ["fusion", *scored.names]
        cells = [_cells(table, name, [f"recall_{c}" for c in scored.names]) for name in order]
        shown += ["Recall of each class.", markdown(head, cells)]
        typeset.append(latex(["fusion", *MEASURES.values()], [_cells(table, n) for n in order],
                             f"{said} {NAMES}", f"classes-{scored.corpus}"))  # fmt: skip
    format.write_csv(layout.tables / "classes.csv", pd.concat(rows, ignore_index=True))
    format.write_page(layout.tables / "classes.md", "Classes", shown)
    format.write_text(layout.tables / "classes.tex", "\n".join(typeset))


def splits(folds: list[Scored], study: dict[str, Any]) -> list[tuple[Scored, list[str]]]:
    """The folds of each split as one corpus, with its fusions, best first."""
    found = []
    for name, entries in groups(study).items():
        own = [fold for fold in folds if fold.corpus in entries]
        if len(own) > 1 and not in_several(own):
            whole = pooled(name if name not in study["corpora"] else f"{name}_folds", own)
            found.append((whole, ranking(estimates(whole, study))))
    return found


def measures(scored: Scored, order: list[str], study: dict[str, Any]) -> pd.DataFrame:
    """A row a fusion and measure: mean and sd over seeds, interval over videos."""
    how = study["statistics"]
    count, found = len(scored.videos), []
    names = [*("wa", "ua", "f1"), *(f"recall_{name}" for name in scored.names)]
    for fusion in order:
        seeds = sorted(scored.sums.get(fusion, {})) if count else []
        values = np.full((4, len(names)), np.nan)
        if seeds:
            sums = scored.stack(fusion, seeds)  # (S, K, V, 3)
            weight = scored.draw(how)
            each = _measured(sums, np.ones((1, count)))[..., 0]  # (M, S)
            drawn = _measured(sums, weight).mean(axis=1)  # (M, N)
            spread = each.std(axis=1, ddof=1) if len(seeds) > 1 else np.full(len(names), np.nan)
            ends = inference.interval(drawn, scored.units, how["alpha"])
            recalls = drawn[[*range(3, len(names)), 1]]  # as targets: the classes, then UA
            own = inference.interval_of_targets(recalls, sums, "recall", how["alpha"], scored.unit)
            ends[:, 3:] = own[:, :-1]
            values = np.stack([each.mean(axis=1), spread, *ends])
        for name, column in zip(names, values.T, strict=True):
            found.append({"corpus": scored.corpus, "partition": scored.partition, "fusion": fusion,
                          "measure": name, "mean": column[0], "sd": column[1], "low": column[2],
                          "high": column[3], "seeds": len(seeds), "videos": count})  # fmt: skip
    return pd.DataFrame(found)


def _measured(sums: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """WA, UA, macro F1 and each class' recall in each draw, (3 + K, S, N)."""
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
