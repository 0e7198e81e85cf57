"""What one run's predictions on corrupted input are worth: sums that a CCC is a function of."""

import json
from typing import Any

import pandas as pd

from avfusion.evaluation import postprocess
from avfusion.evaluation import protocol as protocols
from avfusion.evaluation.protocol import Post, Protocol
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, video_sums
from avfusion.rating import Rating
from avfusion.runs.files import read_settings, read_traces


def case_sums(
    corpus: str, run: tuple[str, int], partition: str, study: dict[str, Any], layout: Layout
) -> pd.DataFrame:
    """Six sums a corruption, level, target and video under the headline protocol.

    Where that has `postprocess`, corrupted predictions go through the chain that was fitted to the
    run's traces of train on whole input: a user meets corruption after everything is fitted.
    """
    rule = protocols.load(study["headline"])
    card = json.loads(layout.card(corpus).read_text())
    delay_s, rating = card["delay_s"], Rating.of(card)
    table = read_table(layout.robustness(corpus) / run[0] / f"seed{run[1]}" / "traces.parquet")
    gold = read_table(layout.gold(corpus)).sort_values(["video", "time_s"])
    names = list(rating.names)
    rated = {v: rows for v, rows in gold.groupby("video") if rows[names].notna().any(axis=None)}
    chain = _chain(rule, corpus, run, rated, (delay_s, rating), layout)
    how, found = (delay_s, rating, chain), []
    for (name, level), case in table.groupby(["corruption", "level"], observed=True, sort=False):
        own = {v: rows for v, rows in case.groupby("video") if v in rated}
        pairs = {v: protocols.apply(rule, t, rated[v], *how) for v, t in own.items()}
        for d in rating.names:
            scaled = protocols.rescale(rule, [pair[d] for pair in pairs.values()])
            for video, pair in zip(pairs, scaled, strict=True):
                absent = 1 - own[video][["has_audio", "has_video"]].mean().to_numpy()
                found.append((corpus, *run, partition, rule.name, name, level, d, video, *absent,
                              *video_sums(*pair)))  # fmt: skip
    names = ["corpus", "fusion", "seed", "partition", "protocol", "corruption", "level", "target"]
    return pd.DataFrame(found, columns=[*names, "video", "no_audio", "no_video", *SUMS])


def _chain(
    rule: Protocol,
    corpus: str,
    run: tuple[str, int],
    rated: dict[str, pd.DataFrame],
    how: tuple[dict[str, float], Rating],
    layout: Layout,
) -> Post | None:
    """What the protocol fits to the run's traces of train; None if it fits nothing."""
    if rule.postprocess is None:
        return None
    folder = layout.run(corpus, *run)
    traces = read_traces(folder, read_settings(folder))
    by_video = {video: rows.sort_values("time_s") for video, rows in traces.groupby("video")}
    manifest = read_table(layout.manifest(corpus))
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    return postprocess.of_run(rule, by_video, rated, partition, *how)
