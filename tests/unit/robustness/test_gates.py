"""A gate that knows corruption has AUROC 1, one that guesses 0.5; clips meet spans by time."""

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config.sections import StatisticsSettings
from avfusion.features.windows import join
from avfusion.layout import Layout
from avfusion.robustness.attention import pairs
from avfusion.robustness.gate_weights import gate_weights, write_gates
from avfusion.robustness.gates import mark, respond
from avfusion.runs.predictor import Trained
from avfusion.runs.train import train_run
from support import robust_study

STATISTICS = StatisticsSettings(draws=500)
CLIP_S, HOP_S = 0.64, 0.16


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(study, layout, gates.csv) with a gated fusion, two controls and one without gates."""
    layout = Layout(tmp_path_factory.mktemp("gates"))
    study = robust_study.make(layout, ["concat", "dca", "dca_random", "dca_fixed"])
    robust_study.corrupt(study, layout)
    return study, layout, pd.read_csv(layout.tables / "gates.csv")


def planted(videos: int = 8, clips: int = 120):
    """Video of each clip, and which clips are hit (a third) or clean (half)."""
    video = np.repeat([f"v{i}" for i in range(videos)], clips)
    place = np.tile(np.arange(clips), videos) / clips
    return video, place < 1 / 3, place >= 1 / 2


def test_a_perfect_gate_scores_1_and_its_reverse_0():
    video, hit, clean = planted()
    for sign, auroc in ((1, 1.0), (-1, 0.0)):
        response = respond(np.stack([sign * hit.astype(float)] * 2), hit, clean, video, STATISTICS)
        assert (response.auroc, response.low, response.high) == (auroc, auroc, auroc)
        assert (response.videos, response.clips, response.clean) == (8, 8 * 40, 8 * 60)


def test_a_constant_gate_scores_one_half():
    video, hit, clean = planted()
    response = respond(np.full((3, len(hit)), 0.5), hit, clean, video, STATISTICS)
    assert (response.auroc, response.low, response.high) == (0.5, 0.5, 0.5)


def test_a_guessing_gate_scores_about_one_half_and_its_interval_says_so():
    """Nominal coverage is 95%; a gate that guesses is caught outside in few of 40 corpora."""
    video, hit, clean = planted()
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        offset = rng.normal(0, 0.3, 8).repeat(120)  # a video's clips are alike
        response = respond(
            (offset + rng.normal(size=len(hit)))[None], hit, clean, video, STATISTICS
        )
        assert response.auroc == pytest.approx(0.5, abs=0.1)
        inside += response.low <= 0.5 <= response.high
    assert inside >= 34


def test_auroc_is_the_mean_over_videos_of_the_share_of_pairs_in_order():
    """Against the definition, ties and all, with videos of different sizes."""
    rng = np.random.default_rng(1)
    video = np.repeat(["a", "b", "c"], [10, 25, 7])
    kind = rng.integers(0, 3, len(video))
    hit, clean, weight = kind == 0, kind == 1, rng.integers(0, 5, len(video)) / 4
    expected = []
    for name in "abc":
        ours, others = weight[hit & (video == name)][:, None], weight[clean & (video == name)]
        expected.append(((ours > others) + 0.5 * (ours == others)).mean())
    response = respond(np.stack([weight, -weight]), hit, clean, video, STATISTICS)
    mean = float(np.mean(expected))
    assert response.each == pytest.approx((mean, 1 - mean))
    assert response.auroc == pytest.approx(0.5)


def test_estimate_and_interval_are_of_the_same_trainings():
    """Each fit counts with equally many trainings; a further training counts nowhere."""
    video, hit, clean = planted()
    rng = np.random.default_rng(3)
    weights = np.stack([rng.normal(size=len(hit)), hit.astype(float), rng.normal(size=len(hit))])
    response = respond(weights, hit, clean, video, STATISTICS, fits=(0, 0, 3))
    both = respond(weights[[0, 2]], hit, clean, video, STATISTICS, fits=(0, 3))
    assert response.each[1] == 1.0
    assert (response.auroc, response.low, response.high) == (both.auroc, both.low, both.high)
    assert response.low < 0.5 < response.high


def test_a_weight_that_differs_only_between_videos_is_no_response():
    video, hit, clean = planted()
    offset = np.arange(8.0).repeat(120)  # more hits lie in videos with a high weight
    hit[:480:2] = False
    assert respond(offset[None], hit, clean, video, STATISTICS).auroc == 0.5


def test_videos_not_clips_are_resampled():
    """The same clips as many or as few videos: fewer videos give wider intervals."""
    video, hit, clean = planted(24, 40)
    rng = np.random.default_rng(2)
    weight = hit + rng.normal(0, 1, len(hit)) + rng.normal(0, 1, 4).repeat(240)
    few = np.repeat(["a", "b", "c", "d"], 240)
    widths = [r.high - r.low for r in (respond(weight[None], hit, clean, v, STATISTICS)
                                       for v in (video, few))]  # fmt: skip
    assert widths[1] > 1.5 * widths[0]


def test_without_a_span_or_a_clean_clip_there_is_no_number():
    video, hit, clean = planted()
    nothing = np.zeros_like(hit)
    assert np.isnan(respond(np.ones((1, len(hit))), nothing, clean, video, STATISTICS).auroc)
    assert np.isnan(respond(np.ones((1, len(hit))), hit, nothing, video, STATISTICS).auroc)
    one = hit & (video == "v0")
    assert np.isnan(
        respond(hit.astype(float)[None], one, clean, video, STATISTICS).low
    )  # one video


def test_a_clip_belongs_to_the_span_that_it_lies_in_by_more_than_half():
    ends = np.arange(1, 20) * HOP_S
    rows = pd.DataFrame({"video": ["a"] * 19 + ["b"] * 19, "time_s": np.tile(ends, 2)})
    spans = pd.DataFrame({"video": ["a"], "start_s": [0.96], "end_s": [1.92]})
    marked = mark(rows, spans, CLIP_S)
    assert (marked[19:] == -1).all()
    for end, got in zip(ends, marked, strict=False):
        inside = min(end, 1.92) - max(end - CLIP_S, 0.96)
        expected = 0 if inside > 0.33 else (-1 if inside < 0.01 else -2)
        assert got == expected, end


def test_the_later_of_two_spans_does_not_make_a_hit_clip_unclear():
    rows = pd.DataFrame({"video": ["a"], "time_s": [1.0]})
    spans = pd.DataFrame({"video": ["a", "a"], "start_s": [0.3, 0.9], "end_s": [0.9, 2.0]})
    assert mark(rows, spans, CLIP_S).tolist() == [0]
    assert mark(rows, spans[::-1], CLIP_S).tolist() == [1]


def test_gates_lie_in_every_run_that_has_them_and_in_no_other(done):
    study, layout, _ = done
    for seed in study.seeds:
        assert not (layout.run("toy", "concat", seed) / "gates.parquet").exists()
        for fusion in ("dca", "dca_random", "dca_fixed"):
            folder = layout.run("toy", fusion, seed)
            gates = pd.read_parquet(folder / "gates.parquet")
            assert list(gates) == ["video", "time_s", "gate_audio", "gate_video"]
            traces = pd.read_parquet(folder / "traces.parquet")
            traces = traces[traces["partition"] == "test"].reset_index(drop=True)
            assert gates[["video", "time_s"]].equals(traces[["video", "time_s"]])
            assert gates[["gate_audio", "gate_video"]].stack().between(0, 1).all()


def test_gates_and_attention_of_an_earlier_training_are_removed(tmp_path):
    """By training again, and by writing those of runs that have none now."""
    layout = Layout(tmp_path)
    study = robust_study.make(layout, ["concat"], seeds=[0])
    files = [
        layout.run("toy", "concat", 0) / name for name in ("gates.parquet", "attention.parquet")
    ]
    for path in files:
        path.write_bytes(b"of another fusion")
    train_run(study.run_settings("toy", "concat", 0), layout)
    assert not any(path.exists() for path in files)
    files[0].write_bytes(b"of another fusion")
    write_gates("toy", study.robust_settings(), layout)
    assert not files[0].exists()


def test_the_weight_on_disk_is_the_models_own_for_that_clip(done):
    """Window by window, by hand, where a step's prediction counts for its row."""
    study, layout, _ = done
    folder = layout.run("toy", "dca", study.seeds[0])
    trained = Trained.open(folder, layout)
    windows = trained.data.windows("test")
    weights = gate_weights(trained.model, windows, batch=3)["gate_audio"]
    assert weights == pytest.approx(
        pd.read_parquet(folder / "gates.parquet")["gate_audio"], abs=1e-6
    )
    one = windows.batch(windows.rows.new_tensor([5]))
    gate = trained.model(*one[:4])[1]["gate_audio"][0].detach()
    used = windows.used[5]
    assert weights[windows.rows[5][used]] == pytest.approx(gate[used].numpy(), abs=1e-5)


def test_controls_stand_beside_the_gate_and_a_fixed_gate_tells_nothing(done):
    table = done[2]
    assert set(table["fusion"]) == {"dca", "dca_random", "dca_fixed"}
    fixed = table[table["fusion"] == "dca_fixed"]
    assert (fixed[["auroc", "low", "high"]] == 0.5).all(axis=None)
    assert set(table["modality"]) == {"audio", "video"}
    assert (table["videos"] == 4).all()
    assert (table["clips"] > 40).all()
    assert table["auroc"].between(table["low"], table["high"]).all()


def test_the_page_of_gates_is_written(done):
    page = (done[1].tables / "gates.md").read_text()
    assert "dca_random" in page
    assert "0.500 [0.500, 0.500]" in page


def test_attention_is_told_once_a_time_and_sums_to_one_over_what_is_attended(done):
    study, layout, _ = done
    assert not (layout.run("toy", "concat", 0) / "attention.parquet").exists()
    table = pd.read_parquet(layout.run("toy", "dca", 0) / "attention.parquet")
    assert not (layout.run("toy", "dca", 1) / "attention.parquet").exists()
    assert set(table["map"]) == {"audio", "video"}
    assert table["video"].nunique() == 1
    sums = table.groupby(["map", "window", "time_s"])["weight"].sum()
    assert sums.to_numpy() == pytest.approx(1.0, abs=1e-5)
    counted = table.groupby(["map", "time_s"])["window"].nunique()
    assert (counted == 1).all()
    clips = study.windows.clips
    assert (table.groupby(["map", "window", "time_s"]).size() == clips).all()
    assert table["time_s"].max() > 16 - CLIP_S  # a block moved back still reaches the end


def test_attention_is_read_of_fusions_that_read_text_too():
    """Three modalities reach the model, as `Windows.predict` gives them."""
    rng = np.random.default_rng(0)
    parts = (rng.normal(size=(8, width)).astype(np.float32) for width in (3, 4, 2, 5))
    windows = join(iter([tuple(parts)]), clips=4, stride=2)
    rows = pd.DataFrame({"video": "v", "time_s": np.arange(1, 9) * HOP_S})
    met = []

    def model(*given):
        met.append(tuple(part.shape[-1] for part in given))
        return None, {"text": torch.full((len(given[0]), 4, 4), 0.25)}

    table = pairs(model, windows, rows, "v")
    assert met == [(3, 4, 4, 4, 5, 4)]  # widths; of presence, clips
    assert table["weight"].eq(0.25).all()
    assert len(table) == 4 * 4
