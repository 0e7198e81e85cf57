"""Write the predictions of trained runs on corrupted input, for all corruptions and levels.

These numbers depend only on this module and its imports. Its fingerprint (`Study.robust_settings`)
decides whether predictions on disk are kept. No gold is read.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.corruptions import CLEAN, Case, cases, find
from avfusion.config.jobs import RobustSettings, RunSettings
from avfusion.encoders.corrupt import open_store
from avfusion.errors import TrainError
from avfusion.features.corrupt import corrupted, spread
from avfusion.features.store import FeatureStore
from avfusion.features.windows import Windows, is_present
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.runs import input_hashes
from avfusion.runs.files import read_settings, read_traces
from avfusion.runs.predictor import Trained

CLOSE = 1e-4
"""Largest difference on clean input between the opened run and its traces."""

MOST_MB = 500
"""Memory for the predictions of runs that are taken together."""


def predict(
    corpus: str,
    runs: Iterable[tuple[str, int]],
    partition: str,
    settings: RobustSettings,
    layout: Layout,
) -> Iterator[float]:
    """Write the traces of runs under every case, unless they exist for these settings.

    Runs with the same input are taken together, as many as their predictions fit into MOST_MB, so
    that the input of a case is made once for all of them.

    Parameters
    ----------
    corpus
        Name of the corpus.
    runs
        Fusion and seed of each run.
    partition
        Partition to predict.
    settings
        Corruptions and the seed of their draws.
    layout
        Paths of the results.

    Yields
    ------
    float
        Number of runs that are complete so far; of runs taken together, the share of their cases.

    Raises
    ------
    TrainError
        If a run's features have changed, or it predicts otherwise than its traces on clean input.
    """
    waiting: dict[str, list[_Run]] = {}
    spreads: dict[str, np.ndarray] = {}
    done = 0
    for name in runs:
        run = _Run.open(corpus, name, partition, settings, layout)
        if run.is_complete():
            yield (done := done + 1)
            continue
        group = waiting.setdefault(run.reads, [])
        group.append(run)
        if len(group) >= _at_once(run, settings):
            for share in _write(waiting.pop(run.reads), spreads, settings, layout):
                yield done + share * len(group)
            done += len(group)
    for group in waiting.values():
        for share in _write(group, spreads, settings, layout):
            yield done + share * len(group)
        done += len(group)


@dataclass(frozen=True)
class _Run:
    """An opened run with the folder of its traces, and what these must be made of."""

    trained: Trained
    partition: str
    source: Path
    folder: Path
    made_of: dict[str, Any]

    @classmethod
    def open(
        cls,
        corpus: str,
        run: tuple[str, int],
        partition: str,
        settings: RobustSettings,
        layout: Layout,
    ) -> "_Run":
        source = layout.run(corpus, *run)
        trained = Trained.open(source, layout)
        made_of: dict[str, Any] = {
            "robustness": settings.robustness,
            "contexts": settings.document()["contexts"],
            "draw": settings.draw,
            "code": settings.code,
            "partition": partition,
            "inputs": trained.settings.inputs,
            "predicted": input_hashes.predicted(trained.data),
            "weights": content_hash(*trained.model.state_dict().values()),
        }
        made_of["signals"] = {
            f"{name} {level:g}": [content_hash(s.index["sha256"].to_dict()) for s in stores]
            for name, level in cases(settings)
            if (stores := _signals(trained, (name, level), settings, layout).values())
        }
        folder = layout.robustness(corpus) / run[0] / f"seed{run[1]}"
        return cls(trained, partition, source, folder, made_of)

    @property
    def reads(self) -> str:
        """What the input of the run depends on; runs with the same value get the same input."""
        settings = self.trained.settings
        features, windows = settings.features.model_dump(), settings.windows.model_dump()
        baseline = settings.train.baseline
        read = [self.made_of[name] for name in ("predicted", "signals")]
        return json.dumps([features, windows, settings.inputs, baseline, *read])

    def is_complete(self) -> bool:
        path = self.folder / "settings.json"
        exists = (self.folder / "traces.parquet").is_file() and path.is_file()
        return exists and json.loads(path.read_text()) == self.made_of

    def write(self, predicted: list[dict[str, np.ndarray]], labels: list[dict[str, Any]]) -> None:
        rows = self.trained.rows(self.partition)
        parts = [rows.assign(**a, **b) for a, b in zip(labels, predicted, strict=True)]
        _refuse_other_numbers(parts[0], self.source, self.trained.settings)
        table = pd.concat(parts, ignore_index=True).astype({"corruption": "category"})
        write_table(table, self.folder / "traces.parquet")
        write_text(self.folder / "settings.json", json.dumps(self.made_of, indent=2) + "\n")


def _at_once(run: _Run, settings: RobustSettings) -> int:
    """Return how many runs' predictions, in float64, fit into MOST_MB."""
    width = len(run.trained.settings.rating.names)
    size = len(run.trained.rows(run.partition)) * len(cases(settings)) * width * 8
    return max(1, MOST_MB * 10**6 // size)


def _write(
    runs: list[_Run], spreads: dict[str, np.ndarray], settings: RobustSettings, layout: Layout
) -> Iterator[float]:
    """Write the traces of runs with the same input, under every case; yield the share done."""
    first, partition = runs[0].trained, runs[0].partition
    for run in runs:
        (run.folder / "settings.json").unlink(missing_ok=True)
    for name, store in first.data.stores.items():
        if name not in spreads:
            videos = first.data.videos
            spreads[name] = spread(store, list(videos["video"][videos["partition"] == "train"]))
    labels = []
    predicted: list[list[dict[str, np.ndarray]]] = [[] for _ in runs]
    for case in cases(settings):
        signals = _signals(first, case, settings, layout)
        windows = corrupt_windows(first, case, partition, spreads, settings, signals)
        labels.append({"corruption": case[0], "level": case[1], **present(windows)})
        for run, parts in zip(runs, predicted, strict=True):
            parts.append(run.trained.predict(windows))
        if len(labels) < len(cases(settings)):
            yield len(labels) / len(cases(settings))
    for run, parts in zip(runs, predicted, strict=True):
        run.write(parts, labels)
    yield 1.0


def corrupt_windows(
    trained: Trained,
    case: Case,
    partition: str,
    spreads: dict[str, np.ndarray],
    settings: RobustSettings,
    signals: dict[str, FeatureStore],
) -> Windows:
    """Return the windows of a partition with corrupted features and without gold.

    Parameters
    ----------
    trained
        The run; its encoders are read.
    case
        Corruption and level.
    partition
        The partition.
    spreads
        Encoder -> standard deviation (D,) of its features on the training partition.
    settings
        Seed of the draws, and the contexts of encoders.
    signals
        Encoder -> features of corrupted audio or video, of encoders that encode it.
    """
    if case == CLEAN:
        return trained.data.windows(partition)
    stores = trained.data.stores | signals
    if not find(case[0])[1].signal:
        used = {name: stores[name] for name in _encoders(trained, case)}
        cuts, contexts = trained.settings.windows, settings.stated(case[0])
        stores = stores | corrupted(used, *case, cuts, spreads, settings.draw, contexts)
    return trained.data.of_stores(stores).windows(partition)


def _signals(
    trained: Trained, case: Case, settings: RobustSettings, layout: Layout
) -> dict[str, FeatureStore]:
    """Return encoder -> features of corrupted audio or video, of encoders that encode it."""
    corpus, stores = trained.settings.corpus, trained.data.stores
    encoded = settings.encoded.get(case[0], [])
    names = [name for name in _encoders(trained, case) if name in encoded] if encoded else []
    return {name: open_store(corpus, case, name, stores[name], layout) for name in names}


def _encoders(trained: Trained, case: Case) -> list[str]:
    """Return the run's encoders of the modality that a case corrupts."""
    return trained.settings.features.by_modality.get(find(case[0])[0], [])


def present(windows: Windows) -> dict[str, np.ndarray]:
    """Return which rows (R,) have audio and video."""
    rows = {"has_audio": windows.audio, "has_video": windows.video}
    return {name: is_present(part).numpy() for name, part in rows.items()}


def _refuse_other_numbers(clean: pd.DataFrame, folder: Path, settings: RunSettings) -> None:
    """Check that the opened run predicts on clean input what its traces hold."""
    traces = read_traces(folder, read_settings(folder))
    both = clean.merge(traces, on=["video", "time_s"], suffixes=("", "_before"))
    names = list(settings.rating.names)
    now, before = both[names], both[[f"{name}_before" for name in names]].set_axis(names, axis=1)
    gap = (now - before).abs().fillna(0).max(axis=None)
    if len(both) != len(clean) or not gap <= CLOSE or not now.isna().equals(before.isna()):
        raise TrainError(
            f"{folder}: predictions on clean input differ from traces.parquet by {gap:.2g}. "
            f"Write the traces again: `avf infer {folder}`, then `avf score {folder.parts[-3]}`."
        )
