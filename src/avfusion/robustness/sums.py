"""Sums behind the scores of runs' predictions on corrupted input."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from avfusion.evaluation import postprocess
from avfusion.evaluation.unpredicted import filled
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, video_sums
from avfusion.protocols import protocol as protocols
from avfusion.protocols.rated import Columns, Post, RatedVideo
from avfusion.rating import Rating
from avfusion.runs.files import read_settings, read_traces

ABSENT = {"no_audio": "has_audio", "no_video": "has_video"}
"""Column of the sums -> column of the predictions whose mean it is 1 minus."""


class CaseSums:
    """Sums of the runs of a corpus under every case; what follows from gold is computed once.

    Parameters
    ----------
    corpus
        Name of the corpus.
    partition
        Partition of the predictions.
    protocol
        Name of the protocol.
    layout
        Paths of the results.
    """

    def __init__(self, corpus: str, partition: str, protocol: str, layout: Layout) -> None:
        self._corpus, self._partition, self._layout = corpus, partition, layout
        self._rule = protocols.load(protocol)
        card = json.loads(layout.card(corpus).read_text())
        self._delay_s, self._rating = card["delay_s"], Rating.of(card)
        gold = read_table(layout.gold(corpus)).sort_values(["video", "time_s"])
        names = list(self._rating.names)
        by_video = ((str(video), rows) for video, rows in gold.groupby("video"))
        self._gold = {v: rows for v, rows in by_video if rows[names].notna().to_numpy().any()}
        given = self._delay_s, self._rating
        self._rated = {v: RatedVideo(self._rule, rows, *given) for v, rows in self._gold.items()}

    def of(self, run: tuple[str, int]) -> pd.DataFrame:
        """Return the six sums of each corruption, level, target and video of a run.

        If the protocol has `postprocess`, its chain is fitted to the run's training traces on clean
        input, because in use corruption occurs after everything is fitted.

        Parameters
        ----------
        run
            Fusion and seed.
        """
        path = self._layout.robustness(self._corpus) / run[0] / f"seed{run[1]}" / "traces.parquet"
        table, chain, names = read_table(path), self._chain(run), self._rating.names
        rows: list[tuple[Any, ...]] = []
        for case, traces in cases(table, self._rating):
            rated = {v: trace for v, trace in traces.items() if v in self._rated}
            absent = [[one[name].item() for name in ABSENT] for one in rated.values()]
            for name, sums in zip(names, self._sums(rated, chain), strict=True):
                of_each = zip(rated, absent, sums, strict=True)
                rows += [(*case, name, video, *lost, *one) for video, lost, one in of_each]
        columns = ["corruption", "level", "target", "video", *ABSENT, *SUMS]
        key = {"corpus": self._corpus, "fusion": run[0], "seed": run[1],
               "partition": self._partition, "protocol": self._rule.name}  # fmt: skip
        return pd.DataFrame(rows, columns=columns).assign(**key)[[*key, *columns]]

    def _sums(self, traces: Mapping[str, Columns], chain: Post | None) -> list[list[np.ndarray]]:
        """Return the sums of each target and video of one case."""
        rated = [self._rated[video] for video in traces]
        pairs = [one.pairs(trace, chain) for one, trace in zip(rated, traces.values(), strict=True)]
        every = []
        for name in self._rating.names:
            of_target = [pair[name] for pair in pairs]
            if self._rule.rescale:
                every.append([video_sums(*x) for x in protocols.rescale(self._rule, of_target)])
            else:
                each = zip(rated, of_target, strict=True)
                every.append([one.sums(p, name) for one, (p, _) in each])
        return every

    def _chain(self, run: tuple[str, int]) -> Post | None:
        """Return what the protocol fits to the run's training traces; None if it fits nothing."""
        if self._rule.postprocess is None:
            return None
        folder = self._layout.run(self._corpus, *run)
        traces = filled(read_traces(folder, read_settings(folder)), self._rating)
        by_video = {str(v): rows.sort_values("time_s") for v, rows in traces.groupby("video")}
        manifest = read_table(self._layout.manifest(self._corpus))
        partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
        return postprocess.of_run(
            self._rule, by_video, self._gold, partition, self._delay_s, self._rating
        )


def cases(
    table: pd.DataFrame, rating: Rating
) -> list[tuple[tuple[str, float], dict[str, dict[str, np.ndarray]]]]:
    """Return each corruption and level with the predictions of its videos.

    Parameters
    ----------
    table
        Predictions of a run, as `avf robust` writes them, sorted by time in each video.
    rating
        Targets and their scale.

    Returns
    -------
    list of tuple
        Case, and video -> `time_s` and the targets (N,), with the middle of the scale in videos
        without a prediction, and the shares of `ABSENT` (1,).
    """
    names = table[["corruption", "level"]].drop_duplicates().itertuples(index=False, name=None)
    keys = table.groupby(["corruption", "level"], observed=True, sort=False)
    number, videos = pd.factorize(table["video"], sort=True)
    place = keys.ngroup().to_numpy() * len(videos) + number
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    lengths = np.diff(starts, append=len(order))
    values = table[list(rating.names)].to_numpy(float)[order]
    empty = np.logical_and.reduceat(np.isnan(values).all(axis=1), starts)
    values[np.repeat(empty, lengths)] = rating.outward(0.0)
    columns = {"time_s": table["time_s"].to_numpy(float)[order]}
    columns |= dict(zip(rating.names, values.T.copy(), strict=True))
    parts = {name: np.split(x, starts[1:]) for name, x in columns.items()}
    for name, has in ABSENT.items():
        present = np.add.reduceat(table[has].to_numpy(float)[order], starts)
        parts[name] = np.split(1 - present / lengths, len(starts))
    by_case: dict[int, dict[str, dict[str, np.ndarray]]] = {}
    for i, at in enumerate(place[order][starts]):
        case, video = divmod(int(at), len(videos))
        one = {name: part[i] for name, part in parts.items()}
        by_case.setdefault(case, {})[str(videos[video])] = one
    return [(case, by_case[i]) for i, case in enumerate(names)]
