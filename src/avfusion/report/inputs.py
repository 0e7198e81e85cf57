"""Input of the figures and the page: files of earlier stages; a missing file is an empty table."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.rating import Rating
from avfusion.report.format import and_list
from avfusion.report.format import interval as interval
from avfusion.report.format import number as number

MOST = 4
"""Most targets that a table or figure shows next to their mean."""


def printed(names: tuple[str, ...]) -> dict[str, str]:
    """Return the targets that tables and figures show, mean first: name in files -> heading.

    >>> printed(("valence", "arousal")), printed(("fatigue",))
    ({'mean': 'mean', 'valence': 'valence', 'arousal': 'arousal'}, {'mean': 'fatigue'})
    """
    if len(names) == 1:
        return {MEAN: names[0]}
    return {MEAN: MEAN} | {name: name for name in names if len(names) <= MOST}


@dataclass(frozen=True)
class Caption:
    """Words of a figure: title, caption, and a description for readers who cannot see it."""

    corpus: str
    kind: str
    title: str
    text: str
    alt: str


@dataclass(frozen=True)
class CorpusFiles:
    """Files of one corpus of a study, from which every figure is drawn.

    Parameters
    ----------
    corpus
        Name of the corpus.
    study
        The study as it concerns this corpus (`Study.scoped`).
    layout
        Paths of the results folder.
    """

    corpus: str
    study: Study
    layout: Layout
    _read: dict[Path | str, pd.DataFrame] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def table(self, name: str) -> pd.DataFrame:
        """Return the rows of results/tables/`name`.csv about this corpus."""
        rows = read(self.layout.tables / f"{name}.csv")
        return rows[rows["corpus"] == self.corpus] if "corpus" in rows else rows

    def headline(self, name: str) -> pd.DataFrame:
        """Return the rows of a table under the headline protocol."""
        rows = self.table(name)
        return rows[rows["protocol"] == self.study.headline] if "protocol" in rows else rows

    @property
    def unit_word(self) -> str:
        """What intervals take as independent: `video` or `subject`."""
        rows = self.headline("scores")
        words = rows["unit"].dropna() if "unit" in rows else []
        return str(next(iter(words), "video"))

    @property
    def confidence(self) -> str:
        """Confidence level of the intervals, such as 95%."""
        return f"{100 * (1 - self.study.statistics.alpha):g}%"

    @property
    def partition(self) -> str:
        """The reported partition: test, unless it has no ratings here."""
        rows = self.headline("scores")
        names = rows["partition"].dropna() if "partition" in rows else []
        return str(next(iter(names), "test"))

    def runs(self) -> list[tuple[str, int]]:
        """Return every (fusion, seed) of the study, finished or not."""
        return [(f, s) for f in self.study.fusions for s in self.study.seeds]

    def epochs(self) -> pd.DataFrame:
        """Return all training curves: fusion, seed and the columns of epochs.csv."""
        return self._join("epochs.csv")

    def traces(self) -> pd.DataFrame:
        """Return predictions on the reported partition: fusion, seed, video, time_s, targets."""
        rows = self._join("traces.parquet")
        return rows[rows["partition"] == self.partition] if len(rows) else rows

    def gates(self) -> pd.DataFrame:
        """Return the weights of all gates: fusion, seed, video, time_s and gate_…, else NaN."""
        return self._join("gates.parquet") if self.study.robustness else pd.DataFrame()

    def attention(self) -> pd.DataFrame:
        """Return attention over time of one run per fusion: fusion, seed, video, map, window, …"""
        return self._join("attention.parquet") if self.study.robustness else pd.DataFrame()

    def _join(self, name: str) -> pd.DataFrame:
        """Return a file of all runs as one table; it is read once for all figures."""
        if name not in self._read:
            self._read[name] = self._joined(name)
        return self._read[name]

    def _once(self, path: Path) -> pd.DataFrame:
        """Return a table of an earlier stage; it is read once for all figures."""
        if path not in self._read:
            self._read[path] = read(path)
        return self._read[path]

    def _joined(self, name: str) -> pd.DataFrame:
        tables = []
        for fusion, seed in self.runs():
            rows = read(self.layout.run(self.corpus, fusion, seed) / name)
            if len(rows):
                tables.append(rows.assign(fusion=fusion, seed=seed))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def seed_scores(self) -> pd.DataFrame:
        """Return the headline score of every scored run on the reported partition."""
        rows = self._once(self.layout.scores(self.corpus) / "scores.parquet")
        if not len(rows):
            return rows
        rows = rows.rename(columns={"recall": "ccc"})
        keep = (rows["partition"] == self.partition) & rows["ccc"].notna()
        return rows[keep & (rows["protocol"] == self.study.headline)]

    def sums(self) -> pd.DataFrame:
        """Return the sums of every video of the reported partition under the headline protocol."""
        rows = self._once(self.layout.scores(self.corpus) / "sums.parquet")
        if not len(rows):
            return rows
        keep = (rows["partition"] == self.partition) & (rows["protocol"] == self.study.headline)
        return rows[keep]

    def gold(self) -> pd.DataFrame:
        """Return the gold standard of the corpus: video, time_s and its targets."""
        return self._once(self.layout.gold(self.corpus))

    def truth(self) -> pd.DataFrame:
        """Return the planted spans: video, start_s, end_s, modality, kind."""
        return read(self.layout.truth(self.corpus))

    def card(self) -> dict[str, Any]:
        """Return corpus.json; empty if the corpus was not verified."""
        return read_json(self.layout.card(self.corpus))

    @property
    def kind(self) -> str:
        """Class of the corpus in the registry."""
        return self.study.corpus_class(self.corpus)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is scored: the targets, or the classes."""
        if self.metric == "recall":
            return tuple(self.card().get("classes", ()))
        return Rating.of(self.card()).names

    @property
    def metric(self) -> str:
        """Metric of the scores: CCC, or recall if the task is classes."""
        return "CCC" if self.study.task(self.corpus) == "ratings" else "recall"

    @property
    def on_classes(self) -> bool:
        """Whether the task is one class per video instead of ratings over time."""
        return self.metric == "recall"

    @property
    def headline_score(self) -> str:
        """Name of the score that fusions are ranked by."""
        return "UA" if self.on_classes else "mean CCC"

    def word(self, target: str) -> str:
        """Return the heading of a target; the mean of recalls is called UA."""
        return "UA" if self.on_classes and target == MEAN else target

    @property
    def mean_of(self) -> str:
        """Names of the targets that the headline score averages, as a list in words."""
        return and_list(list(self.names))

    def delay_s(self, target: str) -> float:
        """Return the annotation delay of a target in seconds."""
        delay = self.card().get("delay_s", 0.0)
        return float(delay.get(target, 0.0) if isinstance(delay, dict) else delay)


def read(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet table; a missing or empty file is an empty table."""
    if not path.is_file():
        return pd.DataFrame()
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a missing file is an empty one."""
    if not path.is_file():
        return {}
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def order(scores: pd.DataFrame) -> list[str]:
    """Return the fusions that have a score, best mean first, ties by name."""
    if "mean" not in scores:
        return []
    rows = scores[(scores["target"] == "mean") & scores["mean"].notna()]
    return list(rows.sort_values(["mean", "fusion"], ascending=[False, True])["fusion"])
