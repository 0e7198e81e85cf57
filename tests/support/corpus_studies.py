"""A whole study of each miniature, run by the workflow: what it asks for, and the raw ratings.

The raw readers here know nothing of avfusion: they say what a protocol must meet.
"""

import csv
import re
from copy import deepcopy as copy_of
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from avfusion.layout import Layout
from support.miniatures import affwild2, fatigue, iemocap, own, recola
from support.scratch import Copy

COMMON = {
    "features": {"audio": ["mel_cnn"], "video": ["face_expression"]},
    "encoders": {"mel_cnn": {"epochs": 1}},
    "windows": {"clip_s": 0.32, "hop_s": 0.16, "clips": 4},
    "fusions": {"concat": {}, "ca": {}},
    "seeds": [0],
    "train": {"epochs": 2},
    "statistics": {"draws": 200},
}
THREE = {"modalities": ["audio", "video", "text"], "width": 8, "heads": 2}
SESSIONS = range(1, 4)
FOLDS = {"fold1": "s01", "fold2": "s02"}
WORDS = ("zarvolin", "quembrado", "ulthrik", "pexandor", "vrintasse", "mokulide", "sharbent")
BROKEN = "clips/fay.mp4"
SAID = {"own": WORDS, "iemocap": ("excuse", "laughter")}  # words that only transcripts have
RECORDINGS = ("train_1", "train_2", "train_3", "dev_1", "dev_2")


def _entry(root: str, options: dict, **more: str) -> dict:
    return {"root": root, "shards": 1, "options": options, **more}


def _fold(k: int) -> dict:
    own = {**fatigue.OPTIONS, "split": "loso", "fold": k, "seed": 1}
    return _entry("fatigue", own, **{"is": "fatigue"})


def _session(fold: int) -> dict:
    own = {**iemocap.options(SESSIONS), "classes": 7, "folds": "session", "fold": fold}
    more = {"is": "iemocap", "task": "classes", "group": "by_session"}
    return _entry("iemocap", own, **more)


STUDIES = {
    "affwild2": {
        "corpora": {"affwild2": _entry("affwild2", {**affwild2.OPTIONS, "faces": "official"})},
        "protocols": ["abaw", "abaw_published_code"],
        "headline": "abaw",
    },
    "recola": {
        "corpora": {
            "recola": _entry("recola", {**recola.OPTIONS, "recordings": len(RECORDINGS)}),
        },
        "protocols": ["avec2016_post", "avec2018", "pooled"],
        "headline": "avec2016_post",
    },
    "fatigue": {
        "corpora": {name: _fold(k) for k, name in enumerate(FOLDS, start=1)},
        "protocols": ["pooled", "per_video"],
        "headline": "pooled",
    },
    "iemocap": {
        "corpora": {f"session{k}": _session(k) for k in (1, 2)},
        "features": COMMON["features"] | {"text": ["words"]},
        "encoders": {"mel_cnn": {"epochs": 1}, "words": {"epochs": 1}},
        "fusions": {"self_transformer": THREE, "cross_transformer": THREE},
        "seeds": [0, 1],
        "train": {"epochs": 2, "hidden": 8, "baseline": "none"},
    },
    "own": {
        "corpora": {"my_clips": _entry("own", own.OPTIONS, **{"is": "own"})},
        "features": COMMON["features"] | {"text": ["words"]},
        "fusions": {"concat": {}, "ca": {}, "text": {}},
        "protocols": ["pooled", "avec2016_post"],
        "headline": "pooled",
    },
}


LONG = ("fatigue", "iemocap", "recola")
"""Studies that CI leaves out; their folds, levels and classes are those of tests of tables."""


def cases(*names: str, long: tuple[str, ...] = LONG) -> list:
    """Parameters of a test, with the marks of the studies that CI leaves out."""
    return [pytest.param(n, marks=[pytest.mark.long] if n in long else []) for n in names]


def own_with_words(root: Path) -> None:
    """Own clips with a transcript each, of words that stand nowhere else; one film is broken."""
    own.build(root)
    (root / BROKEN).write_bytes((root / "clips/ben.mp4").read_bytes()[:2000])
    head, *rows = (root / own.MANIFEST).read_text().splitlines()
    (root / "said").mkdir()
    for k in range(len(rows)):
        said = [f"{w},{0.4 * at:.1f},{0.4 * at + 0.3:.1f}" for at, w in enumerate(WORDS)]
        (root / f"said/{k}.csv").write_text("\n".join(["word,start_s,end_s", *said[k:]]) + "\n")
    rows = [f"{row},said/{k}.csv" for k, row in enumerate(rows)]
    rows.append(f"{BROKEN},fay,train,ratings/ben.parquet,,,said/0.csv")
    (root / own.MANIFEST).write_text("\n".join([f"{head},transcript", *rows]) + "\n")


BUILD = {
    "affwild2": affwild2.build,
    "recola": lambda root: recola.build(root, RECORDINGS),
    "fatigue": fatigue.build,
    "iemocap": lambda root: iemocap.build(root, SESSIONS),
    "own": own_with_words,
}


def tree(name: str, folder: Path) -> Path:
    """Where the corpus of the study in `folder` lies: elsewhere, as a licensed one does."""
    return folder.parent / "licensed" / name


TINY_MORE = """
grid_seeds: [0]
robustness: {audio_missing: [0.5], video_blur_px: [9]}
"""
GRID = "  concat: {grid: {train.lr: [0.001, 0.003]}}"
"""What the shared tiny study has besides .test/config/config.yaml: a grid and corrupted input."""


def run_tiny(folder: Path) -> Copy:
    """The finished tiny study, whose test video is cut off after the corpus was made."""
    copy = Copy(folder)
    copy.edit("tiny.yaml", "  concat: {}", GRID)
    copy.edit("tiny.yaml", "\nfeatures:", f"{TINY_MORE}\nfeatures:")
    words = ("--cores", "2", "--configfile", "tiny.yaml", "--")
    copy.snakemake(*words, "corpus_all")
    manifest = pd.read_parquet(folder / "results/manifest/demo/manifest.parquet")
    path = manifest.loc[manifest["partition"] == "test", "path"].iloc[0]
    film = next((folder / "data").glob(f"*/{path}"))
    film.write_bytes(film.read_bytes()[:1000])
    copy.snakemake(*words, "all")
    return copy


def run(name: str, folder: Path) -> Copy:
    """The finished study of a miniature, in a copy of the project."""
    if name == "tiny":
        return run_tiny(folder)
    copy, config = Copy(folder), copy_of(COMMON | STUDIES[name])
    BUILD[name](tree(name, folder))
    for entry in config["corpora"].values():
        entry["root"] = str(tree(name, folder))
    (copy.folder / "mini.yaml").write_text(yaml.safe_dump(config))
    copy.snakemake("--cores", "2", "--configfile", "mini.yaml", "--", "all")
    return copy


def recola_rows(root: Path, recording: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Instants and gold of an ARFF; its last row belongs to no picture."""
    text = (root / f"ratings_gold_standard/{target}/{recording}.arff").read_text()
    lines = re.split("@data", text, flags=re.IGNORECASE)[1].split()
    cells = np.array([line.split(",")[1:] for line in lines], float)[:-1]
    return cells[:, 0], cells[:, 1]


def fatigue_rows(root: Path, video: str) -> tuple[np.ndarray, np.ndarray]:
    """Levels at the middle of every half second; what no row of the manifest covers is left out."""
    with (root / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["video"] == video and row["level"]]
    middles_s, found = np.arange(0.25, 60, 0.5), []
    for row in rows:
        inside = (middles_s >= float(row["start_s"])) & (middles_s < float(row["end_s"]))
        found += [(time_s, float(row["level"])) for time_s in middles_s[inside]]
    return tuple(np.array(found).T)


def own_rows(root: Path, video: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Instants and ratings of the miniature's two test videos, an ARFF and a table of tabs."""
    if "dan" in video:
        lines = (root / f"ratings/dan_{target[0]}.arff").read_text().split("@DATA")[1].split()
        cells = np.array([line.split(",")[1:] for line in lines], float)
        return cells[:, 0], cells[:, 1]
    with (root / "ratings/eve.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return tuple(np.array([row[key] for row in rows], float) for key in ("time_s", target))


def lay(copy):
    return Layout(copy.folder / "results")


def scores(copy, entry):
    table = pd.read_parquet(lay(copy).scores(entry) / "scores.parquet")
    return table[table["partition"] == "test"].set_index(["protocol", "fusion", "target"])


def met(copy, entry, fusion, target, video, time_s, delay_s):
    """What a run says of the stimulus that a rating at `time_s` speaks of."""
    traces = pd.read_parquet(lay(copy).run(entry, fusion, 0) / "traces.parquet")
    own_rows = traces[traces["video"] == video].sort_values("time_s")
    return np.interp(time_s - delay_s, own_rows["time_s"], own_rows[target])


def ccc(p, g):
    gap = (p.mean() - g.mean()) ** 2
    return 2 * ((p - p.mean()) * (g - g.mean())).mean() / (p.var() + g.var() + gap)
