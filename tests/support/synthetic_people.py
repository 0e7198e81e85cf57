"""A results folder of videos of people, as encoding leaves it, with trials of verification.

Each person is a direction in both modalities, weak in each video and clip. Some videos are several
windows long, and some lack a modality in places or everywhere.
"""

import json

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.corpora.trials import drawn
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.schemas import VOTES

HOP_S = 0.64
PEOPLE = {"train": 24, "validation": 10, "test": 16}
TAKES, WIDTH = 4, 12


def study(fusions: dict | None = None, **changes) -> Study:
    """The study of these people; windows of 4 clips that adjoin."""
    given = {
        "corpora": {"met": {"root": "data/met", "task": "verification"}},
        "fusions": fusions or {"audio": {}, "video": {}, "concat": {}},
        "features": {"audio": ["ear"], "video": ["eye"]},
        "windows": {"clip_s": HOP_S, "hop_s": HOP_S, "clips": 4},
        "train": {"epochs": 8, "lr": 0.005, "baseline": "none", "batch": 48},
        "verification": {"embedding": 16, "bottleneck": 8, "scale": 10, "margin_epochs": 2},
        "seeds": [0, 1],
        "statistics": {"draws": 300},
    }
    return Study(**(given | changes))


def write_people(layout: Layout, corpus: str = "met", people: dict | None = None) -> pd.DataFrame:
    """Write all that training and scoring read; returns the manifest."""
    rng = np.random.default_rng(3)
    sizes = people or PEOPLE
    count = sum(sizes.values())
    part = np.repeat(list(sizes), list(sizes.values()))
    rows = [(f"p{i:02d}_{k}", part[i], f"p{i:02d}") for i in range(count) for k in range(TAKES)]
    table = pd.DataFrame(rows, columns=["video", "partition", "subject"])
    write_table(table, layout.manifest(corpus))
    trials = pd.concat([drawn(table, name, 0, 6) for name in ("validation", "test")])
    write_table(trials, layout.trials(corpus))
    write_table(pd.DataFrame(columns=list(VOTES), dtype=object), layout.votes(corpus))
    for modality in ("ear", "eye"):
        ways = rng.normal(0, 1, (count, WIDTH))
        index = []
        for i, name in enumerate(table["video"]):
            ends = clip_ends(HOP_S * (2 + i % 7), HOP_S)  # 2 to 8 clips
            session = rng.normal(0, 0.9, WIDTH)
            clip = ways[i // TAKES] + session + rng.normal(0, 1, (len(ends), WIDTH))
            clip[rng.random(len(ends)) < 0.1] = np.nan
            if modality == "eye" and name == "p49_3":
                clip[:] = np.nan
            sha = write_features(layout.features(corpus, modality), name, ends, clip)
            index.append((name, "ok", "", len(ends), WIDTH, 0.0, sha))
        columns = ["video", "status", "reason", "rows", "dim", "missing_share", "sha256"]
        folder = layout.features(corpus, modality)
        write_table(pd.DataFrame(index, columns=columns), folder / "index.parquet")
    card = {"name": corpus, "targets": [], "delay_s": {}, "data_hash": "1" * 64}
    layout.card(corpus).write_text(json.dumps(card))
    return table
