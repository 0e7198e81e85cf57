"""A results folder of utterances with one of seven classes, as encoding leaves it.

Each class is a direction in the features, weak in each modality and clip; some utterances are
several windows long, some lack a modality, some have no label.
"""

import json

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.schemas import VOTES

CLASSES = ("ang", "exc", "fru", "hap", "neu", "sad", "sur")
HOP_S = 0.64
SIZES = {"train": 84, "validation": 28, "test": 42}


def study(**corpora) -> Study:
    """The study over corpora of this kind; windows of 4 clips that adjoin."""
    return Study(
        corpora=corpora or {"said": {"root": "data/said", "task": "classes"}},
        fusions={"concat": {}, "late": {}, "self_transformer": {"width": 8, "heads": 2}},
        features={"audio": ["ear"], "video": ["eye"]},
        windows={"clip_s": HOP_S, "hop_s": HOP_S, "clips": 4},
        train={"epochs": 12, "hidden": 16, "dropout": 0.1, "lr": 0.01, "baseline": "none"},
        seeds=[0, 1],
        statistics={"draws": 200},
    )


def write_utterances(layout: Layout, corpus: str = "said", fold: int = 0) -> pd.DataFrame:
    """Write all that training and scoring read; returns `video, label`."""
    rng = np.random.default_rng(5)
    label = np.resize(np.arange(len(CLASSES)), sum(SIZES.values()))
    names = [f"u{i:03d}" for i in range(len(label))]
    parts = np.repeat(list(SIZES), list(SIZES.values()))
    table = pd.DataFrame({"video": names, "partition": np.roll(parts, 42 * fold)})
    table["subject"] = [f"s{i % 10}" for i in range(len(names))]
    write_table(table, layout.manifest(corpus))
    labels = pd.DataFrame({"video": names, "label": [CLASSES[i] for i in label]})
    labels = labels[labels["video"] != "u005"]
    write_table(labels, layout.labels(corpus))
    write_table(pd.DataFrame(columns=list(VOTES), dtype=object), layout.votes(corpus))
    for modality in ("ear", "eye"):
        ways = rng.normal(0, 1, (len(CLASSES), 10))
        rows = []
        for i, name in enumerate(names):
            ends = clip_ends(HOP_S * (1 + i % 9), HOP_S)  # 1 to 9 clips
            clip = 0.5 * ways[label[i]] + rng.normal(0, 1, (len(ends), 10))
            clip[rng.random(len(ends)) < 0.1] = np.nan
            if i % 20 == 0 and modality == "eye":
                clip[:] = np.nan
            sha = write_features(layout.features(corpus, modality), name, ends, clip)
            rows.append((name, "ok", "", len(ends), 10, 0.0, sha))
        columns = ["video", "status", "reason", "rows", "dim", "missing_share", "sha256"]
        folder = layout.features(corpus, modality)
        write_table(pd.DataFrame(rows, columns=columns), folder / "index.parquet")
    card = {"name": corpus, "targets": [], "classes": list(CLASSES), "delay_s": {}}
    layout.card(corpus).write_text(json.dumps(card | {"data_hash": "1" * 64}))
    return labels
