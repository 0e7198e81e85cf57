"""What the page says of corrupted input and of gates, from the tables that `avf report` wrote."""

from typing import Any

import pandas as pd

from avfusion.config.corruptions import describe, find
from avfusion.evaluation import units
from avfusion.evaluation.inference import least_p
from avfusion.report.figures.style import looks
from avfusion.report.inputs import CorpusFiles, interval, number, order
from avfusion.robustness.gates import words


def robustness(files: CorpusFiles) -> dict[str, Any]:
    """Losses, levels and what can be told apart; empty where nothing was corrupted."""
    losses, points = files.table("losses"), files.table("robustness")
    if not files.study["robustness"] or not len(losses):
        return {}
    mean = losses[losses["target"] == "mean"]
    names = [name for name in files.study["robustness"] if name in set(mean["corruption"])]
    whole = mean.drop_duplicates("fusion").sort_values("whole", ascending=False, kind="stable")
    style, by = looks(files.study["fusions"]), mean.set_index(["fusion", "corruption"])
    rows = [
        {
            "fusion": row.fusion,
            "colour": style[row.fusion].colour,
            "whole": {"text": number(row.whole), "value": row.whole},
            "cells": [_loss(by.loc[(row.fusion, name)]) for name in names],
        }
        for row in whole.itertuples()
    ]
    levels = points[points["target"] == "mean"]
    return {
        "names": [{"name": name, "says": describe(name)} for name in names],
        "rows": rows,
        "videos": int(mean["videos"].iloc[0]),
        "curves": [_curve(levels[levels["corruption"] == name], name) for name in names],
        "pairs": [_pairs(files, name, int(mean["units"].iloc[0])) for name in names],
    }


def _loss(row: pd.Series) -> dict[str, Any]:
    return {"text": number(row["loss"]), "value": row["loss"],
            "interval": interval(row["low"], row["high"])}  # fmt: skip


def _curve(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    """One corruption's table: a row a fusion, a column a level, whole input first."""
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


def _pairs(files: CorpusFiles, name: str, count: int) -> str:
    """Which fusions lose less than which under one corruption, in a sentence."""
    areas = files.table("areas")
    rows = areas[(areas["corruption"] == name) & (areas["target"] == "mean")]
    told = rows[rows["told_apart"].astype(bool)]
    if not len(rows):
        return f"{name}: nothing to compare."
    if not len(told):
        how = files.study["statistics"]
        few = least_p(count, how["draws"]) * len(rows) > how["alpha"]
        why = f" ({count} {units.word(how)}s are too few for that many pairs)" if few else ""
        return f"{name}: none of {len(rows)} pairs can be told apart by what it loses{why}."
    said = []
    for row in told.itertuples():
        less, more = (row.fusion, row.other)[:: 1 if row.difference > 0 else -1]
        said.append(f"{less} loses less than {more} by {number(abs(row.difference))}")
    more = f"; {len(said) - 8} further in areas.csv" if len(said) > 8 else ""
    return (
        f"{name}: {len(told)} of {len(rows)} pairs can be told apart: {'; '.join(said[:8])}{more}."
    )


def gates(files: CorpusFiles) -> list[dict[str, Any]]:
    """A row a gate and modality of planted spans, then each kind of span."""
    table = files.table("gates")
    if not files.study["robustness"] or not len(table):
        return []
    style = looks(files.study["fusions"])
    return [
        {
            "fusion": row.fusion,
            "colour": style[row.fusion].colour,
            "gate": words(row.gate),
            "modality": row.modality,
            "kind": row.kind,
            "text": number(row.auroc),
            "value": row.auroc,
            "interval": interval(row.low, row.high),
            "clips": int(row.clips),
            "videos": int(row.videos),
        }
        for row in table.dropna(subset=["auroc"]).itertuples()
    ]
