"""Fusion gains of models and raters in the page, from human_gain.csv."""

from typing import Any

import pandas as pd

from avfusion.config.match import groups
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.report.format import counted
from avfusion.report.inputs import interval, number, read
from avfusion.report.marks import Marks
from avfusion.report.tables.human_gain_text import GAINS, ranked


def human_gain(study: Study, layout: Layout) -> list[dict[str, Any]]:
    """Return a mapping per corpus or split with human votes: counts and rows of gains."""
    table = read(layout.tables / "human_gain.csv")
    parts = []
    for corpus, rows in table.groupby("corpus", sort=False) if len(table) else ():
        mean = ranked(rows)
        best = rows[(rows["fusion"] == mean[0]["fusion"]) & (rows["emotion"] != MEAN)]
        marks = Marks.read(_entries(str(corpus), study), study, layout)
        parts.append(
            {
                "corpus": corpus,
                "clips": counted(int(mean[0]["clips"]), "clip"),
                "actors": counted(int(mean[0]["actors"]), "actor"),
                "rows": [_row(row, row["fusion"], marks.remark(row["fusion"])) for row in mean],
                "best": mean[0]["fusion"],
                "emotions": [_row(row, row["emotion"], "") for row in best.to_dict("records")],
            }
        )
    return parts


def _entries(corpus: str, study: Study) -> list[str]:
    """Return the entries of `corpora` that a corpus or a split of folds consists of."""
    if corpus in study.corpora:
        return [corpus]
    splits = groups(study)
    return splits.get(corpus) or splits.get(corpus.removesuffix("_folds"), [])


def _row(row: dict[Any, Any], name: str, remark: str) -> dict[str, Any]:
    """Return one row: its name and a cell per gain; `not run` without a score of the model."""
    cells = [
        {
            "text": "not run" if pd.isna(row[key]) else number(row[key], sign=True),
            "value": row[key],
            "interval": interval(row[f"{key}_low"], row[f"{key}_high"], sign=True),
        }
        for key in GAINS
    ]
    return {"name": f"{name}, {remark}" if remark else name, "cells": cells}
