"""Put an encoder into a bundle: its weights, and what its features look like in training."""

import shutil
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from avfusion.config.study import Study
from avfusion.encoders.base import build
from avfusion.errors import BundleError
from avfusion.features.store import FeatureStore
from avfusion.io.atomic import file_digest
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.prediction.document import Encoder, File
from avfusion.prediction.outlook import Outlook
from avfusion.registry import encoders
from avfusion.runs.files import WEIGHTS


def encoder_of(name: str, corpus: str, study: Study, layout: Layout, half: Path) -> Encoder:
    """Copy what an encoder needs, and measure its features."""
    settings = study.encoder_settings(name, corpus)
    reads = encoders.constant(settings.class_, "reads")
    if reads is not None:
        raise BundleError(
            f"{name} reads {reads} that come with the corpus; a clip has none. Make a bundle of "
            f"runs whose encoders read recordings."
        )
    settings = settings.updated(root=None)
    modality = cast(Literal["audio", "video", "text"], study.encoder_modality(name))
    weights: File | None = None
    encoder: Any = build(settings)
    if encoder.fitted:
        path = layout.encoder(corpus, name) / WEIGHTS
        encoder.load(path, settings)  # refuses weights of other settings
        weights = copied(path, half, f"encoders/{name}/{WEIGHTS}")
    outlook = half / f"encoders/{name}/outlook.safetensors"
    outlook.parent.mkdir(parents=True, exist_ok=True)
    Outlook.of(*(_rows(name, corpus, part, layout) for part in ("train", "validation"))).save(
        outlook
    )
    return Encoder(
        modality=modality, settings=settings, weights=weights, outlook=_file(outlook, half)
    )


def _rows(name: str, corpus: str, partition: str, layout: Layout) -> np.ndarray:
    """Return the complete rows (N, D) of a partition's features."""
    store = FeatureStore.open(layout.features(corpus, name) / "index.parquet")
    table = read_table(layout.manifest(corpus), columns=["video", "partition"])
    members = set(table["video"][table["partition"] == partition])
    videos = [video for video in store.videos if video in members]
    rows = [np.asarray(store.load(video).rows, np.float32) for video in videos]
    every = np.concatenate(rows) if rows else np.empty((0, store.dim), np.float32)
    return every[~np.isnan(every).any(1)]


def copied(path: Path, half: Path, name: str) -> File:
    """Copy a file into a bundle."""
    target = half / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return _file(target, half)


def _file(path: Path, folder: Path) -> File:
    return File(path=path.relative_to(folder).as_posix(), sha256=file_digest(path).hex())
