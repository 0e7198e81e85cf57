"""Evaluate trained runs on corrupted input.

The predictions of all runs under all corruptions are on disk before the first is scored. Until then
gold is read only to find which partition has ratings. A job that was stopped continues with the
first run that is not complete.
"""

import json
import logging
import time
from collections.abc import Iterator

import pandas as pd

from avfusion.config.jobs import RobustSettings
from avfusion.errors import AvfError
from avfusion.evaluation.partitions import reported_in_corpus
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.robustness.predict import predict
from avfusion.robustness.sums import CaseSums
from avfusion.runs.files import failure, predicts

log = logging.getLogger(__name__)

LOG_EVERY_S = 5


def robust_corpus(corpus: str, settings: RobustSettings, layout: Layout) -> None:
    """Write `robustness/<corpus>/<fusion>/seed<k>/traces.parquet` of all runs, then sums.parquet.

    Parameters
    ----------
    corpus
        Name of the corpus.
    settings
        Fusions, seeds, corruptions and protocol. All runs get the same draw of each corruption.
    layout
        Paths of the results.

    Raises
    ------
    AvfError
        If there is no finished run; a single missing run is left out with a warning.
    """
    partition = reported_in_corpus(corpus, layout)
    runs = predict_runs(corpus, (0, 1), settings, layout)
    sums = CaseSums(corpus, partition, settings.headline, layout)
    table = pd.concat([sums.of(run) for run in runs], ignore_index=True)
    write_table(table, layout.robustness(corpus) / "sums.parquet")


def predict_runs(
    corpus: str, shard: tuple[int, int], settings: RobustSettings, layout: Layout
) -> list[tuple[str, int]]:
    """Write only the predictions, of every n-th finished run from the i-th.

    Parameters
    ----------
    corpus
        Name of the corpus.
    shard
        i and n.
    settings
        Fusions, seeds and corruptions.
    layout
        Paths of the results.

    Returns
    -------
    list of tuple
        Fusion and seed of each run of the shard.
    """
    partition = reported_in_corpus(corpus, layout)
    finished = list(_finished(corpus, settings, layout))
    if not finished:
        first = f"{corpus} {settings.fusions[0]} --seed {settings.seeds[0]}"
        raise AvfError(f"{corpus} has no finished run of this study. Run: avf train {first}")
    for name in settings.clip_only:
        log.warning(
            "%s: %s does not state how much of the recording its rows depend on, so only rows of "
            "clips that overlap missing input are absent. Set encoders.%s.context_s if known.",
            *(corpus, name, name),
        )
    runs, logged = finished[shard[0] :: shard[1]], time.monotonic()
    for done in predict(corpus, runs, partition, settings, layout):
        if time.monotonic() - logged > LOG_EVERY_S or done == len(runs):
            log.info("%s: corrupted input to %.1f of %d runs", corpus, done, len(runs))
            logged = time.monotonic()
    return runs


def write_part(
    corpus: str, shard: tuple[int, int], settings: RobustSettings, layout: Layout
) -> None:
    """Call `predict_runs` and write `part-i-of-n.json` with the names of its runs."""
    runs = predict_runs(corpus, shard, settings, layout)
    path = layout.robustness(corpus) / "part-{}-of-{}.json".format(*shard)
    write_text(path, json.dumps([f"{fusion}/seed{seed}" for fusion, seed in runs]) + "\n")


def _finished(corpus: str, settings: RobustSettings, layout: Layout) -> Iterator[tuple[str, int]]:
    for fusion in settings.fusions:
        for seed in settings.seeds:
            folder = layout.run(corpus, fusion, seed)
            if predicts(folder):
                yield fusion, seed
            else:
                why = failure(folder) or "not trained"
                log.warning("%s: %s seed %d left out: %s", corpus, fusion, seed, why)
