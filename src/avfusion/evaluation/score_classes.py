"""Predictions of classes against labels: the same files as for ratings, with recall for CCC."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.evaluation.protocol import Protocol
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import CLASS_SUMS, MEAN, class_scores, class_sums, point
from avfusion.runs.classes import FILE
from avfusion.runs.files import failure, read_settings, read_traces, refuse_other_inputs

RULE = Protocol(
    name="classes",
    description="Share of each class' videos told right (recall); their mean is UA.",
    pooling="recall",
    delay="none",
)
"""The rule of every run on classes; it needs no file, there being nothing to choose."""


KEY = ["corpus", "fusion", "seed", "partition", "protocol"]


def score_classes(corpus: str, study: dict[str, Any], layout: Layout) -> None:
    """Write scores.parquet, sums.parquet, missing.csv and protocols.json of one corpus.

    study: `fusions`, `seeds`. Labels are opened here, after every prediction is on disk.
    """
    card = json.loads(layout.card(corpus).read_text())
    manifest = pd.read_parquet(layout.manifest(corpus))
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    labels = pd.read_parquet(layout.labels(corpus)).dropna(subset=["label"])
    number = {name: i for i, name in enumerate(card["classes"])}
    truth = {v: number[name] for v, name in zip(labels["video"], labels["label"], strict=True)}
    scores: list[dict[str, Any]] = []
    sums, missing = [], {v: ("gold", "no label") for v in partition if v not in truth}
    for fusion in study["fusions"]:
        for seed in study["seeds"]:
            told, note = _read(corpus, (fusion, seed), card, layout)
            for video in truth.keys() - told.keys() if not note else ():
                missing.setdefault(video, ("train", f"no prediction in {fusion} seed {seed}"))
            for part in dict.fromkeys(partition.values()):
                videos = [v for v in truth if partition.get(v) == part]
                own = [v for v in videos if v in told]
                pair = (np.array([of[v] for v in own], int) for of in (truth, told))
                table = class_sums(*pair, len(number))  # (K, V, 3)
                key = dict(zip(KEY, (corpus, fusion, seed, part, RULE.name), strict=True))
                scores += _rows(key, table, card["classes"], len(videos), note)
                sums.append(_sums(key, table, card["classes"], own))
    folder = layout.scores(corpus)
    write_table(pd.DataFrame(scores), folder / "scores.parquet")
    write_table(pd.concat(sums, ignore_index=True), folder / "sums.parquet")
    rows = [(v, partition[v], *missing[v]) for v in sorted(missing)]
    table = pd.DataFrame(rows, columns=["video", "partition", "stage", "reason"])
    write_text(folder / "missing.csv", table.to_csv(index=False))
    used = {RULE.name: RULE.model_dump()}
    write_text(folder / "protocols.json", json.dumps(used, indent=2) + "\n")


def _read(
    corpus: str, run: tuple[str, int], card: dict[str, Any], layout: Layout
) -> tuple[dict[str, int], str]:
    """Video -> the number of the likeliest class, or none and a note saying why."""
    folder: Path = layout.run(corpus, *run)
    again = f"`avf train {corpus} {run[0]} --seed {run[1]}`"
    if not (folder / FILE).is_file():
        return {}, f"not run: no {FILE} in {folder}. Run {again}."
    own = read_settings(folder)
    refuse_other_inputs(own, card["data_hash"], folder, layout)
    table = read_traces(folder, own)
    if said := failure(folder):
        return {}, said
    chance = table[card["classes"]].to_numpy(float)
    if not np.isfinite(chance).all():
        return {}, f"predictions are not finite. See {folder}/epochs.csv."
    return dict(zip(table["video"], chance.argmax(1).tolist(), strict=True)), ""


def _rows(
    key: dict[str, Any], table: np.ndarray, classes: list[str], videos: int, note: str
) -> Iterator[dict[str, Any]]:
    """A row a class, its recall, and one of their mean, with WA, UA and macro F1."""
    count = table.shape[1]
    values, over = np.full(len(classes) + 1, np.nan), np.full(3, np.nan)
    if count:
        values = point(table[None], RULE.pooling)[0]
        over = class_scores(table.sum(axis=1)[None])[:, 0]
    said = note or ("" if count else "no video of this partition was scored")
    for i, name in enumerate((*classes, MEAN)):
        whole = zip(("wa", "ua", "f1"), over if name == MEAN else [np.nan] * 3, strict=True)
        yield {
            **key,
            "target": name,
            "recall": float(values[i]),
            **{measure: float(value) for measure, value in whole},
            "frames": count if name == MEAN else int(table[i, :, 0].sum()),
            "videos": count,
            "missing": videos - count,
            "note": said,
        }


def _sums(
    key: dict[str, Any], table: np.ndarray, classes: list[str], videos: list[str]
) -> pd.DataFrame:
    parts = [
        pd.DataFrame(own, columns=list(CLASS_SUMS)).assign(**key, target=name, video=videos)
        for name, own in zip(classes, table, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)[[*KEY, "target", "video", *CLASS_SUMS]]
