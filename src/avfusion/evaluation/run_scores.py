"""A finished run as the files of its folder tell it: settings, epochs, scores and intervals."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.io.stamped import content_key
from avfusion.layout import Layout
from avfusion.metrics.sums import CLASS_SUMS, MEAN, SUMS, target_scores
from avfusion.runs.files import failure, predictions, read_settings

PLACE = ("partition", "protocol", "target")


MADE_BY = ("chosen", "commit", "dirty", "data_hash", "inputs", "machine", "missing", "run")
"""What settings.json says of where a run came from, besides what was asked of it."""


@dataclass(frozen=True)
class Run:
    """One finished run folder and its rows of the tables that scoring wrote."""

    folder: Path
    settings: dict[str, Any]
    scores: pd.DataFrame
    sums: pd.DataFrame
    pooling: dict[str, str]  # protocol -> pooled | per_video_mean
    subjects: dict[str, str]  # video -> who is seen

    @property
    def name(self) -> str:
        """`fusion/seedk`."""
        return f"{self.settings['fusion']}/seed{self.settings['seed']}"

    @property
    def failed(self) -> str:
        """Why the run failed; empty where it did not."""
        return failure(self.folder)

    def trained(self) -> str:
        """Changes when the run was trained otherwise."""
        parts = [(self.folder / name).read_bytes() for name in ("settings.json", "epochs.csv")]
        return content_key(*parts, self.failed.encode())

    def key(self) -> str:
        """Changes when the run was trained or scored otherwise."""
        return content_key(self.trained().encode(), self.scores.to_csv(index=False).encode())

    def params(self) -> dict[str, str]:
        """What was asked of the run, flattened: {"train.lr": "0.001", …}."""
        asked = {name: value for name, value in self.settings.items() if name not in MADE_BY}
        return dict(_flat(asked))

    def tags(self) -> dict[str, str]:
        """Where it came from: data, features, job, machine; why it failed, if it did."""
        own = self.settings
        features, made = own.get("inputs", {}).get("features"), own.get("machine", {})
        tags = {name: own.get(name) for name in ("fusion", "seed", "code", "data_hash")}
        tags |= {"host": made.get("host"), "slurm_job": made.get("slurm_job")}
        tags["feature_hash"] = content_key(json.dumps(features).encode()) if features else None
        tags["gpu"] = made.get("gpu") or "none"
        tags["chosen"] = own.get("chosen", {}).get("chosen")
        tags |= {"kind": "run", "failed": self.failed or None}
        return {name: str(value) for name, value in tags.items() if value is not None}

    def epochs(self) -> Iterator[tuple[str, float, int]]:
        """(name, value, epoch) of every column of epochs.csv."""
        table = pd.read_csv(self.folder / "epochs.csv")
        for column in table.columns.drop("epoch"):
            stage = {"loss": "train/", "lr": ""}.get(str(column), "validation/")
            for epoch, value in zip(table["epoch"], table[column], strict=True):
                yield f"{stage}{column}", float(value), int(epoch)

    def final(self, how: dict[str, Any]) -> dict[str, float]:
        """Scores by name: `test/pooled/ccc_mean`, and `…_low`, `…_high`, its interval over units.

        how: `Study.statistics` as a dictionary. No interval on train, nor where a single video is.
        """
        ends = self._intervals(how)
        found = {}
        metric = "recall" if "recall" in self.scores else "ccc"
        for row in self.scores.dropna(subset=[metric]).to_dict("records"):
            name = f"{row['partition']}/{row['protocol']}/{metric}_{row['target']}"
            found[name] = float(row[metric])
            pair = ends.get(tuple(row[n] for n in PLACE), (np.nan, np.nan))
            if np.isfinite(pair).all():
                found[f"{name}_low"], found[f"{name}_high"] = (float(end) for end in pair)
        return found

    def _intervals(self, how: dict[str, Any]) -> dict[tuple[str, str, str], np.ndarray]:
        """(partition, protocol, target) -> low and high, with the table's draws."""
        found = {}
        unseen = self.sums[self.sums["partition"] != "train"].sort_values("video")
        videos, targets = (unseen[name].to_numpy() for name in ("video", "target"))
        places = unseen.groupby(["partition", "protocol"]).indices
        for (partition, protocol), at in places.items():
            columns = CLASS_SUMS if self.pooling[protocol] == "recall" else SUMS
            values = np.stack([unseen[name].to_numpy()[at] for name in columns], axis=-1)
            each = {target: targets[at] == target for target in dict.fromkeys(targets[at])}
            sums = np.stack([values[own] for own in each.values()])
            whose = [self.subjects[video] for video in videos[at][next(iter(each.values()))]]
            unit, pooling = units.numbers(whose, how), self.pooling[protocol]
            weight = _draws(inference.units(len(whose), unit), how["draws"], how["seed"])
            weight = weight if unit is None else weight[:, unit]
            samples = target_scores(sums[None], weight, pooling)[0]  # (K + 1, N)
            ends = inference.interval_of_targets(samples, sums[None], pooling, how["alpha"], unit)
            names = (*each, MEAN)
            found |= {(partition, protocol, t): e for t, e in zip(names, ends.T, strict=True)}
        return found


def finished_runs(corpus: str, layout: Layout) -> Iterator[Run]:
    """Runs whose predictions are on disk, with their scores as far as they are scored."""
    folder = layout.scores(corpus)
    scores = _table(folder / "scores.parquet", ["partition", "protocol", "target", "ccc"])
    sums = _table(folder / "sums.parquet", ["partition", "protocol", "target", "video", *SUMS])
    used = folder / "protocols.json"
    rules = json.loads(used.read_text()) if used.is_file() else {}
    pooling = {name: rule["pooling"] for name, rule in rules.items()}
    folders = sorted((layout.results / "runs" / corpus).glob("*/seed*"))
    folders = [folder for folder in folders if predictions(folder).is_file()]
    if not folders:
        raise AvfError(f"no finished run below {layout.results / 'runs' / corpus}")
    videos = sorted(set(sums["video"]))
    whose = dict(zip(videos, units.subjects(corpus, videos, layout), strict=True)) if videos else {}
    for folder in folders:
        own = read_settings(folder)
        tables = (_of(table, own) for table in (scores, sums))
        yield Run(folder, own, *tables, pooling, whose)


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["fusion", "seed", *columns])
    return pd.read_parquet(path) if path.is_file() else empty


def _of(table: pd.DataFrame, own: dict[str, Any]) -> pd.DataFrame:
    return table[(table["fusion"] == own["fusion"]) & (table["seed"] == own["seed"])]


@functools.lru_cache(maxsize=8)
def _draws(units: int, draws: int, seed: int) -> np.ndarray:
    return inference.draw(units, draws, seed)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    else:
        yield path, (value if isinstance(value, str) else json.dumps(value))[:500]
