"""Compare two finished studies: scores of the same fusions, paired over people, and settings."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import estimates, partitions, units
from avfusion.evaluation.families import Comparison, Family
from avfusion.evaluation.samples import Samples
from avfusion.evaluation.scored import Scored, read_rules, read_scored, read_scores
from avfusion.io.nested import flat
from avfusion.layout import Layout
from avfusion.lineage.tables import FILE, read_origins
from avfusion.protocols.protocol import Protocol
from avfusion.runs.files import read_settings

COLUMNS = (
    *("corpus", "protocol", "partition", "fusion", "target", "a", "b"),
    *("difference", "low", "high", "p_holm", "decision", "videos", "units", "unit", "seeds"),
    "note",
)
KEPT = ("difference", "low", "high", "p_holm", "seeds")
WORDS = {"equivalent": "same", "better": "better", "worse": "worse", "undecided": "undecided"}
CLASS_GOLD = {"n": 0}
GOLD = {"n": 0, "g": 2, "gg": 4}
"""Sums of a video that depend on its gold standard only, and their places in rows of sums."""


class Side(NamedTuple):
    """One of the two studies."""

    study: Study
    layout: Layout


def compare(first: Side, second: Side) -> pd.DataFrame:
    """Compare the scores of two studies under each protocol that both have.

    Videos that both have scored are compared, with the people behind them as units and the same
    draws for both. Videos whose gold standard differs are left out, and the note counts them.
    Holm's correction covers the fusions of one corpus, protocol and target.

    Parameters
    ----------
    first, second
        The studies A and B; `statistics` are those of A.

    Returns
    -------
    DataFrame
        A row per corpus, protocol, fusion and target with the columns COLUMNS. `difference` is B
        minus A. `decision` is about B: `same` (within the margin, or identical sums), `better`,
        `worse`, `undecided` or `not compared`, with a note.

    Raises
    ------
    AvfError
        If the studies have no corpus in common.
    """
    common = [name for name in first.study.corpora if name in second.study.corpora]
    if not common:
        raise AvfError(
            f"{first.layout.results} and {second.layout.results} have no corpus in common: "
            f"{', '.join(first.study.corpora)}; {', '.join(second.study.corpora)}."
        )
    rows: list[dict[str, Any]] = []
    for corpus in common:
        rows += _corpus(corpus, first, second)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"videos": "Int64", "units": "Int64", "seeds": "Int64"})


def settings(first: Side, second: Side) -> pd.DataFrame:
    """Return the settings, code, machine and data that differ: setting, a, b."""
    sides = [_described(side) for side in (first, second)]
    names = sorted(set(sides[0]) | set(sides[1]))
    values = [(name, *(side.get(name, "not set") for side in sides)) for name in names]
    rows = [(name, str(a), str(b)) for name, a, b in values if a != b]
    return pd.DataFrame(rows, columns=["setting", "a", "b"])


def _described(side: Side) -> dict[str, Any]:
    """Return what a study is made from as one flat mapping."""
    about = flat(side.study.model_dump(mode="json", exclude={"results"}))
    if (side.layout.tables / FILE).is_file():
        made = read_origins(side.layout)["made"]
        about |= {f"code and machine: {name}": value for name, value in flat(made).items()}
    for corpus in side.study.corpora:
        runs = sorted((side.layout.results / "runs" / corpus).glob("*/seed*/settings.json"))
        if runs:
            record = read_settings(runs[0].parent)
            about[f"data of {corpus}"] = record.data_hash
            machine = {n: value for n, value in record.machine.items() if n != "slurm_job"}
            about |= {f"machine of {corpus}: {name}": value for name, value in machine.items()}
    return about


def _corpus(corpus: str, first: Side, second: Side) -> list[dict[str, Any]]:
    sides = [Side(side.study.scoped(corpus), side.layout) for side in (first, second)]
    for letter, side in zip("AB", sides, strict=True):
        if side.study.task(corpus) == "verification":
            return [_not(corpus, note="verification is not compared")]
        if read_scores(corpus, side.layout).empty:
            folder = shlex.quote(str(side.layout.results))
            command = f"avf score {corpus} --results {folder} --config FILE"
            return [_not(corpus, note=f"not scored in {letter}; run, with its config: {command}")]
    rules = [
        {rule.name: rule for rule in read_rules(corpus, side.study, side.layout)} for side in sides
    ]
    rows = []
    for name in dict.fromkeys([*rules[0], *rules[1]]):
        one, other = (of.get(name) for of in rules)
        if one is None or other is None:
            rows.append(_not(corpus, name, note=f"only in {'B' if one is None else 'A'}"))
        elif one.pooling != other.pooling:
            note = f"pooled differently: {one.pooling}, {other.pooling}"
            rows.append(_not(corpus, name, note=note))
        else:
            rows += _protocol(corpus, sides, (one, other))
    return rows


def _protocol(
    corpus: str, sides: Sequence[Side], rules: tuple[Protocol, Protocol]
) -> list[dict[str, Any]]:
    parts = [partitions.reported_in_scores(read_scores(corpus, s.layout)) for s in sides]
    place = (corpus, rules[0].name)
    if parts[0] != parts[1]:
        return [_not(*place, note=f"A reports {parts[0]}, B reports {parts[1]}")]
    each = [
        read_scored(corpus, side.study, side.layout, rule, parts[0])
        for side, rule in zip(sides, rules, strict=True)
    ]
    if each[0].names != each[1].names:
        return [
            _not(*place, note=f"targets: {', '.join(each[0].names)}; {', '.join(each[1].names)}")
        ]
    both, other_gold = _joined(each[0], each[1], sides[0].study)
    names = [name for name in each[0].sums if name in each[1].sums]
    rows = [
        _not(*place, parts[0], name, note=f"only in {'A' if name in one.sums else 'B'}")
        for one, other in (each, each[::-1])
        for name in one.sums
        if name not in other.sums
    ]
    if not both.videos:
        note = "no video that both have scored"
        note += f" by the same gold standard; {other_gold} differ" if other_gold else ""
        return [_not(*place, parts[0], note=note), *rows]
    return [*_decided(both, names, sides[0].study, _note(other_gold, each, rules)), *rows]


def _joined(first: Scored, second: Scored, study: Study) -> tuple[Scored, int]:
    """Return both studies as one, with the fusions of A and of B.

    Their common videos are kept, without those whose gold standard differs, which are counted.
    """
    common = sorted(set(first.videos) & set(second.videos))
    a, b = (_gold(one, common) for one in (first, second))  # (K, V, G)
    same = np.isclose(a, b, rtol=1e-9, equal_nan=True).all(axis=(0, 2))
    videos = [video for video, kept in zip(common, same, strict=True) if kept]
    sums = {}
    for letter, one in (("A", first), ("B", second)):
        at = [one.videos.index(video) for video in videos]
        for name, runs in one.sums.items():
            sums[f"{letter} {name}"] = {seed: of[:, at] for seed, of in runs.items()}
    subject_of = dict(zip(first.videos, first.subjects, strict=True))
    subjects = tuple(subject_of[video] for video in videos)
    unit = units.numbers(subjects, study.statistics) if videos else None
    both = replace(first, videos=videos, sums=sums, subjects=subjects, unit=unit)
    return both, int((~same).sum())


def _gold(scored: Scored, videos: list[str]) -> np.ndarray:
    """Return the sums of some videos that depend on their gold standard only (K, V, G)."""
    runs = next(iter(scored.sums.values()), {})
    if not runs or not videos:
        return np.zeros((1, len(videos), 1))
    at = [scored.videos.index(video) for video in videos]
    columns = CLASS_GOLD if scored.rule.pooling == "recall" else GOLD
    return np.asarray(next(iter(runs.values()))[:, at][..., list(columns.values())])


def _decided(both: Scored, names: list[str], study: Study, note: str) -> list[dict[str, Any]]:
    """Return a row per fusion and target."""
    samples = Samples(both, study.statistics)
    pairs = tuple(Comparison(f"B {name}", f"A {name}") for name in names)
    table = estimates.decided(samples, Family("studies", pairs)) if pairs else pd.DataFrame()
    rows = []
    for row in table.to_dict("records"):
        name = row["other"].removeprefix("A ")
        grid = samples.grid([f"A {name}", f"B {name}"])
        k = both.targets.index(row["target"])
        values = [
            samples.of(f"{letter} {name}", grid).value[k] if grid else np.nan for letter in "AB"
        ]
        decision = WORDS.get(row["decision"], "not compared")
        same = grid and _identical(both, name, [seed for seeds in grid for seed in seeds], k)
        rows.append(
            _not(both.corpus, both.rule.name, both.partition, name)
            | {key: row[key] for key in KEPT}
            | {"target": row["target"], "a": values[0], "b": values[1]}
            | {"decision": "same" if same else decision}
            | {"videos": len(both.videos), "units": both.units, "unit": both.unit_word}
            | {"note": note if grid else "no seed that both have trained"}
        )
    return rows


def _identical(both: Scored, name: str, seeds: list[int], k: int) -> bool:
    """Return whether both studies have the same sums of a target, or of all for the mean."""
    targets = [k] if k < len(both.names) else list(range(len(both.names)))
    a, b = (both.stack(f"{letter} {name}", seeds)[:, targets] for letter in "AB")
    return bool(np.array_equal(a, b))


def _note(other_gold: int, each: Sequence[Scored], rules: tuple[Protocol, Protocol]) -> str:
    """Return what limits the comparison: other videos, another gold standard, other rules."""
    notes = []
    if others := len(set(each[0].videos) ^ set(each[1].videos)):
        notes.append(f"{others} videos are scored in one study only")
    if json.loads(rules[0].model_dump_json()) != json.loads(rules[1].model_dump_json()):
        notes.append("the protocol has other settings in B")
    if other_gold:
        notes.append(f"{other_gold} videos are left out: their gold standard differs")
    return "; ".join(notes)


def _not(
    corpus: str, protocol: str = "", partition: str = "", fusion: str = "", note: str = ""
) -> dict[str, Any]:
    """Return a row that is not compared."""
    names = {"corpus": corpus, "protocol": protocol, "partition": partition, "fusion": fusion}
    return {**names, "target": "", "decision": "not compared", "note": note}
