"""Score the traces of all runs under all protocols: a table of scores and the sums behind it.

A run that is missing or predicted values that are not finite is a row with a note. A video that
cannot be scored is counted and listed in missing.csv. A video in which the fusion's modalities are
absent has no prediction: it is listed too, and scored as the middle of the scale. Traces of other
data are refused.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.jobs import ScoreSettings
from avfusion.evaluation import postprocess
from avfusion.evaluation.inference import ERROR
from avfusion.evaluation.missing import PREDICT, write_missing
from avfusion.evaluation.references import Known, references
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
from avfusion.protocols.protocol import Post, Protocol

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
    singles: dict[int, dict[str, dict[str, pd.DataFrame]]] = {seed: {} for seed in settings.seeds}
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
            for name, traces in references(traces_of, known).items():
                tables.add((name, seed), traces, "")
    tables.write(layout.scores(corpus))


@dataclass
class _Tables:
    """Scores and sums of the runs so far, and what they leave out."""

    data: ScoredCorpus
    rules: list[Protocol]
    missing: dict[str, tuple[str, str]]
    scores: list[dict[str, Any]] = field(default_factory=list)
    sums: list[pd.DataFrame] = field(default_factory=list)
    fitted: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, run: Run, traces: dict[str, pd.DataFrame], note: str) -> None:
        """Score one run, or one reference, under every protocol."""
        data = self.data
        for rule in self.rules:
            chains = postprocess.of_run(
                rule, traces, data.gold, data.partition, data.delay_s, data.rating
            )
            if chains and traces:
                document = {target: asdict(chain) for target, chain in chains.items()}
                self.fitted.setdefault(rule.name, {})["{}/seed{}".format(*run)] = document
            table = _sums(data, run, rule, traces, chains)
            self.scores += _scores(data, run, rule, table, note)
            self.sums.append(table)

    def write(self, folder: Path) -> None:
        """Write the files of `score_corpus`."""
        write_table(pd.DataFrame(self.scores), folder / "scores.parquet")
        write_table(pd.concat(self.sums, ignore_index=True), folder / "sums.parquet")
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
    data: ScoredCorpus,
    run: Run,
    rule: Protocol,
    traces: dict[str, pd.DataFrame],
    post: Post,
) -> pd.DataFrame:
    """Return the sums of each scored video and target under one protocol."""
    videos = [v for v in data.partition if v in traces and v in data.gold]
    pairs = {
        v: protocols.apply(rule, traces[v], data.gold[v], data.delay_s, data.rating, post)
        for v in videos
    }
    rows = []
    for part in dict.fromkeys(data.partition.values()):
        inside = [v for v in videos if data.partition[v] == part]
        for target in data.rating.names:
            scaled = protocols.rescale(rule, [pairs[v][target] for v in inside])
            for video, pair in zip(inside, scaled, strict=True):
                rows.append((data.name, *run, part, rule.name, target, video, *_sums_of(*pair)))
    names = ["corpus", "fusion", "seed", "partition", "protocol", "target", "video", *SUMS, ERROR]
    return pd.DataFrame(rows, columns=names).astype({"seed": int, "n": int})


def _sums_of(prediction: np.ndarray, gold: np.ndarray) -> np.ndarray:
    return np.append(video_sums(prediction, gold), absolute_error(prediction, gold))


def _scores(
    data: ScoredCorpus, run: Run, rule: Protocol, table: pd.DataFrame, note: str
) -> Iterator[dict[str, Any]]:
    """Yield a row per partition and target; `mean` has the frames of the least rated target."""
    for part in dict.fromkeys(data.partition.values()):
        rows = table[table["partition"] == part]
        each = [rows.loc[rows["target"] == t, [*SUMS, ERROR]] for t in data.rating.names]
        sums = np.stack([one.to_numpy(float) for one in each])  # (K, V, 7)
        frames = [int(n) for n in sums[..., 0].sum(axis=1)]
        total = sum(p == part for p in data.partition.values())
        values = np.full((3, len(each) + 1), np.nan)  # CCC, mean absolute, root mean square error
        if sums.shape[1]:
            values = np.stack([point(sums[None, ..., :6], rule.pooling)[0], *errors(sums)])
            flat = constant_gold(sums, rule.pooling)
            values[0, [*flat, flat.any()]] = np.nan
        empty = "no video scored" if part in map(data.partition.get, data.gold) else "no gold"
        reason = note or ("" if sums.shape[1] else empty)
        names = (*data.rating.names, MEAN)
        for target, (ccc, mae, rmse), n in zip(
            names, values.T, [*frames, min(frames)], strict=True
        ):
            yield {
                "corpus": data.name,
                "fusion": run[0],
                "seed": run[1],
                "partition": part,
                "protocol": rule.name,
                "target": target,
                "ccc": float(ccc),
                "mae": float(mae),
                "rmse": float(rmse),
                "frames": n,
                "videos": sums.shape[1],
                "missing": total - sums.shape[1],
                "note": reason,
            }
