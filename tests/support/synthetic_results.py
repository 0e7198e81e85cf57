"""A results folder with known answers: a corpus, and runs whose quality was set by hand.

`write_results(Layout(folder))` writes manifest, gold, planted spans, card, media index and the
traces of several fusions and seeds, as the stages before scoring leave them; returns the study.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.jobs import RunRecord
from avfusion.config.sections import CorpusEntry, FeatureSettings, WindowSettings
from avfusion.config.study import Study
from avfusion.config.training import TrainSettings
from avfusion.io.shards import write_table
from avfusion.io.stamped import digest, read_stamped, write_sealed, write_stamped
from avfusion.layout import Layout

DIMENSIONS = ("valence", "arousal")
ERRORS = {"audio": 0.45, "video": 0.30, "concat": 0.22, "ca": 0.15, "jca": 0.15}
"""Size of each fusion's error; ca and jca have the same error, so they do not differ."""


@dataclass(frozen=True)
class Plan:
    """What to write; error = standard deviation of a slow, video-wide mistake of the fusion."""

    corpus: str = "demo"
    errors: dict[str, float] = field(default_factory=lambda: dict(ERRORS))
    seeds: tuple[int, ...] = (0, 1, 2)
    videos: dict[str, int] = field(
        default_factory=lambda: {"train": 6, "validation": 6, "test": 12}
    )
    seconds: float = 24.0
    rating_hz: float = 25.0
    hop_s: float = 0.16
    delay_s: dict[str, float] = field(default_factory=lambda: {"valence": 0.8, "arousal": 1.2})
    failed: tuple[str, ...] = ("test_11",)
    unrated_share: float = 0.1
    seed: int = 7

    def names(self) -> list[tuple[str, str]]:
        return [(f"{part}_{i:02d}", part) for part, n in self.videos.items() for i in range(n)]


def write_results(layout: Layout, plan: Plan | None = None) -> Study:
    """Write all that scoring and reporting read; returns the study that would have made it."""
    plan = plan or Plan()
    rng = np.random.default_rng(plan.seed)
    stimuli = {(video, d): _wave(rng) for video, _ in plan.names() for d in DIMENSIONS}
    _write_corpus(layout, plan, stimuli, rng)
    study = Study(
        corpora={plan.corpus: CorpusEntry(root=f"data/{plan.corpus}")},
        fusions={name: {} for name in plan.errors},
        seeds=list(plan.seeds),
    )
    for fusion, error in plan.errors.items():
        mistakes = {key: _wave(rng, error) for key in stimuli}
        for seed in plan.seeds:
            write_run(layout, plan, (fusion, seed), traces(plan, stimuli, mistakes, rng))
    return study


def traces(plan: Plan, stimuli, mistakes, rng: np.random.Generator) -> pd.DataFrame:
    """Predictions at clip ends: the stimulus, the fusion's mistake and a little of the seed's."""
    time = np.arange(1, int(plan.seconds / plan.hop_s + 1e-9) + 1) * plan.hop_s
    parts = []
    for video, partition in plan.names():
        if video in plan.failed:
            continue
        part = pd.DataFrame({"video": video, "partition": partition, "time_s": time})
        for d in DIMENSIONS:
            own = _wave(rng, 0.05)
            part[d] = stimuli[video, d](time) + mistakes[video, d](time) + own(time)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def write_run(layout: Layout, plan: Plan, run: tuple[str, int], table: pd.DataFrame) -> None:
    """One run's folder: traces.parquet and settings.json."""
    folder = layout.run(plan.corpus, *run)
    record = RunRecord(
        corpus=plan.corpus,
        fusion=run[0],
        class_=run[0],
        seed=run[1],
        features=FeatureSettings(),
        windows=WindowSettings(),
        train=TrainSettings(),
        code="",
        inputs={},
        data_hash=data_hash(plan),
        parameters=0,
        run=digest([*run]),
    )
    write_sealed(folder / "settings.json", record.document())
    write_stamped(table, folder / "traces.parquet", {"run": record.run})


def rewrite_traces(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a run's predictions as if its training had given others."""
    table, origin = read_stamped(path, "")
    write_stamped(change(table), path, origin)


def data_hash(plan: Plan) -> str:
    return f"{plan.seed:064x}"


def _write_corpus(layout: Layout, plan: Plan, stimuli, rng: np.random.Generator) -> None:
    names = plan.names()
    write_table(
        pd.DataFrame(
            {
                "video": [video for video, _ in names],
                "path": [f"videos/{video}.mp4" for video, _ in names],
                "partition": [partition for _, partition in names],
                "subject": [f"s{i:02d}" for i in range(len(names))],
                "voice": [f"v{i % 4}" for i in range(len(names))],
                "transcript": None,
                "sha256": [f"{i:064x}" for i in range(len(names))],
                "bytes": 1_000_000,
            }
        ),
        layout.manifest(plan.corpus),
    )
    write_table(_gold(plan, stimuli, rng), layout.gold(plan.corpus))
    write_table(_truth(plan), layout.truth(plan.corpus))
    write_table(_media(plan), layout.media(plan.corpus) / "index.parquet")
    layout.card(plan.corpus).write_text(
        json.dumps(
            {
                "name": plan.corpus,
                "delay_s": plan.delay_s,
                "rating_hz": plan.rating_hz,
                "range": [-1, 1],
                "licence": "CC0-1.0",
                "data_hash": data_hash(plan),
            }
        )
    )


def _gold(plan: Plan, stimuli, rng: np.random.Generator) -> pd.DataFrame:
    """Raters lag the stimulus by the delay; one stretch a video is unrated."""
    time = np.arange(int(plan.seconds * plan.rating_hz)) / plan.rating_hz
    gap = int(plan.unrated_share * len(time))
    parts = []
    for video, _ in plan.names():
        part = pd.DataFrame({"video": video, "time_s": time})
        for d in DIMENSIONS:
            part[d] = stimuli[video, d](time - plan.delay_s[d])
        start = int(rng.integers(0, len(time) - gap))
        part.loc[start : start + gap - 1, list(DIMENSIONS)] = np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True).sort_values(["video", "time_s"], ignore_index=True)


def _truth(plan: Plan) -> pd.DataFrame:
    """Thirds of every video in which only the voice, only the face, or both tell the truth."""
    third = plan.seconds / 3
    kinds = [("video", "occluded"), ("audio", "silent"), ("both", "clean")]
    return pd.DataFrame(
        [
            (video, i * third, (i + 1) * third, modality, kind)
            for video, _ in plan.names()
            for i, (modality, kind) in enumerate(kinds)
        ],
        columns=["video", "start_s", "end_s", "modality", "kind"],
    )


def _media(plan: Plan) -> pd.DataFrame:
    rows = []
    for video, _ in plan.names():
        failed = video in plan.failed
        reason = f"{video}.mp4: no video stream. Copy the file again, then `avf media`."
        rows.append(
            {
                "video": video,
                "status": "failed" if failed else "ok",
                "reason": reason if failed else "",
                "frames": 0 if failed else int(plan.seconds * 25),
                "duration_s": np.nan if failed else plan.seconds,
                "rate_hz": np.nan if failed else 25.0,
                "audio": not failed,
                "face_share": np.nan if failed else 0.95,
                "faces_max": 0 if failed else 1,
                "reader": "pyav",
                "audio_offset_s": 0.0,
                "warnings": "",
            }
        )
    return pd.DataFrame(rows)


def _wave(rng: np.random.Generator, scale: float = 0.35):
    """A slow random curve of seconds with the given standard deviation and its own offset."""
    rates_hz = rng.uniform(0.03, 0.4, 6)
    phases = rng.uniform(0, 2 * np.pi, 6)
    sizes = rng.normal(0, 1, 6)
    sizes *= scale * 0.8 / np.sqrt((sizes**2).sum() / 2)
    offset = rng.normal(0, scale * 0.6)

    def at(time_s: np.ndarray) -> np.ndarray:
        angles = 2 * np.pi * np.multiply.outer(time_s, rates_hz) + phases
        return offset + np.sin(angles) @ sizes

    return at
