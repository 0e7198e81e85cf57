"""Results of each corpus in the page, from the tables and the lists of missing videos and runs."""

import math
from typing import Any

import pandas as pd

from avfusion.config.study import Study
from avfusion.io.redact import without_paths
from avfusion.layout import Layout
from avfusion.registry import encoders
from avfusion.report.absent import left_out
from avfusion.report.declared import BY_TARGET
from avfusion.report.figures.protocols import by_protocol, stamps
from avfusion.report.format import decimals, p_value, share
from avfusion.report.inputs import CorpusFiles, interval, number, printed, read, read_json
from avfusion.report.page import classes as class_cells
from avfusion.report.page import robustness, scores
from avfusion.report.page.corpus_card import card, partitions
from avfusion.report.page.figures import shown
from avfusion.report.recordings import synthetic


def corpora(study: Study, layout: Layout) -> list[dict[str, Any]]:
    """Return a mapping per present corpus, in the study's order; `run: False` without scores."""
    summary = read_json(layout.tables / "summary.json").get("corpora", {})
    gone = {name for one in left_out(study, layout) for name in one.names}
    return [
        _corpus(CorpusFiles(name, study.scoped(name), layout), summary.get(name, {}))
        for name in study.corpora
        if name not in gone and study.task(name) != "verification"
    ]


def _corpus(files: CorpusFiles, summary: dict[str, Any]) -> dict[str, Any]:
    rows, classes = scores.headline(files), files.on_classes
    read = files.study.all_features().encoders
    known = [name for name in read if encoders.known(files.study.encoder_class(name))]
    sentences = [_here(text) for text in summary.get("sentences", [])]
    sentences = sentences or [f"{files.corpus}: not run."]
    run = any(row["run"] for row in rows)
    return {
        "name": files.corpus,
        "run": run,
        "sentences": [text for text in sentences if not text.startswith(BY_TARGET)],
        "by_target": [text for text in sentences if text.startswith(BY_TARGET)],
        "caveats": [without_paths(text) for text in summary.get("caveats", [])],
        "header": summary.get("header", ""),
        "headline": files.study.headline,
        "unit": files.unit_word,
        "best": next((row["fusion"] for row in rows if row["run"] and not row["reference"]), ""),
        "metric": files.metric,
        "classes": classes,
        "synthetic": synthetic(files.kind),
        "score": files.headline_score,
        "partition": files.partition,
        "fitted": not files.study.cross_fit and any(files.study.fitted(name) for name in known),
        "train": any(row["run"] and row["train"] for row in rows),
        "targets": class_cells.heads() if classes else list(printed(files.names).values()),
        "recalls": class_cells.recalls(files),
        "rows": rows if run else [],
        "comparisons": comparisons(files) if run else [],
        "protocols": protocols(files) if run else {},
        "robustness": robustness.robustness(files) if run else {},
        "gates": robustness.gates(files) if run else [],
        "rules": list(read_json(files.layout.scores(files.corpus) / "protocols.json").values()),
        "figures": shown(files.corpus, files.layout) if run else [],
        "card": card(files),
        "partitions": partitions(files),
        "videos_missing": videos_missing(files),
        "runs_missing": runs_missing(files),
    }


def _here(text: str) -> str:
    """Return a sentence that refers to the page instead of a file of tables."""
    return text.replace("in comparisons.md", "in the table of comparisons")


def comparisons(files: CorpusFiles) -> list[dict[str, Any]]:
    """Return every pair under the headline protocol, in the order of the table, mean first."""
    pairs = files.headline("comparisons")
    if not len(pairs):
        return []
    first = {target: i for i, target in enumerate(printed(files.names))}
    pairs = pairs[pairs["target"].isin(first)]
    rows = pairs.assign(at=pairs["target"].map(first)).sort_values("at", kind="stable")
    declared = pairs[~pairs["exploratory"]]
    known = [{row.fusion, row.other} for row in declared.itertuples()]
    return [
        {
            **row,
            "family": "declared" if row["family"] == "baselines" else row["family"],
            "again": row["exploratory"] and {row["fusion"], row["other"]} in known,
            "difference": number(row["difference"], sign=True),
            "interval": interval(row["low"], row["high"], sign=True),
            "p": p_value(row["p"]),
            "p_holm": p_value(row["p_holm"]),
            "chances": " / ".join(share(row[name]) for name in ("p_worse", "p_equal", "p_better")),
        }
        for row in rows.to_dict("records")
    ]


def protocols(files: CorpusFiles) -> dict[str, Any]:
    """Return the mean CCC and the rank of every fusion under every protocol."""
    values = by_protocol(files)
    ranks = values.rank(ascending=False, method="min")
    digits = values.apply(lambda column: pd.Series(decimals(list(column)), column.index))
    rows = [
        {
            "fusion": name,
            "cells": [
                {"text": number(value, n), "value": value, "rank": _rank(place)}
                for value, place, n in zip(
                    values.loc[name], ranks.loc[name], digits.loc[name], strict=True
                )
            ],
        }
        for name in values.index
    ]
    return {"names": stamps(files, list(values.columns)), "rows": rows}


def _rank(place: float) -> str:
    return "" if math.isnan(place) else f"{place:.0f}"


def videos_missing(files: CorpusFiles) -> list[dict[str, str]]:
    """Return the videos without a score or a prediction: partition, stage and reason."""
    rows = read(files.layout.scores(files.corpus) / "missing.csv")
    return [{k: without_paths(str(v)) for k, v in row.items()} for row in rows.to_dict("records")]


def runs_missing(files: CorpusFiles) -> list[dict[str, str]]:
    """Return every run without a score on the reported partition, and the reason."""
    rows = files.headline("runs")
    if not len(rows):
        return [{"run": f"{fusion} seed {seed}", "why": "not run"} for fusion, seed in files.runs()]
    rows = rows[(rows["partition"] == files.partition) & (rows["target"] == "mean")]
    rows = rows.assign(value=rows[files.metric.lower()])
    why = {(r.fusion, r.seed): r.note for r in rows.itertuples() if pd.isna(r.value)}
    return [
        {"run": f"{fusion} seed {seed}", "why": without_paths(str(why[fusion, seed]))}
        for fusion, seed in files.runs()
        if (fusion, seed) in why
    ]
