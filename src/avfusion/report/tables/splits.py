"""Several splits of one corpus compared, and warnings about speakers in both train and test."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.evaluation.scored import Scored
from avfusion.layout import Layout
from avfusion.metrics.sums import class_scores, point
from avfusion.report.format import markdown, number
from avfusion.report.inputs import read_json

COLUMNS = ("table", "corpus", "fusion", "ua", "wa", "mean", "shared", "subjects")


class Split(NamedTuple):
    """One split: its group's name, its entries of `corpora`, and its folds as one corpus."""

    name: str
    entries: list[str]
    merged: Scored


def shared(entries: list[str], layout: Layout) -> tuple[int, int]:
    """Count the subjects of the folds that are in both train and test, and all subjects.

    The card's `speakers_shared` counts if the files do not name the subjects.
    """
    both: set[str] = set()
    every: set[str] = set()
    stated = max(read_json(layout.card(entry)).get("speakers_shared", 0) for entry in entries)
    for entry in entries:
        table = pd.read_parquet(layout.manifest(entry), columns=["partition", "subject"])
        table = table.dropna(subset=["subject"])
        train, test = (set(table["subject"][table["partition"] == p]) for p in ("train", "test"))
        both |= train & test
        every |= set(table["subject"])
    return max(len(both), stated), max(len(every), stated)


def warning(
    name: str, entries: list[str], layout: Layout, others: tuple[str, ...] = ()
) -> list[str]:
    """Return a warning if a split shares speakers between train and test."""
    both, every = shared(entries, layout)
    if not both:
        return []
    apart = f"; do not compare them with scores of {', '.join(others)}" if others else ""
    return [
        f"Warning: {name} tests {both} of {every} speakers on models that were trained on "
        f"other videos of the same speakers. Such scores say little about new speakers{apart}."
    ]


def side_by_side(
    splits: list[Split], study: Study, layout: Layout
) -> tuple[list[pd.DataFrame], list[str]]:
    """Return a table (`COLUMNS`) per corpus with several splits, and their blocks of folds.md."""
    tables, shown = [], []
    for kind, several in _by_class(splits, study):
        subjects = {split.name: shared(split.entries, layout) for split in several}
        rows = [row for split in several for row in _rows(split, subjects[split.name])]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        tables.append(table)
        names = [split.name for split in several]
        others = {name: tuple(other for other in names if other != name) for name in names}
        warnings = [
            line
            for split in several
            for line in warning(split.name, split.entries, layout, others[split.name])
        ]
        shown += [f"## {kind}: splits compared", *warnings, _page(table, several)]
    return tables, shown


def _by_class(splits: list[Split], study: Study) -> Iterator[tuple[str, list[Split]]]:
    """Yield each class of corpus that has several splits of one task, with these splits."""
    by_class: dict[tuple[str, str], list[Split]] = {}
    for split in splits:
        entry = split.entries[0]
        key = study.corpus_class(entry), study.task(entry)
        by_class.setdefault(key, []).append(split)
    for (kind, _), several in by_class.items():
        if len(several) > 1:
            yield kind, several


def _rows(split: Split, subjects: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    merged = split.merged
    for fusion, runs in merged.sums.items():
        sums = merged.stack(fusion, sorted(runs))  # (S, K, V, ...)
        ua = wa = np.nan
        mean = float(point(sums, merged.rule.pooling)[:, -1].mean())
        if merged.rule.pooling == "recall":
            wa, ua = class_scores(sums.sum(axis=2))[:2].mean(axis=1)
        yield "splits", split.name, fusion, ua, wa, mean, *subjects


def _page(table: pd.DataFrame, splits: list[Split]) -> str:
    """Return UA and WA, or the mean CCC, of each fusion under each split, and the difference."""
    measures = ["ua", "wa"] if splits[0].merged.rule.pooling == "recall" else ["mean"]
    names = {"ua": "UA", "wa": "WA", "mean": f"mean {splits[0].merged.rule.metric}"}
    head = ["fusion", *(f"{names[m]}, {split.name}" for m in measures for split in splits)]
    head += [f"{splits[-1].name} − {splits[0].name}"]
    order = [split.name for split in splits]
    body = []
    for fusion in dict.fromkeys(table["fusion"]):
        scores = table[table["fusion"] == fusion].set_index("corpus").reindex(order)
        values = [scores[m].iloc[i] for m in measures for i in range(len(splits))]
        gap = scores[measures[0]].iloc[-1] - scores[measures[0]].iloc[0]
        body.append([fusion, *map(number, values), number(gap)])
    return markdown(head, body)
