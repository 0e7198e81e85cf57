"""What a training run reads: features of all partitions, gold of train and validation alone."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.modalities import MODALITIES
from avfusion.errors import TrainError
from avfusion.features.store import FeatureStore
from avfusion.features.windows import Windows, join, targets
from avfusion.io.shards import read_table
from avfusion.io.stamped import listing_digest
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.schemas import SEES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """The features behind a run: its videos (manifest rows), and one store an encoder."""

    own: dict[str, Any]
    videos: pd.DataFrame
    stores: dict[str, FeatureStore]
    missing: list[str]

    @classmethod
    def read(cls, own: dict[str, Any], layout: Layout) -> "Inputs":
        """Videos that every encoder has features of; the others are logged and listed."""
        corpus, features = own["corpus"], own["features"]
        for modality in ("audio", "video"):
            if not features[modality]:
                raise TrainError(f"features.{modality} names no encoder; add one to the config.")
        names = [name for given in features.values() for name in given]
        stores = {
            name: FeatureStore.open(layout.features(corpus, name) / "index.parquet")
            for name in names
        }
        table = read_table(layout.manifest(corpus), columns=["video", "partition"])
        if "point" in own:  # what chooses must not know test
            table = table[table["partition"].isin(SEES)]
        table = table.sort_values("video", ignore_index=True)
        have = set.intersection(*(set(store.videos) for store in stores.values()))
        kept = table["video"].isin(have)
        missing = table["video"][~kept].tolist()
        if missing:
            log.warning("%s: no features for %s; left out", corpus, ", ".join(missing))
        return cls(own, table[kept], stores, missing)

    def windows(self, partition: str, gold: dict[str, np.ndarray] | None = None) -> Windows:
        """All windows of a partition; without gold, every row counts as unrated."""
        cuts, features = self.own["windows"], self.own["features"]
        videos = self.videos["video"][self.videos["partition"] == partition]
        if videos.empty:
            raise TrainError(
                f"{self.own['corpus']}: no {partition} video with features. Run `avf index` on "
                f"the features' folders and look at `reason` in index.parquet."
            )
        width = len(Rating.of(self.own).names)
        blank = (np.full((len(self.times(v)), width), np.nan, np.float32) for v in videos)
        golds = (gold[v] for v in videos) if gold is not None else blank
        text = [features["text"]] if features.get("text") else []
        parts = (
            (
                self._rows(v, features["audio"]),
                self._rows(v, features["video"]),
                g,
                *(self._rows(v, names) for names in text),
            )
            for v, g in zip(videos, golds, strict=True)
        )
        return join(parts, cuts["clips"], round(cuts["clip_s"] / cuts["hop_s"]))

    def gold(
        self, partition: str, layout: Layout, delay_s: dict[str, float]
    ) -> dict[str, np.ndarray]:
        """Ratings (R, K) at each video's grid, in [-1, 1], delay taken off; refuses test."""
        if partition == "test":
            raise TrainError("Gold of the test partition is for scoring; training must not see it.")
        videos = self.videos["video"][self.videos["partition"] == partition].tolist()
        path = layout.gold(self.own["corpus"])
        table = read_table(path, filters=[("video", "in", videos)])
        rating = Rating.of(self.own)
        late_s = {name: delay_s.get(name, 0.0) for name in rating.names}
        rated = dict(list(table.groupby("video")))
        none = table.iloc[:0]
        found = {}
        for video in videos:
            own = rated.get(video, none).sort_values("time_s")
            ratings = rating.inward(own[list(rating.names)].to_numpy(float))
            found[video] = targets(self.times(video), own["time_s"].to_numpy(), ratings, late_s)
        if not any(np.isfinite(g).any() for g in found.values()):
            raise TrainError(f"{path}: no rating for any of {len(videos)} {partition} videos.")
        return found

    def dims(self) -> list[int]:
        """Widths of audio and video, and of text where it is read."""
        given = [self.own["features"].get(modality, []) for modality in MODALITIES]
        return [sum(self.stores[name].dim for name in names) for names in given if names]

    def times(self, video: str) -> np.ndarray:
        """Clip ends (R,) of the grid that all encoders share."""
        return next(iter(self.stores.values())).load(video).times_s

    def _rows(self, video: str, encoders: list[str]) -> np.ndarray:
        """Features of several encoders side by side (R, D); refuses different grids."""
        loaded = [self.stores[name].load(video) for name in encoders]
        for name, part in zip(encoders, loaded, strict=True):
            if not np.array_equal(part.times_s, self.times(video)):
                raise TrainError(
                    f"{self.stores[name].path}: clip ends of {video!r} differ from the other "
                    f"encoders' ({len(part.times_s)}). Encode all with the same `windows`."
                )
        rows = np.concatenate([part.rows for part in loaded], axis=1)
        return off_baseline(rows) if self.own["train"]["baseline"] == "video" else rows

    def hashes(self) -> dict[str, Any]:
        """What the run's numbers depend on besides its settings, as hashes."""
        hashes = {name: store.index["sha256"].to_dict() for name, store in self.stores.items()}
        split = dict(zip(self.videos["video"], self.videos["partition"], strict=True))
        named = {name: {v: found[v] for v in split} for name, found in hashes.items()}
        return {
            "features": {name: listing_digest(found) for name, found in named.items()},
            "partitions": listing_digest(split),
        }


def off_baseline(rows: np.ndarray) -> np.ndarray:
    """Rows (R, D) float32 less their mean over the video's present rows; NaN rows stay NaN.

    Faces and voices differ at rest more than one of them changes; AVEC's baselines standardise
    per recording for the same reason. Uses the whole video, so not for a live stream.
    """
    rows = rows.astype(np.float32)
    present = ~np.isnan(rows).any(axis=1)
    return rows - rows[present].mean(axis=0) if present.any() else rows
