"""Sentences above and below tables: what was compared, on which data, and the result."""

import re
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.availability import Absence
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation import units
from avfusion.evaluation.inference import least_p
from avfusion.evaluation.scored import Scored
from avfusion.evaluation.significance import p_text
from avfusion.report.format import estimate
from avfusion.report.marks import Marks


def and_list(words: list[str]) -> str:
    """Join words as `a`, `a and b` or `a, b and c`.

    >>> and_list(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def absence(note: Any) -> str:
    """Return the reason why a fusion has no score, from the note of its runs.

    >>> absence("seed 0: failed: diverged: loss is nan in epoch 1, batch 2. Lower `train.lr`.")
    'failed: diverged: loss is nan in epoch 1, batch 2'
    """
    failure = re.search(r"failed: .*?(?=\. |\.?$)", str(note))
    return failure[0] if failure else "not run"


def of_seeds(scored: int, study: Study) -> str:
    """Return `3 seeds`, or `2 of 3 seeds` if a run has no score."""
    asked = len(study.seeds)
    many = f"{asked} seed{'s' if asked > 1 else ''}"
    return many if scored == asked else f"{scored} of {many}"


def header(scored: Scored, study: Study) -> str:
    """Return the sentence above a table of scores: protocol, partition, videos and intervals."""
    statistics, unit = study.statistics, units.word(study.statistics)
    runs = [len(s) for s in scored.sums.values()] or [0]
    seeds = f"{runs[0]}" if len(set(runs)) == 1 else f"{min(runs)} to {max(runs)}"
    spread = "" if seeds == "1" else "s ± its standard deviation over seeds,"
    return (
        f"{scored.corpus}, protocol {scored.rule.stamp}, {scored.partition} partition: "
        f"{len(scored.videos)} videos scored, {_missing(scored)}; {_metric(scored)} as the "
        f"mean over {seeds} seed{spread} and its {_level(statistics)} interval "
        f"over {unit}s in brackets (expanded percentiles of {statistics.draws:,} bootstrap draws "
        f"of whole {unit}s, the same draws for every fusion)."
    )


def comparison_header(scored: Scored, study: Study) -> str:
    """Return the sentence above a table of comparisons: how the differences were tested."""
    statistics, count, unit = study.statistics, scored.units, units.word(study.statistics)
    every = 2**count <= statistics.draws
    exchanges = f"all {2**count:,}" if every else f"{statistics.draws:,} random"
    return (
        f"{scored.corpus}, protocol {scored.rule.stamp}, {scored.partition} partition, "
        f"{len(scored.videos)} videos, {_missing(scored)}: difference in mean "
        f"{scored.rule.metric} with its uncorrected {_level(statistics)} interval "
        f"over {unit}s; p from {exchanges} exchanges of the two fusions {unit} by {unit}, "
        f"two-sided; Holm's correction over all pairs; significant = corrected p at most "
        f"{statistics.alpha:g} and an interval without zero. p and interval are "
        f"of these trainings on other {unit}s; p (seeds), Welch's t over seeds, is of other "
        f"trainings on these videos."
    )


def caveats(scored: Scored, study: Study, pairs: int) -> list[str]:
    """Return what limits the result.

    These are a leaking protocol, a partition used for selection, dependent videos, too few units
    and runs without a score.
    """
    sentences, statistics = [], study.statistics
    if scored.rule.leaks:
        sentences.append(
            f"Protocol {scored.rule.stamp} uses the gold labels it is scored on; its numbers do "
            "not measure agreement and compare only with that publication."
        )
    if scored.partition == "validation":
        sentences.append(
            f"The test partition of {scored.corpus} has no ratings here; validation is reported, "
            "on which each run's epoch was chosen, so the level is optimistic."
        )
    sentences += repeated_subjects(scored, statistics)
    least = least_p(scored.units, statistics.draws)
    if pairs and scored.units > 1 and least * pairs > statistics.alpha:
        sentences.append(
            f"{scored.units} {units.word(statistics)}s are too few for all pairs to differ "
            f"significantly: the smallest possible p is {least:.2g}, {min(1, least * pairs):.2f} "
            f"after Holm's correction over {pairs} pairs."
        )
    if scored.notes:
        runs = and_list([f"{fusion} seed {seed}" for fusion, seed in scored.notes][:8])
        more = f" and {len(scored.notes) - 8} more" if len(scored.notes) > 8 else ""
        why = sorted({absence(note) for note in scored.notes.values()} - {"not run"})
        sentences.append(
            f"{len(scored.notes)} runs have no score: {runs}{more} "
            f"({'; '.join([*why[:2], 'reasons in runs.csv'])})."
        )
    return sentences


def constant_gold(scored: Scored) -> list[str]:
    """Return a caveat that names the targets without a score because their gold is constant."""
    names = scored.constant
    if not names:
        return []
    whose = "their" if len(names) > 1 else "its"
    where = "each video of " if scored.rule.pooling == "per_video_mean" else ""
    return [
        f"No CCC of {and_list(list(names))} (–): {whose} gold is constant in {where}the "
        f"{scored.partition} partition of {scored.corpus}, where CCC is undefined. So is the mean "
        f"over targets."
    ]


def repeated_subjects(scored: Scored, statistics: StatisticsSettings) -> list[str]:
    """Return a caveat if subjects appear in several videos that are taken as independent."""
    people = len(set(scored.subjects))
    if units.by_subject(statistics) or people == len(scored.subjects):
        return []
    return [
        f"The {len(scored.videos)} videos show {people} subjects. Intervals and p take each "
        f"video as independent, so they hold for other videos of these people and are too narrow "
        f"for other people; `statistics.unit: subject` draws people instead."
    ]


def findings(
    scored: Scored, table: pd.DataFrame, pairs: pd.DataFrame, study: Study, marks: Marks
) -> list[str]:
    """Return the result as sentences: the best fusion and its differences to the others.

    A fusion with runs that did not train is named with this remark.
    """
    rows = table[(table["target"] == "mean") & table["mean"].notna()]
    if not len(rows) and scored.constant:
        return [f"{scored.corpus}: no score, because the gold is constant.", *constant_gold(scored)]
    if not len(rows):
        return [f"{scored.corpus}: no run was scored."]
    best = rows.iloc[0]
    seeds = of_seeds(int(best.seeds), study)
    missing = f" ({_named(scored.missing).replace(' (', ': ')}" if scored.missing else ""
    sentences = [
        f"On {len(scored.videos)} {scored.partition} videos of {scored.corpus}{missing} and "
        f"{seeds}, {marks.named(best.fusion)} reaches a mean {scored.rule.metric} of "
        f"{estimate(best['mean'], best.low, best.high)} under protocol {scored.rule.stamp}."
    ]
    if scored.missing_in_training:
        sentences.append(
            f"Of the videos for training and validation, {_named(scored.missing_in_training)}."
        )
    if not len(pairs):
        return sentences
    compared = pairs[(pairs["fusion"] == best.fusion) & pairs["difference"].notna()]
    beaten, tied = compared[compared["significant"]], compared[~compared["significant"]]
    if len(beaten):
        parts = [
            f"{r.other} by {estimate(r.difference, r.low, r.high)}" for r in beaten.itertuples()
        ]
        sentence = f"It beats {and_list(parts)} ({_corrected(beaten['p_holm'], study)})."
        sentences.append(marks.qualified(sentence, [best.fusion, *beaten["other"]]))
        sentences += other_trainings(beaten, study)
    if len(tied) > 3:
        sentence = _not_significant(best.fusion, tied, study)
        return [*sentences, marks.qualified(sentence, [best.fusion, *tied["other"]])]
    return sentences + list(tied["verdict"])


def _not_significant(best: str, tied: pd.DataFrame, study: Study) -> str:
    """Name many fusions without a significant difference to the best in one sentence."""
    parts = [f"{r.other} ({estimate(r.difference, r.low, r.high)})" for r in tied.itertuples()]
    return (
        f"No significant difference between {best} and {and_list(parts)}: differences with "
        f"uncorrected {_level(study.statistics)} intervals, each Holm's p ≥ "
        f"{tied['p_holm'].min():.3f}."
    )


def other_trainings(beaten: pd.DataFrame, study: Study) -> list[str]:
    """Flag wins that are not significant across seeds."""
    if (beaten["seeds"] < 2).all():
        return ["This holds for one training each; the scores of other trainings are not known."]
    weak = beaten[~(beaten["p_seeds"] <= study.statistics.alpha)]
    if not len(weak):
        return []
    names = [
        f"{r.other} ({p_text(r.p_seeds) if np.isfinite(r.p_seeds) else 'one seed'})"
        for r in weak.itertuples()
    ]
    return [
        f"This holds for these trainings: over seeds, the lead over {and_list(names)} is not "
        f"significant (Welch's t), so other seeds may reverse it."
    ]


def short_verdict(row: Any) -> str:
    """Return the result of a comparison for a table that shows its numbers."""
    if not np.isfinite(row.difference):
        return "not compared"
    if not row.significant:
        return "no significant difference"
    first, second = (row.fusion, row.other)[:: 1 if row.difference > 0 else -1]
    return f"{first} beats {second}"


def bold(tied: list[str]) -> str:
    """Return what bold type means in the score table."""
    if len(tied) > 1:
        return "Bold: the best fusion and those without a significant difference to it."
    return "Bold: the best fusion." if tied else ""


def protocol_header(scored: Scored) -> str:
    """Return the sentence above a table of protocols."""
    return (
        f"The same predictions on {len(scored.videos)} {scored.partition} videos of "
        f"{scored.corpus} under each protocol, {_missing(scored)}: mean {scored.rule.metric} of "
        f"{and_list(list(scored.names))}, averaged over seeds, and the rank in brackets."
    )


def not_run(absent: list[Absence]) -> list[str]:
    """Return the heading and the reason of each corpus without scores."""
    return [text for one in absent for text in (f"## {one.title}", f"Not run: {one.why}.")]


def _level(statistics: StatisticsSettings) -> str:
    return f"{100 * (1 - statistics.alpha):g}%"


def _corrected(p: pd.Series, study: Study) -> str:
    interval = f"uncorrected {_level(study.statistics)} interval"
    if len(p) == 1:
        return f"{interval}; {p_text(p.iloc[0])} after Holm's correction"
    return f"{interval}s; each p ≤ {max(p.max(), 0.001):.3f} after Holm's correction"


def _metric(scored: Scored) -> str:
    """Return the name of the metric; the mean of recalls is called UA."""
    return "CCC" if scored.rule.metric == "CCC" else "recall of each class and their mean (UA)"


def _missing(scored: Scored) -> str:
    """Return which videos are missing from the reported partition and from the others."""
    text = _named(scored.missing) if scored.missing else "none missing"
    if scored.missing_in_training:
        text += f"; of the videos for training and validation, {_named(scored.missing_in_training)}"
    return text


def _named(names: list[str]) -> str:
    """Count and list names; a long list refers to missing.csv."""
    shown = ", ".join(names[:6]) + (", … in missing.csv" if len(names) > 6 else "")
    return f"{len(names)} missing ({shown})"
