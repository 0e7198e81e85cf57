"""A small study that is really trained and scored, and the table that a model is fed."""

import numpy as np
import pandas as pd

from avfusion.config.jobs import RunSettings
from avfusion.config.sections import CorpusEntry, FeatureSettings, StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation.score import score_corpus
from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from avfusion.runs.train import train_run
from support.synthetic_features import Plan, write_inputs


def write_study(layout: Layout, plan: Plan | None = None, **given) -> Study:
    """Train and score concat and audio with two seeds on corpus `toy`; run in the project."""
    plan = write_inputs(layout, plan or Plan(duration_s=12.0))
    study = Study(
        **{
            "corpora": {plan.corpus: CorpusEntry(root="data/toy")},
            "fusions": {"concat": {}, "audio": {}},
            "seeds": [0, 1],
            "features": FeatureSettings(audio=["ear"], video=["eye"]),
            "train": {"epochs": 2, "lr": 0.003, "hidden": 16},
            "statistics": StatisticsSettings(draws=200),
            **given,
        }
    )
    train_study(layout, study)
    return study


def train_study(layout: Layout, study: Study) -> None:
    for fusion in study.fusions:
        for seed in study.seeds:
            train_run(study.run_settings("toy", fusion, seed), layout)
    score_corpus("toy", study.score_settings("toy"), layout)


def features_table(
    layout: Layout, settings: RunSettings, videos: list[str] | None = None
) -> pd.DataFrame:
    """`video, time_s, audio_0, …, video_0, …` of some videos of a run's corpus, or of all."""
    parts = []
    stores = {
        modality: [
            FeatureStore.open(layout.features(settings.corpus, name) / "index.parquet")
            for name in names
        ]
        for modality, names in settings.features.by_modality.items()
    }
    for video in videos or pd.read_parquet(layout.manifest(settings.corpus))["video"]:
        part = {"video": video, "time_s": stores["audio"][0].load(video).times_s}
        for modality, encoders in stores.items():
            rows = np.concatenate([store.load(video).rows for store in encoders], axis=1)
            columns = rows.astype(np.float64).T
            part |= {f"{modality}_{i}": column for i, column in enumerate(columns)}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)
