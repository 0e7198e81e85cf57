"""Traces of every run against gold, under every protocol: one score table and the sums behind it.

A run that is not there, or predicted nonsense, is a row with a note; a video that cannot be scored
is counted and named in missing.csv. Traces made from other data are refused.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.tasks import task_of
from avfusion.errors import CorpusError
from avfusion.evaluation import postprocess
from avfusion.evaluation import protocol as protocols
from avfusion.evaluation.inference import ERROR
from avfusion.evaluation.protocol import Protocol
from avfusion.io.atomic import write_text
from avfusion.io.shards import read_table, write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN, SUMS, absolute_error, errors, point, video_sums
from avfusion.rating import Rating
from avfusion.runs.files import (
    failure,
    read_settings,
    read_traces,
    refuse_other_inputs,
    train_command,
)

log = logging.getLogger(__name__)


Run = tuple[str, int]


@dataclass(frozen=True)
class _Corpus:
    """What scoring knows of a corpus besides the traces."""

    name: str
    partition: dict[str, str]  # of every manifest video
    gold: dict[str, pd.DataFrame]  # of every video with at least one rated instant
    missing: dict[str, tuple[str, str]]  # video -> stage, reason
    delay_s: dict[str, float]
    rating: Rating
    data_hash: str


def score_corpus(corpus: str, study: dict[str, Any], layout: Layout) -> None:
    """Write scores.parquet, sums.parquet, missing.csv and protocols.json of one corpus.

    study: `Study.model_dump()`. Every fusion x seed x partition x protocol x target has a row.
    """
    if task_of(corpus, study) == "classes":
        from avfusion.evaluation.score_classes import score_classes

        return score_classes(corpus, study, layout)
    rules = [protocols.load(name) for name in study["protocols"]]
    data = _read_corpus(corpus, study, layout)
    scores, sums, missing = [], [], dict(data.missing)
    fitted = {rule.name: {} for rule in rules if rule.postprocess}
    runs = [(fusion, seed) for fusion in study["fusions"] for seed in study["seeds"]]
    told = time.monotonic()
    for done, run in enumerate(runs, start=1):
        traces, note = _read_traces(data, run, layout)
        for video in data.partition.keys() - traces.keys() if not note else ():
            said = f"no trace in {run[0]} seed {run[1]}; `avf infer {layout.run(corpus, *run)}`"
            missing.setdefault(video, ("train", said))
        for rule in rules:
            how = data.gold, data.partition, data.delay_s, data.rating
            post = postprocess.of_run(rule, traces, *how)
            if post and traces:
                own = {target: asdict(chain) for target, chain in post.items()}
                fitted[rule.name]["{}/seed{}".format(*run)] = own
            table = _sums(data, run, rule, traces, post)
            scores += _scores(data, run, rule, table, note)
            sums.append(table)
        if time.monotonic() - told > 5 or done == len(runs):
            log.info("%s: scored %d of %d runs", corpus, done, len(runs))
            told = time.monotonic()
    folder = layout.scores(corpus)
    write_table(pd.DataFrame(scores), folder / "scores.parquet")
    write_table(pd.concat(sums, ignore_index=True), folder / "sums.parquet")
    rows = [(v, data.partition[v], *missing[v]) for v in sorted(missing)]
    table = pd.DataFrame(rows, columns=["video", "partition", "stage", "reason"])
    write_text(folder / "missing.csv", table.to_csv(index=False))
    used = {rule.name: rule.model_dump() for rule in rules}
    used |= {name: used[name] | {"fitted": chains} for name, chains in fitted.items()}
    write_text(folder / "protocols.json", json.dumps(used, indent=2) + "\n")


def _read_corpus(corpus: str, study: dict[str, Any], layout: Layout) -> _Corpus:
    """Manifest, gold and card, and why any video has no score before training was even tried."""
    for path in (layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)):
        if not path.is_file():
            raise CorpusError(f"{path}: no such file. Run `avf verify {corpus}`.")
    manifest = read_table(layout.manifest(corpus))
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    card = json.loads(layout.card(corpus).read_text())
    rating, rated = Rating.of(card), {}
    for video, rows in read_table(layout.gold(corpus)).groupby("video", sort=True):
        if rows[list(rating.names)].notna().any(axis=None):
            rated[video] = rows.sort_values("time_s")
    missing = {video: ("gold", "no rated frame") for video in partition if video not in rated}
    encoders = [name for names in study["features"].values() for name in names]
    stages = {f"encode {name}": layout.features(corpus, name) for name in encoders}
    for stage, folder in {**stages, "media": layout.media(corpus)}.items():
        missing |= {v: (stage, why) for v, why in _failures(folder) if v in partition}
    delay_s, data_hash = card["delay_s"], card["data_hash"]
    return _Corpus(corpus, partition, rated, missing, delay_s, rating, data_hash)


def _failures(folder: Path) -> Iterator[tuple[str, str]]:
    """Videos that an earlier stage could not do, with its reason; none where it left no index."""
    if (folder / "index.parquet").is_file():
        index = read_table(folder / "index.parquet")
        failed = index[index["status"] != "ok"]
        yield from zip(failed["video"], failed["reason"].fillna(""), strict=True)


def _read_traces(data: _Corpus, run: Run, layout: Layout) -> tuple[dict[str, pd.DataFrame], str]:
    """The run's trace of each video, or none and a note saying why."""
    folder = layout.run(data.name, *run)
    path = folder / "traces.parquet"
    again = f"`{train_command(folder)}`"
    if not path.is_file():
        return {}, f"not run: no {path.name} in {folder}. Run {again}."
    own = read_settings(folder)
    refuse_other_inputs(own, data.data_hash, folder, layout)
    table = read_traces(folder, own)
    if failure(folder):
        return {}, failure(folder)
    foreign = sorted(set(table["video"]) - data.partition.keys())
    if foreign:
        raise CorpusError(
            f"{path}: {len(foreign)} videos are not in the manifest of {data.name}, such as "
            f"{foreign[0]!r}. The traces belong to other data; remove {folder} and run {again}."
        )
    values = table[["time_s", *data.rating.names]].to_numpy(float)
    wrong = int((~np.isfinite(values)).any(axis=1).sum())
    if wrong:
        return (
            {},
            f"{wrong:,} of {len(table):,} predictions are not finite. See {folder}/epochs.csv.",
        )
    return {v: rows.sort_values("time_s") for v, rows in table.groupby("video", sort=True)}, ""


def _sums(
    data: _Corpus,
    run: Run,
    rule: Protocol,
    traces: dict[str, pd.DataFrame],
    post: dict[str, Any],
) -> pd.DataFrame:
    """The sums of every scored video and target under one protocol."""
    videos = [v for v in data.partition if v in traces and v in data.gold]
    how = data.delay_s, data.rating, post
    pairs = {v: protocols.apply(rule, traces[v], data.gold[v], *how) for v in videos}
    rows = []
    for part in dict.fromkeys(data.partition.values()):
        inside = [v for v in videos if data.partition[v] == part]
        for d in data.rating.names:
            scaled = protocols.rescale(rule, [pairs[v][d] for v in inside])
            for video, pair in zip(inside, scaled, strict=True):
                rows.append((data.name, *run, part, rule.name, d, video, *_sums_of(*pair)))
    names = ["corpus", "fusion", "seed", "partition", "protocol", "target", "video", *SUMS, ERROR]
    return pd.DataFrame(rows, columns=names).astype({"seed": int, "n": int})


def _sums_of(prediction: np.ndarray, gold: np.ndarray) -> np.ndarray:
    return np.append(video_sums(prediction, gold), absolute_error(prediction, gold))


def _scores(
    data: _Corpus, run: Run, rule: Protocol, table: pd.DataFrame, note: str
) -> Iterator[dict[str, Any]]:
    """A row a partition and target; frames of `mean` are those of the least target."""
    for part in dict.fromkeys(data.partition.values()):
        rows = table[table["partition"] == part]
        own = [rows.loc[rows["target"] == d, [*SUMS, ERROR]] for d in data.rating.names]
        sums = np.stack([one.to_numpy(float) for one in own])  # (K, V, 7)
        frames = [int(n) for n in sums[..., 0].sum(axis=1)]
        total = sum(p == part for p in data.partition.values())
        values = np.full((3, len(own) + 1), np.nan)  # CCC, mean absolute, root mean square error
        if sums.shape[1]:
            values = np.stack([point(sums[None, ..., :6], rule.pooling)[0], *errors(sums)])
        bare = "no video scored" if part in map(data.partition.get, data.gold) else "no gold"
        said = note or ("" if sums.shape[1] else bare)
        names = (*data.rating.names, MEAN)
        for target, (ccc, mae, rmse), n in zip(
            names, values.T, [*frames, min(frames)], strict=True
        ):
            yield {
                "corpus": data.name,
                "fusion": run[0],
                "seed": run[1],
                "partition": part,
                "protocol": rule.name,
                "target": target,
                "ccc": float(ccc),
                "mae": float(mae),
                "rmse": float(rmse),
                "frames": n,
                "videos": sums.shape[1],
                "missing": total - sums.shape[1],
                "note": said,
            }
