"""Score predictions of classes: the same files as for ratings, with recall instead of CCC."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.jobs import ScoreSettings
from avfusion.evaluation.missing import PREDICT, write_missing
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import CLASS_SUMS, MEAN, class_scores, class_sums, point
from avfusion.protocols.protocol import Protocol
from avfusion.runs.classes import FILE, NONE
from avfusion.runs.files import (
    failure,
    read_settings,
    read_traces,
    refuse_other_inputs,
    train_command,
)

RULE = Protocol(
    name="classes",
    description="Share of each class' videos predicted correctly (recall); their mean is UA.",
    pooling="recall",
    delay="none",
)
"""The protocol of all runs on classes; it has no options and therefore no file."""

KEY = ["corpus", "fusion", "seed", "partition", "protocol"]


def score_classes(corpus: str, settings: ScoreSettings, layout: Layout) -> None:
    """Write scores.parquet, sums.parquet, missing.csv and protocols.json of one corpus.

    Labels are read only here, after all predictions are on disk. Parameters and errors are those
    of `score_corpus`.
    """
    card = json.loads(layout.card(corpus).read_text())
    manifest = pd.read_parquet(layout.manifest(corpus))
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    labels = pd.read_parquet(layout.labels(corpus)).dropna(subset=["label"])
    number = {name: i for i, name in enumerate(card["classes"])}
    truth = {v: number[name] for v, name in zip(labels["video"], labels["label"], strict=True)}
    scores: list[dict[str, Any]] = []
    sums, missing = [], {v: ("gold", "no label") for v in partition if v not in truth}
    for fusion in settings.fusions:
        for seed in settings.seeds:
            predicted, note = _read(corpus, (fusion, seed), card, layout)
            for video in truth.keys() - predicted.keys() if not note else ():
                missing.setdefault(video, ("train", f"no prediction in {fusion} seed {seed}"))
            for video in (video for video, guess in predicted.items() if guess == NONE):
                reason = f"what {fusion} reads is absent in the whole video; counted as wrong"
                missing.setdefault(video, (PREDICT, reason))
            for part in dict.fromkeys(partition.values()):
                labelled = [v for v in truth if partition.get(v) == part]
                videos = [v for v in labelled if v in predicted]
                label, guess = (np.array([of[v] for v in videos], int) for of in (truth, predicted))
                table = class_sums(label, guess, len(number))  # (K, V, 3)
                key = dict(zip(KEY, (corpus, fusion, seed, part, RULE.name), strict=True))
                scores += _rows(key, table, card["classes"], len(labelled), note)
                sums.append(_sums(key, table, card["classes"], videos))
    folder = layout.scores(corpus)
    write_table(pd.DataFrame(scores), folder / "scores.parquet")
    write_table(pd.concat(sums, ignore_index=True), folder / "sums.parquet")
    write_missing(missing, partition, folder)
    used = {RULE.name: RULE.model_dump()}
    write_text(folder / "protocols.json", json.dumps(used, indent=2) + "\n")


def _read(
    corpus: str, run: tuple[str, int], card: dict[str, Any], layout: Layout
) -> tuple[dict[str, int], str]:
    """Return the number of each video's most probable class, or none and a note with the reason."""
    folder = layout.run(corpus, *run)
    if not (folder / FILE).is_file():
        return {}, f"not run: no {FILE} in {folder}. Run `{train_command(folder)}`."
    record = read_settings(folder)
    refuse_other_inputs(record, card["data_hash"], folder, layout)
    table = read_traces(folder, record)
    if reason := failure(folder):
        return {}, reason
    probability = table[card["classes"]].to_numpy(float)
    absent = np.isnan(probability).all(axis=1)
    if absent.all() or not np.isfinite(probability[~absent]).all():
        return {}, f"predictions are not finite. See {folder}/epochs.csv."
    guess = np.where(absent, NONE, np.nan_to_num(probability).argmax(1))
    return dict(zip(table["video"], guess.tolist(), strict=True)), ""


def _rows(
    key: dict[str, Any], table: np.ndarray, classes: list[str], videos: int, note: str
) -> Iterator[dict[str, Any]]:
    """Yield a row per class with its recall, and one of their mean with WA, UA and macro F1."""
    count = table.shape[1]
    recall, over_classes = np.full(len(classes) + 1, np.nan), np.full(3, np.nan)
    if count:
        recall = point(table[None], RULE.pooling)[0]
        over_classes = class_scores(table.sum(axis=1)[None])[:, 0]
    reason = note or ("" if count else "no video of this partition was scored")
    for i, name in enumerate((*classes, MEAN)):
        values = over_classes if name == MEAN else np.full(3, np.nan)
        yield {
            **key,
            "target": name,
            "recall": float(recall[i]),
            **dict(zip(("wa", "ua", "f1"), values.tolist(), strict=True)),
            "frames": count if name == MEAN else int(table[i, :, 0].sum()),
            "videos": count,
            "missing": videos - count,
            "note": reason,
        }


def _sums(
    key: dict[str, Any], table: np.ndarray, classes: list[str], videos: list[str]
) -> pd.DataFrame:
    """Return the sums (K, V, 3) as a row per class and video."""
    parts = [
        pd.DataFrame(rows, columns=list(CLASS_SUMS)).assign(**key, target=name, video=videos)
        for name, rows in zip(classes, table, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)[[*KEY, "target", "video", *CLASS_SUMS]]
