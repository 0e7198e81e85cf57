"""Tables of folds: results/tables/folds.{csv,md,tex}, one split's folds taken together.

Each fold is an entry of `corpora`; entries of one class, task and `group` are one split's. A video
is tested in one fold, so the folds' sums side by side are those of the whole corpus: scores pooled
over folds, their intervals and the exchange test follow as for one corpus. Entries that test the
same videos (one release under two options) are no folds and are not pooled: each video would count
twice, and every interval would be too short. The sign test treats
the (fold, seed) pairs as exchangeable though folds share training videos, so its p is a lower end.
"""

import itertools
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion.config.match import groups
from avfusion.config.tasks import task_of
from avfusion.evaluation import estimates, inference, units
from avfusion.evaluation.estimates import Scored
from avfusion.layout import Layout
from avfusion.literature.check_claims import check_claims
from avfusion.literature.claims import Equivalent, load
from avfusion.metrics.sums import MEAN, class_scores, point
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.sentences import alike
from avfusion.report.tables.part import Part

COLUMNS = ("table", "corpus", "fusion", "ua", "wa", "mean", "shared", "subjects")


log = logging.getLogger(__name__)


AREAS = pd.DataFrame(columns=["corpus", "corruption", "target", "fusion", "other"])


def write_folds(parts: list[Part], study: dict[str, Any], layout: Layout) -> None:
    """Write folds.*; without a split of several scored folds, those of an earlier study go."""
    scored = {part.scored.corpus: part.scored for part in parts}
    rows, shown, typeset, splits = [], [], [], []
    for name, entries in groups(study).items():
        folds = [scored[entry] for entry in entries if entry in scored]
        if len(folds) < 2:
            continue
        if twice := in_several(folds):
            log.warning(
                "%s: %s test the same %d videos, so they are no folds of one split and are not "
                "pooled. Give each a `group` of its own.",
                *(name, " and ".join(fold.corpus for fold in folds), len(twice)),
            )
            continue
        whole = pooled(name, folds)
        splits.append(Split(name, [fold.corpus for fold in folds], whole))
        points, pairs = summary(whole, folds, study), paired(whole, folds, study)
        rows += [points, pairs]
        lost = [entry for entry in entries if entry not in scored]
        said = _header(whole, folds, study) + (f" Not run: {', '.join(lost)}." if lost else "")
        head, cells = ["fusion", "pooled", "mean of folds", "sd of folds", "sd of seeds"], []
        for row in points[points["target"] == MEAN].itertuples():
            size = estimate(row.pooled, row.low, row.high)
            cells.append([row.fusion, size, *map(number, (row.mean, row.sd_folds, row.sd_seeds))])
        warned = warning(name, splits[-1].entries, layout)
        for line in warned:
            log.warning("%s", line)
        shown += [f"## {name}", said, *warned, *alike(whole, study["statistics"])]
        shown.append(markdown(head, cells))
        typeset.append(latex(head, cells, said, f"folds-{name}"))
        p = f"p ({units.word(study['statistics'])}s)"
        head = ["pair", "difference", p, "p (folds × seeds)", "pairs won"]
        body = [
            [f"{r.fusion} − {r.other}", estimate(r.difference, r.low, r.high), number(r.p),
             number(r.p_runs), f"{r.won} of {r.runs}"]
            for r in pairs.itertuples()
        ]  # fmt: skip
        shown += [markdown(head, body), *_equal(whole, study)]
    if not rows:
        for path in layout.tables.glob("folds.*"):
            path.unlink()
        return
    beside, said = side_by_side(splits, study, layout)
    format.write_csv(layout.tables / "folds.csv", pd.concat(rows + beside, ignore_index=True))
    format.write_page(layout.tables / "folds.md", "Folds", said + shown)
    format.write_text(layout.tables / "folds.tex", "\n".join(typeset))


def in_several(folds: list[Scored]) -> list[str]:
    """Videos that more than one fold is scored on, by name."""
    counts = Counter(video for fold in folds for video in {*fold.videos, *fold.missing})
    return sorted(video for video, count in counts.items() if count > 1)


def pooled(name: str, folds: list[Scored]) -> Scored:
    """The folds as one corpus: their videos side by side, for the runs that every fold has."""
    sums: dict[str, dict[int, np.ndarray]] = {}
    for fusion in folds[0].sums:
        seeds = set.intersection(*(set(fold.sums.get(fusion, {})) for fold in folds))
        if seeds:
            sums[fusion] = {
                seed: np.concatenate([fold.sums[fusion][seed] for fold in folds], axis=1)
                for seed in sorted(seeds)
            }
    videos = [f"{fold.corpus}/{video}" for fold in folds for video in fold.videos]
    missing = [f"{fold.corpus}/{video}" for fold in folds for video in fold.missing]
    whose = tuple(subject for fold in folds for subject in fold.subjects)
    unit = None if folds[0].unit is None else units.numbers(whose, {"unit": "subject"})
    notes = {run: note for fold in folds for run, note in fold.notes.items()}
    return replace(
        folds[0],
        corpus=name,
        videos=videos,
        missing=missing,
        unlearnt=[],
        notes=notes,
        sums=sums,
        subjects=whose,
        unit=unit,
    )


def summary(whole: Scored, folds: list[Scored], study: dict[str, Any]) -> pd.DataFrame:
    """A row a fusion and target: pooled with its interval, and the mean of folds with its spread.

    sd_folds: of the folds' means over seeds; sd_seeds: of the seeds' means over folds.
    """
    table = estimates.estimates(whole, study)
    table = table.rename(columns={"mean": "pooled"}).drop(columns=["sd", "note"])
    table.insert(0, "table", "fusions")
    table["folds"] = len(folds)
    for place, row in table.iterrows():
        each = _each(whole, folds, row["fusion"])  # (F, S, K + 1)
        if each is None:
            continue
        values = each[..., whole.targets.index(row["target"])]
        table.loc[place, "mean"] = values.mean()
        table.loc[place, "sd_folds"] = values.mean(axis=1).std(ddof=1)
        many = values.shape[1] > 1
        table.loc[place, "sd_seeds"] = values.mean(axis=0).std(ddof=1) if many else np.nan
    return table


def paired(whole: Scored, folds: list[Scored], study: dict[str, Any]) -> pd.DataFrame:
    """A row a pair, in the mean score: over the folds' videos, and over the (fold, seed) pairs."""
    pairs = estimates.comparisons(whole, study, list(whole.sums))
    if not len(pairs):
        return pairs
    pairs = pairs[pairs["target"] == MEAN].reset_index(drop=True)
    pairs.insert(0, "table", "pairs")
    how = study["statistics"]
    for place, row in pairs.iterrows():
        gaps = _gaps(whole, folds, row["fusion"], row["other"])
        pairs.loc[place, "p_runs"] = sign_flips(gaps, how["draws"], how["seed"])
        pairs.loc[place, "won"], pairs.loc[place, "runs"] = int((gaps > 0).sum()), len(gaps)
    return pairs.astype({"won": int, "runs": int})


def sign_flips(gaps: np.ndarray, draws: int, seed: int) -> float:
    """Two-sided p that paired differences (N,) are as likely of either sign; NaN where one is.

    >>> sign_flips(np.array([1.0, 2.0, 3.0, 4.0]), 1000, 0)
    0.125
    """
    if not np.isfinite(gaps).all():
        return float("nan")
    swap, exact = inference.exchanges(len(gaps), draws, seed)
    sums = np.abs((1 - 2 * swap) @ gaps) >= abs(gaps.sum()) - 1e-12
    return float(sums.mean() if exact else (1 + sums.sum()) / (1 + len(sums)))


def _gaps(whole: Scored, folds: list[Scored], first: str, second: str) -> np.ndarray:
    seeds = sorted(set(whole.sums[first]) & set(whole.sums[second]))
    one, other = (
        np.stack([point(f.stack(name, seeds), f.rule.pooling)[:, -1] for f in folds])
        for name in (first, second)
    )
    return (one - other).ravel()


def _each(whole: Scored, folds: list[Scored], fusion: str) -> np.ndarray | None:
    seeds = sorted(whole.sums.get(fusion, {}))
    if not seeds or any(not fold.videos for fold in folds):
        return None
    return np.stack([point(fold.stack(fusion, seeds), fold.rule.pooling) for fold in folds])


def _equal(whole: Scored, study: dict[str, Any]) -> list[str]:
    """Claims of equality, tested on the pooled folds within their stated margin."""
    read = load()
    own = read.model_copy(update={"claims": [c for c in read.claims if isinstance(c, Equivalent)]})
    if not own.claims:
        return []
    table = check_claims(whole, study, own, AREAS)
    table = table[table["verdict"] != "not run"]
    return [
        f"{r.claim}: {r.quantity}: {estimate(r.effect, r.low, r.high)}, {inference.p_text(r.p)} "
        f"({r.detail}): {r.verdict}."
        for r in table.itertuples()
    ]


def _header(whole: Scored, folds: list[Scored], study: dict[str, Any]) -> str:
    pairs = list(itertools.chain(whole.sums.values()))
    unit = units.word(study["statistics"])
    return (
        f"{whole.corpus}: {len(folds)} folds ({', '.join(f.corpus for f in folds)}), up to "
        f"{max(map(len, pairs), default=0)} seeds, {len(whole.videos)} {whole.partition} videos, "
        f"protocol {whole.rule.stamp}, mean {whole.rule.metric}. Pooled: over all folds' videos "
        f"at once, with its {100 * (1 - study['statistics']['alpha']):g}% interval over {unit}s. "
        f"p ({unit}s) exchanges two fusions {unit} by {unit}; p (folds × seeds) flips the signs of "
        f"the runs' paired differences, which share training videos: read it as a lower end."
    )


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
        mean = float(point(sums, whole.rule.pooling)[:, -1].mean())
        if whole.rule.pooling == "recall":
            wa, ua = class_scores(sums.sum(axis=2))[:2].mean(axis=1)
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
