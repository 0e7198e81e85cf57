"""Results of each corpus in the page, from the tables and the lists of missing videos and runs."""

import math
from typing import Any

import pandas as pd

from avfusion.config.baseline import REFERENCES
from avfusion.config.study import Study
from avfusion.io.redact import without_paths
from avfusion.layout import Layout
from avfusion.report.absent import left_out
from avfusion.report.figures.protocols import by_protocol, stamps
from avfusion.report.figures.style import looks
from avfusion.report.format import share
from avfusion.report.inputs import CorpusFiles, interval, number, order, printed, read, read_json
from avfusion.report.marks import Marks
from avfusion.report.page import classes as class_cells
from avfusion.report.page import robustness
from avfusion.report.page.corpus_card import card, partitions
from avfusion.report.page.figures import shown
from avfusion.report.sentences import absence, of_seeds
from avfusion.report.tables.grids import origin


def corpora(study: Study, layout: Layout) -> list[dict[str, Any]]:
    """Return a mapping per present corpus, in the study's order; `run: False` without scores."""
    summary = read_json(layout.tables / "summary.json").get("corpora", {})
    gone = {name for one in left_out(study, layout) for name in one.names}
    return [
        _corpus(CorpusFiles(name, study.scoped(name), layout), summary.get(name, {}))
        for name in study.corpora
        if name not in gone
    ]


def _corpus(files: CorpusFiles, summary: dict[str, Any]) -> dict[str, Any]:
    rows, classes = headline(files), files.on_classes
    run = any(row["run"] for row in rows)
    return {
        "name": files.corpus,
        "run": run,
        "sentences": summary.get("sentences") or [f"{files.corpus}: not run."],
        "caveats": [without_paths(text) for text in summary.get("caveats", [])],
        "header": summary.get("header", ""),
        "headline": files.study.headline,
        "unit": files.unit_word,
        "best": next((row["fusion"] for row in rows if row["run"] and not row["reference"]), ""),
        "metric": files.metric,
        "classes": classes,
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


def headline(files: CorpusFiles) -> list[dict[str, Any]]:
    """Return the rows of the first table: one per fusion, best first, those without scores last."""
    scores = files.headline("scores")
    ranked = order(scores)
    style = looks(files.study.fusions)
    absent = [name for name in files.study.fusions if name not in ranked]
    scored, measured = [], class_cells.cells(files)
    marks = Marks.read([files.corpus], files.study, files.layout)
    for name in ranked:
        rows = scores[scores["fusion"] == name].set_index("target")
        first = rows.loc["mean"]
        scored.append(
            {
                "fusion": name,
                "colour": style[name].colour,
                "run": True,
                "reference": name in REFERENCES,
                "best": bool(first.get("best", False)),
                "cells": measured.get(name) or _cells(rows, files),
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
        {"fusion": n, "colour": style[n].colour, "why": why.get(n, "not run"), **bare}
        for n in absent
    ]


def _cells(rows: pd.DataFrame, files: CorpusFiles) -> list[dict[str, Any]]:
    return [class_cells.cell(rows.loc[target].to_dict()) for target in printed(files.names)]


def parameters(files: CorpusFiles, fusion: str) -> str:
    """Return the number of trained parameters from the first finished run of a fusion."""
    for seed in files.study.seeds:
        record = read_json(files.layout.run(files.corpus, fusion, seed) / "settings.json")
        if "parameters" in record:
            return f"{record['parameters']:,}"
    return ""


def comparisons(files: CorpusFiles) -> list[dict[str, Any]]:
    """Return every pair under the headline protocol, in the order of the table, mean first."""
    pairs = files.headline("comparisons")
    if not len(pairs):
        return []
    first = {target: i for i, target in enumerate(printed(files.names))}
    pairs = pairs[pairs["target"].isin(first)]
    rows = pairs.assign(at=pairs["target"].map(first)).sort_values("at", kind="stable")
    return [
        {
            **row,
            "family": "declared" if row["family"] == "baselines" else row["family"],
            "difference": number(row["difference"], sign=True),
            "interval": interval(row["low"], row["high"], sign=True),
            "p": number(row["p"]),
            "p_holm": number(row["p_holm"]),
            "chances": " / ".join(share(row[name]) for name in ("p_worse", "p_equal", "p_better")),
        }
        for row in rows.to_dict("records")
    ]


def protocols(files: CorpusFiles) -> dict[str, Any]:
    """Return the mean CCC and the rank of every fusion under every protocol."""
    values = by_protocol(files)
    ranks = values.rank(ascending=False, method="min")
    rows = [
        {
            "fusion": name,
            "cells": [
                {"text": number(value), "value": value, "rank": "" if math.isnan(r) else f"{r:.0f}"}
                for value, r in zip(values.loc[name], ranks.loc[name], strict=True)
            ],
        }
        for name in values.index
    ]
    return {"names": stamps(files, list(values.columns)), "rows": rows}


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
