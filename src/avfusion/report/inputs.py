"""What the figures and the page read: files of earlier stages, with absence as an empty table."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.tasks import task_of
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.rating import Rating
from avfusion.report.sentences import and_list

MOST = 4
"""Targets that a table or figure shows beside their mean; more have a table of their own."""


def printed(names: tuple[str, ...]) -> dict[str, str]:
    """Targets as tables and figures show them, the headline's first: name in files -> words.

    >>> printed(("valence", "arousal")), printed(("fatigue",))
    ({'mean': 'mean', 'valence': 'valence', 'arousal': 'arousal'}, {'mean': 'fatigue'})
    """
    if len(names) == 1:
        return {MEAN: names[0]}
    return {MEAN: MEAN} | {name: name for name in names if len(names) <= MOST}


@dataclass(frozen=True)
class Caption:
    """What is said beside a figure: its title, a sentence or two, and what it shows in words."""

    corpus: str
    kind: str
    title: str
    text: str
    alt: str


@dataclass(frozen=True)
class CorpusFiles:
    """One corpus of a study and where its files lie; what every figure is drawn from."""

    corpus: str
    study: dict[str, Any]
    layout: Layout

    def table(self, name: str) -> pd.DataFrame:
        """Rows of results/tables/`name`.csv about this corpus; empty where there are none."""
        rows = read(self.layout.tables / f"{name}.csv")
        return rows[rows["corpus"] == self.corpus] if "corpus" in rows else rows

    def headline(self, name: str) -> pd.DataFrame:
        """The rows of a table under the headline protocol that hold a number."""
        rows = self.table(name)
        return rows[rows["protocol"] == self.study["headline"]] if "protocol" in rows else rows

    @property
    def confidence(self) -> str:
        """How sure an interval is meant to be, such as 95%."""
        return f"{100 * (1 - self.study['statistics']['alpha']):g}%"

    @property
    def partition(self) -> str:
        """The partition that the headline reports: test, unless its ratings are not here."""
        rows = self.headline("scores")
        named = rows["partition"].dropna() if "partition" in rows else []
        return str(next(iter(named), "test"))

    def runs(self) -> list[tuple[str, int]]:
        """Every (fusion, seed) the study asks for, whether it ran or not."""
        return [(f, s) for f in self.study["fusions"] for s in self.study["seeds"]]

    def epochs(self) -> pd.DataFrame:
        """All training curves: fusion, seed and the columns of epochs.csv."""
        return self._join("epochs.csv")

    def traces(self) -> pd.DataFrame:
        """All predictions on the reported partition: fusion, seed, video, time_s and targets."""
        rows = self._join("traces.parquet")
        return rows[rows["partition"] == self.partition] if len(rows) else rows

    def gates(self) -> pd.DataFrame:
        """Weights of all gates: fusion, seed, video, time_s and gate_…, NaN where it has none."""
        return self._join("gates.parquet") if self.study["robustness"] else pd.DataFrame()

    def attention(self) -> pd.DataFrame:
        """Attention over time of one run a fusion: fusion, seed, video, map, window, time_s, …"""
        return self._join("attention.parquet") if self.study["robustness"] else pd.DataFrame()

    def _join(self, name: str) -> pd.DataFrame:
        found = []
        for fusion, seed in self.runs():
            rows = read(self.layout.run(self.corpus, fusion, seed) / name)
            if len(rows):
                found.append(rows.assign(fusion=fusion, seed=seed))
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()

    def seed_scores(self) -> pd.DataFrame:
        """Headline CCC of every run on the reported partition; those without one are left out."""
        rows = read(self.layout.scores(self.corpus) / "scores.parquet")
        if not len(rows):
            return rows
        rows = rows.rename(columns={"recall": "ccc"})
        keep = (rows["partition"] == self.partition) & rows["ccc"].notna()
        return rows[keep & (rows["protocol"] == self.study["headline"])]

    def gold(self) -> pd.DataFrame:
        """Gold standard of the corpus: video, time_s and its targets."""
        return read(self.layout.gold(self.corpus))

    def truth(self) -> pd.DataFrame:
        """Planted spans: video, start_s, end_s, modality, kind."""
        return read(self.layout.truth(self.corpus))

    def card(self) -> dict[str, Any]:
        """corpus.json, empty where the corpus was not verified."""
        path = self.layout.card(self.corpus)
        return json.loads(path.read_text()) if path.is_file() else {}

    @property
    def kind(self) -> str:
        """The corpus' class in the registry."""
        return self.study["corpora"][self.corpus].get("is") or self.corpus

    @property
    def names(self) -> tuple[str, ...]:
        """What is scored of the corpus: its targets, or its classes."""
        if self.metric == "recall":
            return tuple(self.card().get("classes", ()))
        return Rating.of(self.card()).names

    @property
    def metric(self) -> str:
        """What is scored: CCC, or recall where the task is classes."""
        return "CCC" if task_of(self.corpus, self.study) == "ratings" else "recall"

    @property
    def on_classes(self) -> bool:
        """Whether a class is told of each video, and nothing over time."""
        return self.metric == "recall"

    @property
    def headline_score(self) -> str:
        """The score that fusions are ranked by, in words."""
        return "UA" if self.on_classes else "mean CCC"

    def word(self, target: str) -> str:
        """A target as a heading has it: the mean of recalls has a name of its own."""
        return "UA" if self.on_classes and target == MEAN else target

    @property
    def mean_of(self) -> str:
        """What the headline score is the mean of, in words."""
        return and_list(list(self.names))

    def delay_s(self, target: str) -> float:
        """How far the raters' judgement trails the stimulus."""
        delay = self.card().get("delay_s", 0.0)
        return float(delay.get(target, 0.0) if isinstance(delay, dict) else delay)


def read(path: Path) -> pd.DataFrame:
    """A CSV or Parquet table; an absent or empty file is an empty table."""
    if not path.is_file():
        return pd.DataFrame()
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def order(scores: pd.DataFrame) -> list[str]:
    """Fusions that have a score, from best to worst mean CCC, equals by name."""
    if "mean" not in scores:
        return []
    rows = scores[(scores["target"] == "mean") & scores["mean"].notna()]
    return list(rows.sort_values(["mean", "fusion"], ascending=[False, True])["fusion"])


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """A score as it is printed everywhere: true minus sign, `n/a` where there is none.

    >>> number(-0.04567), number(0.5, sign=True), number(float("nan"))
    ('−0.046', '+0.500', 'n/a')
    """
    if value is None or np.isnan(value):
        return "n/a"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("-", "−")


def interval(low: float, high: float, sign: bool = False) -> str:
    """An interval in brackets, empty where it is unknown.

    >>> interval(-0.01, 0.2)
    '[−0.010, 0.200]'
    """
    if np.isnan(low) or np.isnan(high):
        return ""
    return f"[{number(low, sign=sign)}, {number(high, sign=sign)}]"
