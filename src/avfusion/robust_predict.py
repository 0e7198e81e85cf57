"""What one finished run predicts on corrupted input: every corruption at every level, on disk.

All code that these numbers follow from is here and in what is imported here: its fingerprint
(`Study.robust_settings`) decides whether predictions on disk are kept. No gold is read.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.corrupt import corrupted, spread
from avfusion.corruptions import find
from avfusion.errors import TrainError
from avfusion.features import FeatureStore
from avfusion.inputs import content_hash
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.run_files import read_settings, read_traces
from avfusion.shards import write_table
from avfusion.signals import Case, open_store
from avfusion.trained import Trained
from avfusion.whole import write_text
from avfusion.windows import Windows

WHOLE = ("whole", 0.0)
"""The undisturbed input among the corruptions and levels; every curve starts there."""
CLOSE = 1e-4


def cases(study: dict[str, Any]) -> list[Case]:
    """Whole input, then every corruption at every level."""
    grid = study["robustness"].items()
    return [WHOLE, *((name, float(level)) for name, levels in grid for level in levels)]


def predict(
    corpus: str,
    run: tuple[str, int],
    partition: str,
    spreads: dict[str, np.ndarray],
    study: dict[str, Any],
    layout: Layout,
) -> None:
    """Write one run's traces under every case, unless they are whole and of these settings."""
    trained = Trained.open(layout.run(corpus, *run), layout)
    folder = layout.robustness(corpus) / run[0] / f"seed{run[1]}"
    path = folder / "traces.parquet"
    wanted = {key: study[key] for key in ("robustness", "draw", "code")}
    wanted |= {"partition": partition, "inputs": trained.own["inputs"]}
    wanted["weights"] = content_hash(*trained.model.state_dict().values())
    signals = {case: _signals(trained, case, layout) for case in cases(study) if _is_signal(case)}
    wanted["signals"] = {
        f"{name} {level:g}": [content_hash(s.index["sha256"].to_dict()) for s in stores.values()]
        for (name, level), stores in signals.items()
    }
    said = folder / "settings.json"
    if path.is_file() and said.is_file() and json.loads(said.read_text()) == wanted:
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
    write_table(table, path)
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
