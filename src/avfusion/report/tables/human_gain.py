"""Table of fusion gains: results/tables/human_gain.{csv,md,tex}, models next to human raters.

A fusion gain is the score with sound and picture minus the better score of one of them. Raters are
scored on the videos that the models were tested on, by the share of their responses that name the
intended emotion. Models are scored by recall.

Shapes: U actors, K classes, E encoder fits, S seeds, N draws, R = K + 2 rows: the classes, their
mean, and all together.
"""

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.config.study import Study
from avfusion.evaluation import crossed, inference
from avfusion.evaluation.components import Parts
from avfusion.evaluation.crossed import Sample
from avfusion.evaluation.samples import balanced, contrast
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

GAIN = (1.0, -1.0)
"""Weights of both modalities and of the better one."""

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
    weight = inference.draw(sample.units, study.statistics.draws, study.statistics.seed)
    human = [_sample(sample.human[name][None], weight) for name in JUDGED]
    raters = contrast([human[2], _better(human[0], human[1])], GAIN)
    shared = {f"human_{name}": one.value for name, one in zip(JUDGED, human, strict=True)}
    shared |= _columns("human_gain", crossed.score(raters, *_rule(study)), raters.value)
    tables = []
    for fusion in study.fusions:
        if study.fusion_class(fusion) not in UNIMODAL:
            names = [*single, fusion]
            values = shared | _model(sample, names, raters, weight, study)
            tables.append(_rows(values, fusion, sample))
    return format.join(tables).reindex(columns=COLUMNS)


def _model(
    sample: Judged, names: list[str], raters: Sample, weight: np.ndarray, study: Study
) -> dict[str, np.ndarray]:
    """Return the columns of models (R,): audio, video and a fusion; none without common runs.

    The better modality is that of all videos and runs, so that it is the same one in every draw.
    Trainings share the encoder fits, and their seeds are independent, as in all comparisons.
    """
    seeds = set.intersection(*(set(sample.runs.get(name, {})) for name in names))
    if not seeds:
        return {}
    once = np.ones((1, sample.units))
    audio, video, fusion = (
        _scores(sample.stack(name, sorted(seeds)), once)[..., 0].mean(axis=0) for name in names
    )
    better = np.where(audio >= video, audio, video)
    values = {"model_audio": audio, "model_video": video, "model_fusion": fusion}
    grid = balanced(seeds, sample.fits)
    every = [
        _sample(np.stack([sample.stack(name, list(fit)) for fit in grid]), weight) for name in names
    ]
    single = _chosen(every[0], every[1], audio >= video)
    gain, gap = fusion - better, fusion - better - raters.value
    rule = _rule(study)
    values |= _columns("model_gain", crossed.difference(every[2], single, *rule), gain)
    # Raters have no trainings: their gain is added to each training of the single modality.
    expected = contrast([single, raters], (1.0, 1.0))
    return values | _columns("difference", crossed.difference(every[2], expected, *rule), gap)


def _sample(sums: np.ndarray, weight: np.ndarray) -> Sample:
    """Return the rows of the table in all draws, for sums (E, S, K, U, 3)."""
    units = sums.shape[3]
    return crossed.measured(sums, weight, _scores, [*crossed.behind(sums), units, units])


def _scores(sums: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return recalls, their mean (UA) and WA of runs with sums (S, K, U, 3), (S, R, N)."""
    recalls = target_scores(sums, weight, "recall")  # (S, K + 1, N)
    total = np.moveaxis(weight @ sums, 1, 2)  # (S, N, K, 3)
    return np.concatenate([recalls, class_scores(total)[0][:, None]], axis=1)


def _better(audio: Sample, video: Sample) -> Sample:
    return _chosen(audio, video, audio.value >= video.value)


def _chosen(first: Sample, second: Sample, take: np.ndarray) -> Sample:
    """Return the rows of `first` where `take` (R,) is true, else those of `second`."""
    parts = Parts(
        np.where(take, first.parts.score, second.parts.score),
        np.where(take[:, None], first.parts.unit, second.parts.unit),
    )
    return Sample(parts, np.where(take[:, None], first.draws, second.draws), first.count)


def _columns(name: str, estimate: crossed.Estimate, value: np.ndarray) -> dict[str, np.ndarray]:
    """Return a quantity and its interval, moved from the trainings of the estimate to `value`."""
    shift = value - estimate.value
    ends = {"low": estimate.low + shift, "high": estimate.high + shift}
    return {name: value, **{f"{name}_{end}": column for end, column in ends.items()}}


def _rule(study: Study) -> tuple[float, int]:
    return study.statistics.alpha, study.statistics.seed


def _rows(values: dict[str, np.ndarray], fusion: str, sample: Judged) -> pd.DataFrame:
    emotions = [*sample.names, MEAN, POOLED]
    table = pd.DataFrame({**values, "emotion": emotions}).assign(
        corpus=sample.corpus,
        fusion=fusion,
        clips=[*sample.videos, sample.count, sample.count],
        actors=[*sample.actors, sample.units, sample.units],
    )
    return table.reindex(columns=COLUMNS)
