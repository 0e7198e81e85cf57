"""References: what they combine, what they are fitted on, and that test gold changes none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from avfusion.evaluation.references import Known, references
from avfusion.rating import Rating

RATING, HOP_S, ROWS = Rating(), 0.16, 60
TIMES = np.arange(1, ROWS + 1) * HOP_S
PARTITION = {"a": "validation", "b": "validation", "t": "test"}


def curves(rng, offset=0.0):
    """Two smooth signals (ROWS, 2)."""
    phase = rng.uniform(0, 6, 2)
    return 0.6 * np.sin(TIMES[:, None] * np.array([1.3, 0.9]) + phase) + offset


def frame(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"time_s": TIMES, "valence": values[:, 0], "arousal": values[:, 1]})


def trace(values: np.ndarray) -> dict[str, np.ndarray]:
    return {"time_s": TIMES, "valence": values[:, 0], "arousal": values[:, 1]}


def made(spans=(), seed=0):
    """Truth, traces of audio (good for arousal) and video (good for valence), and what is known."""
    rng = np.random.default_rng(seed)
    truth = {video: curves(rng) for video in PARTITION}
    noise = {
        "audio": np.array([0.8, 0.1]),
        "video": np.array([0.1, 0.8]),
    }
    traces = {}
    for modality, size in noise.items():
        traces[modality] = {}
        for video, signal in truth.items():
            seen = signal + size * rng.standard_normal(signal.shape)
            for name, start_s, end_s, spoilt in spans:
                middle = TIMES - 0.32
                inside = np.logical_and(middle >= start_s, middle < end_s)
                if name == video and spoilt == modality:
                    seen[inside] = rng.standard_normal((inside.sum(), 2))
            traces[modality][video] = trace(seen)
    columns = ["video", "start_s", "end_s", "modality"]
    known = Known(
        partition=PARTITION,
        gold={video: frame(signal) for video, signal in truth.items()},
        delay_s={},
        rating=RATING,
        truth=pd.DataFrame(spans, columns=columns),
        clip_s=0.64,
    )
    return truth, traces, known


def error(found: dict[str, np.ndarray], truth: np.ndarray) -> np.ndarray:
    values = np.column_stack([found["valence"], found["arousal"]])
    return ((values - truth) ** 2).mean(axis=0)


def test_the_average_is_the_mean_and_the_best_single_is_chosen_per_target():
    _, traces, known = made()
    found = references(traces, known)
    audio, video = (traces[name]["t"] for name in ("audio", "video"))
    mean = (audio["valence"] + video["valence"]) / 2
    assert found["average"]["t"]["valence"] == pytest.approx(mean)
    best = found["best_single"]["t"]
    assert np.array_equal(best["valence"], video["valence"])
    assert np.array_equal(best["arousal"], audio["arousal"])


def test_the_stack_has_the_least_squares_weights_of_validation():
    truth, traces, known = made()
    x = np.concatenate([
        np.column_stack([traces[m][v]["valence"] for m in ("audio", "video")] + [np.ones(ROWS)])
        for v in ("a", "b")
    ])  # fmt: skip
    y = np.concatenate([truth[v][:, 0] for v in ("a", "b")])
    weights = np.linalg.solve(x.T @ x, x.T @ y)
    test = [traces[m]["t"]["valence"] for m in ("audio", "video")]
    expected = weights[0] * test[0] + weights[1] * test[1] + weights[2]
    stack = references(traces, known)["stack"]["t"]["valence"]
    assert stack == pytest.approx(expected, abs=1e-5)  # gold is float32


def test_test_gold_changes_no_reference():
    _, traces, known = made()
    other = replace(known, gold={**known.gold, "t": frame(np.zeros((ROWS, 2)))})
    changed = references(traces, other)
    for name, of in references(traces, known).items():
        assert all(np.array_equal(of["t"][key], changed[name]["t"][key]) for key in of["t"])


def test_the_oracle_uses_the_intact_modality_in_spoilt_spans_and_exists_only_with_truth():
    spans = [
        (video, start_s, start_s + 4.0, modality)
        for video in PARTITION
        for start_s, modality in ((0.5, "audio"), (5.0, "video"))
    ]
    truth, traces, known = made(spans)
    found = references(traces, known)
    assert (error(found["oracle"]["t"], truth["t"]) < error(found["stack"]["t"], truth["t"])).all()
    assert "oracle" not in references(*made()[1:])


def test_nothing_is_made_of_one_modality_without_validation_gold_or_of_other_times():
    _, traces, known = made()
    assert references({"audio": traces["audio"]}, known) == {}
    assert references(traces, replace(known, gold={"t": known.gold["t"]})) == {}
    shifted = {"t": {**traces["video"]["t"], "time_s": TIMES + 0.01}}
    kept = references({**traces, "video": {**traces["video"], **shifted}}, known)
    assert set(kept["average"]) == {"a", "b"}
