"""Two splits of one corpus side by side, with a warning where speakers are shared.

A corpus whose folds come by several rules (entries of one class and task in several groups) has a
row a fusion and a column a rule; the rules test other videos by models of other training videos.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion import stats
from avfusion.layout import Layout
from avfusion.protocol import task_of
from avfusion.report._estimate import Scored
from avfusion.report._text import markdown, number

COLUMNS = ("table", "corpus", "fusion", "ua", "wa", "mean", "shared", "subjects")


class Split(NamedTuple):
    """One rule: its group's name, its entries of `corpora`, and its folds as one corpus."""

    name: str
    entries: list[str]
    whole: Scored


def shared(entries: list[str], layout: Layout) -> tuple[int, int]:
    """How many subjects a fold both trains on and tests, in any fold; and how many there are."""
    both: set[str] = set()
    every: set[str] = set()
    told = max(map(_told, (layout.card(entry) for entry in entries)))
    for entry in entries:
        table = pd.read_parquet(layout.manifest(entry), columns=["partition", "subject"])
        table = table.dropna(subset=["subject"])
        train, test = (set(table["subject"][table["partition"] == p]) for p in ("train", "test"))
        both |= train & test
        every |= set(table["subject"])
    return max(len(both), told), max(len(every), told)


def _told(card: Path) -> int:
    """Speakers that are in all parts, where only the split's rule tells and no file says who."""
    own = json.loads(card.read_text()) if card.is_file() else {}
    return own.get("speakers_shared", 0)


def warning(
    name: str, entries: list[str], layout: Layout, others: tuple[str, ...] = ()
) -> list[str]:
    """What a reader must know of a split that shares speakers, if it does."""
    both, every = shared(entries, layout)
    if not both:
        return []
    apart = f"; do not compare them with scores of {', '.join(others)}" if others else ""
    return [
        f"Warning: {name} tests {both} of {every} speakers on models that were trained on "
        f"other videos of the same speakers. Such scores say little of a new speaker{apart}."
    ]


def side_by_side(
    splits: list[Split], study: dict[str, Any], layout: Layout
) -> tuple[list[pd.DataFrame], list[str]]:
    """A table `COLUMNS` a corpus that has several splits, and what folds.md shows of them."""
    found, shown = [], []
    for kind, several in _by_class(splits, study):
        whose = {split.name: shared(split.entries, layout) for split in several}
        rows = [row for split in several for row in _rows(split, whose[split.name])]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        found.append(table)
        names = [split.name for split in several]
        others = {name: tuple(other for other in names if other != name) for name in names}
        warnings = [
            line
            for own in several
            for line in warning(own.name, own.entries, layout, others[own.name])
        ]
        shown += [f"## {kind}: splits side by side", *warnings, _page(table, several)]
    return found, shown


def _by_class(splits: list[Split], study: dict[str, Any]) -> Iterator[tuple[str, list[Split]]]:
    """Class -> its splits of one task, where there are several."""
    found: dict[tuple[str, str], list[Split]] = {}
    for split in splits:
        entry = split.entries[0]
        kind = study["corpora"][entry].get("is") or entry
        found.setdefault((kind, task_of(entry, study)), []).append(split)
    for (kind, _), several in found.items():
        if len(several) > 1:
            yield kind, several


def _rows(split: Split, whose: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    whole = split.whole
    for fusion, runs in whole.sums.items():
        sums = whole.stack(fusion, sorted(runs))  # (S, K, V, ...)
        ua = wa = np.nan
        mean = float(stats.point(sums, whole.rule.pooling)[:, -1].mean())
        if whole.rule.pooling == "recall":
            wa, ua = stats.class_scores(sums.sum(axis=2))[:2].mean(axis=1)
        yield "splits", split.name, fusion, ua, wa, mean, *whose


def _page(table: pd.DataFrame, splits: list[Split]) -> str:
    """A row a fusion: UA and WA, or the mean CCC, under each rule, and how far they lie apart."""
    measures = ["ua", "wa"] if splits[0].whole.rule.pooling == "recall" else ["mean"]
    names = {"ua": "UA", "wa": "WA", "mean": f"mean {splits[0].whole.rule.metric}"}
    head = ["fusion", *(f"{names[m]}, {split.name}" for m in measures for split in splits)]
    head += [f"{splits[-1].name} − {splits[0].name}"]
    body = []
    for fusion in dict.fromkeys(table["fusion"]):
        own = table[table["fusion"] == fusion].set_index("corpus").reindex([s.name for s in splits])
        values = [own[m].iloc[i] for m in measures for i in range(len(splits))]
        gap = own[measures[0]].iloc[-1] - own[measures[0]].iloc[0]
        body.append([fusion, *map(number, values), number(gap)])
    return markdown(head, body)
