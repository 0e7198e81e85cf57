"""Rows of the first table of a corpus in the page: test scores, and train scores next to them."""

from typing import Any

import pandas as pd

from avfusion.config.baseline import REFERENCES
from avfusion.config.study import Study
from avfusion.metrics.sums import MEAN
from avfusion.report.figures.style import looks
from avfusion.report.format import decimals
from avfusion.report.inputs import CorpusFiles, number, order, printed, read_json
from avfusion.report.marks import Marks
from avfusion.report.page import classes as class_cells
from avfusion.report.sentences import absence, of_seeds
from avfusion.report.tables.grids import origin


def headline(files: CorpusFiles) -> list[dict[str, Any]]:
    """Return the rows of the first table: one per fusion, best first, those without scores last."""
    scores = files.headline("scores")
    ranked = order(scores)
    style = looks(files.study.fusions)
    absent = [name for name in files.study.fusions if name not in ranked]
    scored, measured, train = [], class_cells.cells(files), train_scores(files)
    digits = _digits(scores) if ranked else {}
    marks = Marks.read([files.corpus], files.study, files.layout)
    for name in ranked:
        rows = scores[scores["fusion"] == name].set_index("target")
        first = rows.loc["mean"]
        scored.append(
            {
                "fusion": name,
                "anchor": anchor(name, files.study),
                "colour": style[name].colour,
                "run": True,
                "reference": name in REFERENCES,
                "best": bool(first.get("best", False)),
                "cells": measured.get(name) or _cells(name, rows, digits, files),
                "train": train.get(name),
                "seeds": of_seeds(int(first["seeds"]), files.study).rpartition(" ")[0],
                "videos": int(first["videos"]),
                "missing": int(first["missing"]),
                "parameters": parameters(files, name),
                "grid": ""
                if name in REFERENCES
                else origin(files.corpus, name, files.study, files.layout),
                "training": marks.remark(name),
            }
        )
    why = {r.fusion: absence(r.note) for r in scores.itertuples()} if len(scores) else {}
    bare = {"run": False, "reference": False, "grid": "", "training": ""}
    return scored + [
        {
            "fusion": name,
            "anchor": anchor(name, files.study),
            "colour": style[name].colour,
            "why": why.get(name, "not run"),
            **bare,
        }
        for name in absent
    ]


def anchor(name: str, study: Study) -> str:
    """Return the id of the row that describes a fusion or a reference; names may be any text."""
    if name in REFERENCES:
        return f"reference-{name}"
    return f"fusion-{list(study.fusions).index(name) + 1}"


def train_scores(files: CorpusFiles) -> dict[str, dict[str, Any]]:
    """Return fusion -> its headline score on train, and how far that is above the reported one.

    Runs predict every partition and scoring scores all of them, so both are means over the same
    runs. There is no entry without a score on train.
    """
    runs = files.headline("runs")
    if not len(runs):
        return {}
    column = files.metric.lower()
    runs = runs[(runs["target"] == MEAN) & runs[column].notna()]
    means = runs.groupby(["fusion", "partition"])[column].mean().unstack()
    if not {"train", files.partition} <= set(means):
        return {}
    return {
        str(name): {
            "value": row["train"],
            "text": number(row["train"]),
            "gap": number(row["train"] - row[files.partition], sign=True),
        }
        for name, row in means.dropna(subset=["train", files.partition]).iterrows()
    }


def _digits(scores: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return target -> fusion -> digits that its score needs to differ from the others."""
    return {
        str(target): dict(zip(rows["fusion"], decimals(list(rows["mean"])), strict=True))
        for target, rows in scores.groupby("target")
    }


def _cells(
    name: str, rows: pd.DataFrame, digits: dict[str, dict[str, int]], files: CorpusFiles
) -> list[dict[str, Any]]:
    return [
        class_cells.cell(rows.loc[target].to_dict(), digits[target][name])
        for target in printed(files.names)
    ]


def parameters(files: CorpusFiles, fusion: str) -> str:
    """Return the number of trained parameters from the first finished run of a fusion."""
    for seed in files.study.seeds:
        record = read_json(files.layout.run(files.corpus, fusion, seed) / "settings.json")
        if "parameters" in record:
            return f"{record['parameters']:,}"
    return ""
