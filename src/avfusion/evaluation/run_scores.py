"""A finished run read from its files: settings, epochs, scores and intervals."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.jobs import RunRecord
from avfusion.config.sections import StatisticsSettings
from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.io.stamped import content_key
from avfusion.layout import Layout
from avfusion.metrics.sums import CLASS_SUMS, MEAN, SUMS, target_scores
from avfusion.runs.files import did_not_train, failure, predictions, read_settings

PLACE = ("partition", "protocol", "target")
PROVENANCE = frozenset(
    {
        *("chosen", "commit", "dirty", "data_hash", "inputs", "machine", "missing", "outside"),
        *("predicted", "run", "schema_version", "set_aside"),
    }
)
"""Fields of a run's record that are not parameters of the training."""

_STAGES = {"loss": "train/", "lr": "", "penalty": ""}
"""First word of a column of epochs.csv -> what precedes its name; others are of validation."""


@dataclass(frozen=True)
class Run:
    """One finished run folder and its rows of the tables that scoring wrote."""

    folder: Path
    settings: RunRecord
    scores: pd.DataFrame
    sums: pd.DataFrame
    pooling: dict[str, str]  # protocol -> pooled | per_video_mean | recall; none of verification
    subjects: dict[str, str]  # video -> subject

    @property
    def name(self) -> str:
        """`fusion/seedk`."""
        return f"{self.settings.fusion}/seed{self.settings.seed}"

    @property
    def failed(self) -> str:
        """Reason why the run failed; empty if it did not."""
        return failure(self.folder)

    def trained(self) -> str:
        """Return a key that changes when the run is trained again with another result."""
        parts = [(self.folder / name).read_bytes() for name in ("settings.json", "epochs.csv")]
        return content_key(*parts, self.failed.encode())

    def key(self) -> str:
        """Return a key that changes when the training or the scores change."""
        return content_key(self.trained().encode(), self.scores.to_csv(index=False).encode())

    def params(self) -> dict[str, str]:
        """Return the parameters of the training, flattened: {"train.lr": "0.001", …}."""
        document = self.settings.document()
        return dict(_flat({k: v for k, v in document.items() if k not in PROVENANCE}))

    def tags(self) -> dict[str, str]:
        """Return the provenance: data, features, code, job and machine; the reason of a failure."""
        record = self.settings
        features = record.predicted
        outside = json.dumps(record.outside, sort_keys=True) if record.outside else None
        tags = {
            "fusion": record.fusion,
            "seed": record.seed,
            "code": record.code,
            "outside": outside,
            "data_hash": record.data_hash,
            "host": record.machine.get("host"),
            "slurm_job": record.machine.get("slurm_job"),
            "feature_hash": content_key(json.dumps(features).encode()) if features else None,
            "gpu": record.machine.get("gpu") or "none",
            "chosen": record.chosen.get("chosen"),
            "kind": "run",
            "failed": self.failed or None,
            "did_not_train": "; ".join(did_not_train(self.folder)) or None,
        }
        return {name: str(value) for name, value in tags.items() if value is not None}

    def epochs(self) -> Iterator[tuple[str, float, int]]:
        """Yield (name, value, epoch) of every column of epochs.csv.

        A target that has stopped before the others has no value (`avfusion.runs.separate`).
        """
        table = pd.read_csv(self.folder / "epochs.csv")
        for column in table.columns.drop("epoch"):
            stage = _STAGES.get(str(column).partition("_")[0], "validation/")
            for epoch, value in zip(table["epoch"], table[column], strict=True):
                if pd.notna(value):
                    yield f"{stage}{column}", float(value), int(epoch)

    def final(self, statistics: StatisticsSettings) -> dict[str, float]:
        """Return scores by name: `test/pooled/ccc_mean`, and `…_low`, `…_high`, its interval.

        There is no interval on the training partition, nor with a single unit.
        """
        if "eer" in self.scores:
            return dict(self._errors())
        ends = self._intervals(statistics)
        values = {}
        metric = "recall" if "recall" in self.scores else "ccc"
        for row in self.scores.dropna(subset=[metric]).to_dict("records"):
            name = f"{row['partition']}/{row['protocol']}/{metric}_{row['target']}"
            values[name] = float(row[metric])
            partition, protocol, target = (str(row[key]) for key in PLACE)
            pair = ends.get((partition, protocol, target), np.full(2, np.nan))
            if np.isfinite(pair).all():
                values[f"{name}_low"], values[f"{name}_high"] = (float(end) for end in pair)
        return values

    def _errors(self) -> Iterator[tuple[str, float]]:
        """Yield the errors of verification by name: `test/<list>/clean/as_norm/eer`."""
        measures = ["eer", *(name for name in self.scores if str(name).startswith("min_dcf"))]
        for row in self.scores.dropna(subset=["eer"]).to_dict("records"):
            place = "/".join(str(row[name]) for name in ("partition", "list", "condition", "norm"))
            for measure in measures:
                yield f"{place}/{measure}", float(row[measure])

    def _intervals(self, statistics: StatisticsSettings) -> dict[tuple[str, str, str], np.ndarray]:
        """Return (partition, protocol, target) -> low and high, with the draws of the tables."""
        intervals: dict[tuple[str, str, str], np.ndarray] = {}
        unseen = self.sums[self.sums["partition"] != "train"].sort_values("video")
        videos, targets = (unseen[name].to_numpy() for name in ("video", "target"))
        places: dict[Any, np.ndarray] = dict(unseen.groupby(["partition", "protocol"]).indices)
        for (partition, protocol), at in places.items():
            pooling = self.pooling[protocol]
            columns = CLASS_SUMS if pooling == "recall" else SUMS
            values = np.stack([unseen[name].to_numpy()[at] for name in columns], axis=-1)
            each = {target: targets[at] == target for target in dict.fromkeys(targets[at])}
            sums = np.stack([values[rows] for rows in each.values()])
            subjects = [self.subjects[video] for video in videos[at][next(iter(each.values()))]]
            unit = units.numbers(subjects, statistics)
            count = inference.units(len(subjects), unit)
            weight = _draws(count, statistics.draws, statistics.seed)
            weight = weight if unit is None else weight[:, unit]
            samples = target_scores(sums[None], weight, pooling)[0]  # (K + 1, N)
            ends = inference.interval_of_targets(
                samples, sums[None], pooling, statistics.alpha, unit
            )
            for target, pair in zip((*each, MEAN), ends.T, strict=True):
                intervals[partition, protocol, target] = pair
        return intervals


def finished_runs(corpus: str, layout: Layout) -> Iterator[Run]:
    """Yield the runs with predictions on disk, with their scores if they are scored.

    Raises
    ------
    AvfError
        If the corpus has no finished run.
    """
    folder = layout.scores(corpus)
    scores = _table(folder / "scores.parquet", ["partition", "protocol", "target", "ccc"])
    sums = _table(folder / "sums.parquet", ["partition", "protocol", "target", "video", *SUMS])
    used = folder / "protocols.json"
    rules = json.loads(used.read_text()) if used.is_file() else {}
    pooling = {name: rule["pooling"] for name, rule in rules.items() if "pooling" in rule}
    folders = sorted((layout.results / "runs" / corpus).glob("*/seed*"))
    folders = [folder for folder in folders if predictions(folder).is_file()]
    if not folders:
        below = layout.results / "runs" / corpus
        raise AvfError(f"no finished run below {below}. Run: snakemake all")
    videos = sorted(set(sums["video"]))
    names = units.subjects(corpus, videos, layout) if videos else []
    subjects = dict(zip(videos, names, strict=True))
    for folder in folders:
        record = read_settings(folder)
        yield Run(folder, record, _of(scores, record), _of(sums, record), pooling, subjects)


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["fusion", "seed", *columns])
    return pd.read_parquet(path) if path.is_file() else empty


def _of(table: pd.DataFrame, record: RunRecord) -> pd.DataFrame:
    """Return the rows of one run."""
    return table[(table["fusion"] == record.fusion) & (table["seed"] == record.seed)]


@functools.lru_cache(maxsize=8)
def _draws(count: int, draws: int, seed: int) -> np.ndarray:
    return inference.draw(count, draws, seed)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (`a.b.c`, text) of every value of nested mappings; None is left out."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    elif value is not None:
        yield path, (value if isinstance(value, str) else json.dumps(value))[:500]
