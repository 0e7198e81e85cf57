"""A results folder as encoding leaves it: manifest, gold, card and features of a known relation.

Valence and arousal are slow curves. `ear` (audio) carries arousal well and valence badly, `eye`
(video) the reverse, each with noise, a spread of scales and stretches without sound or face.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.jobs import RunSettings
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.rating import Rating

CARRIES = {"ear": (0.3, 1.0), "eye": (1.0, 0.3), "word": (0.6, 0.6)}
"""How strongly each encoder's features follow (valence, arousal)."""


@dataclass(frozen=True)
class Plan:
    """What to write; a video may differ from the others in length."""

    corpus: str = "toy"
    videos: dict[str, int] = field(default_factory=lambda: {"train": 6, "validation": 3, "test": 3})
    duration_s: float = 24.0
    short: dict[str, float] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=lambda: {"ear": 12, "eye": 20})
    hop_s: float = 0.16
    rating_hz: float = 25.0
    delay_s: dict[str, float] = field(default_factory=lambda: {"valence": 0.8, "arousal": 1.2})
    noise: float = 0.6
    absent_share: float = 0.1
    failed: tuple[str, ...] = ()
    seed: int = 3
    rating: Rating = field(default_factory=Rating)

    def names(self) -> list[tuple[str, str]]:
        return [(f"{part}_{i:02d}", part) for part, n in self.videos.items() for i in range(n)]


def write_inputs(layout: Layout, plan: Plan | None = None) -> Plan:
    """Write all that training reads; equal plans give equal bytes."""
    plan = plan or Plan()
    rng = np.random.default_rng(plan.seed)
    curves = {video: _curves(rng) for video, _ in plan.names()}
    names = plan.names()
    table = pd.DataFrame(names, columns=["video", "partition"])
    table["subject"] = table["video"]
    write_table(table, layout.manifest(plan.corpus))
    write_gold(layout, plan, curves)
    card = {"name": plan.corpus, "delay_s": plan.delay_s, "rating_hz": plan.rating_hz}
    card |= {"targets": list(plan.rating.names), "range": [plan.rating.low, plan.rating.high]}
    card |= {"data_hash": "0" * 64}
    layout.card(plan.corpus).write_text(json.dumps(card))
    for encoder, width in plan.widths.items():
        mixing = rng.normal(0, 1, (2, width)) * np.array(CARRIES[encoder])[:, None]
        scale = 10.0 ** rng.uniform(-1, 1, width)
        _write_encoder(layout, plan, encoder, curves, (mixing, scale), rng)
    return plan


def run_settings(plan: Plan, fusion: str, seed: int = 0, **train: Any) -> RunSettings:
    """The settings of one run over a plan's corpus, as the config would give them."""
    study = Study(
        corpora={plan.corpus: CorpusEntry(root=f"data/{plan.corpus}")},
        fusions={fusion: {"train": train}},
        features=FeatureSettings(audio=["ear"], video=["eye"]),
    )
    return study.run_settings(plan.corpus, fusion, seed)


def write_gold(layout: Layout, plan: Plan, curves: dict[str, Any]) -> None:
    """Raters describe what they saw delay_s ago; the first second of each video is unrated."""
    parts = []
    for video, _ in plan.names():
        time = np.arange(int(_seconds(plan, video) * plan.rating_hz)) / plan.rating_hz
        part = pd.DataFrame({"video": video, "time_s": time})
        for column, name in enumerate(plan.rating.names):
            seen = curves[video](time - plan.delay_s.get(name, 0.0))
            part[name] = plan.rating.outward(seen[:, column])
        part.loc[time < 1.0, list(plan.rating.names)] = np.nan
        parts.append(part)
    write_table(pd.concat(parts, ignore_index=True), layout.gold(plan.corpus))


def _write_encoder(layout: Layout, plan: Plan, encoder: str, curves, relation, rng) -> None:
    mixing, scale = relation
    folder = layout.features(plan.corpus, encoder)
    index = []
    for video, _ in plan.names():
        ends = clip_ends(_seconds(plan, video), plan.hop_s)
        rows = curves[video](ends) @ mixing + rng.normal(0, plan.noise, (len(ends), len(scale)))
        gap = int(plan.absent_share * len(ends))
        start = int(rng.integers(0, len(ends) - gap + 1))
        rows[start : start + gap] = np.nan
        if video in plan.failed:
            index.append((video, "failed", "no such stream", 0, 0, np.nan, None))
            continue
        sha256 = write_features(folder, video, ends, rows * scale + 3 * scale)
        share = gap / max(len(ends), 1)
        index.append((video, "ok", "", len(ends), len(scale), share, sha256))
    columns = ["video", "status", "reason", "rows", "dim", "missing_share", "sha256"]
    write_table(pd.DataFrame(index, columns=columns), folder / "index.parquet")


def _seconds(plan: Plan, video: str) -> float:
    return plan.short.get(video, plan.duration_s)


def _curves(rng: np.random.Generator):
    """Slow random valence and arousal as a function of seconds: (R,) -> (R, 2)."""
    rates_hz, phases = rng.uniform(0.03, 0.3, (4, 2)), rng.uniform(0, 2 * np.pi, (4, 2))
    offset = rng.normal(0, 0.2, 2)

    def at(time_s: np.ndarray) -> np.ndarray:
        angles = 2 * np.pi * time_s[:, None, None] * rates_hz + phases
        return offset + 0.25 * np.sin(angles).sum(1)

    return at
