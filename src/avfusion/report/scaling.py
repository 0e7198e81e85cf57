"""How the features fit the scale of the train partition, from scaling.csv of every run."""

from collections.abc import Iterable

import pandas as pd

from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.report.inputs import read
from avfusion.runs.files import SCALING

MANY = 0.01
"""Share of limited or missing values above which there is a caveat (`runs.scaling.SHARE`)."""

COLUMNS = (
    *("corpus", "encoder", "partition", "fusions", "videos", "values", "limited", "missing"),
    *("share", "features", "constant", "dead", "worst_feature", "worst_share"),
)
"""Columns of features.csv."""


def scaling(corpus: str, study: Study, layout: Layout) -> pd.DataFrame:
    """Return scaling.csv of all runs of a corpus.

    Parameters
    ----------
    corpus
        Name of the corpus.
    study
        Its fusions and seeds.
    layout
        Paths of the results.

    Returns
    -------
    DataFrame
        A row per encoder and partition. Runs with other settings, such as `baseline` or `limit`,
        may have other numbers: there is a row for each, and `fusions` names the runs that have it
        ("all" if all have it).
    """
    tables = []
    for fusion in study.fusions:
        for seed in study.seeds:
            table = read(layout.run(corpus, fusion, seed) / SCALING)
            if len(table):
                tables.append(table.assign(fusion=fusion))
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    every = pd.concat(tables, ignore_index=True)
    numbers = [name for name in every if name != "fusion"]
    groups = every.groupby(numbers, sort=False, dropna=False)["fusion"]
    rows = groups.agg(lambda names: ", ".join(dict.fromkeys(names))).rename("fusions").reset_index()
    readers = {name: ", ".join(_readers(every, name)) for name in set(every["encoder"])}
    same = rows["fusions"] == rows["encoder"].map(readers)
    rows["fusions"] = rows["fusions"].mask(same, "all")
    rows.insert(0, "corpus", corpus)
    return rows.sort_values("encoder", kind="stable", ignore_index=True)[list(COLUMNS)]


def caveats(table: pd.DataFrame) -> list[str]:
    """Return a caveat per encoder and partition with a share above 1 %, the largest of its rows."""
    if not len(table):
        return []
    rows = table[table["share"] > MANY].sort_values("share", ascending=False, kind="stable")
    rows = rows.drop_duplicates(["corpus", "encoder", "partition"])
    return [_caveat(row) for row in rows.to_dict("records")]


def _caveat(row: dict[str, object]) -> str:
    return (
        f"{row['share']:.1%} of the values of encoder {row['encoder']} in {row['partition']} "
        f"({row['videos']} videos) are missing or far from the train partition's, most in feature "
        f"{row['worst_feature']} ({row['worst_share']:.1%} of its values). Predictions there are "
        f"less certain; see features.csv."
    )


def _readers(table: pd.DataFrame, encoder: str) -> Iterable[str]:
    return dict.fromkeys(table["fusion"][table["encoder"] == encoder])
