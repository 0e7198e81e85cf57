"""Corrupted input and gates in the page, from the tables of the report."""

from typing import Any

import pandas as pd

from avfusion.config.corruptions import describe, find
from avfusion.report.figures.style import looks
from avfusion.report.inputs import CorpusFiles, interval, number, order
from avfusion.robustness.gates import words


def robustness(files: CorpusFiles) -> dict[str, Any]:
    """Return losses, scores by level and significant differences; empty without `robustness`."""
    losses, points = files.table("losses"), files.table("robustness")
    if not files.study.robustness or not len(losses):
        return {}
    mean = losses[losses["target"] == "mean"]
    names = [name for name in files.study.robustness if name in set(mean["corruption"])]
    clean = mean.drop_duplicates("fusion").sort_values("whole", ascending=False, kind="stable")
    style, by = looks(files.study.fusions), mean.set_index(["fusion", "corruption"])
    rows = [
        {
            "fusion": row["fusion"],
            "colour": style[row["fusion"]].colour,
            "clean": {"text": number(row["whole"]), "value": row["whole"]},
            "cells": [_loss(by.loc[(row["fusion"], name)]) for name in names],
        }
        for row in clean.to_dict("records")
    ]
    levels = points[points["target"] == "mean"]
    return {
        "names": [{"name": name, "description": describe(name)} for name in names],
        "rows": rows,
        "videos": int(mean["videos"].iloc[0]),
        "curves": [_curve(levels[levels["corruption"] == name], name) for name in names],
        "pairs": [_pairs(files, name) for name in names],
    }


def gates(files: CorpusFiles) -> list[dict[str, Any]]:
    """Return a row per gate and modality of planted spans, then one per kind of span."""
    table = files.table("gates")
    if not files.study.robustness or not len(table):
        return []
    style = looks(files.study.fusions)
    return [
        {
            "fusion": row["fusion"],
            "colour": style[row["fusion"]].colour,
            "gate": words(row["gate"]),
            "modality": row["modality"],
            "kind": row["kind"],
            "text": number(row["auroc"]),
            "value": row["auroc"],
            "interval": interval(row["low"], row["high"]),
            "clips": int(row["clips"]),
            "videos": int(row["videos"]),
        }
        for row in table.dropna(subset=["auroc"]).to_dict("records")
    ]


def _loss(row: Any) -> dict[str, Any]:
    return {"text": number(row["loss"]), "value": row["loss"],
            "interval": interval(row["low"], row["high"])}  # fmt: skip


def _curve(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the table of one corruption: a row per fusion, a column per level, clean first."""
    kind = find(name)[1]
    table = rows.pivot(index="fusion", columns="place", values="mean")
    heads = rows.drop_duplicates("place").sort_values("place")["level"]
    ranked = [fusion for fusion in order(rows[rows["place"] == 0]) if fusion in table.index]
    return {
        "name": name,
        "head": [kind.text(float(level)) for level in heads],
        "rows": [
            {"fusion": fusion, "cells": [number(value) for value in table.loc[fusion]]}
            for fusion in ranked
        ],
    }


def _pairs(files: CorpusFiles, name: str) -> str:
    """Return a sentence about the fusions that lose less than others under one corruption."""
    areas = files.table("areas")
    rows = areas[(areas["corruption"] == name) & (areas["target"] == "mean")]
    significant = rows[rows["significant"].astype(bool)]
    if not len(rows):
        return f"{name}: nothing to compare."
    if not len(significant):
        return f"{name}: no significant difference in loss between {len(rows)} pairs."
    sentences = []
    for row in significant.to_dict("records"):
        pair = (row["fusion"], row["other"])
        less, more = pair if row["difference"] > 0 else pair[::-1]
        gap = row["area"] if less == row["fusion"] else -row["area"]
        sentences.append(
            f"{less} loses less than {more} by {number(abs(row['difference']))} (mean over the "
            f"levels {number(abs(gap))} {'higher' if gap >= 0 else 'lower'})"
        )
    others = f"; {len(sentences) - 8} more in areas.csv" if len(sentences) > 8 else ""
    listed = "; ".join(sentences[:8])
    return (
        f"{name}: {len(significant)} of {len(rows)} pairs differ significantly: {listed}{others}."
    )
