"""Read what scoring needs: the corpus with its gold, and the traces of each run."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.jobs import ScoreSettings
from avfusion.errors import CorpusError
from avfusion.evaluation.unpredicted import filled, unpredicted
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.protocols.rated import Columns
from avfusion.rating import Rating
from avfusion.runs.by_protocol import refuse_other_protocol
from avfusion.runs.files import (
    failure,
    read_settings,
    read_traces,
    refuse_other_inputs,
    train_command,
)

Run = tuple[str, int]
"""Fusion and seed."""


@dataclass(frozen=True)
class ScoredCorpus:
    """What scoring reads of a corpus besides the traces."""

    name: str
    partition: dict[str, str]  # of every manifest video
    gold: dict[str, pd.DataFrame]  # of every video with at least one rated instant
    missing: dict[str, tuple[str, str]]  # video -> stage, reason
    delay_s: dict[str, float]
    rating: Rating
    data_hash: str

    def videos_of(self, traces: Mapping[str, Columns]) -> dict[str, list[str]]:
        """Return the rated videos of some traces by partition."""
        inside: dict[str, list[str]] = {part: [] for part in self.partition.values()}
        for video, part in self.partition.items():
            if video in traces and video in self.gold:
                inside[part].append(video)
        return inside


def read_corpus(corpus: str, settings: ScoreSettings, layout: Layout) -> ScoredCorpus:
    """Read manifest, gold and card, and the reasons of videos that were lost before training."""
    for path in (layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)):
        if not path.is_file():
            raise CorpusError(f"File not found: {path}. Run: avf verify {corpus}")
    manifest = read_table(layout.manifest(corpus))
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    card = json.loads(layout.card(corpus).read_text())
    rating = Rating.of(card)
    rated: dict[str, pd.DataFrame] = {}
    for video, rows in read_table(layout.gold(corpus)).groupby("video", sort=True):
        if rows[list(rating.names)].notna().to_numpy().any():
            rated[str(video)] = rows.sort_values("time_s")
    missing = {video: ("gold", "no rated frame") for video in partition if video not in rated}
    missing |= lost_before(corpus, settings.features.encoders, partition, layout)
    delay_s, data_hash = card["delay_s"], card["data_hash"]
    return ScoredCorpus(corpus, partition, rated, missing, delay_s, rating, data_hash)


def lost_before(
    corpus: str, encoders: Sequence[str], videos: Collection[str], layout: Layout
) -> dict[str, tuple[str, str]]:
    """Return video -> stage and reason of the videos that could not be read or encoded."""
    stages = {f"encode {name}": layout.features(corpus, name) for name in encoders}
    stages["media"] = layout.media(corpus)
    return {
        video: (stage, why)
        for stage, folder in stages.items()
        for video, why in _failures(folder)
        if video in videos
    }


def _failures(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the videos that an earlier stage could not process, with the reason."""
    if (folder / "index.parquet").is_file():
        index = read_table(folder / "index.parquet")
        failed = index[index["status"] != "ok"]
        yield from zip(failed["video"], failed["reason"].fillna(""), strict=True)


def read_run(
    data: ScoredCorpus, run: Run, layout: Layout
) -> tuple[dict[str, Columns], str, dict[str, str]]:
    """Return the run's trace of each video, or none and a note with the reason.

    The third part is the reason of each video that has no prediction.
    """
    folder = layout.run(data.name, *run)
    path = folder / "traces.parquet"
    again = f"`{train_command(folder)}`"
    if not path.is_file():
        return {}, f"not run: no {path.name} in {folder}. Run {again}.", {}
    record = read_settings(folder)
    refuse_other_inputs(record, data.data_hash, folder, layout)
    refuse_other_protocol(record, folder)
    table = read_traces(folder, record)
    if reason := failure(folder):
        return {}, reason, {}
    videos = set(table["video"])
    foreign = sorted(videos - data.partition.keys())
    if foreign:
        raise CorpusError(
            f"{path}: {len(foreign)} videos are not in the manifest of {data.name}, such as "
            f"{foreign[0]!r}. The traces belong to other data; remove {folder} and run {again}."
        )
    absent = unpredicted(table, data.rating)
    if len(absent) < len(videos):  # else the model is at fault
        table = filled(table, data.rating)
    values = table[["time_s", *data.rating.names]].to_numpy(float)
    wrong = int((~np.isfinite(values)).any(axis=1).sum())
    if wrong:
        note = f"{wrong:,} of {len(table):,} predictions are not finite. See {folder}/epochs.csv."
        return {}, note, {}
    traces = by_video(table, data.rating)
    reason = f"what {run[0]} reads is absent in the whole video; scored as the middle of the scale"
    return traces, "", dict.fromkeys(absent, reason)


def by_video(table: pd.DataFrame, rating: Rating) -> dict[str, Columns]:
    """Return the `time_s` and targets of each video as float64 arrays, by name and time.

    >>> table = pd.DataFrame({"video": ["b", "a", "a"], "time_s": [1, 2, 1], "pain": [7, 8, 9]})
    >>> {v: one["pain"].tolist() for v, one in by_video(table, Rating(("pain",), 0, 10)).items()}
    {'a': [9.0, 8.0], 'b': [7.0]}
    """
    number, videos = pd.factorize(table["video"], sort=True)
    order = np.lexsort((table["time_s"].to_numpy(float), number))
    columns = ("time_s", *rating.names)
    values = [table[name].to_numpy(float)[order] for name in columns]
    cuts = np.searchsorted(number[order], np.arange(1, len(videos)))
    parts = zip(*(np.split(x, cuts) for x in values), strict=True)
    return {
        str(video): dict(zip(columns, part, strict=True))
        for video, part in zip(videos, parts, strict=True)
    }
