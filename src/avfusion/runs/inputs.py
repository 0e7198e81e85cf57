"""Read what a training run needs: features of all partitions, gold of train and validation."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from avfusion.config.jobs import RunSettings
from avfusion.config.sections import FeatureSettings, WindowSettings
from avfusion.errors import TrainError
from avfusion.features.arrange import off_baseline, side_by_side
from avfusion.features.store import FeatureStore
from avfusion.features.windows import Last, Windows, join, last_of, stride_of
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.runs.gold import read_gold
from avfusion.runs.refusals import refuse_infinite, refuse_short
from avfusion.schemas import SEES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """The videos of a run and their features.

    Attributes
    ----------
    corpus
        Name of the corpus.
    features
        Encoders per modality.
    baseline
        `"video"` subtracts each video's mean from its features.
    videos
        Columns `video` and `partition`, one row per video that has features.
    stores
        Encoder -> its features.
    missing
        Videos without features of every encoder; they are left out.
    cuts
        Clips and windows.
    rating
        Targets and their scale.
    """

    corpus: str
    features: FeatureSettings
    baseline: Literal["none", "video"]
    videos: pd.DataFrame
    stores: dict[str, FeatureStore]
    missing: list[str]
    cuts: WindowSettings = field(default_factory=WindowSettings)
    rating: Rating = field(default_factory=Rating)
    _joined: dict[tuple[str, ...], Windows] = field(default_factory=dict, repr=False, compare=False)
    _gold: dict[Any, dict[str, np.ndarray]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, settings: RunSettings, layout: Layout) -> "Inputs":
        """Open the features that a run is trained on."""
        train, point = settings.train, settings.point
        inputs = cls.of(settings.corpus, settings.features, train.baseline, layout, point)
        return replace(inputs, cuts=settings.windows, rating=settings.rating)

    @classmethod
    def of(
        cls,
        corpus: str,
        features: FeatureSettings,
        baseline: Literal["none", "video"],
        layout: Layout,
        point: str | None = None,
    ) -> "Inputs":
        """Open the features of a corpus; videos without them are logged and listed.

        Parameters
        ----------
        corpus
            Name of the corpus.
        features
            Encoders per modality.
        baseline
            `"video"` subtracts each video's mean from its features.
        layout
            Paths of the study.
        point
            Grid point. If given, videos of the test partition are left out: the choice of a
            point must not depend on them.

        Raises
        ------
        TrainError
            If there is no encoder.
        AvfError
            If an encoder has no index of features.
        """
        if not features.encoders:
            raise TrainError("features names no encoder; add one to the config.")
        stores = {
            name: FeatureStore.open(layout.features(corpus, name) / "index.parquet")
            for name in features.encoders
        }
        table = read_table(layout.manifest(corpus), columns=["video", "partition"])
        if point is not None:
            table = table[table["partition"].isin(SEES)]
        table = table.sort_values("video", ignore_index=True)
        have = set.intersection(*(set(store.videos) for store in stores.values()))
        kept = table["video"].isin(have)
        missing = table["video"][~kept].tolist()
        warn(corpus, missing)
        return cls(corpus, features, baseline, table[kept], stores, missing)

    def windows(
        self,
        partition: str,
        gold: dict[str, np.ndarray] | None = None,
        training: bool = False,
        keep: bool = True,
    ) -> Windows:
        """Return all windows of a partition; without gold, every row counts as unrated.

        Parameters
        ----------
        partition
            Name of the partition.
        gold
            Video -> ratings (R, K).
        training
            Windows for training may leave out rows (`windows.last: dropped`); others cover all.
        keep
            Keep the features in memory for further calls.

        Raises
        ------
        TrainError
            If the partition has no video, or training has no complete, rated window.
        """
        videos, last = self.videos_in(partition), last_of(self.cuts, training)
        windows = self._windows_of(videos, last, keep)
        if gold is not None:
            rated = np.concatenate([gold[video] for video in videos])
            windows = replace(windows, gold=torch.from_numpy(rated))
        if last == "dropped" and not len(windows.rated()):
            lengths = [len(self.times(video)) for video in videos]
            at = int(np.argmax(lengths))
            refuse_short(self.corpus, partition, self.cuts, videos[at], lengths[at])
        return windows

    def joined(self, partition: str) -> Windows:
        """Return the unrated windows of a partition: those in memory, or others that are not kept.

        Raises
        ------
        TrainError
            If the partition has no video.
        """
        videos = self.videos_in(partition)
        kept = [key for key in self._joined if list(key[1:]) == videos]
        return (
            self._joined[kept[0]] if kept else self._windows_of(videos, last_of(self.cuts), False)
        )

    def divided(self, partitions: pd.Series) -> "Inputs":
        """Return the same features with other partitions; both share the windows that they keep."""
        return replace(self, videos=self.videos.assign(partition=partitions))

    def of_stores(self, stores: dict[str, FeatureStore]) -> "Inputs":
        """Return the same videos with other features."""
        return replace(self, stores=stores, _joined={})

    def _windows_of(self, videos: list[str], last: Last, keep: bool) -> Windows:
        """Return the windows of some videos, all unrated."""
        key = (last, *videos)
        if key in self._joined:
            return self._joined[key]
        features, width, cuts = self.features, len(self.rating.names), self.cuts
        text = [features.text] if features.text else []
        parts = (
            (
                *(self.rows(video, names) for names in (features.audio, features.video)),
                np.full((len(self.times(video)), width), np.nan, np.float32),
                *(self.rows(video, names) for names in text),
            )
            for video in videos
        )
        joined = join(parts, cuts.clips, stride_of(cuts), cuts.advance, last)
        owner = torch.repeat_interleave(torch.tensor([len(self.times(v)) for v in videos]))
        windows = replace(joined, owner=owner)
        if keep:
            self._joined[key] = windows
        return windows

    def videos_in(self, partition: str) -> list[str]:
        """Return the videos of a partition, in order.

        Raises
        ------
        TrainError
            If there is none.
        """
        videos = self.videos["video"][self.videos["partition"] == partition].tolist()
        if not videos:
            raise TrainError(
                f"{self.corpus}: no {partition} video with features. Look at `reason` in "
                f"results/features/{self.corpus}/ENCODER/index.parquet. After a change, run "
                f"`avf encode {self.corpus} ENCODER` again."
            )
        return videos

    def gold(
        self, partition: str, layout: Layout, delay_s: dict[str, float]
    ) -> dict[str, np.ndarray]:
        """Return the ratings of each video on its grid, in [-1, 1], corrected for the delay.

        Parameters
        ----------
        partition
            `"train"` or `"validation"`.
        layout
            Paths of the study.
        delay_s
            Target -> annotation delay in seconds.

        Returns
        -------
        dict
            Video -> array (R, K), NaN where unrated.

        Raises
        ------
        TrainError
            If the partition is `"test"`, or a target is not rated in any video of it.
        """
        if partition == "test":
            raise TrainError("Gold of the test partition is for scoring; training must not see it.")
        videos = self.videos_in(partition)
        late_s = {name: delay_s.get(name, 0.0) for name in self.rating.names}
        key = (layout, self.rating, *late_s.values(), *videos)
        if key not in self._gold:
            times_s = {video: self.times(video) for video in videos}
            path = layout.gold(self.corpus)
            self._gold[key] = read_gold(path, times_s, self.rating, late_s, partition)
        return self._gold[key]

    def dims(self) -> list[int]:
        """Return the widths of audio and video, and of text if it is read.

        A modality without encoders has one feature, which is absent everywhere.
        """
        read = [self.features.audio, self.features.video]
        read += [self.features.text] if self.features.text else []
        return [sum(self.stores[name].dim for name in names) or 1 for names in read]

    def times(self, video: str) -> np.ndarray:
        """Return the clip ends (R,) of the grid that all encoders share, in seconds."""
        return next(iter(self.stores.values())).times(video)

    def rows(self, video: str, encoders: list[str]) -> np.ndarray:
        """Return the features of the encoders of a modality side by side (R, D).

        The modality is absent (NaN) where one of its encoders has no number at all, and everywhere
        if it has no encoder (R, 1).

        Raises
        ------
        TrainError
            If the encoders have different grids, or a feature is infinite.
        """
        if not encoders:
            return np.full((len(self.times(video)), 1), np.nan, np.float32)
        loaded = [self.stores[name].load(video) for name in encoders]
        for name, part in zip(encoders, loaded, strict=True):
            if not np.array_equal(part.times_s, self.times(video)):
                raise TrainError(
                    f"{self.stores[name].path}: clip ends of {video!r} differ from the other "
                    f"encoders' ({len(part.times_s)}). Encode all with the same `windows`."
                )
            refuse_infinite(self.corpus, name, self.stores[name], video, part.rows)
        rows = side_by_side([part.rows for part in loaded])
        return off_baseline(rows) if self.baseline == "video" else rows


def warn(corpus: str, missing: list[str]) -> None:
    """Log the videos that are left out, if there are any."""
    if missing:
        log.warning("%s: no features for %s; left out", corpus, ", ".join(missing))
