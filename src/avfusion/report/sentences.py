"""Sentences above and below tables: what was compared, on which data, and the result."""

import re
from typing import Any

import pandas as pd

from avfusion.config.availability import Absence
from avfusion.config.baseline import REFERENCES
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation.scored import Scored
from avfusion.evaluation.significance import p_text
from avfusion.report.declared import findings as declared_findings
from avfusion.report.format import and_list, counted, decimals, estimate
from avfusion.report.marks import Marks
from avfusion.report.recordings import synthetic


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
    statistics, unit = study.statistics, scored.unit_word
    runs = [len(s) for name, s in scored.sums.items() if name not in REFERENCES] or [0]
    seeds = f"{runs[0]}" if len(set(runs)) == 1 else f"{min(runs)} to {max(runs)}"
    spread = "" if seeds == "1" else "s ± its standard deviation over trainings,"
    return (
        f"{scored.corpus}, protocol {scored.rule.stamp}, {scored.partition} partition: "
        f"{len(scored.videos)} videos scored, {_missing(scored)}; {_metric(scored)} as the "
        f"mean over {seeds} training{spread} and its {_level(statistics)} interval over {unit}s "
        f"and trainings in brackets ({statistics.draws:,} crossed bootstrap draws, the same for "
        f"every fusion{_fits(scored)})."
    )


def _fits(scored: Scored) -> str:
    """Return how many encoder fits the trainings read; empty for one."""
    fits = len(set(scored.fits.values()))
    return f"; {fits} fits of the encoders" if fits > 1 else ""


def comparison_header(scored: Scored, study: Study) -> str:
    """Return the sentence above a table of comparisons: how the differences were tested."""
    statistics, unit = study.statistics, scored.unit_word
    margin = statistics.margins[scored.rule.pooling]
    return (
        f"{scored.corpus}, protocol {scored.rule.stamp}, {scored.partition} partition, "
        f"{len(scored.videos)} videos, {_missing(scored)}: difference in mean "
        f"{scored.rule.metric} with its uncorrected {_level(statistics)} interval over {unit}s "
        f"and trainings; p of a studentised exchange test, two-sided, with Holm's correction "
        f"within each table; probabilities that the first is worse, equal within ±{margin:g}, or "
        f"better; {unit}s needed for a difference of {statistics.declared:g} with power "
        f"{statistics.power:g} (–: more trainings are needed). Better or worse: corrected p at "
        f"most {statistics.alpha:g} and an interval without zero. Equivalent: within the margin "
        f"by two one-sided tests, corrected."
    )


def caveats(scored: Scored, study: Study) -> list[str]:
    """Return what limits the result.

    These are a leaking protocol, a partition used for selection, dependent videos, few trainings
    and runs without a score.
    """
    sentences, statistics = [], study.statistics
    if scored.rule.leaks:
        sentences.append(
            f"Protocol {scored.rule.stamp} uses the gold labels it is scored on; its numbers do "
            "not measure agreement and compare only with that publication."
        )
    if scored.partition == "validation":
        sentences.append(_selected(scored, study))
    sentences += repeated_subjects(scored, statistics)
    if len(study.seeds) == 1:
        sentences.append(
            "One training per fusion, so intervals and p do not cover other trainings. Set `seeds` "
            "to 3 or more."
        )
    if scored.notes:
        runs = and_list([f"{fusion} seed {seed}" for fusion, seed in scored.notes][:8])
        more = f" and {len(scored.notes) - 8} more" if len(scored.notes) > 8 else ""
        why = sorted({absence(note) for note in scored.notes.values()} - {"not run"})
        sentences.append(
            f"{counted(len(scored.notes), 'run')} without a score: {runs}{more} "
            f"({'; '.join([*why[:2], 'reasons in runs.csv'])})."
        )
    return sentences


def _selected(scored: Scored, study: Study) -> str:
    """Return what reporting the validation partition means, by where epochs were chosen."""
    choices = {study.train_rule(fusion, scored.corpus).select.on for fusion in study.fusions
               if fusion in scored.sums}  # fmt: skip
    begin = f"The test partition of {scored.corpus} has no ratings here; validation is reported"
    if choices == {"train_subjects"}:
        return (
            f"{begin}. Epochs of fusions were chosen on train subjects that were set aside; "
            f"encoders that are fitted and the declared baselines were chosen on validation."
        )
    return (
        f"{begin}, on which each run's epoch was chosen, so levels and differences are "
        f"optimistic. `train.select: {{on: train_subjects}}` chooses on people of train."
    )


def references(table: pd.DataFrame, study: Study) -> list[str]:
    """Return a caveat that names the references that score higher than every fusion."""
    rows = table[(table["target"] == "mean") & table["mean"].notna()]
    trained = rows[~rows["fusion"].isin(REFERENCES)]
    others = rows[rows["fusion"].isin(REFERENCES) & (rows["fusion"] != "oracle")]
    above = others[others["mean"] > trained["mean"].max()] if len(trained) else others
    if not len(above) or not len(trained):
        return []
    parts = [f"{r.fusion} {r.mean:.3f}" for r in above.sort_values("mean").itertuples()]
    return [
        f"{and_list(parts)} {'is' if len(parts) == 1 else 'are'} above every fusion. These rows "
        f"combine the single modalities without training a fusion, so fusing features gained "
        f"nothing here."
    ]


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
    if scored.unit is not None or people == len(scored.subjects):
        return []
    return [
        f"The {len(scored.videos)} videos show {people} subjects. Intervals and p take each "
        f"video as independent, so they hold for other videos of these people and are too narrow "
        f"for other people; `statistics.unit: subject` draws people instead."
    ]


def findings(
    scored: Scored,
    table: pd.DataFrame,
    compared: tuple[pd.DataFrame, pd.DataFrame],
    study: Study,
    marks: Marks,
) -> list[str]:
    """Return the result as sentences: the best fusion, declared comparisons, and all pairs.

    A fusion with runs that did not train is named with this remark.

    Parameters
    ----------
    scored, study, marks
        Scores, settings, and runs that did not train.
    table
        Estimates under the headline protocol.
    compared
        Declared comparisons, and all pairs in the mean.
    """
    rows = table[(table["target"] == "mean") & table["mean"].notna()]
    rows = rows[~rows["fusion"].isin(REFERENCES)]
    if not len(rows) and scored.constant:
        return [f"{scored.corpus}: no score, because the gold is constant.", *constant_gold(scored)]
    if not len(rows):
        return [f"{scored.corpus}: no run was scored."]
    best = rows.iloc[0]
    seeds = of_seeds(int(best.seeds), study)
    missing = f" ({_named(scored.missing).replace(' (', ': ')}" if scored.missing else ""
    corpus = scored.corpus
    if synthetic(study.corpus_class(corpus)):
        corpus = f"the synthetic corpus {corpus}"
    size = estimate(best["mean"], best.low, best.high, digits=decimals(list(rows["mean"]))[0])
    sentences = [
        f"On {len(scored.videos)} {scored.partition} videos of {corpus}{missing} and {seeds}, "
        f"{marks.named(best.fusion)} reaches a mean {scored.rule.metric} of {size} under protocol "
        f"{scored.rule.stamp}."
    ]
    if scored.missing_in_training:
        sentences.append(
            f"Of the videos for training and validation, {_named(scored.missing_in_training)}."
        )
    declared, pairs = compared
    sentences += declared_findings(declared, scored, study, marks)
    return sentences + _explored(best.fusion, pairs, study, marks)


def _explored(best: str, pairs: pd.DataFrame, study: Study, marks: Marks) -> list[str]:
    """Return how many pairs of fusions differ, and which fusions are below the best one."""
    if not len(pairs):
        return []
    compared = pairs[(pairs["family"] == "pairs") & pairs["difference"].notna()]
    if not len(compared):
        return []
    beaten = compared[(compared["fusion"] == best) & compared["significant"]]
    text = (
        f"Exploratory: {int(compared['significant'].sum())} of {len(compared)} pairs differ "
        f"significantly"
    )
    if len(beaten):
        text += f"; {best}, the highest, is above {and_list(list(beaten['other']))}"
        text += f" ({_corrected(beaten['p_holm'], study)})"
    return [marks.qualified(f"{text}.", [best, *beaten["other"]])]


def bold(tied: list[str]) -> str:
    """Return what bold type means in the score table."""
    if len(tied) > 1:
        return (
            "Bold: the best fusion and those that are not significantly worse (in the declared "
            "comparison with it, or the exploratory one if none was declared)."
        )
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
