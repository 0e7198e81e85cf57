"""The sentences above and below tables: what was compared, on what, and what came out."""

import re
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.availability import Absence
from avfusion.evaluation import units
from avfusion.evaluation.estimates import Scored
from avfusion.evaluation.inference import least_p, p_text
from avfusion.report.format import estimate


def and_list(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`.

    >>> and_list(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def absence(note: Any) -> str:
    """What stands where a fusion has no score: why its runs failed, or that there is no run.

    >>> absence("seed 0: failed: diverged: loss is nan in epoch 1, batch 2. Lower `train.lr`.")
    'failed: diverged: loss is nan in epoch 1, batch 2'
    """
    found = re.search(r"failed: .*?(?=\. |\.?$)", str(note))
    return found[0] if found else "not run"


def of_seeds(scored: int, study: dict[str, Any]) -> str:
    """`3 seeds`, or `2 of 3 seeds` where a run has no score."""
    asked = len(study["seeds"])
    many = f"{asked} seed{'s' if asked > 1 else ''}"
    return many if scored == asked else f"{scored} of {many}"


def header(scored: Scored, study: dict[str, Any]) -> str:
    """What a reader must know before the first number, in one sentence."""
    how, unit = study["statistics"], units.word(study["statistics"])
    runs = [len(s) for s in scored.sums.values()] or [0]
    seeds = f"{runs[0]}" if len(set(runs)) == 1 else f"{min(runs)} to {max(runs)}"
    share = f"{100 * (1 - how['alpha']):g}%"
    spread = "" if seeds == "1" else "s ± its standard deviation over seeds,"
    return (
        f"{scored.corpus}, protocol {scored.rule.stamp}, {scored.partition} partition: "
        f"{len(scored.videos)} videos scored, {_missing(scored)}; {_metric(scored)} as the "
        f"mean over {seeds} seed{spread} and its {share} interval "
        f"over {unit}s in brackets (expanded percentiles of {how['draws']:,} bootstrap draws of "
        f"whole {unit}s, the same draws for every fusion)."
    )


def comparison_header(scored: Scored, study: dict[str, Any]) -> str:
    """How the differences were tested."""
    how, count, unit = study["statistics"], scored.units, units.word(study["statistics"])
    exact = f"all {2**count:,}" if 2**count <= how["draws"] else f"{how['draws']:,} random"
    return (
        f"{scored.corpus}, protocol {scored.rule.stamp}, {scored.partition} partition, "
        f"{len(scored.videos)} videos, {_missing(scored)}: difference in mean "
        f"{scored.rule.metric} with its uncorrected {100 * (1 - how['alpha']):g}% interval "
        f"over {unit}s; p from {exact} exchanges of the two fusions {unit} by {unit}, "
        f"two-sided; Holm's correction over all pairs; told apart = corrected p at most "
        f"{how['alpha']:g} and an interval without zero. p and interval are "
        f"of these trainings on other {unit}s; p (seeds), Welch's t over seeds, is of other "
        f"trainings on these videos."
    )


def caveats(scored: Scored, study: dict[str, Any], pairs: int) -> list[str]:
    """What limits the answer: leaks, a partition used for selection, too few videos, lost runs."""
    said, how = [], study["statistics"]
    if scored.rule.leaks:
        said.append(
            f"Protocol {scored.rule.stamp} uses the gold labels it is scored on; its numbers are "
            "no measure of agreement and compare with nothing but that publication."
        )
    if scored.partition == "validation":
        said.append(
            f"The test partition of {scored.corpus} has no ratings here; validation is reported, "
            "on which each run's epoch was chosen, so the level is optimistic."
        )
    said += alike(scored, how)
    least = least_p(scored.units, how["draws"])
    if pairs and scored.units > 1 and least * pairs > how["alpha"]:
        said.append(
            f"{scored.units} {units.word(how)}s are too few to tell all pairs apart: the smallest "
            f"possible p is {least:.2g}, {min(1, least * pairs):.2f} after Holm's correction over "
            f"{pairs} pairs."
        )
    if scored.notes:
        runs = and_list([f"{fusion} seed {seed}" for fusion, seed in scored.notes][:8])
        more = f" and {len(scored.notes) - 8} more" if len(scored.notes) > 8 else ""
        why = sorted({absence(note) for note in scored.notes.values()} - {"not run"})
        said.append(
            f"{len(scored.notes)} runs have no score: {runs}{more} "
            f"({'; '.join([*why[:2], 'runs.csv says why'])})."
        )
    return said


def alike(scored: Scored, how: dict[str, Any]) -> list[str]:
    """That people are seen in several videos, where each video is taken as independent."""
    people = len(set(scored.subjects))
    if units.by_subject(how) or people == len(scored.subjects):
        return []
    return [
        f"The {len(scored.videos)} videos are of {people} subjects. Intervals and p take each "
        f"video as independent, so they speak of other videos of these people and are too sure "
        f"for others; `statistics.unit: subject` draws people instead."
    ]


def findings(
    scored: Scored, table: pd.DataFrame, pairs: pd.DataFrame, study: dict[str, Any]
) -> list[str]:
    """The answer as sentences: the best fusion, what it beats, what it cannot be told from."""
    rows = table[(table["target"] == "mean") & table["mean"].notna()]
    if not len(rows):
        return [f"{scored.corpus}: no run was scored."]
    best = rows.iloc[0]
    seeds = of_seeds(int(best.seeds), study)
    gone = f" ({_named(scored.missing).replace(' (', ': ')}" if scored.missing else ""
    said = [
        f"On {len(scored.videos)} {scored.partition} videos of {scored.corpus}{gone} and {seeds}, "
        f"{best.fusion} reaches a mean {scored.rule.metric} of "
        f"{estimate(best['mean'], best.low, best.high)} under protocol {scored.rule.stamp}."
    ]
    if scored.unlearnt:
        said.append(f"Of the videos to learn from, {_named(scored.unlearnt)}.")
    if not len(pairs):
        return said
    mine = pairs[(pairs["fusion"] == best.fusion) & pairs["difference"].notna()]
    beaten, tied = mine[mine["told_apart"]], mine[~mine["told_apart"]]
    if len(beaten):
        parts = [
            f"{r.other} by {estimate(r.difference, r.low, r.high)}" for r in beaten.itertuples()
        ]
        said.append(f"It beats {and_list(parts)} ({_corrected(beaten['p_holm'], study)}).")
        said += _other_trainings(beaten, study)
    return said + (_not_apart(best.fusion, tied, study) if len(tied) > 3 else list(tied["verdict"]))


def _not_apart(best: str, tied: pd.DataFrame, study: dict[str, Any]) -> list[str]:
    """Many that cannot be told apart from the best, in one sentence."""
    parts = [f"{r.other} ({estimate(r.difference, r.low, r.high)})" for r in tied.itertuples()]
    share = f"{100 * (1 - study['statistics']['alpha']):g}%"
    return [
        f"{best} cannot be told apart from {and_list(parts)}: differences with uncorrected {share} "
        f"intervals, each Holm's p ≥ {tied['p_holm'].min():.3f}."
    ]


def _other_trainings(beaten: pd.DataFrame, study: dict[str, Any]) -> list[str]:
    """Of which fusions beaten on these videos other trainings may say otherwise."""
    if (beaten["seeds"] < 2).all():
        return ["That is of one training each; what others would score is not known."]
    weak = beaten[~(beaten["p_seeds"] <= study["statistics"]["alpha"])]
    if not len(weak):
        return []
    named = [
        f"{r.other} ({p_text(r.p_seeds) if np.isfinite(r.p_seeds) else 'one seed'})"
        for r in weak.itertuples()
    ]
    return [
        f"That is of these trainings: over seeds, the lead over {and_list(named)} is not sure "
        f"(Welch's t), and other seeds may turn it."
    ]


def short_verdict(row: Any) -> str:
    """Who beats whom, for a table that shows the numbers beside it."""
    if not np.isfinite(row.difference):
        return "not compared"
    if not row.told_apart:
        return "cannot be told apart"
    first, second = (row.fusion, row.other)[:: 1 if row.difference > 0 else -1]
    return f"{first} beats {second}"


def bold(tied: list[str]) -> str:
    """What bold type means in the score table."""
    if len(tied) > 1:
        return "Bold: the best fusion and all that cannot be told apart from it."
    return "Bold: the best fusion." if tied else ""


def protocol_header(scored: Scored) -> str:
    """What a table of protocols shows."""
    return (
        f"The same predictions on {len(scored.videos)} {scored.partition} videos of "
        f"{scored.corpus} under each protocol, {_missing(scored)}: mean {scored.rule.metric} of "
        f"{and_list(list(scored.names))}, averaged over seeds, and in brackets the rank it gives."
    )


def not_run(absent: list[Absence]) -> list[str]:
    """Heading and sentence of each corpus that was never scored."""
    return [text for one in absent for text in (f"## {one.title}", f"Not run: {one.why}.")]


def _corrected(p: pd.Series, study: dict[str, Any]) -> str:
    share = f"uncorrected {100 * (1 - study['statistics']['alpha']):g}% interval"
    if len(p) == 1:
        return f"{share}; {p_text(p.iloc[0])} after Holm's correction"
    return f"{share}s; each p ≤ {max(p.max(), 0.001):.3f} after Holm's correction"


def _metric(scored: Scored) -> str:
    """What the numbers are; the mean of recalls has a name of its own."""
    return "CCC" if scored.rule.metric == "CCC" else "recall of each class and their mean (UA)"


def _missing(scored: Scored) -> str:
    """How many videos are missing and which, of those scored and of those learnt from."""
    said = _named(scored.missing) if scored.missing else "none missing"
    if scored.unlearnt:
        said += f"; of the videos to learn from, {_named(scored.unlearnt)}"
    return said


def _named(names: list[str]) -> str:
    """A long list is cut where the file goes on."""
    shown = ", ".join(names[:6]) + (", … in missing.csv" if len(names) > 6 else "")
    return f"{len(names)} missing ({shown})"
