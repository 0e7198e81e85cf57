"""Train a run again from its own folder and compare: equal, or by how much it differs."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from avfusion.config.jobs import RunRecord, RunSettings
from avfusion.errors import TrainError
from avfusion.fingerprint import fingerprint
from avfusion.layout import Layout
from avfusion.metrics.concordance import ccc
from avfusion.provenance import code_state, machine_state
from avfusion.runs.by_protocol import refuse_other_protocol
from avfusion.runs.files import (
    EPOCHS,
    WEIGHTS,
    failure,
    predictions,
    read_settings,
    read_traces,
    refuse_other_inputs,
)
from avfusion.runs.train import train_run
from avfusion.training import device
from avfusion.training.checkpoint import load_weights

KIND = ("processor", "isa", "system", "torch", "threads", "gpu")
"""Two machines that agree in these must give equal digits."""

TOLERANCE = 0.02
"""Between machine kinds, the CCC of the two predictions may fall short of 1 by this much."""


@dataclass(frozen=True)
class Aside(Layout):
    """The study's layout, except that runs are written below `made`."""

    made: Path = Path()

    def run(self, corpus: str, fusion: str, seed: int) -> Path:
        """As `Layout.run`, below `made`."""
        return self.made / corpus / fusion / f"seed{seed}"

    def grid_run(self, corpus: str, fusion: str, point: str, seed: int) -> Path:
        """As `Layout.grid_run`, below `made`."""
        return self.made / "grids" / corpus / fusion / point / f"seed{seed}"


@dataclass(frozen=True)
class Verdict:
    """Result of a comparison.

    Attributes
    ----------
    equal
        Whether epochs, weights and predictions are equal to the bit.
    good
        Whether they are equal, or close enough on another machine kind.
    lines
        The comparison in words.
    """

    equal: bool
    good: bool
    lines: list[str]


@dataclass(frozen=True)
class _Made:
    """What a run left: the bytes of epochs.csv, the weights, and the predictions."""

    epochs: bytes
    weights: dict[str, Tensor]
    table: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, record: RunRecord) -> "_Made":
        weights, _ = load_weights(folder / WEIGHTS)
        return cls((folder / EPOCHS).read_bytes(), weights, read_traces(folder, record))


def repeat(folder: Path, layout: Layout, keep: Path | None = None) -> Verdict:
    """Train the run in `folder` again from its settings and the features on disk, and compare.

    Parameters
    ----------
    folder
        Folder of the run; nothing in it is changed.
    layout
        Paths of the study.
    keep
        Folder for the second run; by default it is removed.

    Returns
    -------
    Verdict
        Whether the two runs are equal, and where they differ.

    Raises
    ------
    TrainError
        If the run failed, or `keep` is not empty.
    CorpusError
        If the data or the features have changed since.
    """
    record = read_settings(folder)
    if failure(folder):
        raise TrainError(f"{folder}: {failure(folder)} A failed run has nothing to be repeated.")
    data_hash = json.loads(layout.card(record.corpus).read_text())["data_hash"]
    refuse_other_inputs(record, data_hash, folder, layout)
    refuse_other_protocol(record, folder)
    first = _Made.read(folder, record)
    with _place(keep) as made:
        settings = RunSettings(**{name: getattr(record, name) for name in RunSettings.model_fields})
        train_run(settings, Aside(layout.results, made))
        (again,) = made.rglob("settings.json")
        second = _Made.read(again.parent, read_settings(again.parent))
    return _compared(folder, record, first, second)


def _compared(folder: Path, record: RunRecord, first: _Made, second: _Made) -> Verdict:
    now = machine_state(device.gpu())
    same_kind = all(record.machine.get(key) == now.get(key) for key in KIND)
    gaps = _gaps(first.table, second.table)
    epochs, weights = first.epochs == second.epochs, _same(first.weights, second.weights)
    traces = first.table.equals(second.table)
    equal = epochs and weights and traces
    near = all(gap["agreement"] >= 1 - TOLERANCE for gap in gaps.values())
    name, rows = predictions(folder).name, len(first.table)
    lines = [f"{folder}", *_machines(record.machine, now, same_kind), *_code(record)]
    lines.append(f"  epochs.csv {'equal' if epochs else 'DIFFERS'}")
    lines.append(f"  weights {'equal' if weights else 'DIFFER'}")
    lines.append(f"  {name} {'equal' if traces else 'DIFFERS'}, {rows:,} rows")
    if not equal:
        lines += [
            f"  {target}: predictions differ by up to {gap['largest']:.3g}; CCC between the two "
            f"{gap['agreement']:.6f}"
            for target, gap in gaps.items()
        ]
    good = equal or (not same_kind and near)
    return Verdict(equal, good, [*lines, _conclusion(equal, same_kind, near)])


def _conclusion(equal: bool, same_kind: bool, near: bool) -> str:
    if equal:
        return "EQUAL"
    if same_kind:
        return "DIFFERENT, on the same machine kind: the code or the libraries changed."
    bound = f"a CCC of {1 - TOLERANCE:g} between the two, the tolerance between machine kinds"
    return f"{'NEAR: within' if near else 'DIFFERENT: beyond'} {bound}."


def _machines(then: dict[str, Any], now: dict[str, Any], same: bool) -> list[str]:
    kinds = [", ".join(f"{key} {at.get(key)}" for key in KIND) for at in (then, now)]
    if same:
        return [f"  made on and repeated on: {kinds[0]}"]
    return [f"  made on:     {kinds[0]}", f"  repeated on: {kinds[1]}"]


def _code(record: RunRecord) -> list[str]:
    """Return lines on whether the training code has changed since the run."""
    now = _code_now(record)
    if now == record.code:
        return [f"  code: {now}, unchanged since"]
    state = code_state()
    then = f"{record.code}, commit {record.commit}{' with changes' if record.dirty else ''}"
    files = "src/avfusion/runs/train.py and all that it uses"
    return [
        f"  code: CHANGED since: {then}; now {now}, commit {state['commit']}",
        f"        see `git diff {record.commit or 'COMMIT'} -- src/avfusion` ({files})",
    ]


def _code_now(record: RunRecord) -> str:
    """Return the hash that a study would give the code of this run now.

    The roots of the study count, also those that only other points of a grid use.
    """
    try:
        return fingerprint(*record.roots, leaving=frozenset(record.leaving))
    except ModuleNotFoundError as error:
        return f"not known ({error})"


def _gaps(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return per target the largest difference, and the CCC between the two predictions."""
    gaps = {}
    for target in first.columns.difference(["video", "partition", "time_s"]):
        if not pd.api.types.is_float_dtype(first[target]) or len(first) != len(second):
            continue
        a, b = (table[target].to_numpy(float) for table in (first, second))
        both = ~(np.isnan(a) & np.isnan(b))  # videos without a prediction
        a, b = a[both], b[both]
        agreement = 1.0 if np.array_equal(a, b) else ccc(torch.tensor(a), torch.tensor(b)).item()
        largest = float(np.abs(a - b).max(initial=0.0))
        gaps[str(target)] = {"largest": largest, "agreement": agreement}
    return gaps


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(bool((a[k] == b[k]).all()) for k in a)


@contextlib.contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """Yield the folder of the second run: `keep`, or a temporary one."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise TrainError(f"{keep}: not empty. Name a new folder to keep the second run in.")
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="avf-repeat-") as folder:
        yield Path(folder)
