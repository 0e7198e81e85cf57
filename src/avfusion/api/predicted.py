"""Predictions of finished runs over time, next to the gold standard."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.errors import AvfError
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.runs.files import failure, read_settings, read_traces, train_command


def predictions(
    corpus: str,
    runs: Sequence[tuple[str, int]],
    layout: Layout,
    partition: str | None,
    gold: bool,
) -> pd.DataFrame:
    """Return the predictions of some runs of a corpus with ratings.

    Parameters
    ----------
    corpus
        Name of the corpus.
    runs
        Fusion and seed of each run. A warning names those without predictions.
    layout
        Paths of the results.
    partition
        `train`, `validation` or `test`; None for all.
    gold
        Whether to add the gold of each row.

    Returns
    -------
    DataFrame
        See `avfusion.StudyResults.traces`.

    Raises
    ------
    AvfError
        If no run has predictions, or files are missing or damaged.
    """
    rating, delay_s = _scale(corpus, layout)
    tables, lost = [], []
    for fusion, seed in runs:
        folder = layout.run(corpus, fusion, seed)
        if not (folder / "traces.parquet").is_file() or failure(folder):
            why = failure(folder) or f"not run; `{train_command(folder)}`"
            lost.append(f"{fusion} seed {seed} ({why})")
            continue
        table = read_traces(folder, read_settings(folder))
        if partition is not None:
            table = table[table["partition"] == partition]
        tables.append(table.assign(corpus=corpus, fusion=fusion, seed=seed))
    if lost:
        text = f"{corpus}: no predictions of {len(lost)} runs: {', '.join(lost[:6])}."
        if not tables:
            raise AvfError(f"{text} Run: snakemake all")
        warnings.warn(text, stacklevel=3)
    joined = pd.concat(tables, ignore_index=True)
    place = ["corpus", "fusion", "seed", "partition", "video", "time_s"]
    names = {name: f"predicted_{name}" for name in rating.names}
    joined = joined.rename(columns=names)[[*place, *names.values()]]
    return _with_gold(joined, rating, delay_s, layout.gold(corpus)) if gold else joined


def _scale(corpus: str, layout: Layout) -> tuple[Rating, dict[str, float]]:
    """Return the targets of a corpus and their annotation delays in seconds."""
    path = layout.card(corpus)
    if not path.is_file():
        raise AvfError(f"File not found: {path}. Run: avf verify {corpus}")
    card = json.loads(path.read_text(encoding="utf-8"))
    rating = Rating.of(card)
    return rating, {name: float(card["delay_s"].get(name, 0.0)) for name in rating.names}


def _with_gold(
    table: pd.DataFrame, rating: Rating, delay_s: dict[str, float], path: Path
) -> pd.DataFrame:
    """Add the columns gold_<target>, as the training reads them."""
    from avfusion.features.gold import targets

    if not path.is_file():
        raise AvfError(f"File not found: {path}. Run: avf verify, or pass `gold=False`.")
    names = [f"gold_{name}" for name in rating.names]
    rated = dict(list(read_table(path).sort_values("time_s").groupby("video")))
    values = np.full((len(table), len(names)), np.nan)
    for video, rows in table.groupby("video", sort=False).indices.items():
        if video in rated:
            of_video = rated[video]
            ratings = of_video[list(rating.names)].to_numpy(float)
            times, rated_s = (
                table["time_s"].to_numpy(float)[rows],
                of_video["time_s"].to_numpy(float),
            )
            values[rows] = targets(times, rated_s, ratings, delay_s)
    return table.assign(**dict(zip(names, values.T, strict=True)))
