"""A run made again from its own folder and compared: equal, or by how much not, and on what."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import TrainError
from avfusion.fingerprint import fingerprint
from avfusion.layout import Layout
from avfusion.metrics.ccc import ccc
from avfusion.provenance import code_state, machine_state
from avfusion.registry import fusions
from avfusion.runs.files import (
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
"""What two machines share that owe each other equal digits."""


TOLERANCE = 0.02
"""CCC between the two predictions may fall short of 1 by this much, between machine kinds."""


@dataclass(frozen=True)
class Aside(Layout):
    """The study's layout, but runs are written below `made`."""

    made: Path = Path()

    def run(self, corpus: str, fusion: str, seed: int) -> Path:
        """As `Layout.run`, below `made`."""
        return self.made / corpus / fusion / f"seed{seed}"

    def grid_run(self, corpus: str, fusion: str, point: str, seed: int) -> Path:
        """As `Layout.grid_run`, below `made`."""
        return self.made / "grids" / corpus / fusion / point / f"seed{seed}"


@dataclass(frozen=True)
class Verdict:
    """What came of it: `equal`, `good` (equal, or near enough on another kind), and the account."""

    equal: bool
    good: bool
    lines: list[str]


def repeat(folder: Path, layout: Layout, keep: Path | None = None) -> Verdict:
    """Train the run in `folder` again from its settings and the features on disk, elsewhere.

    keep: a folder for the second run; by default it is removed. Nothing of the first is touched.
    """
    own = read_settings(folder)
    if failure(folder):
        raise TrainError(f"{folder}: {failure(folder)} A failed run has nothing to be repeated.")
    before, asked = load_weights(folder / "best.safetensors")
    data_hash = json.loads(layout.card(own["corpus"]).read_text())["data_hash"]
    refuse_other_inputs(own, data_hash, folder, layout)
    first = read_traces(folder, own)
    with _place(keep) as made:
        aside = Aside(layout.results, made)
        train_run({k: v for k, v in asked.items() if k != "inputs"}, aside)
        (again,) = made.rglob("settings.json")
        after, _ = load_weights(again.parent / "best.safetensors")
        second = read_traces(again.parent, read_settings(again.parent))
        epochs = [(at / "epochs.csv").read_bytes() for at in (folder, again.parent)]
        name = predictions(folder).name
    now = machine_state(device.gpu())
    same_kind = all(own.get("machine", {}).get(key) == now.get(key) for key in KIND)
    gaps = _gaps(first, second)
    equal = epochs[0] == epochs[1] and first.equals(second) and _same(before, after)
    near = all(gap["agreement"] >= 1 - TOLERANCE for gap in gaps.values())
    lines = [f"{folder}", *_machines(own.get("machine", {}), now, same_kind), *_code(own)]
    lines.append(f"  epochs.csv {'equal' if epochs[0] == epochs[1] else 'DIFFERS'}")
    lines.append(f"  weights {'equal' if _same(before, after) else 'DIFFER'}")
    lines.append(f"  {name} {'equal' if first.equals(second) else 'DIFFERS'}, {len(first):,} rows")
    if not equal:
        lines += [
            f"  {target}: predictions differ by up to {gap['largest']:.3g}; CCC between the two "
            f"{gap['agreement']:.6f}"
            for target, gap in gaps.items()
        ]
    good = equal or (not same_kind and near)
    return Verdict(equal, good, [*lines, _said(equal, same_kind, near)])


def _said(equal: bool, same_kind: bool, near: bool) -> str:
    if equal:
        return "EQUAL"
    if same_kind:
        return "DIFFERENT, on the same machine kind: the code or the libraries changed."
    bound = f"a CCC of {1 - TOLERANCE:g} between the two, as may be on another machine kind"
    return f"{'NEAR: within' if near else 'DIFFERENT: beyond'} {bound}."


def _machines(then: dict[str, Any], now: dict[str, Any], same: bool) -> list[str]:
    said = [", ".join(f"{key} {at.get(key)}" for key in KIND) for at in (then, now)]
    if same:
        return [f"  made on and repeated on: {said[0]}"]
    return [f"  made on:     {said[0]}", f"  repeated on: {said[1]}"]


def _code(own: dict[str, Any]) -> list[str]:
    """Whether the code that trains is the code that trained."""
    now = fingerprint(fusions.code(own["class"]), "avfusion.runs.train:train_run")
    if now == own["code"]:
        return [f"  code: {now}, unchanged since"]
    state = code_state()
    then = f"{own['code']}, commit {own.get('commit')}{' with changes' if own.get('dirty') else ''}"
    files = "src/avfusion/runs/train.py and all that it uses"
    return [
        f"  code: CHANGED since: {then}; now {now}, commit {state['commit']}",
        f"        see `git diff {own.get('commit') or 'COMMIT'} -- src/avfusion` ({files})",
    ]


def _gaps(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Per target: the largest difference, and the CCC of the two predictions with each other."""
    import torch

    found = {}
    for target in first.columns.difference(["video", "partition", "time_s"]):
        if not pd.api.types.is_float_dtype(first[target]) or len(first) != len(second):
            continue
        a, b = (table[target].to_numpy(float) for table in (first, second))
        agreement = 1.0 if np.array_equal(a, b) else ccc(torch.tensor(a), torch.tensor(b)).item()
        found[str(target)] = {"largest": float(np.abs(a - b).max()), "agreement": agreement}
    return found


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(bool((a[k] == b[k]).all()) for k in a)


@contextlib.contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise TrainError(f"{keep}: not empty. Name a new folder to keep the second run in.")
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="avf-repeat-") as folder:
        yield Path(folder)
