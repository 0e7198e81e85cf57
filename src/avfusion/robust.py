"""What every finished run predicts and scores when its features are corrupted at test time.

Predictions of all runs under all corruptions are on disk before gold is opened. A killed job goes
on with the first run that is not whole.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.corrupt import corrupted, spread
from avfusion.corruptions import find
from avfusion.errors import AvfError, TrainError
from avfusion.features import FeatureStore
from avfusion.inputs import content_hash
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.robust_sums import case_sums
from avfusion.run_files import read_settings, read_traces
from avfusion.runs import failure, predicts
from avfusion.shards import write_table
from avfusion.signals import Case, open_store
from avfusion.trained import Trained
from avfusion.whole import write_text
from avfusion.windows import Windows

log = logging.getLogger(__name__)
WHOLE = ("whole", 0.0)
"""The undisturbed input among the corruptions and levels; every curve starts there."""
CLOSE = 1e-4


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
    spreads: dict[str, np.ndarray] = {}
    finished = list(_finished(corpus, study, layout))
    if not finished:
        raise AvfError(f"{corpus}: no finished run of this study. Run `avf train` first.")
    runs, told = finished[shard[0] :: shard[1]], time.monotonic()
    for done, run in enumerate(runs, start=1):
        _predict(corpus, run, partition, spreads, study, layout)
        if time.monotonic() - told > 5 or done == len(runs):
            log.info("%s: corrupted input to %d of %d runs", corpus, done, len(runs))
            told = time.monotonic()
    return runs


def write_part(corpus: str, shard: tuple[int, int], study: dict[str, Any], layout: Layout) -> None:
    """`predict_runs`, and `part-i-of-n.json` that says which runs these were."""
    runs = predict_runs(corpus, shard, study, layout)
    path = layout.robustness(corpus) / "part-{}-of-{}.json".format(*shard)
    write_text(path, json.dumps([f"{fusion}/seed{seed}" for fusion, seed in runs]) + "\n")


def cases(study: dict[str, Any]) -> list[Case]:
    """Whole input, then every corruption at every level."""
    grid = study["robustness"].items()
    return [WHOLE, *((name, float(level)) for name, levels in grid for level in levels)]


def reported_partition(corpus: str, layout: Layout) -> str:
    """`test`, or `validation` where this copy of the corpus has no test ratings."""
    manifest = pd.read_parquet(layout.manifest(corpus), columns=["video", "partition"])
    rated = pd.read_parquet(layout.gold(corpus))
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


def _folder(corpus: str, run: tuple[str, int], layout: Layout) -> Path:
    return layout.robustness(corpus) / run[0] / f"seed{run[1]}"


def _predict(
    corpus: str,
    run: tuple[str, int],
    partition: str,
    spreads: dict[str, np.ndarray],
    study: dict[str, Any],
    layout: Layout,
) -> None:
    """Write one run's traces under every case, unless they are whole and of these settings."""
    trained = Trained.open(layout.run(corpus, *run), layout)
    folder = _folder(corpus, run, layout)
    wanted = {key: study[key] for key in ("robustness", "draw", "code")}
    wanted |= {"partition": partition, "inputs": trained.own["inputs"]}
    wanted["weights"] = content_hash(*trained.model.state_dict().values())
    signals = {case: _signals(trained, case, layout) for case in cases(study) if _is_signal(case)}
    wanted["signals"] = {
        f"{name} {level:g}": [content_hash(s.index["sha256"].to_dict()) for s in stores.values()]
        for (name, level), stores in signals.items()
    }
    said = folder / "settings.json"
    if said.is_file() and json.loads(said.read_text()) == wanted:
        return
    said.unlink(missing_ok=True)
    for name, store in trained.data.stores.items():
        if name not in spreads:
            videos = trained.data.videos
            spreads[name] = spread(store, list(videos["video"][videos["partition"] == "train"]))
    rows = trained.rows(partition)
    parts = []
    for name, level in cases(study):
        case, stores = (name, level), signals.get((name, level))
        windows = corrupt_windows(trained, case, partition, spreads, study["draw"], stores)
        labels = {"corruption": name, "level": level, **present(windows)}
        parts.append(rows.assign(**labels, **trained.predict(windows)))
    _refuse_other_numbers(parts[0], layout.run(corpus, *run), trained.own)
    table = pd.concat(parts, ignore_index=True).astype({"corruption": "category"})
    write_table(table, folder / "traces.parquet")
    write_text(said, json.dumps(wanted, indent=2) + "\n")


def corrupt_windows(
    trained: Trained,
    case: Case,
    partition: str,
    spreads: dict[str, np.ndarray],
    seed: int,
    signals: dict[str, FeatureStore] | None = None,
) -> Windows:
    """A partition's windows with the run's features corrupted; gold is unrated throughout.

    signals: by encoder, the features of corrupted sound or pictures where the case is of these.
    """
    if case == WHOLE:
        return trained.data.windows(partition)
    stores, own = trained.data.stores, trained.own
    if signals is None:
        used = {name: stores[name] for name in own["features"][find(case[0])[0]]}
        signals = corrupted(used, *case, own["windows"], spreads, seed)
    return replace(trained.data, stores=stores | signals).windows(partition)


def _is_signal(case: Case) -> bool:
    return case != WHOLE and find(case[0])[1].signal


def _signals(trained: Trained, case: Case, layout: Layout) -> dict[str, FeatureStore]:
    """Features of corrupted sound or pictures, an encoder of the run's each."""
    corpus, stores = trained.own["corpus"], trained.data.stores
    names = trained.own["features"][find(case[0])[0]]
    return {name: open_store(corpus, case, name, stores[name], layout) for name in names}


def present(windows: Windows) -> dict[str, np.ndarray]:
    """Whether each row (R,) has audio and has video."""
    rows = {"has_audio": windows.audio, "has_video": windows.video}
    return {name: ~part.isnan().any(-1).numpy() for name, part in rows.items()}


def _refuse_other_numbers(whole: pd.DataFrame, folder: Path, own: dict[str, Any]) -> None:
    """On whole input the opened run must say what its traces say, or it is not that run."""
    traces = read_traces(folder, read_settings(folder))
    both = whole.merge(traces, on=["video", "time_s"], suffixes=("", "_before"))
    gap = max((both[d] - both[f"{d}_before"]).abs().max() for d in Rating.of(own).names)
    if len(both) != len(whole) or not gap <= CLOSE:
        raise TrainError(
            f"{folder}: on whole input it now predicts otherwise than in traces.parquet (by "
            f"{gap:.2g}). Write the traces again: `avf infer {folder}`, then `avf score`."
        )


def _rating(corpus: str, layout: Layout) -> Rating:
    return Rating.of(json.loads(layout.card(corpus).read_text()))
