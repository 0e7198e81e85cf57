"""A finished run as the files of its folder tell it: settings, epochs, scores."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.errors import AvfError
from avfusion.layout import Layout


@dataclass(frozen=True)
class Run:
    """One finished run folder and its rows of the score table."""

    folder: Path
    settings: dict[str, Any]
    scores: pd.DataFrame

    @property
    def name(self) -> str:
        """`fusion/seedk`."""
        return f"{self.settings['fusion']}/seed{self.settings['seed']}"

    @property
    def failed(self) -> str:
        """Why the run failed; empty where it did not."""
        return failure(self.folder)

    def key(self) -> str:
        """Changes when anything that is recorded changes."""
        parts = [(self.folder / name).read_bytes() for name in ("settings.json", "epochs.csv")]
        parts += [self.failed.encode()] if self.failed else []
        return content_key(*parts, self.scores.to_csv(index=False).encode())

    def params(self) -> dict[str, str]:
        """Settings, flattened: {"train.lr": "0.001", …}."""
        return dict(_flat(self.settings))

    def tags(self) -> dict[str, str]:
        """What tells the run from others, and why it failed if it did."""
        tags = {n: str(self.settings.get(n, "")) for n in ("fusion", "seed", "code", "data_hash")}
        return tags | {"kind": "run"} | ({"failed": self.failed} if self.failed else {})

    def metrics(self) -> Iterator[tuple[str, float, int]]:
        """(name, value, step): one a column and epoch, then the scores of every protocol."""
        epochs = pd.read_csv(self.folder / "epochs.csv")
        for column in epochs.columns.drop("epoch"):
            stage = {"loss": "train/", "lr": ""}.get(str(column), "validation/")
            for step, value in zip(epochs["epoch"], epochs[column], strict=True):
                yield f"{stage}{column}", float(value), int(step)
        for row in self.scores.dropna(subset=["ccc"]).itertuples(index=False):
            yield f"{row.partition}/{row.protocol}/ccc_{row.target}", float(row.ccc), len(epochs)


def finished_runs(corpus: str, layout: Layout) -> Iterator[Run]:
    """Runs whose predictions are on disk, with their scores as far as they are scored."""
    table = layout.scores(corpus) / "scores.parquet"
    empty = pd.DataFrame(columns=["fusion", "seed", "partition", "protocol", "target", "ccc"])
    scores = pd.read_parquet(table) if table.is_file() else empty
    folders = sorted((layout.results / "runs" / corpus).glob("*/seed*"))
    folders = [folder for folder in folders if (folder / "traces.parquet").is_file()]
    if not folders:
        raise AvfError(f"no finished run below {layout.results / 'runs' / corpus}")
    for folder in folders:
        own = json.loads((folder / "settings.json").read_text())
        mine = (scores["fusion"] == own["fusion"]) & (scores["seed"] == own["seed"])
        yield Run(folder, own, scores[mine])


def failure(folder: Path) -> str:
    """What a run's failed.json says, reason first, then what to do; empty where there is none."""
    path = folder / "failed.json"
    if not path.is_file():
        return ""
    said = json.loads(path.read_text())
    return f"failed: {said['reason']} {said['next']}"


def predicts(folder: Path) -> bool:
    """Whether the run is finished and did not fail."""
    return (folder / "traces.parquet").is_file() and not failure(folder)


def content_key(*parts: bytes) -> str:
    """A name for content: equal for equal parts, whatever their dates."""
    lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
    return hashlib.sha256(lengths + b"".join(parts)).hexdigest()[:16]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    else:
        yield path, (value if isinstance(value, str) else json.dumps(value))[:500]
