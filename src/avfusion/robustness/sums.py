"""Sums behind the scores of one run's predictions on corrupted input."""

import json
from typing import Any

import pandas as pd

from avfusion.evaluation import postprocess
from avfusion.evaluation.unpredicted import filled
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, video_sums
from avfusion.protocols import protocol as protocols
from avfusion.protocols.protocol import Post, Protocol
from avfusion.rating import Rating
from avfusion.runs.files import read_settings, read_traces


def case_sums(
    corpus: str, run: tuple[str, int], partition: str, protocol: str, layout: Layout
) -> pd.DataFrame:
    """Return the six sums of each corruption, level, target and video.

    If the protocol has `postprocess`, its chain is fitted to the run's training traces on clean
    input, because in use corruption occurs after everything is fitted.

    Parameters
    ----------
    corpus
        Name of the corpus.
    run
        Fusion and seed.
    partition
        Partition of the predictions.
    protocol
        Name of the protocol.
    layout
        Paths of the results.
    """
    rule = protocols.load(protocol)
    card = json.loads(layout.card(corpus).read_text())
    delay_s, rating = card["delay_s"], Rating.of(card)
    path = layout.robustness(corpus) / run[0] / f"seed{run[1]}" / "traces.parquet"
    table = read_table(path)
    gold = read_table(layout.gold(corpus)).sort_values(["video", "time_s"])
    names = list(rating.names)
    by_video = ((str(video), rows) for video, rows in gold.groupby("video"))
    rated = {video: rows for video, rows in by_video if rows[names].notna().to_numpy().any()}
    chain = _chain(rule, corpus, run, rated, delay_s, rating, layout)
    sums: list[tuple[Any, ...]] = []
    cases = table.groupby(["corruption", "level"], observed=True, sort=False)
    for (name, level), case in cases:
        each = filled(case, rating).groupby("video")
        traces = {str(v): rows for v, rows in each if v in rated}
        pairs = {
            v: protocols.apply(rule, trace, rated[v], delay_s, rating, chain)
            for v, trace in traces.items()
        }
        absent = {v: 1 - traces[v][["has_audio", "has_video"]].mean().to_numpy() for v in pairs}
        for target in names:
            scaled = protocols.rescale(rule, [pair[target] for pair in pairs.values()])
            for video, pair in zip(pairs, scaled, strict=True):
                key = (corpus, *run, partition, rule.name, name, level, target, video)
                sums.append((*key, *absent[video], *video_sums(*pair)))
    columns = ["corpus", "fusion", "seed", "partition", "protocol", "corruption", "level", "target"]
    return pd.DataFrame(sums, columns=[*columns, "video", "no_audio", "no_video", *SUMS])


def _chain(
    rule: Protocol,
    corpus: str,
    run: tuple[str, int],
    rated: dict[str, pd.DataFrame],
    delay_s: dict[str, float],
    rating: Rating,
    layout: Layout,
) -> Post | None:
    """Return what the protocol fits to the run's training traces; None if it fits nothing."""
    if rule.postprocess is None:
        return None
    folder = layout.run(corpus, *run)
    traces = filled(read_traces(folder, read_settings(folder)), rating)
    by_video = {str(v): rows.sort_values("time_s") for v, rows in traces.groupby("video")}
    manifest = read_table(layout.manifest(corpus))
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    return postprocess.of_run(rule, by_video, rated, partition, delay_s, rating)
