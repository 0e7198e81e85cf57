"""Classes and folds in the page, from classes.csv and folds.csv."""

from typing import Any

import pandas as pd

from avfusion.config.match import groups
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.report.format import p_value
from avfusion.report.inputs import CorpusFiles, interval, number, read
from avfusion.report.marks import Marks
from avfusion.report.tables.classes import MEASURES
from avfusion.report.tables.splits import warning


def measures(files: CorpusFiles) -> dict[str, dict[str, dict[str, Any]]]:
    """Return fusion -> measure -> cell; empty if the task is ratings."""
    table = files.table("classes")
    if not files.on_classes or not len(table):
        return {}
    return {
        str(fusion): {row["measure"]: cell(row) for row in rows.to_dict("records")}
        for fusion, rows in table.groupby("fusion", sort=False)
    }


def cell(row: dict[Any, Any], digits: int = 3) -> dict[str, Any]:
    """Return a number with its standard deviation over seeds and its interval as text."""
    spread = row.get("sd")
    return {
        "value": row["mean"],
        "text": number(row["mean"], digits),
        "sd": "" if spread is None or pd.isna(spread) else number(spread),
        "interval": interval(row["low"], row["high"]),
    }


def recalls(files: CorpusFiles) -> dict[str, Any]:
    """Return the recall of each class by fusion, as heads and rows."""
    rows = [
        {"fusion": fusion, "cells": [row[f"recall_{name}"] for name in files.names]}
        for fusion, row in measures(files).items()
    ]
    return {"head": list(files.names), "rows": rows} if rows else {}


def heads() -> list[str]:
    """Return the heads of the score table of classes."""
    return list(MEASURES.values())


def cells(files: CorpusFiles) -> dict[str, list[dict[str, Any]]]:
    """Return fusion -> cells of UA, WA and macro F1; empty if the task is ratings."""
    return {name: [row[key] for key in MEASURES] for name, row in measures(files).items()}


def folds(study: Study, layout: Layout) -> list[dict[str, Any]]:
    """Return a mapping per split of several scored folds: sentences, warnings and tables."""
    table = read(layout.tables / "folds.csv")
    splits = []
    for name, entries in groups(study).items() if len(table) else ():
        rows = table[(table["corpus"] == name) & (table["table"] == "fusions")]
        rows = rows[rows["target"] == MEAN]
        if not len(rows):
            continue
        pairs = table[(table["corpus"] == name) & (table["table"] == "pairs")]
        here = [entry for entry in entries if layout.manifest(entry).is_file()]
        marks = Marks.read(here, study, layout)
        score = "UA" if study.task(entries[0]) == "classes" else "mean CCC"
        splits.append(
            {
                "name": name,
                "entries": here,
                "score": score,
                "unit": next(iter(rows["unit"].dropna()), "video"),
                "sentences": _sentences(name, rows, pairs, score, marks),
                "warnings": warning(name, here, layout) + marks.caveats(),
                "rows": [_row(row) for row in rows.to_dict("records")],
                "pairs": [_pair(row) for row in pairs.to_dict("records")],
            }
        )
    return splits


def _sentences(
    name: str, rows: pd.DataFrame, pairs: pd.DataFrame, score: str, marks: Marks
) -> list[str]:
    scored = rows[rows["pooled"].notna()]
    if not len(scored):
        return [f"{name}: no run was scored."]
    best = scored.iloc[0]
    first = (
        f"Over {int(best['folds'])} folds of {name} with {int(best['videos'])} "
        f"{best['partition']} videos, {marks.named(best['fusion'])} reaches a {score} of "
        f"{number(best['pooled'])} {interval(best['low'], best['high'])}."
    )
    with_best = [
        row["verdict"]
        for row in pairs.to_dict("records")
        if best["fusion"] in (row["fusion"], row["other"])
    ]
    return [first, *(text for text in with_best if isinstance(text, str))]


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    spreads = [number(row[key]) for key in ("mean", "sd_folds", "sd_seeds")]
    ends = interval(row["low"], row["high"])
    return {"fusion": row["fusion"], "text": number(row["pooled"]), "value": row["pooled"],
            "interval": ends, "others": spreads}  # fmt: skip


def _pair(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        "names": f"{row['fusion']} − {row['other']}",
        "difference": number(row["difference"], sign=True),
        "interval": interval(row["low"], row["high"], sign=True),
        "p": p_value(row["p"]),
        "p_holm": p_value(row["p_holm"]),
        "p_runs": p_value(row["p_runs"]),
        "won": f"{int(row['won'])} of {int(row['runs'])}",
    }
