"""Tables of folds: results/tables/folds.{csv,md,tex}, the folds of one split pooled.

Each fold is an entry of `corpora`; entries of one class, task and `group` are one split. Each video
is tested in one fold, so the folds' sums together are those of the complete corpus. Pooled scores,
their intervals and the exchange test follow as for one corpus.

Entries that test the same videos (one release under two options) are not folds and are not pooled:
each video would count twice, and every interval would be too short.

The sign test treats the (fold, seed) pairs as exchangeable. Folds share training videos, so its p
is a lower bound.
"""

import itertools
import logging
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from avfusion.config.match import groups
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation import estimates, inference, significance, units
from avfusion.evaluation.scored import Scored
from avfusion.literature.check_claims import check_claims
from avfusion.literature.claims import Equivalent, load
from avfusion.metrics.sums import MEAN, point
from avfusion.report import format
from avfusion.report.format import difference, estimate, latex, markdown, number, p_value
from avfusion.report.marks import Marks
from avfusion.report.sentences import repeated_subjects
from avfusion.report.tables.part import TableData
from avfusion.report.tables.splits import Split, side_by_side, warning

log = logging.getLogger(__name__)
AREAS = pd.DataFrame(columns=["corpus", "corruption", "target", "fusion", "other"])
HEAD = ["fusion", "pooled", "mean of folds", "sd of folds", "sd of seeds"]


def write_folds(data: TableData) -> None:
    """Write folds.*; remove them if no split has several scored folds."""
    study, layout = data.study, data.layout
    scored = {part.scored.corpus: part.scored for part in data.parts}
    rows: list[pd.DataFrame] = []
    shown: list[str] = []
    typeset: list[str] = []
    splits: list[Split] = []
    for name, entries in groups(study).items():
        folds = [scored[entry] for entry in entries if entry in scored]
        if len(folds) < 2 or _overlap(name, folds):
            continue
        merged = pooled(name, folds)
        splits.append(Split(name, [fold.corpus for fold in folds], merged))
        marks = Marks.read(splits[-1].entries, study, layout)
        points = summary(merged, folds, study)
        points["did_not_train"] = [str(marks.count(name)) for name in points["fusion"]]
        pairs = marks.of_pairs(paired(merged, folds, study))
        rows += [points, pairs]
        lost = [entry for entry in entries if entry not in scored]
        header = _header(merged, folds, study) + (f" Not run: {', '.join(lost)}." if lost else "")
        warnings = warning(name, splits[-1].entries, layout)
        for line in warnings:
            log.warning("%s", line)
        cells = _point_cells(points, marks)
        limits = [*marks.caveats(), *repeated_subjects(merged, study.statistics)]
        shown += [f"## {name}", header, *warnings, *limits]
        shown += [
            markdown(HEAD, cells),
            _pair_table(pairs, merged.unit_word),
            *_equal(merged, study),
        ]
        typeset.append(latex(HEAD, cells, header, f"folds-{name}"))
    if not rows:
        for path in layout.tables.glob("folds.*"):
            path.unlink()
        return
    tables, first = side_by_side(splits, study, layout)
    format.write_csv(layout.tables / "folds.csv", pd.concat(rows + tables, ignore_index=True))
    format.write_page(layout.tables / "folds.md", "Folds", first + shown)
    format.write_text(layout.tables / "folds.tex", "\n".join(typeset))


def in_several(folds: list[Scored]) -> list[str]:
    """Return the videos that more than one fold is scored on, sorted."""
    counts = Counter(video for fold in folds for video in {*fold.videos, *fold.missing})
    return sorted(video for video, count in counts.items() if count > 1)


def pooled(name: str, folds: list[Scored]) -> Scored:
    """Return the folds as one corpus: all their videos, for the runs that every fold has."""
    sums: dict[str, dict[int, np.ndarray]] = {}
    for fusion in folds[0].sums:
        seeds = set.intersection(*(set(fold.sums.get(fusion, {})) for fold in folds))
        if seeds:
            sums[fusion] = {
                seed: np.concatenate([fold.sums[fusion][seed] for fold in folds], axis=1)
                for seed in sorted(seeds)
            }
    subjects = tuple(subject for fold in folds for subject in fold.subjects)
    by_subject = StatisticsSettings(unit="subject")
    unit = None if folds[0].unit is None else units.numbers(subjects, by_subject)
    return replace(
        folds[0],
        corpus=name,
        videos=[f"{fold.corpus}/{video}" for fold in folds for video in fold.videos],
        missing=[f"{fold.corpus}/{video}" for fold in folds for video in fold.missing],
        missing_in_training=[],
        notes={run: note for fold in folds for run, note in fold.notes.items()},
        sums=sums,
        subjects=subjects,
        unit=unit,
    )


def summary(merged: Scored, folds: list[Scored], study: Study) -> pd.DataFrame:
    """Estimate the pooled scores and the spread of the folds.

    Parameters
    ----------
    merged
        The folds as one corpus.
    folds
        The folds.
    study
        Its fusions and `statistics` are read.

    Returns
    -------
    DataFrame
        A row per fusion and target: pooled score with interval, mean of the folds, `sd_folds` of
        the folds' means over seeds, and `sd_seeds` of the seeds' means over folds.
    """
    table = estimates.estimates(merged, study)
    table = table.rename(columns={"mean": "pooled"}).drop(columns=["sd", "note"])
    table.insert(0, "table", "fusions")
    table["folds"] = len(folds)
    for place, row in table.iterrows():
        each = _each(merged, folds, row["fusion"])  # (F, S, K + 1)
        if each is None:
            continue
        values = each[..., merged.targets.index(row["target"])]
        table.loc[place, "mean"] = values.mean()
        table.loc[place, "sd_folds"] = values.mean(axis=1).std(ddof=1)
        several = values.shape[1] > 1
        table.loc[place, "sd_seeds"] = values.mean(axis=0).std(ddof=1) if several else np.nan
    return table


def paired(merged: Scored, folds: list[Scored], study: Study) -> pd.DataFrame:
    """Compare all pairs in the mean score, over the folds' videos and over (fold, seed) pairs."""
    pairs = estimates.comparisons(merged, study, list(merged.sums))
    if not len(pairs):
        return pairs
    pairs = pairs[pairs["target"] == MEAN].reset_index(drop=True)
    pairs.insert(0, "table", "pairs")
    statistics = study.statistics
    for place, row in pairs.iterrows():
        gaps = _gaps(merged, folds, row["fusion"], row["other"])
        pairs.loc[place, "p_runs"] = sign_flips(gaps, statistics.draws, statistics.seed)
        pairs.loc[place, "won"], pairs.loc[place, "runs"] = int((gaps > 0).sum()), len(gaps)
    return pairs.astype({"won": int, "runs": int})


def sign_flips(gaps: np.ndarray, draws: int, seed: int) -> float:
    """Test whether paired differences are symmetric around zero.

    Parameters
    ----------
    gaps
        Paired differences (N,).
    draws, seed
        Largest number of sign flips, and the seed of their generator.

    Returns
    -------
    float
        Two-sided p; NaN if a difference is not finite.

    >>> sign_flips(np.array([1.0, 2.0, 3.0, 4.0]), 1000, 0)
    0.125
    """
    if not np.isfinite(gaps).all():
        return float("nan")
    swap, exact = inference.exchanges(len(gaps), draws, seed)
    sums = np.abs((1 - 2 * swap) @ gaps) >= abs(gaps.sum()) - 1e-12
    return float(sums.mean() if exact else (1 + sums.sum()) / (1 + len(sums)))


def _overlap(name: str, folds: list[Scored]) -> bool:
    """Warn and return True if entries of one split test the same videos."""
    twice = in_several(folds)
    if twice:
        log.warning(
            "%s: %s test the same %d videos, so they are not folds of one split and are not "
            "pooled. Give each a `group` of its own.",
            *(name, " and ".join(fold.corpus for fold in folds), len(twice)),
        )
    return bool(twice)


def _gaps(merged: Scored, folds: list[Scored], first: str, second: str) -> np.ndarray:
    seeds = sorted(set(merged.sums[first]) & set(merged.sums[second]))
    one, other = (
        np.stack([point(f.stack(name, seeds), f.rule.pooling)[:, -1] for f in folds])
        for name in (first, second)
    )
    return (one - other).ravel()


def _each(merged: Scored, folds: list[Scored], fusion: str) -> np.ndarray | None:
    """Return the scores (F, S, K + 1) of each fold; None if one has none."""
    seeds = sorted(merged.sums.get(fusion, {}))
    if not seeds or any(not fold.videos for fold in folds):
        return None
    return np.stack([point(fold.stack(fusion, seeds), fold.rule.pooling) for fold in folds])


def _point_cells(points: pd.DataFrame, marks: Marks) -> list[list[str]]:
    cells = []
    for row in points[points["target"] == MEAN].to_dict("records"):
        size = estimate(row["pooled"], row["low"], row["high"])
        spread = [number(row[key]) for key in ("mean", "sd_folds", "sd_seeds")]
        remark = marks.remark(row["fusion"])
        cells.append([f"{row['fusion']}, {remark}" if remark else row["fusion"], size, *spread])
    return cells


def _pair_table(pairs: pd.DataFrame, unit: str) -> str:
    p = f"p ({unit}s)"
    head = ["pair", "difference", p, "p (folds × seeds)", "pairs won"]
    body = [
        [f"{r['fusion']} − {r['other']}", difference(r["difference"], r["low"], r["high"]),
         p_value(r["p"]), p_value(r["p_runs"]), f"{r['won']} of {r['runs']}"]
        for r in pairs.to_dict("records")
    ]  # fmt: skip
    return markdown(head, body)


def _equal(merged: Scored, study: Study) -> list[str]:
    """Test the claims of equality on the pooled folds, within their stated margin."""
    claims = load()
    equivalent = [claim for claim in claims.claims if isinstance(claim, Equivalent)]
    if not equivalent:
        return []
    table = check_claims(merged, study, claims.model_copy(update={"claims": equivalent}), AREAS)
    table = table[table["verdict"] != "not run"]
    return [
        f"{r['claim']}: {r['quantity']}: {estimate(r['effect'], r['low'], r['high'])}, "
        f"{significance.p_text(r['p'])} ({r['detail']}): {r['verdict']}."
        for r in table.to_dict("records")
    ]


def _header(merged: Scored, folds: list[Scored], study: Study) -> str:
    pairs = list(itertools.chain(merged.sums.values()))
    unit = merged.unit_word
    return (
        f"{merged.corpus}: {len(folds)} folds ({', '.join(f.corpus for f in folds)}), up to "
        f"{max(map(len, pairs), default=0)} seeds, {len(merged.videos)} {merged.partition} videos, "
        f"protocol {merged.rule.stamp}, mean {merged.rule.metric}. Pooled: over all folds' videos "
        f"together, with its {100 * (1 - study.statistics.alpha):g}% interval over {unit}s and "
        f"trainings. p ({unit}s) is that of comparisons.md; p (folds × seeds) flips the signs of "
        f"the runs' paired differences, which share training videos, so it is a lower bound."
    )
