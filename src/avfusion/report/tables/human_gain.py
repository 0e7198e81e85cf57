"""Table of fusion gains: results/tables/human_gain.{csv,md,tex}, models next to human raters.

A fusion gain is the score with sound and picture minus the better score of one of them. Raters are
scored on the videos that the models were tested on, by the share of their responses that name the
intended emotion. Models are scored by recall.

Shapes: U actors, K classes, S seeds, N draws, R = K + 2 rows: the classes, their mean, and all
together. Column 0 of (R, 1 + N) is the estimate, the others are bootstrap draws of actors.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation import inference
from avfusion.metrics.sums import MEAN, class_scores, target_scores
from avfusion.report import format
from avfusion.report.marks import Marks
from avfusion.report.tables.human_gain_text import add_pages
from avfusion.report.tables.human_votes import Judged, judged
from avfusion.report.tables.part import TableData
from avfusion.schemas import JUDGED

SINGLE = ("audio", "video")
UNIMODAL = (*SINGLE, "text")
"""Classes of fusions that read one modality; they have no gain."""

POOLED = "pooled"
"""The last row: all responses of the raters together, and WA of the models."""

COLUMNS = [
    *("corpus", "emotion", "fusion", "human_audio", "human_video", "human_both"),
    *("human_gain", "human_gain_low", "human_gain_high"),
    *("model_audio", "model_video", "model_fusion"),
    *("model_gain", "model_gain_low", "model_gain_high"),
    *("difference", "difference_low", "difference_high", "clips", "actors"),
]


def write_human_gain(data: TableData) -> None:
    """Write human_gain.*; remove them if there are no votes, or no fusions of one modality."""
    study, layout = data.study, data.layout
    single = [name for kind in SINGLE if (name := match.find({"is": kind}, study))]
    samples = list(judged(data)) if len(single) == len(SINGLE) else []
    if not samples:
        for path in layout.tables.glob("human_gain.*"):
            path.unlink()
        return
    tables = []
    shown: list[str] = []
    typeset: list[str] = []
    for sample in samples:
        table = gains(sample, single, study)
        tables.append(table)
        marks = Marks.read(sample.entries, study, layout)
        add_pages(sample, table, marks, study, (shown, typeset))
    joined = format.join(tables).reindex(columns=COLUMNS)
    format.write_csv(layout.tables / "human_gain.csv", joined)
    format.write_page(layout.tables / "human_gain.md", "Fusion gain of models and raters", shown)
    format.write_text(layout.tables / "human_gain.tex", "\n".join(typeset))


def gains(sample: Judged, single: list[str], study: Study) -> pd.DataFrame:
    """Estimate the fusion gains of raters and models, and their differences.

    Parameters
    ----------
    sample
        Videos with the sums of models and raters.
    single
        Names of the fusion that reads only audio, and of the one that reads only video.
    study
        Its fusions and `statistics` are read.

    Returns
    -------
    DataFrame
        `COLUMNS`: a row per fusion and emotion, then their mean (UA) and all together (WA). Without
        runs the columns of models are NaN. It is empty if nothing can be compared.
    """
    if not sample.count or sample.other:
        return pd.DataFrame(columns=COLUMNS)
    statistics = study.statistics
    weight = inference.draw(sample.units, statistics.draws, statistics.seed)
    weight = np.vstack([np.ones(sample.units), weight])  # row 0: every actor once
    human = [_scores(sample.human[name], weight) for name in JUDGED]
    raters = _Gain.of(human, sample.human["both"], statistics)
    shared = {f"human_{name}": one[:, 0] for name, one in zip(JUDGED, human, strict=True)}
    shared |= raters.columns("human_gain")
    tables = []
    for fusion in study.fusions:
        if study.fusion_class(fusion) in UNIMODAL:
            continue
        names = [*single, fusion]
        seeds = sorted(set.intersection(*(set(sample.runs.get(name, {})) for name in names)))
        values = dict(shared)
        if seeds:
            sums = [sample.stack(name, seeds) for name in names]
            each = [_scores(one, weight) for one in sums]
            parts = ("audio", "video", "fusion")
            values |= {f"model_{name}": one[:, 0] for name, one in zip(parts, each, strict=True)}
            model = _Gain.of(each, sums[-1], statistics)
            gap = _Gain(model.samples - raters.samples, sums[-1], statistics)
            values |= model.columns("model_gain") | gap.columns("difference")
        tables.append(_rows(values, fusion, sample))
    return format.join(tables).reindex(columns=COLUMNS)


@dataclass(frozen=True)
class _Gain:
    """A quantity per row and draw, samples (R, 1 + N), and the sums (S, K, U, 3) behind it."""

    samples: np.ndarray
    sums: np.ndarray
    statistics: StatisticsSettings

    @classmethod
    def of(
        cls, scores: list[np.ndarray], sums: np.ndarray, statistics: StatisticsSettings
    ) -> "_Gain":
        """Return the gain of the last scores over the better of the first two.

        The better one is that of all videos, so that it is the same one in every draw.
        """
        audio, video, both = scores
        better = np.where(audio[:, :1] >= video[:, :1], audio, video)
        return cls(both - better, sums, statistics)

    def columns(self, name: str) -> dict[str, np.ndarray]:
        """Return estimate, lower and upper end of each row (R,)."""
        alpha, draws = self.statistics.alpha, self.samples[:, 1:]
        low, high = inference.interval_of_targets(draws[:-1], self.sums, "recall", alpha)
        last = inference.interval(draws[-1], self.sums.shape[2], alpha)
        return {
            name: self.samples[:, 0],
            f"{name}_low": np.append(low, last[0]),
            f"{name}_high": np.append(high, last[1]),
        }


def _scores(sums: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return recalls, their mean and WA, averaged over seeds, of sums (S, K, U, 3): (R, 1 + N)."""
    recalls = target_scores(sums, weight, "recall").mean(axis=0)  # (K + 1, 1 + N)
    total = np.moveaxis(weight @ sums, 1, 2)  # (S, 1 + N, K, 3)
    return np.vstack([recalls, class_scores(total)[0].mean(axis=0)])


def _rows(values: dict[str, np.ndarray], fusion: str, sample: Judged) -> pd.DataFrame:
    emotions = [*sample.names, MEAN, POOLED]
    table = pd.DataFrame({**values, "emotion": emotions}).assign(
        corpus=sample.corpus,
        fusion=fusion,
        clips=[*sample.videos, sample.count, sample.count],
        actors=[*sample.actors, sample.units, sample.units],
    )
    return table.reindex(columns=COLUMNS)
