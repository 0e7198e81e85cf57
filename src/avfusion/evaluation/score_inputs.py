"""Read what scoring needs: the corpus with its gold, and the traces of each run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.jobs import ScoreSettings
from avfusion.errors import CorpusError
from avfusion.evaluation.unpredicted import filled, unpredicted
from avfusion.io.shards import read_table
from avfusion.layout import Layout
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
    encoders = settings.features.encoders
    stages = {f"encode {name}": layout.features(corpus, name) for name in encoders}
    for stage, folder in {**stages, "media": layout.media(corpus)}.items():
        missing |= {v: (stage, why) for v, why in _failures(folder) if v in partition}
    delay_s, data_hash = card["delay_s"], card["data_hash"]
    return ScoredCorpus(corpus, partition, rated, missing, delay_s, rating, data_hash)


def _failures(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the videos that an earlier stage could not process, with the reason."""
    if (folder / "index.parquet").is_file():
        index = read_table(folder / "index.parquet")
        failed = index[index["status"] != "ok"]
        yield from zip(failed["video"], failed["reason"].fillna(""), strict=True)


def read_run(
    data: ScoredCorpus, run: Run, layout: Layout
) -> tuple[dict[str, pd.DataFrame], str, dict[str, str]]:
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
    foreign = sorted(set(table["video"]) - data.partition.keys())
    if foreign:
        raise CorpusError(
            f"{path}: {len(foreign)} videos are not in the manifest of {data.name}, such as "
            f"{foreign[0]!r}. The traces belong to other data; remove {folder} and run {again}."
        )
    absent = unpredicted(table, data.rating)
    if len(absent) < table["video"].nunique():  # else the model is at fault
        table = filled(table, data.rating)
    values = table[["time_s", *data.rating.names]].to_numpy(float)
    wrong = int((~np.isfinite(values)).any(axis=1).sum())
    if wrong:
        note = f"{wrong:,} of {len(table):,} predictions are not finite. See {folder}/epochs.csv."
        return {}, note, {}
    by_video = table.groupby("video", sort=True)
    traces = {str(video): rows.sort_values("time_s") for video, rows in by_video}
    reason = f"what {run[0]} reads is absent in the whole video; scored as the middle of the scale"
    return traces, "", dict.fromkeys(absent, reason)
