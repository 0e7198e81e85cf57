"""What finished runs predict on corrupted input: every corruption at every level, on disk.

All code that these numbers follow from is here and in what is imported here: its fingerprint
(`Study.robust_settings`) decides whether predictions on disk are kept. No gold is read.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.corruptions import WHOLE, Case, cases, find
from avfusion.encoders.corrupt import open_store
from avfusion.errors import TrainError
from avfusion.features.corrupt import corrupted, spread
from avfusion.features.store import FeatureStore
from avfusion.features.windows import Windows
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.runs.files import read_settings, read_traces
from avfusion.runs.predictor import Trained

CLOSE = 1e-4


MOST_MB = 500


def predict(
    corpus: str,
    runs: Iterable[tuple[str, int]],
    partition: str,
    study: dict[str, Any],
    layout: Layout,
) -> Iterator[int]:
    """Write the runs' traces under every case, where they are not there of these settings.

    Runs that read the same are taken together, so that a case's input is made once for all of
    them; as many as their predictions fill MOST_MB. Yields how many runs are whole by then.
    """
    waiting: dict[str, list[_Run]] = {}
    spreads: dict[str, np.ndarray] = {}
    whole = 0
    for number in runs:
        run = _Run.open(corpus, number, partition, study, layout)
        if run.is_whole():
            yield (whole := whole + 1)
            continue
        alike = waiting.setdefault(run.reads, [])
        alike.append(run)
        if len(alike) >= _at_once(run, study):
            _write(waiting.pop(run.reads), spreads, study, layout)
            yield (whole := whole + len(alike))
    for alike in waiting.values():
        _write(alike, spreads, study, layout)
        yield (whole := whole + len(alike))


@dataclass(frozen=True)
class _Run:
    """A run whose traces are asked for: opened, where they lie, what they must be made of."""

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
        study: dict[str, Any],
        layout: Layout,
    ) -> "_Run":
        source = layout.run(corpus, *run)
        trained = Trained.open(source, layout)
        made_of = {key: study[key] for key in ("robustness", "draw", "code")}
        made_of |= {"partition": partition, "inputs": trained.own["inputs"]}
        made_of["weights"] = content_hash(*trained.model.state_dict().values())
        made_of["signals"] = {
            f"{name} {level:g}": [content_hash(s.index["sha256"].to_dict()) for s in stores]
            for name, level in cases(study)
            if (stores := _signals(trained, (name, level), layout).values())
        }
        folder = layout.robustness(corpus) / run[0] / f"seed{run[1]}"
        return cls(trained, partition, source, folder, made_of)

    @property
    def reads(self) -> str:
        """What its input follows from: runs of which this is equal are given the same."""
        own = self.trained.own
        named = [own[key] for key in ("features", "windows", "inputs")]
        return json.dumps([*named, own["train"]["baseline"], self.made_of["signals"]])

    def is_whole(self) -> bool:
        said = self.folder / "settings.json"
        there = (self.folder / "traces.parquet").is_file() and said.is_file()
        return there and json.loads(said.read_text()) == self.made_of

    def write(self, said: list[dict[str, np.ndarray]], labels: list[dict[str, Any]]) -> None:
        rows = self.trained.rows(self.partition)
        parts = [rows.assign(**a, **b) for a, b in zip(labels, said, strict=True)]
        _refuse_other_numbers(parts[0], self.source, self.trained.own)
        table = pd.concat(parts, ignore_index=True).astype({"corruption": "category"})
        write_table(table, self.folder / "traces.parquet")
        write_text(self.folder / "settings.json", json.dumps(self.made_of, indent=2) + "\n")


def _at_once(run: _Run, study: dict[str, Any]) -> int:
    """How many runs' predictions, in float64, fill MOST_MB."""
    width = len(Rating.of(run.trained.own).names)
    size = len(run.trained.rows(run.partition)) * len(cases(study)) * width * 8
    return max(1, MOST_MB * 10**6 // size)


def _write(
    runs: list[_Run], spreads: dict[str, np.ndarray], study: dict[str, Any], layout: Layout
) -> None:
    """Traces of runs that read the same, under every case."""
    first, partition = runs[0].trained, runs[0].partition
    for run in runs:
        (run.folder / "settings.json").unlink(missing_ok=True)
    for name, store in first.data.stores.items():
        if name not in spreads:
            videos = first.data.videos
            spreads[name] = spread(store, list(videos["video"][videos["partition"] == "train"]))
    labels = []
    said: list[list[dict[str, np.ndarray]]] = [[] for _ in runs]
    for case in cases(study):
        signals = _signals(first, case, layout)
        windows = corrupt_windows(first, case, partition, spreads, study["draw"], signals)
        labels.append({"corruption": case[0], "level": case[1], **present(windows)})
        for run, parts in zip(runs, said, strict=True):
            parts.append(run.trained.predict(windows))
    for run, parts in zip(runs, said, strict=True):
        run.write(parts, labels)


def corrupt_windows(
    trained: Trained,
    case: Case,
    partition: str,
    spreads: dict[str, np.ndarray],
    seed: int,
    signals: dict[str, FeatureStore],
) -> Windows:
    """A partition's windows with the run's features corrupted; gold is unrated throughout.

    signals: by encoder, the features of corrupted sound or pictures where the case is of these.
    """
    if case == WHOLE:
        return trained.data.windows(partition)
    stores, own = trained.data.stores, trained.own
    if not signals:
        used = {name: stores[name] for name in own["features"][find(case[0])[0]]}
        signals = corrupted(used, *case, own["windows"], spreads, seed)
    return replace(trained.data, stores=stores | signals).windows(partition)


def _signals(trained: Trained, case: Case, layout: Layout) -> dict[str, FeatureStore]:
    """Features of corrupted sound or pictures, an encoder of the run's each; else none."""
    if case == WHOLE or not find(case[0])[1].signal:
        return {}
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
