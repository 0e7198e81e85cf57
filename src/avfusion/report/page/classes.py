"""What the page says of classes and of folds, taken from classes.csv and folds.csv."""

from typing import Any

import pandas as pd

from avfusion.config.match import groups
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.report.inputs import CorpusFiles, interval, number, read
from avfusion.report.tables.classes import MEASURES
from avfusion.report.tables.folds import warning


def measures(files: CorpusFiles) -> dict[str, dict[str, dict[str, Any]]]:
    """Fusion -> UA, WA, macro F1 and `recall_…` -> a cell; empty where the task is ratings."""
    table = files.table("classes")
    if not files.on_classes or not len(table):
        return {}
    return {
        fusion: {row["measure"]: cell(row) for row in rows.to_dict("records")}
        for fusion, rows in table.groupby("fusion", sort=False)
    }


def cell(row: dict[str, Any]) -> dict[str, Any]:
    """A number with its deviation over seeds and its interval, as a table shows it."""
    spread = row.get("sd")
    return {
        "value": row["mean"],
        "text": number(row["mean"]),
        "sd": "" if pd.isna(spread) else number(spread),
        "interval": interval(row["low"], row["high"]),
    }


def recalls(files: CorpusFiles) -> dict[str, Any]:
    """Heads and a row a fusion: the recall of each class."""
    rows = [
        {"fusion": fusion, "cells": [cells[f"recall_{name}"] for name in files.names]}
        for fusion, cells in measures(files).items()
    ]
    return {"head": list(files.names), "rows": rows} if rows else {}


def heads() -> list[str]:
    """Of the score table, where the task is classes."""
    return list(MEASURES.values())


def cells(files: CorpusFiles) -> dict[str, list[dict[str, Any]]]:
    """Fusion -> UA, WA and macro F1; empty where the task is ratings."""
    return {name: [own[key] for key in MEASURES] for name, own in measures(files).items()}


def folds(study: dict[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """A mapping a split of several scored folds: sentences, warnings, its tables."""
    table = read(layout.tables / "folds.csv")
    found = []
    for name, entries in groups(study).items() if len(table) else ():
        own = table[(table["corpus"] == name) & (table["table"] == "fusions")]
        own = own[own["target"] == MEAN]
        if not len(own):
            continue
        pairs = table[(table["corpus"] == name) & (table["table"] == "pairs")]
        here = [entry for entry in entries if layout.manifest(entry).is_file()]
        classes = study["corpora"][entries[0]].get("task") == "classes"
        found.append(
            {
                "name": name,
                "entries": here,
                "score": "UA" if classes else "mean CCC",
                "sentences": _sentences(name, own, pairs, "UA" if classes else "mean CCC"),
                "warnings": warning(name, here, layout),
                "rows": [_row(row) for row in own.to_dict("records")],
                "pairs": [_pair(row) for row in pairs.to_dict("records")],
            }
        )
    return found


def _sentences(name: str, rows: pd.DataFrame, pairs: pd.DataFrame, score: str) -> list[str]:
    scored = rows[rows["pooled"].notna()]
    if not len(scored):
        return [f"{name}: no run was scored."]
    best = scored.iloc[0]
    said = [
        f"Over {int(best['folds'])} folds of {name}, {int(best['videos'])} {best['partition']} "
        f"videos in all, {best['fusion']} reaches a {score} of {number(best['pooled'])} "
        f"{interval(best['low'], best['high'])}."
    ]
    named = ((r, {r["fusion"], r["other"]}) for r in pairs.to_dict("records"))
    mine = [row["verdict"] for row, names in named if best["fusion"] in names]
    return said + [text for text in mine if isinstance(text, str)]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    spreads = [number(row[key]) for key in ("mean", "sd_folds", "sd_seeds")]
    ends = interval(row["low"], row["high"])
    return {"fusion": row["fusion"], "text": number(row["pooled"]), "value": row["pooled"],
            "interval": ends, "others": spreads}  # fmt: skip


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "names": f"{row['fusion']} − {row['other']}",
        "difference": number(row["difference"], sign=True),
        "interval": interval(row["low"], row["high"], sign=True),
        "p": number(row["p"]),
        "p_holm": number(row["p_holm"]),
        "p_runs": number(row["p_runs"]),
        "won": f"{int(row['won'])} of {int(row['runs'])}",
    }
