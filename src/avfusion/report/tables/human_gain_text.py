"""Words of the table of fusion gains: results/tables/human_gain.md and .tex."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.metrics.sums import MEAN
from avfusion.report.format import counted, estimate, latex, markdown, number
from avfusion.report.marks import Marks
from avfusion.report.tables.human_votes import Judged

HEAD = ["fusion", "raters", "model", "difference"]
GAINS = ("human_gain", "model_gain", "difference")
RATED = ["emotion", "sound", "picture", "both", "gain", "clips"]


def add_pages(
    sample: Judged,
    table: pd.DataFrame,
    marks: Marks,
    study: Study,
    pages: tuple[list[str], list[str]],
) -> None:
    """Add one corpus to the blocks of the Markdown page and to the tables of the LaTeX file."""
    shown, typeset = pages
    shown.append(f"## {sample.corpus}")
    if not len(table):
        shown.append(why_empty(sample))
        return
    mean = ranked(table)
    cells = [[_named(row["fusion"], marks), *gain_cells(row)] for row in mean]
    sentence = header(sample, study)
    shown += [sentence, *marks.caveats(), "### Gain, mean over emotions (UA)"]
    shown.append(markdown(HEAD, cells))
    typeset.append(latex(HEAD, cells, sentence, f"human-gain-{sample.corpus}"))
    rows = table[table["fusion"] == mean[0]["fusion"]].to_dict("records")
    shown += ["### Recognition by raters", markdown(RATED, [_rated(row) for row in rows])]
    for best in mean:
        rows = table[table["fusion"] == best["fusion"]].to_dict("records")
        cells = [[row["emotion"], *gain_cells(row)] for row in rows]
        shown += [f"### Gain per emotion: {best['fusion']}"]
        shown.append(markdown(["emotion", *HEAD[1:]], cells))


def ranked(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the rows of the mean over emotions, fusions with the best UA first."""
    rows = table[table["emotion"] == MEAN]
    return rows.sort_values("model_fusion", ascending=False, kind="stable").to_dict("records")


def gain_cells(row: dict[Any, Any]) -> list[str]:
    """Return the gains of raters and model and their difference with intervals as text."""
    cells = [estimate(row[key], row[f"{key}_low"], row[f"{key}_high"]) for key in GAINS]
    return cells if np.isfinite(row["model_gain"]) else [cells[0], "not run", ""]


def why_empty(sample: Judged) -> str:
    """Return why nothing can be compared."""
    if not sample.count:
        return "Not run: no video that raters judged was scored."
    return (
        f"Not compared: the label of {sample.other} of {counted(sample.count, 'video')} is not the "
        f"intended emotion, on which raters are scored. Use the intended emotion as label."
    )


def header(sample: Judged, study: Study) -> str:
    """Return what the numbers are of, and how the intervals were computed."""
    statistics = study.statistics
    folds = f" of {', '.join(sample.entries)}" if len(sample.entries) > 1 else ""
    others = f"{counted(sample.unjudged, 'other')} {'has' if sample.unjudged == 1 else 'have'}"
    without = f" {others} no votes." if sample.unjudged else ""
    videos = f"{counted(sample.count, 'video')} of {counted(sample.units, 'actor')}"
    return (
        f"{sample.corpus}, {sample.partition} partition{folds}: the {videos} that every run "
        f"predicted and that raters judged from sound, from picture and from both.{without} "
        f"Raters are scored by the share of responses that name the intended emotion, models by "
        f"recall, averaged over seeds. Gain: score of both modalities minus the better score of "
        f"one. The better one is chosen once on all videos and kept in every draw. Difference: "
        f"gain of the model minus gain of the raters. "
        f"Brackets: {100 * (1 - statistics.alpha):g}% interval over actors and trainings "
        f"({statistics.draws:,} bootstrap draws of actors, the same for raters and models). It "
        f"does not cover other raters. `mean` is over emotions (UA); `pooled` is over all "
        f"responses, and over all videos (WA)."
    )


def _rated(row: dict[Any, Any]) -> list[str]:
    scores = [number(row[f"human_{name}"]) for name in ("audio", "video", "both")]
    gain = estimate(row["human_gain"], row["human_gain_low"], row["human_gain_high"])
    return [row["emotion"], *scores, gain, str(row["clips"])]


def _named(fusion: str, marks: Marks) -> str:
    remark = marks.remark(fusion)
    return f"{fusion}, {remark}" if remark else fusion
