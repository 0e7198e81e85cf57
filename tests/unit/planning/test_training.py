"""Time and memory of training follow fusion, options, widths, windows, epochs and device."""

import pytest

from avfusion.config.study import Study
from avfusion.planning.requests import LEAST_MB, LEAST_MINUTES, request, training
from avfusion.planning.sizes import Size
from avfusion.planning.training import run_of

HOUR_S = 3600.0
AFFWILD2 = Size(564, 564 * 4_965 / 30 / HOUR_S, "as published", shares={"train": 1.0})
"""As in benchmarks/epoch.py: every window is trained on."""
WIDE = {"mel_cnn": {"dim": 512}, "face_cnn": {"dim": 512}}


def study(fusion: str = "dense_joint", options: dict | None = None, **changes) -> Study:
    settings = {
        "corpora": {"affwild2": {"root": "data/affwild2"}},
        "features": {"audio": ["mel_cnn"], "video": ["face_cnn"]},
        "encoders": WIDE,
        "windows": {"clip_frames": 32, "hop_frames": 1, "frame_hz": 30, "clips": 16},
        "fusions": {fusion: options or {}},
        "train": {"epochs": 40, "batch": 64},
    }
    return Study.model_validate(settings | changes)


def hours(*given, **changes) -> float:
    made = study(*given, **changes)
    return run_of(made, "affwild2", next(iter(made.fusions)), AFFWILD2).seconds / HOUR_S


def test_the_dense_joint_block_on_a_core_takes_the_37_hours_that_were_measured():
    """3330 s an epoch, 40 epochs: benchmarks/results/epoch.json."""
    assert 37 / 2 < hours() < 2 * 37


@pytest.mark.parametrize(("fusion", "epoch_s"), [("concat", 34), ("ca", 92), ("rjca", 336)])
def test_fusions_at_the_size_of_aff_wild2_are_within_a_factor_of_three_of_an_epoch(fusion, epoch_s):
    assert epoch_s * 40 / HOUR_S / 3 < hours(fusion) < 3 * epoch_s * 40 / HOUR_S


def test_time_grows_with_epochs_windows_widths_and_recursions():
    assert hours("rjca", train={"epochs": 80}) > 1.9 * hours("rjca")
    assert hours("rjca", {"recursions": 4}) > 1.9 * hours("rjca")
    assert hours("rjca", encoders={}) < hours("rjca")
    assert hours("dca", {"wraps": "rjca"}) > hours("rjca")
    longer = {"clip_frames": 32, "hop_frames": 4, "frame_hz": 30, "clips": 16}
    assert hours("rjca", windows=longer) < hours("rjca") / 3


MEASURED_H = 3330 * 40 / HOUR_S
"""A run of the dense joint block on a core: benchmarks/results/epoch.json."""


def test_without_a_gpu_the_slow_case_is_done_in_its_first_attempt():
    asked = training(study(), "affwild2", "dense_joint", 3, AFFWILD2, gpu=False, attempt=1)
    assert 3 * MEASURED_H < asked.minutes / 60 < 6 * 3 * MEASURED_H


def test_a_gpu_counts_as_no_more_than_three_cores_and_takes_memory_for_cuda():
    given = (study(), "affwild2", "dense_joint", 3, AFFWILD2)
    core, gpu = (training(*given, gpu=gpu, attempt=1) for gpu in (False, True))
    assert gpu.minutes >= core.minutes / 3 - 1
    assert request(10, 800, gpu=True, attempt=1).mb >= 5000
    assert gpu.mb > core.mb + 4000


@pytest.mark.parametrize(("baseline", "value_bytes"), [("none", 2), ("video", 4)])
def test_memory_holds_two_copies_of_all_features(baseline, value_bytes):
    made = study("concat", train={"epochs": 1, "batch": 1, "baseline": baseline})
    held_mb = 2 * AFFWILD2.rows(1 / 30) * (512 + 512) * value_bytes / 1e6
    rest_mb = run_of(made, "affwild2", "concat", AFFWILD2).mb - held_mb
    assert 0 < rest_mb < 1000


def test_requests_grow_with_each_attempt_and_small_jobs_have_a_floor():
    assert request(10, 100, gpu=False, attempt=1) == (LEAST_MINUTES, LEAST_MB, 10)
    assert request(10, 100, gpu=False, attempt=3) == (3 * LEAST_MINUTES, 3 * LEAST_MB, 10)


def test_a_corpus_of_unknown_length_requests_as_much_as_one_of_the_largest():
    sizes = Size(0, 0.0, "unknown"), Size(564, AFFWILD2.hours, ""), Size(50, 3.0, "")
    asked, largest, small = (
        training(study(), "affwild2", "dense_joint", 3, size, gpu=False, attempt=2)
        for size in sizes
    )
    assert small < largest <= asked
    assert asked.minutes < 1.1 * largest.minutes
