"""Results of a study of many fusions on corrupted input, made without training."""

from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.corruptions import CLEAN, cases, find
from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.robustness.attention import COLUMNS
from support.synthetic_results import DIMENSIONS, Plan, write_results

ALL = Path(__file__).resolve().parents[2] / "config/experiments/study.yaml"
GATED = ("dca", "iaca")
"""First words of the fusions that get gates."""
ATTENDS = ("self_attention", "transformer", "self_transformer")
"""Fusions that get attention over time."""


def write(layout: Layout, fusions: int = 35, seeds: int = 3, videos: int = 60, epochs: int = 14,
          **changes: object) -> Study:  # fmt: skip
    """Write what scoring and reporting read; `changes` replace settings of the study.

    Settings and corruptions are those of config/experiments/study.yaml, without text; the corpus
    has a third more training videos than the `videos` of the test partition.
    """
    named = load(ALL)
    readers = named.read_by()
    chosen = [name for name in named.fusions if "text" not in readers.get(name, ())][:fusions]
    errors = {name: 0.15 + 0.25 * i / len(chosen) for i, name in enumerate(chosen)}
    parts = {"train": videos * 4 // 3, "validation": videos // 3, "test": videos}
    plan = Plan(errors=errors, seeds=tuple(range(seeds)), videos=parts, seconds=8.0, failed=())
    made = write_results(layout, plan)
    study = named.model_copy(
        update={
            "corpora": made.corpora, "seeds": list(plan.seeds),
            "fusions": {name: named.fusions[name] for name in chosen}, **changes,
        }
    )  # fmt: skip
    rng = np.random.default_rng(1)
    for fusion, seed in ((f, s) for f in chosen for s in plan.seeds):
        _write_run(layout, study, (fusion, seed), epochs, rng)
    return study


def _write_run(
    layout: Layout, study: Study, run: tuple[str, int], epochs: int, rng: np.random.Generator
) -> None:
    """Write epochs, predictions on corrupted input, gates and attention of a run."""
    (corpus,) = study.corpora
    folder = layout.run(corpus, *run)
    number = np.arange(1, epochs + 1)
    curve = pd.DataFrame({"epoch": number, "loss": np.exp(-number / 4) + 0.3})
    curve["score"] = 0.6 - 0.5 * np.exp(-number / 3) + rng.normal(0, 0.02, epochs)
    curve.to_csv(folder / "epochs.csv", index=False)
    clean = pd.read_parquet(folder / "traces.parquet")
    clean = clean[clean["partition"] == "test"].drop(columns="partition").reset_index(drop=True)
    tables = [_corrupted(clean, case, rng) for case in cases(study)]
    table = pd.concat(tables, ignore_index=True).astype({"corruption": "category"})
    write_table(table, layout.robustness(corpus) / run[0] / f"seed{run[1]}" / "traces.parquet")
    if run[0].startswith(GATED):
        gates = {f"gate_{name}": rng.uniform(0, 1, len(clean)) for name in ("audio", "video")}
        write_table(clean[["video", "time_s"]].assign(**gates), folder / "gates.parquet")
    if run[0] in ATTENDS and run[1] == study.seeds[0]:
        write_table(_attention(clean, study, rng), folder / "attention.parquet")


def _corrupted(clean: pd.DataFrame, case: tuple[str, float], rng: np.random.Generator):
    """Predictions under one case; the error grows with the level."""
    name, level = case
    size = 0.0 if case == CLEAN else 0.2 * min(find(name)[1].place(level), 1.0)
    noise = rng.normal(0, 1, (len(clean), len(DIMENSIONS))) * size
    absent = rng.uniform(size=(2, len(clean))) < size
    return clean.assign(
        **dict(zip(DIMENSIONS, clean[[*DIMENSIONS]].to_numpy(float).T + noise.T, strict=True)),
        corruption=name, level=level, has_audio=~absent[0], has_video=~absent[1],
    )  # fmt: skip


def _attention(clean: pd.DataFrame, study: Study, rng: np.random.Generator) -> pd.DataFrame:
    """Attention within the first windows of one video."""
    video, steps = clean["video"].iloc[0], study.windows.clips
    time_s = clean.loc[clean["video"] == video, "time_s"].to_numpy()
    tables = []
    for window, at in enumerate(np.split(time_s, range(steps, len(time_s), steps))):
        weight = rng.dirichlet(np.ones(len(at)), len(at)).T
        cells = np.tile(at, len(at)), np.repeat(at, len(at)), weight.ravel()
        rows = dict(zip(COLUMNS[3:], cells, strict=True))
        where = {"video": video, "map": "audio_video", "window": window}
        tables.append(pd.DataFrame({**where, **rows}))
    return pd.concat(tables, ignore_index=True)[COLUMNS]
