"""Score the traces of all runs under all protocols: a table of scores and the sums behind it.

A run that is missing or predicted values that are not finite is a row with a note. A video that
cannot be scored is counted and listed in missing.csv. A video in which the fusion's modalities are
absent has no prediction: it is listed too, and scored as the middle of the scale. Traces of other
data are refused.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.jobs import ScoreSettings
from avfusion.evaluation import postprocess
from avfusion.evaluation.inference import ERROR
from avfusion.evaluation.missing import PREDICT, write_missing
from avfusion.evaluation.references import Known, Traces, references
from avfusion.evaluation.score_inputs import Run, ScoredCorpus, read_corpus, read_run
from avfusion.io.atomic import write_text
from avfusion.io.shards import read_table, write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import (
    MEAN,
    SUMS,
    absolute_error,
    constant_gold,
    errors,
    point,
    video_sums,
)
from avfusion.protocols import protocol as protocols
from avfusion.protocols.protocol import Protocol
from avfusion.protocols.rated import Columns, Post, RatedVideo

log = logging.getLogger(__name__)

LOG_EVERY_S = 5


def score_corpus(corpus: str, settings: ScoreSettings, layout: Layout) -> None:
    """Score all runs of a corpus.

    Writes scores.parquet, sums.parquet, missing.csv and protocols.json. Each fusion, seed,
    partition, protocol and target has a row of scores.parquet. Test labels are read only here,
    after all predictions are on disk.

    Parameters
    ----------
    corpus
        Name of the corpus.
    settings
        Fusions, seeds, protocols, encoders and task.
    layout
        Paths of the results.

    Raises
    ------
    CorpusError
        If the corpus was not verified, or a run is of other data or features.
    DamagedError
        If a run's settings or predictions were edited.
    """
    if settings.task == "classes":
        from avfusion.evaluation.score_classes import score_classes

        score_classes(corpus, settings, layout)
        return
    if settings.task == "verification":
        from avfusion.evaluation.score_verification import score_verification

        score_verification(corpus, settings, layout)
        return
    rules = [protocols.load(name) for name in settings.protocols]
    data = read_corpus(corpus, settings, layout)
    tables = _Tables(data, rules, dict(data.missing))
    singles: dict[int, dict[str, Traces]] = {seed: {} for seed in settings.seeds}
    modality = {fusion: name for name, fusion in settings.singles.items()}
    runs = [(fusion, seed) for fusion in settings.fusions for seed in settings.seeds]
    logged = time.monotonic()
    for done, run in enumerate(runs, start=1):
        traces, note, absent = read_run(data, run, layout)
        for video, reason in absent.items():
            tables.missing.setdefault(video, (PREDICT, reason))
        for video in data.partition.keys() - traces.keys() if not note else ():
            reason = f"no trace in {run[0]} seed {run[1]}; `avf infer {layout.run(corpus, *run)}`"
            tables.missing.setdefault(video, ("train", reason))
        tables.add(run, traces, note)
        if run[0] in modality and traces:
            singles[run[1]][modality[run[0]]] = traces
        if time.monotonic() - logged > LOG_EVERY_S or done == len(runs):
            log.info("%s: scored %d of %d runs", corpus, done, len(runs))
            logged = time.monotonic()
    known = _known(data, settings, layout)
    for seed, traces_of in singles.items():
        if len(traces_of) == len(modality):
            for name, made in references(traces_of, known).items():
                tables.add((name, seed), made, "")
    tables.write(layout.scores(corpus))


@dataclass
class _Tables:
    """Scores and sums of the runs so far, and what they leave out."""

    data: ScoredCorpus
    rules: list[Protocol]
    missing: dict[str, tuple[str, str]]
    scores: list[dict[str, Any]] = field(default_factory=list)
    sums: list[tuple[dict[str, Any], list[str], np.ndarray]] = field(default_factory=list)
    fitted: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def _rated(self) -> dict[str, dict[str, RatedVideo]]:
        """Rule -> video -> its gold as the rule scores it, the same for all runs."""
        given = self.data.delay_s, self.data.rating
        return {
            rule.name: {v: RatedVideo(rule, gold, *given) for v, gold in self.data.gold.items()}
            for rule in self.rules
        }

    def add(self, run: Run, traces: Mapping[str, Columns], note: str) -> None:
        """Score one run, or one reference, under every protocol."""
        data = self.data
        for rule in self.rules:
            chains = postprocess.of_run(
                rule, traces, data.gold, data.partition, data.delay_s, data.rating
            )
            if chains and traces:
                document = {target: asdict(chain) for target, chain in chains.items()}
                self.fitted.setdefault(rule.name, {})["{}/seed{}".format(*run)] = document
            rated = self._rated[rule.name]
            for part, inside in data.videos_of(traces).items():
                both = [rated[v] for v in inside], [traces[v] for v in inside]
                sums = _sums(data.rating.names, rule, *both, chains)
                key = {"corpus": data.name, "fusion": run[0], "seed": run[1], "partition": part,
                       "protocol": rule.name}  # fmt: skip
                self.sums.append((key, inside, sums))
                self.scores += _scores(data, key, rule, sums, note)

    def write(self, folder: Path) -> None:
        """Write the files of `score_corpus`."""
        write_table(pd.DataFrame(self.scores), folder / "scores.parquet")
        write_table(_table(self.data.rating.names, self.sums), folder / "sums.parquet")
        write_missing(self.missing, self.data.partition, folder)
        fitted = {r.name: self.fitted.get(r.name, {}) for r in self.rules if r.postprocess}
        _write_protocols(self.rules, fitted, folder)


def _known(data: ScoredCorpus, settings: ScoreSettings, layout: Layout) -> Known:
    """Return what references are made with; planted spans are those of the corpus."""
    path = layout.truth(data.name)
    truth = read_table(path) if path.is_file() else pd.DataFrame()
    return Known(data.partition, data.gold, data.delay_s, data.rating, truth, settings.clip_s)


def _write_protocols(
    rules: list[Protocol], fitted: dict[str, dict[str, Any]], folder: Path
) -> None:
    """Write the rules that were used, with what was fitted for `postprocess`."""
    used = {rule.name: rule.model_dump() for rule in rules}
    used |= {name: used[name] | {"fitted": chains} for name, chains in fitted.items()}
    write_text(folder / "protocols.json", json.dumps(used, indent=2) + "\n")


def _sums(
    names: Sequence[str],
    rule: Protocol,
    rated: Sequence[RatedVideo],
    traces: Sequence[Columns],
    post: Post,
) -> np.ndarray:
    """Return the sums of the V videos of a partition and their absolute errors, (K, V, 7)."""
    pairs = [one.pairs(trace, post) for one, trace in zip(rated, traces, strict=True)]
    rows = [
        [
            [*(one.sums(p, name) if rule.rescale is None else video_sums(p, g)),
             absolute_error(p, g)]
            for one, (p, g) in zip(
                rated, protocols.rescale(rule, [pair[name] for pair in pairs]), strict=True
            )
        ]
        for name in names
    ]  # fmt: skip
    return np.array(rows, float).reshape(len(names), len(rated), len(SUMS) + 1)


def _table(
    targets: Sequence[str], every: Sequence[tuple[dict[str, Any], list[str], np.ndarray]]
) -> pd.DataFrame:
    """Return a row per run, partition, target and video from keys, videos and sums (K, V, 7)."""
    counts = [len(targets) * len(videos) for _, videos, _ in every]
    columns = {name: np.repeat([key[name] for key, _, _ in every], counts) for name in every[0][0]}
    columns["target"] = np.concatenate([np.repeat(targets, len(v)) for _, v, _ in every])
    columns["video"] = np.array([v for _, videos, _ in every for v in videos * len(targets)], str)
    sums = np.concatenate([one.reshape(-1, len(SUMS) + 1) for _, _, one in every])
    columns |= dict(zip([*SUMS, ERROR], sums.T, strict=True))
    return pd.DataFrame(columns).astype({"seed": int, "n": int})


def _scores(
    data: ScoredCorpus, key: dict[str, Any], rule: Protocol, sums: np.ndarray, note: str
) -> Iterator[dict[str, Any]]:
    """Yield a row per target from sums (K, V, 7); `mean` has the frames of the least rated."""
    part, names = key["partition"], data.rating.names
    frames = [int(n) for n in sums[..., 0].sum(axis=1)]
    total = sum(p == part for p in data.partition.values())
    values = np.full((3, len(names) + 1), np.nan)  # CCC, mean absolute, root mean square error
    if sums.shape[1]:
        values = np.stack([point(sums[None, ..., :6], rule.pooling)[0], *errors(sums)])
        flat = constant_gold(sums, rule.pooling)
        values[0, [*flat, flat.any()]] = np.nan
    empty = "no video scored" if part in map(data.partition.get, data.gold) else "no gold"
    reason = note or ("" if sums.shape[1] else empty)
    rows = zip((*names, MEAN), values.T, [*frames, min(frames)], strict=True)
    for target, (ccc, mae, rmse), n in rows:
        yield {
            **key,
            "target": target,
            "ccc": float(ccc),
            "mae": float(mae),
            "rmse": float(rmse),
            "frames": n,
            "videos": sums.shape[1],
            "missing": total - sums.shape[1],
            "note": reason,
        }
