"""Rates of the stages of a finished study of a made corpus, from Snakemake's benchmark files."""

import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.config.baseline import with_ridge
from avfusion.config.study import Study
from avfusion.config.widths import options_of
from avfusion.layout import Layout
from avfusion.planning.lines import TRACE_BYTES
from avfusion.planning.sizes import Size, size_of
from avfusion.registry import corpora

UNITS = {
    "make_corpus": ("light", "second of recordings"),
    "verify": ("light", "second of recordings"),
    "media": ("heavy", "video, besides searches for faces"),
    "index": ("light", "nothing"),
    "encode": ("heavy", "nothing; clips have the rates of `encoders`"),
    "fit": ("heavy", "nothing; examples have the rates of `fits`"),
    "train": ("heavy", "run, besides training steps"),
    "score": ("heavy", "row, run and protocol"),
    "tables": ("heavy", "run"),
    "figures": ("light", "run"),
    "page": ("heavy", "run"),
    "record": ("heavy", "run"),
}
"""Stage -> how its jobs start, and what its rate is per."""
MADE = 4
"""Videos of a generated corpus that are made to time them."""
RULES = {"fit_encoder": "fit", "media_index": "index", "feature_index": "index"}
SIZES = {"320 x 240": 76_800, "640 x 480": 307_200, "1920 x 1080": 2_073_600}
IMPORTS = {"light": "import avfusion.cli, pandas", "heavy": "import avfusion.runs.several"}


def stages(folder: Path, benchmarks: Path) -> dict[str, Any]:
    """Return starts, rates of stages, encoders and fits, and bytes of a finished study.

    folder: its results; benchmarks: earlier results of this folder, for faces and encoders.
    """
    layout, jobs = Layout(folder), read(folder)
    study = settings(folder)
    (corpus,) = study.corpora
    size = size_of(study, corpus, layout)
    start = {name: importing(code) for name, code in IMPORTS.items()}
    search = searches(benchmarks)
    amounts = units(study, size)
    apart_s = {"media": looked_for_s(study, size, search)}
    found: dict[str, Any] = {}
    for stage, (kind, per) in UNITS.items():
        mine = jobs[jobs["stage"] == stage]
        timed = mine[mine["name"].str.contains("ridge")] if stage == "train" else mine
        spent_s = float(timed["s"].sum()) - start[kind] * len(timed) - apart_s.get(stage, 0.0)
        unit_s = max(spent_s, 0.0) / amounts[stage] if stage in amounts else 0.0
        if stage == "make_corpus":
            unit_s = made_s(study, corpus)
        mb = float(pd.to_numeric(mine["max_rss"]).max())
        found[stage] = {"start": kind, "per": per, "unit_s": rounded(unit_s), "mb": rounded(mb)}
    return {
        "start_s": {name: rounded(s) for name, s in start.items()},
        "stages": found,
        "search_ms": search,
        "encoders": encoders(benchmarks),
        "fits": fits(study, size, jobs, start["heavy"]),
        **stored(study, corpus, size, layout),
    }


def read(folder: Path) -> pd.DataFrame:
    """Return a row per job: stage, name, seconds and memory."""
    rows = []
    for path in sorted((folder / "benchmarks").rglob("*.bench.tsv")):
        name = path.name.removesuffix(".bench.tsv")
        rule = re.split(r"[-.]", name)[0]
        rows.append(pd.read_csv(path, sep="\t").assign(stage=RULES.get(rule, rule), name=name))
    return pd.concat(rows, ignore_index=True)


def settings(folder: Path) -> Study:
    """Return the settings that the report of a study was made with."""
    newest = max((folder / "settings/report").glob("*.json"), key=lambda path: path.stat().st_mtime)
    return with_ridge(Study.model_validate(json.loads(newest.read_text())))


def importing(code: str) -> float:
    """Return the least processor seconds of a new Python that imports some modules."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def made_s(study: Study, corpus: str) -> float:
    """Return processor seconds per second of recordings of a generated corpus.

    The benchmark file of the job that makes it lacks the processes of its videos.
    """
    options = study.corpora[corpus].options
    with tempfile.TemporaryDirectory() as place:
        made = corpora.get(study.corpus_class(corpus))(root=Path(place), **options)
        warm, *timed = made.recipes()[: 1 + MADE]
        type(made).maker(made.root, warm)
        began = time.process_time()
        for recipe in timed:
            type(made).maker(made.root, recipe)
        taken_s = time.process_time() - began
    return taken_s / (len(timed) * made.options["seconds"])


def units(study: Study, size: Size) -> dict[str, float]:
    """Return stage -> how many units of `UNITS` the study had."""
    seeds = len(study.seeds)
    runs = seeds * len(study.fusions)
    recorded_s = size.hours * 3600
    rows = size.rows(study.windows.hop_s)
    return {
        "verify": recorded_s,
        "media": size.videos,
        "train": seeds,  # of ridge, which has no steps
        "score": runs * len(study.protocols) * rows,
        **dict.fromkeys(("tables", "figures", "page", "record"), runs),
    }


def searches(benchmarks: Path) -> dict[str, list[float]]:
    """Return pixels of a picture -> ms of a search for faces, with reading and storing.

    From the stage at every second picture, and its ratio to a search of every picture.
    """
    rows = {row["measure"]: row["found"] for row in results(benchmarks, "media")}
    ms = []
    for name in SIZES:
        half = float(rows[f"the stage on pictures, {name}"].split()[0])
        ratio = float(rows[f"speed against a search of every frame, {name}"])
        ms.append(rounded(2 * half * (ratio - 1)))
    return {"pixels": [*map(float, SIZES.values())], "ms": ms}


def looked_for_s(study: Study, size: Size, search: dict[str, list[float]]) -> float:
    """Return seconds of the searches of the study's media stage, of the smallest pictures."""
    rate_hz = min(study.read_hz() or size.frame_hz, size.frame_hz)
    return size.shown_h * 3600 * rate_hz * search["ms"][0] / 1e3


def encoders(benchmarks: Path) -> dict[str, float]:
    """Return encoder -> clips per second and core."""
    ending = ": clips per second and core"
    rows = [r for r in results(benchmarks, "encode") if r["measure"].endswith(ending)]
    return {row["measure"].removesuffix(ending): float(row["found"]) for row in rows}


def fits(study: Study, size: Size, jobs: pd.DataFrame, start_s: float) -> dict[str, float]:
    """Return encoder -> seconds per example and epoch of a fit."""
    found = {}
    for name in filter(study.fitted, study.features.encoders):
        mine = jobs[(jobs["stage"] == "fit") & jobs["name"].str.contains(rf"-{name}(?:-fit|$)")]
        options = options_of(study, name)
        examples = min(size.hours * 3600 * size.share("train") * options["fit_hz"], options["most"])
        work = len(study.fit_names(name)) * options["epochs"] * examples
        left_s = float(mine["s"].sum()) - len(mine) * start_s
        found[study.encoder_class(name)] = rounded(max(left_s, 0.0) / work)
    return found


def stored(study: Study, corpus: str, size: Size, layout: Layout) -> dict[str, float]:
    """Return bytes of a run without its predictions, of a fit, of sums and of MLflow."""
    runs = len(study.fusions) * len(study.seeds)
    traces = TRACE_BYTES * size.rows(study.windows.hop_s)
    fitted = [path.parent for path in layout.encoder(corpus, "x").parent.rglob("best.safetensors")]
    tables = runs * len(study.protocols) * size.videos
    return {
        "run_bytes": rounded(held(layout.run(corpus, "x", 0).parents[1]) / runs - traces),
        "fit_bytes": rounded(statistics.mean(map(held, fitted))),
        "sums_bytes": rounded(held(layout.scores(corpus)) / tables),
        "record_bytes": rounded(held(layout.results / "mlartifacts") / runs),
    }


def held(folder: Path) -> float:
    """Return the bytes of the files below a folder."""
    return float(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def results(benchmarks: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of an earlier benchmark."""
    rows: list[dict[str, str]] = json.loads((benchmarks / f"{name}.json").read_text())["rows"]
    return rows


def rounded(value: float) -> float:
    """Return a number with four digits.

    >>> rounded(0.00123456), rounded(1202.7)
    (0.001235, 1203.0)
    """
    return float(f"{value:.4g}")
