"""Examples that encoders are fitted on: inputs of rated instants, and their gold.

`gold(t)` describes the stimulus at `t - delay_s` (the rater's reaction time, per target), so an
example at time t is paired with the gold at `t + delay_s`.
"""

import json
from collections.abc import Container
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.clip_inputs import Clips, joined, rows_of
from avfusion.encoders.recipe import Recipe
from avfusion.encoders.records import Records
from avfusion.errors import TrainError
from avfusion.features.gold import targets
from avfusion.layout import Layout
from avfusion.rating import Rating


class Examples(NamedTuple):
    """Inputs of a network (N, ...) and gold in [-1, 1] (N, K), NaN = unrated.

    `videos` are the names of the videos that they are of, (N,).
    """

    inputs: Tensor | Clips
    gold: Tensor
    videos: tuple[str, ...] = ()

    def without(self, videos: Container[str]) -> "Examples":
        """Return the examples of the other videos."""
        kept = [name not in videos for name in self.videos]
        mask = torch.tensor(kept)
        names = tuple(name for name, keep in zip(self.videos, kept, strict=True) if keep)
        return Examples(rows_of(self.inputs, mask), self.gold[mask], names)


class ExampleReader(Protocol):
    """What of an encoder chooses and reads its examples; see `fitting.FittedEncoder`."""

    modality: Literal["audio", "video", "text"]
    recipe: Recipe

    def instants(self, record: Any, settings: EncoderSettings) -> np.ndarray:
        """Return the times in seconds of a video's possible examples, ascending (N,)."""

    def inputs(self, record: Any, times_s: np.ndarray) -> Tensor | Clips:
        """Return the inputs of the network at some of the instants, (N, ...)."""


def read_examples(
    encoder: ExampleReader,
    corpus: str,
    partition: str,
    settings: EncoderSettings,
    layout: Layout,
) -> Examples:
    """Return rated examples of a partition, at most `most`, spread evenly over its videos."""
    videos = _videos(corpus, partition, layout)
    gold = pd.read_parquet(layout.gold(corpus), filters=[("video", "in", videos)])
    card = json.loads(layout.card(corpus).read_text())
    rating = Rating.of(card)
    late_s = {name: card["delay_s"].get(name, 0.0) for name in rating.names}
    share = encoder.recipe.most // max(1, len(videos))
    records = Records(corpus, encoder.modality, settings, layout)
    inputs, golds, names = [], [], list[str]()
    for video in videos:
        record = records.open(video)
        times_s = encoder.instants(record, settings)
        rows = gold[gold["video"] == video].sort_values("time_s")
        ratings = rating.inward(rows[list(rating.names)].to_numpy(float))
        rated_s = rows["time_s"].to_numpy()
        expected = targets(times_s, rated_s, ratings, late_s)  # (N, K)
        rated = np.flatnonzero(~np.isnan(expected).all(1))
        rated = rated[:: max(1, -(-len(rated) // max(1, share)))]
        if len(rated):
            inputs.append(encoder.inputs(record, times_s[rated]))
            golds.append(torch.from_numpy(expected[rated]))
            names += [video] * len(rated)
    if not inputs:
        raise TrainError(
            f"{corpus}: no rated {partition} video has {encoder.modality} to fit "
            f"{settings.encoder!r} on ({len(videos)} videos are readable). If no video has "
            f"{encoder.modality}, set `{encoder.modality}: []` under features and keep only "
            f"fusions that do not read it. If some have, put one of them into {partition}, by the "
            f"column `partition` of a manifest or another `seed` in the corpus' options. Otherwise "
            f"run `avf verify {corpus}`."
        )
    return Examples(joined(inputs), torch.cat(golds), tuple(names))


def _videos(corpus: str, partition: str, layout: Layout) -> list[str]:
    manifest = pd.read_parquet(layout.manifest(corpus))
    media = pd.read_parquet(layout.media(corpus) / "index.parquet")
    readable = set(media.loc[media["status"] == "ok", "video"])
    members = manifest.loc[manifest["partition"] == partition, "video"]
    return sorted(video for video in members if video in readable)
