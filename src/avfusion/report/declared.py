"""Sentences about the declared comparisons: decided ones, practically equal ones, open ones."""

from typing import Any

import pandas as pd

from avfusion.config.study import Study
from avfusion.evaluation.scored import Scored
from avfusion.evaluation.significance import p_text
from avfusion.metrics.sums import MEAN
from avfusion.report.format import difference, estimate
from avfusion.report.marks import Marks

BY_TARGET = "Significant by target"
"""How the sentence with the significant differences of each target begins."""

MOST = 6
"""Most comparisons that a sentence lists; comparisons.md has all."""


def findings(table: pd.DataFrame, scored: Scored, study: Study, marks: Marks) -> list[str]:
    """Return what the declared comparisons decide in the mean score, and in each target.

    Parameters
    ----------
    table
        Rows of `avfusion.evaluation.estimates.declared`.
    scored
        The scores they are of.
    study
        Its statistics are read.
    marks
        Runs that did not train.
    """
    if not len(table):
        return []
    mean = table[table["target"] == MEAN]
    against = list(dict.fromkeys(mean["other"]))
    first = (
        f"Declared comparisons: each fusion against {' and '.join(against)}, which are the best "
        f"single modality and concatenation on validation. {_decided(mean)}"
        if len(against) > 1
        else f"Declared comparisons: each fusion against {against[0]}. {_decided(mean)}"
    )
    sentences = [first]
    equal = mean[mean["decision"] == "equivalent"]
    if len(equal):
        margin = study.statistics.margins[scored.rule.pooling]
        sentences.append(f"Practically equal, within ±{margin:g}: {_listed(equal)}.")
    smaller = mean[mean["decision"] == "smaller than published"]
    if len(smaller):
        sentences.append(f"Smaller than published: {_listed(smaller)}.")
    undecided = mean[mean["decision"] == "undecided"]
    if len(undecided):
        sentences.append(f"Undecided: {_listed(undecided)}. {_needs(undecided, scored, study)}")
    every = sorted({*mean["fusion"], *mean["other"]})
    return [
        marks.qualified(text, [name for name in every if f"{name} " in text])
        for text in [*sentences, *_targets(table, scored)]
    ]


def _decided(mean: pd.DataFrame) -> str:
    sure = mean[mean["decision"].isin(["better", "worse"])]
    if (mean["decision"] == "not compared").all():
        return f"None of the {len(mean)} differences can be tested: {mean['verdict'].iloc[0]}"
    if not len(sure):
        return f"None of the {len(mean)} differences is significant."
    # The list may be cut, and must keep what a study is about: fusions against concatenation.
    keys = {"single": sure["other"] == mean["other"].iloc[0], "size": -sure["difference"].abs()}
    sure = sure.assign(**keys).sort_values([*keys], kind="stable")
    listed = _join([_winner(row) for row in sure.to_dict("records")])
    return f"{len(sure)} of {len(mean)} differences are significant: {listed}."


def _winner(row: dict[Any, Any]) -> str:
    """Return `jca beats video by 0.050 [0.020, 0.080], p = 0.003`."""
    names, sign = (row["fusion"], row["other"]), 1
    if row["difference"] < 0:
        names, sign = names[::-1], -1
    low, high = sorted((sign * row["low"], sign * row["high"]))
    size = estimate(sign * row["difference"], low, high)
    return f"{names[0]} beats {names[1]} by {size}, {p_text(row['p_holm'])}"


def _listed(rows: pd.DataFrame) -> str:
    return _join(
        [
            f"{row.fusion} − {row.other} {difference(row.difference, row.low, row.high)}"
            for row in rows.itertuples()
        ]
    )


def _needs(rows: pd.DataFrame, scored: Scored, study: Study) -> str:
    """Return how many units would be needed to find the declared difference."""
    statistics, word = study.statistics, scored.unit_word
    needed = rows["units_needed"].dropna()
    parts = []
    if len(needed):
        low, high = int(needed.min()), int(needed.max())
        count = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        parts.append(
            f"A difference of {statistics.declared:g} would need {count} {word}s (power "
            f"{statistics.power:g}; here {scored.units})."
        )
    if len(needed) < len(rows):
        more = len(rows) - len(needed)
        parts.append(
            f"No number of {word}s suffices for {more} of them with so few trainings; add `seeds` "
            f"or `encoder_seeds`."
        )
    return " ".join(parts)


def _targets(table: pd.DataFrame, scored: Scored) -> list[str]:
    """Return a sentence with the significant differences of each target; none with one target."""
    if len(scored.names) < 2 or scored.rule.pooling == "recall":
        return []
    parts = []
    for name in scored.names:
        rows = table[table["target"] == name]
        sure = rows[rows["decision"].isin(["better", "worse"])]
        details = f" ({_join([_winner(row) for row in sure.to_dict('records')])})"
        parts.append(f"{name} {len(sure)} of {len(rows)}{details if len(sure) else ''}")
    return [f"{BY_TARGET}: {'; '.join(parts)}."]


def _join(parts: list[str]) -> str:
    more = f", and {len(parts) - MOST} more in comparisons.md" if len(parts) > MOST else ""
    return "; ".join(parts[:MOST]) + more
