"""A real bundle of a tiny corpus, made as `avf bundle` makes it, and clips to predict with it."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.config.sections import CorpusEntry, FeatureSettings, StatisticsSettings
from avfusion.config.study import Study
from avfusion.corpora.demo.example import example_clip
from avfusion.encoders.stage import encode_shard, fit
from avfusion.io.shards import join, write_table
from avfusion.layout import Layout
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.make import make
from avfusion.rating import Rating
from avfusion.runs.train import train_run
from support.synthetic_media import make_corpus

CORPUS, FUSION = "tiny", "concat"
PARTITIONS = {"train": 3, "validation": 2, "test": 2}
SECONDS = 5.0
QUICK = {
    "mel_cnn": {"fit_hz": 1.25, "epochs": 1, "context_s": 0.64, "dim": 8, "bands": 16},
    "face_cnn": {"frame_hz": 6.25, "fit_hz": 3.125, "epochs": 1, "dim": 8},
}


TRAIN = {"epochs": 2, "lr": 0.003, "hidden": 8}
LIVE = {
    "encoders": {name: {**options, "at_rest": False} for name, options in QUICK.items()},
    "train": {**TRAIN, "baseline": "none"},
    "windows": {"clips": 2},
}
"""Settings of a study whose bundle does not need the complete clip, with windows of 1.28 s."""


def tiny_bundle(
    folder: Path, fusion: str = FUSION, seeds: tuple[int, ...] = (0, 1), **settings: Any
) -> Bundle:
    """Fit, encode, train for two epochs and make `folder/bundle`; the study is in `folder/results`.

    `settings` are sections of the study. Its class of corpus is `demo`, so the bundle may be handed
    on and says that it knows no real people.
    """
    layout = make_corpus(folder / "results", PARTITIONS, SECONDS)
    _complete(layout)
    study = tiny_study(folder, fusion, seeds, **settings)
    for encoder in QUICK:
        settings = study.encoder_settings(encoder, CORPUS)
        fit(CORPUS, settings, layout)
        encode_shard(CORPUS, (0, 1), settings, layout)
        join(layout.features(CORPUS, encoder))
    for seed in seeds:
        train_run(study.run_settings(CORPUS, fusion, seed), layout)
    return make([layout.run(CORPUS, fusion, 0).parent], folder / "bundle", study, layout)


def tiny_study(
    folder: Path, fusion: str = FUSION, seeds: tuple[int, ...] = (0, 1), **settings: Any
) -> Study:
    """The study of the bundle in `folder`."""
    return Study(
        results=str(folder / "results"),
        corpora={CORPUS: CorpusEntry(**{"is": "demo"}, root=str(folder / "corpus"), shards=1)},
        fusions={fusion: {}},
        seeds=list(seeds),
        features=FeatureSettings(audio=["mel_cnn"], video=["face_cnn"]),
        statistics=StatisticsSettings(draws=100),
        **{"encoders": QUICK, "train": TRAIN, **settings},
    )


def tiny_clip(path: Path, seconds: float = 3.0, seed: int = 5) -> Path:
    """An MP4 of a drawn person who speaks, 160 x 120 pixels."""
    return example_clip(path, seconds, seed, size_px=(160, 120), fps=12)


def _complete(layout: Layout) -> None:
    """Add what a study that was read from a corpus has: people, licence and scale."""
    manifest = pd.read_parquet(layout.manifest(CORPUS))
    write_table(manifest.assign(subject=manifest["video"]), layout.manifest(CORPUS))
    card, rating = json.loads(layout.card(CORPUS).read_text()), Rating()
    card |= {"licence": "Made by a test.", "targets": list(rating.names)}
    layout.card(CORPUS).write_text(json.dumps(card | {"range": [rating.low, rating.high]}))
