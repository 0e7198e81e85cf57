"""What every finished run predicts and scores when its features are corrupted at test time.

Predictions of all runs under all corruptions are on disk before any is scored; until then gold is
asked one thing, which partition has ratings. A killed job goes on with the first run that is not
whole.
"""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pandas as pd

from avfusion.errors import AvfError, CorpusError
from avfusion.io.atomic import write_text
from avfusion.io.shards import read_table, write_table
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.robustness.predict import predict
from avfusion.robustness.sums import case_sums
from avfusion.runs.files import failure, predicts

log = logging.getLogger(__name__)


def robust_corpus(corpus: str, study: dict[str, Any], layout: Layout) -> None:
    """Write `robustness/<corpus>/<fusion>/seed<k>/traces.parquet` of every run, then sums.parquet.

    study: `Study.robust_settings()`. Every run meets the same draw of every corruption; a run that
    is not there is left out and named in the log.
    """
    partition = reported_partition(corpus, layout)
    runs = predict_runs(corpus, (0, 1), study, layout)
    sums = [case_sums(corpus, run, partition, study, layout) for run in runs]
    write_table(pd.concat(sums, ignore_index=True), layout.robustness(corpus) / "sums.parquet")


def predict_runs(
    corpus: str, shard: tuple[int, int], study: dict[str, Any], layout: Layout
) -> list[tuple[str, int]]:
    """The predictions alone, of every n-th finished run from the i-th; these runs."""
    partition = reported_partition(corpus, layout)
    finished = list(_finished(corpus, study, layout))
    if not finished:
        raise AvfError(f"{corpus}: no finished run of this study. Run `avf train` first.")
    runs, told = finished[shard[0] :: shard[1]], time.monotonic()
    for done in predict(corpus, runs, partition, study, layout):
        if time.monotonic() - told > 5 or done == len(runs):
            log.info("%s: corrupted input to %d of %d runs", corpus, done, len(runs))
            told = time.monotonic()
    return runs


def write_part(corpus: str, shard: tuple[int, int], study: dict[str, Any], layout: Layout) -> None:
    """`predict_runs`, and `part-i-of-n.json` that says which runs these were."""
    runs = predict_runs(corpus, shard, study, layout)
    path = layout.robustness(corpus) / "part-{}-of-{}.json".format(*shard)
    write_text(path, json.dumps([f"{fusion}/seed{seed}" for fusion, seed in runs]) + "\n")


def reported_partition(corpus: str, layout: Layout) -> str:
    """`test`, or `validation` where this copy of the corpus has no test ratings."""
    for path in (layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)):
        if not path.is_file():
            raise CorpusError(f"{path}: no such file. Run `avf verify {corpus}`.")
    manifest = read_table(layout.manifest(corpus), columns=["video", "partition"])
    rated = read_table(layout.gold(corpus))
    rated = rated.dropna(subset=list(_rating(corpus, layout).names), how="all")
    found = set(manifest.loc[manifest["video"].isin(rated["video"]), "partition"])
    return "validation" if "validation" in found and "test" not in found else "test"


def _finished(corpus: str, study: dict[str, Any], layout: Layout) -> Iterator[tuple[str, int]]:
    for fusion in study["fusions"]:
        for seed in study["seeds"]:
            folder = layout.run(corpus, fusion, seed)
            if predicts(folder):
                yield fusion, seed
            else:
                why = failure(folder) or "not trained"
                log.warning("%s: %s seed %d left out: %s", corpus, fusion, seed, why)


def _rating(corpus: str, layout: Layout) -> Rating:
    return Rating.of(json.loads(layout.card(corpus).read_text()))
