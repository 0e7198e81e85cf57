"""Score trials of verification: cosine of both embeddings, with and without AS-norm.

Writes to the folder of scores:

    scores.parquet   a row per run, list, condition and norm: EER, minimal detection costs, counts
    trials.parquet   a row per run, list, condition and trial: both people and both scores
    missing.csv      videos of trials without an embedding, whose cosines are 0, and videos that an
                     earlier stage could not process, whose trials are left out

The first video of a trial is clean, as at enrolment; a condition removes a modality from the
second. The cohort of AS-norm are the people of the train partition.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion.config.jobs import ScoreSettings
from avfusion.evaluation.missing import PREDICT, write_missing
from avfusion.evaluation.score_inputs import lost_before
from avfusion.evaluation.verification_estimates import AVERAGE, COSTS, NORMS, TABLE
from avfusion.io.atomic import write_text
from avfusion.io.shards import read_table, write_table
from avfusion.layout import Layout
from avfusion.metrics.verification import PRIORS, as_norm, cosines, eer, eer_at_closest, min_dcf
from avfusion.runs.files import (
    failure,
    read_settings,
    read_traces,
    refuse_other_inputs,
    train_command,
)
from avfusion.runs.verification import CONDITIONS, FILE, read_trials, unit

NO_NORM = "no AS-norm: the scores of a video against the people of train do not vary"
RUN = ["corpus", "fusion", "seed"]
GROUP = ["partition", "list", "condition"]


def score_verification(corpus: str, settings: ScoreSettings, layout: Layout) -> None:
    """Score the trials of all runs; parameters and errors are those of `score_corpus`."""
    manifest = read_table(layout.manifest(corpus))
    card = json.loads(layout.card(corpus).read_text())
    person = dict(zip(manifest["video"], manifest["subject"], strict=True))
    trials = read_trials(corpus, layout)
    tables, notes = [], []
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    missing = lost_before(corpus, settings.features.encoders, partition, layout)
    for seed in settings.seeds:
        singles = []
        for fusion in settings.fusions:
            key = dict(zip(RUN, (corpus, fusion, seed), strict=True))
            run = _run(key, trials, card["data_hash"], settings.cohort or 0, layout)
            table = run.trials
            notes.append(key | {"note": run.note})
            for video in run.absent:
                why = f"what {fusion} reads is absent in the whole video; its cosines count as 0"
                missing.setdefault(video, (PREDICT, why))
            tables.append(table)
            if fusion in settings.singles.values() and len(table):
                singles.append(table)
        if len(singles) == len(settings.singles) > 1:
            tables.append(_average(singles))
            notes.append(dict(zip(RUN, (corpus, AVERAGE, seed), strict=True)) | {"note": ""})
    scored = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    if len(scored):
        scored["first_person"] = scored["first"].map(person)
        scored["second_person"] = scored["second"].map(person)
        scored = scored.drop(columns="known")
    folder = layout.scores(corpus)
    write_table(scored, folder / TABLE)
    write_table(pd.DataFrame(_scores(scored, notes, trials)), folder / "scores.parquet")
    write_missing(missing, partition, folder)
    write_text(folder / "protocols.json", json.dumps(_protocol(settings), indent=2) + "\n")


class _Run(NamedTuple):
    """Scores of the trials of one run, or none and a note with the reason.

    absent: videos of trials in which what the fusion reads is absent as recorded.
    """

    trials: pd.DataFrame
    note: str = ""
    absent: Sequence[str] = ()


def _run(
    key: dict[str, Any], trials: pd.DataFrame, data_hash: str, cohort: int, layout: Layout
) -> _Run:
    """Return the trials of one run with their scores."""
    folder = layout.run(key["corpus"], key["fusion"], key["seed"])
    if not (folder / FILE).is_file():
        why = f"not run: no {FILE} in {folder}. Run `{train_command(folder)}`."
        return _Run(pd.DataFrame(), why)
    record = read_settings(folder)
    refuse_other_inputs(record, data_hash, folder, layout)
    table = read_traces(folder, record)
    if reason := failure(folder):
        return _Run(pd.DataFrame(), reason)
    columns = [name for name in table if name.startswith("e") and name[1:].isdigit()]
    people = unit(table.loc[table["kind"] == "person", columns].to_numpy(np.float32))
    videos = table[table["kind"] == "video"]
    of = {
        condition: dict(zip(rows["name"], rows[columns].to_numpy(np.float32), strict=True))
        for condition, rows in videos.groupby("condition")
    }
    known = trials["first"].isin(of["clean"].keys()) & trials["second"].isin(of["clean"].keys())
    parts = [
        _scored(trials[known], of["clean"], of[condition], people, cohort).assign(
            condition=condition, **key
        )
        for condition in CONDITIONS
    ]
    table = pd.concat(parts, ignore_index=True)
    clean = table.loc[table["condition"] == "clean", "as_norm"]
    note = "" if not cohort or clean.notna().all() else NO_NORM
    absent = [v for v in sorted({*trials["first"][known], *trials["second"][known]})
              if not np.isfinite(of["clean"][v]).all()]  # fmt: skip
    return _Run(table, note, absent)


def _scored(
    trials: pd.DataFrame,
    clean: dict[str, np.ndarray],
    changed: dict[str, np.ndarray],
    people: np.ndarray,
    cohort: int,
) -> pd.DataFrame:
    """Return trials with both scores; the second video has the embedding of the condition."""
    first, second = (sorted(set(trials[side])) for side in ("first", "second"))
    rows = np.stack([*(clean[v] for v in first), *(changed[v] for v in second)])  # (M, E)
    present = np.isfinite(rows).all(axis=1)
    rows = np.where(present[:, None], unit(np.nan_to_num(rows)), 0)
    at_first = trials["first"].map({v: i for i, v in enumerate(first)}).to_numpy()
    at_second = trials["second"].map({v: i for i, v in enumerate(second, len(first))}).to_numpy()
    cosine = cosines(rows, at_first, at_second).astype(float)
    normalised = np.full(len(cosine), np.nan)
    known = present[at_first] & present[at_second]
    if cohort and len(people) > 1 and known.any():
        against = (rows @ people.T).astype(float)
        which = np.flatnonzero(known)
        sides = at_first[which], at_second[which]
        normalised[which] = as_norm(cosine[which], *sides, against, cohort)
        normalised[~known] = normalised[which].mean()
    return trials.assign(cosine=cosine, as_norm=normalised, known=known)


def _average(singles: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the trials with the mean scores of the single modalities that are there."""
    known = np.stack([table["known"] for table in singles])
    table = singles[0].assign(fusion=AVERAGE, known=known.any(axis=0))
    counts = np.maximum(known.sum(axis=0), 1)
    for norm in NORMS:
        values = np.stack([one[norm] for one in singles])
        table[norm] = np.where(known, values, 0).sum(axis=0) / counts
    return table


def _scores(
    scored: pd.DataFrame, notes: list[dict[str, Any]], trials: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    """Yield a row per run, list, condition and norm; one with a note if a run has no trial."""
    listed = trials.groupby("list").size()
    groups = dict(list(scored.groupby([*RUN, *GROUP], sort=False))) if len(scored) else {}
    for run in notes:
        key = tuple(run[name] for name in RUN)
        here = {group[3:]: rows for group, rows in groups.items() if group[:3] == key}
        for (partition, name, condition), rows in here.items():
            people = len({*rows["first_person"], *rows["second_person"]})
            shared = {"partition": partition, "list": name, "condition": condition}
            counts = {
                "trials": len(rows),
                "people": people,
                "missing": int(listed[name]) - len(rows),
            }
            for norm in NORMS:
                yield run | shared | {"norm": norm} | measures(rows, norm) | counts
        if not here:
            yield run | {"partition": "test", "list": "", "condition": "clean", "norm": "cosine"}


def measures(rows: pd.DataFrame, norm: str) -> dict[str, float]:
    """Return the EER and the minimal costs of the trials of one run, list and condition."""
    scores, same = rows[norm].to_numpy(float), rows["same"].to_numpy(bool)
    if not np.isfinite(scores).all():
        return dict.fromkeys(("eer", "eer_at_closest", *COSTS), np.nan)
    costs = {name: float(min_dcf(scores, same, p)) for name, p in zip(COSTS, PRIORS, strict=True)}
    return {"eer": float(eer(scores, same)), "eer_at_closest": eer_at_closest(scores, same)} | costs


def _protocol(settings: ScoreSettings) -> dict[str, Any]:
    """Return what was scored and how, for protocols.json."""
    text = "Cosine of both embeddings, with and without AS-norm by people of the train partition."
    return {"verification": {"name": "verification", "description": text, "top": settings.cohort}}
