"""The headline of a study's records: score, interval and rank of each fusion, from the tables.

MLflow sorts metrics by name. Those that begin with a digit are the first in its tables, and short
names fit into its columns.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from avfusion.evaluation.run_scores import Run
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN

NAMES = {
    "score": "1 score",
    "score_low": "2 low",
    "score_high": "3 high",
    "rank": "4 rank",
    "sd": "5 sd",
    "seeds": "6 seeds",
}
"""Number of a fusion -> its metric in MLflow, in their order; those of the targets follow."""


def name_of(key: str) -> str:
    """Return the metric of a number of the headline, or of a target.

    >>> name_of("rank"), name_of("valence")
    ('4 rank', '7 valence')
    """
    return NAMES.get(key, f"7 {key}")


class Headline(NamedTuple):
    """What the records of a corpus open with.

    Attributes
    ----------
    what
        The score in words, such as "CCC under pooled on test".
    place
        Start of the names of a run's scores of it, such as "test/pooled/ccc_".
    targets
        The targets besides the mean.
    fusions
        Fusion -> name of the metric -> value.
    """

    what: str
    place: str
    targets: tuple[str, ...]
    fusions: dict[str, dict[str, float]]

    def columns(self) -> list[str]:
        """Return the names of the metrics in the order in which they are shown."""
        return [*NAMES.values(), *map(name_of, self.targets)]

    def of_run(self, final: dict[str, float]) -> dict[str, float]:
        """Return the headline of one run from its scores (`Run.final`)."""
        ends = {"score": MEAN if self.targets else "eer"}
        ends |= {target: target for target in self.targets}
        ends |= {f"score_{end}": f"{ends['score']}_{end}" for end in ("low", "high")}
        names = {name_of(key): f"{self.place}{end}" for key, end in ends.items()}
        return {name: final[source] for name, source in names.items() if source in final}


def read_headline(corpus: str, protocol: str, layout: Layout, runs: list[Run]) -> Headline:
    """Read the headline of a corpus from the tables, or from its runs if there are none.

    Parameters
    ----------
    corpus
        Name of the corpus.
    protocol
        The headline protocol of the study; classes and verification have their own.
    layout
        Paths of the results.
    runs
        The finished runs; fusions without one are left out.
    """
    names = list(dict.fromkeys(run.settings.fusion for run in runs))
    people = _rows(layout.tables / "verification.csv", corpus)
    if len(people):
        return _of_people(people[people["fusion"].isin(names)])
    rows = _rows(layout.tables / "scores.csv", corpus)
    rows = rows[rows["fusion"].isin(names)] if len(rows) else rows
    if not len(rows) or "mean" not in rows:
        return _of_runs(protocol, runs)
    known = list(dict.fromkeys(rows["protocol"]))
    protocol = protocol if protocol in known else known[0]
    rows = rows[rows["protocol"] == protocol]
    targets = tuple(name for name in dict.fromkeys(rows["target"]) if name != MEAN)
    partition, metric = _text(rows, "partition"), _metric(runs)
    fusions: dict[str, dict[str, float]] = {}
    for fusion, of_fusion in rows.groupby("fusion", sort=False):
        by = of_fusion.set_index("target")
        fusions[str(fusion)] = _numbers(by.loc[MEAN]) | {
            target: float(by.loc[target, "mean"]) for target in targets
        }
    word = {"ccc": "CCC", "recall": "recall"}[metric]
    what = f"mean {word} under {protocol} on {partition}"
    return Headline(what, f"{partition}/{protocol}/{metric}_", targets, _ranked(fusions, -1))


def _of_people(rows: pd.DataFrame) -> Headline:
    """Return the headline of verification: the EER of the first list of the test partition."""
    rows = rows[(rows["measure"] == "eer") & (rows["condition"] == "clean")]
    test = rows[rows["partition"] == "test"]
    first = (test if len(test) else rows).iloc[0]
    norm = "as_norm" if "as_norm" in set(rows["norm"]) else first["norm"]
    place = {"partition": first["partition"], "list": first["list"], "norm": norm}
    for name, value in place.items():
        rows = rows[rows[name] == value]
    fusions = {str(row["fusion"]): _numbers(row) for _, row in rows.iterrows()}
    what = f"EER ({norm}) of the list {first['list']} on {first['partition']}; lower is better"
    start = f"{first['partition']}/{first['list']}/clean/{norm}/"
    return Headline(what, start, (), _ranked(fusions, 1))


def _of_runs(protocol: str, runs: list[Run]) -> Headline:
    """Return the mean over the seeds without intervals, before tables are written."""
    metric = _metric(runs)
    place = f"test/{protocol}/{metric}_"
    values: dict[str, list[float]] = {}
    for run in runs:
        table = run.scores
        if metric in table and len(table):
            here = (table["partition"] == "test") & (table["protocol"] == protocol)
            seeds = table.loc[here & (table["target"] == MEAN), metric].dropna()
            values.setdefault(run.settings.fusion, []).extend(map(float, seeds))
    means = {
        fusion: {"score": sum(each) / len(each), "seeds": float(len(each))}
        for fusion, each in values.items()
        if each
    }
    return Headline(f"mean {metric} under {protocol} on test", place, (MEAN,), _ranked(means, -1))


def _ranked(fusions: dict[str, dict[str, float]], sign: int) -> dict[str, dict[str, float]]:
    """Add the rank, 1 for the best; equal scores have one rank. sign: 1 if lower is better."""
    scores = {name: sign * values["score"] for name, values in fusions.items() if "score" in values}
    ranks = {name: 1 + sum(o < score for o in scores.values()) for name, score in scores.items()}
    return {
        name: {
            name_of(key): value
            for key, value in (values | {"rank": float(ranks[name])}).items()
            if not math.isnan(value)
        }
        for name, values in fusions.items()
        if name in ranks
    }


def _numbers(row: Any) -> dict[str, float]:
    """Return score, interval, spread and number of seeds of a row of the tables."""
    named = {
        "score": "mean",
        "score_low": "low",
        "score_high": "high",
        "sd": "sd",
        "seeds": "seeds",
    }
    values = {name: float(row[column]) for name, column in named.items() if column in row.index}
    return values if not math.isnan(values["score"]) else {}


def _metric(runs: list[Run]) -> str:
    return "recall" if any("recall" in run.scores for run in runs) else "ccc"


def _rows(path: Path, corpus: str) -> pd.DataFrame:
    """Return the rows of a corpus with numbers; empty if there is no such table."""
    if not path.is_file():
        return pd.DataFrame()
    table = pd.read_csv(path)
    return table[(table["corpus"] == corpus) & (table["seeds"] > 0)] if len(table) else table


def _text(rows: pd.DataFrame, column: str) -> str:
    return str(rows[column].iloc[0])
