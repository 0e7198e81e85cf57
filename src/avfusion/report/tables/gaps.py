"""What a gate gains, as a share of what knowing the spoilt spans gains: gaps.csv, in gates.md.

The gap is the score of the reference `oracle` minus that of `stack`: both combine the predictions
of the single modalities linearly, and the oracle knows where a modality is spoilt. The gain of a
gated fusion is its score minus that of the same fusion without the gate.
"""

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.config.study import Study
from avfusion.evaluation import crossed
from avfusion.evaluation.samples import Samples
from avfusion.evaluation.scored import Scored
from avfusion.literature.claims import Claims
from avfusion.report.format import estimate, markdown

COLUMNS = [
    *("corpus", "fusion", "ungated", "gain", "gain_low", "gain_high", "gap", "gap_low"),
    *("gap_high", "share", "low", "high"),
]
HEAD = ["fusion", "without its gate", "gain", "share of the gap"]


def gap_table(scored: Scored, study: Study, known: Claims) -> pd.DataFrame:
    """Return a row per gated fusion; empty without an oracle.

    The share is NaN where the gap is not surely positive: a share of nothing means nothing. Its
    interval is that of the ratio over draws; draws of people are common, those of trainings are
    not.
    """
    samples, rows = Samples(scored, study.statistics), []
    how = study.statistics.alpha, study.statistics.seed
    for one in known.gates:
        names = [match.find(known.form(name), study) for name in (one.gated, one.ungated)]
        gated, ungated = (str(name) for name in names)
        pair, most = samples.pair(gated, ungated), samples.pair("oracle", "stack")
        if pair is None or most is None:
            continue
        gain = crossed.difference(*pair, *how)
        gap = crossed.difference(*most, how[0], how[1] + 1)
        value, low, high = (float(x[-1]) for x in (gap.value, gap.low, gap.high))
        ratio = np.full(3, np.nan)
        if low > 0:
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn = gain.samples[-1] / gap.samples[-1]
            ends = np.quantile(drawn[np.isfinite(drawn)], [how[0] / 2, 1 - how[0] / 2])
            ratio = np.array([gain.value[-1] / value, *ends])
        row = [gain.value[-1], gain.low[-1], gain.high[-1], value, low, high, *ratio]
        rows.append([scored.corpus, gated, ungated, *map(float, row)])
    return pd.DataFrame(rows, columns=COLUMNS)


def gap_words(table: pd.DataFrame, study: Study) -> list[str]:
    """Return a sentence about the gap and a table of gains; nothing without rows."""
    if not len(table):
        return []
    first = table.iloc[0]
    size = estimate(first["gap"], first["gap_low"], first["gap_high"])
    level = f"{100 * (1 - study.statistics.alpha):g}%"
    text = (
        f"Knowing the spoilt spans gains {size} (oracle − stack, {level} interval over people and "
        f"trainings)."
    )
    if not first["gap_low"] > 0:
        text += " That is not surely above 0, so no share of it is stated."
    cells = [
        [row["fusion"], row["ungated"], estimate(row["gain"], row["gain_low"], row["gain_high"]),
         estimate(row["share"], row["low"], row["high"])]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return [text, markdown(HEAD, cells)]
