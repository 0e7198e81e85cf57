"""Runs that one process trains in turn are those that are trained alone, bit by bit."""

import gc
import logging
import weakref

import numpy as np
import pytest

from avfusion.errors import AvfError, TrainError
from avfusion.features.store import write_features
from avfusion.io import atomic
from avfusion.layout import Layout
from avfusion.runs import several
from avfusion.runs.divide import divided
from avfusion.runs.inputs import Inputs
from avfusion.runs.several import train_runs
from avfusion.runs.shared import SharedInputs
from avfusion.runs.train import train_run
from support.synthetic_features import Plan, run_settings, write_inputs

NAMES = [("concat", 0), ("concat", 1), ("lstm", 0), ("jca", 0), ("ridge", 0), ("concat", 2)]
FILES = ("best.safetensors", "epochs.csv", "traces.parquet")
PLAN = Plan(duration_s=6.0)


def runs(names=NAMES):
    return [run_settings(PLAN, fusion, seed, epochs=3, lr=0.003) for fusion, seed in names]


def contents(layout):
    return {
        (*name, file): (layout.run(PLAN.corpus, *name) / file).read_bytes()
        for name in NAMES
        for file in FILES
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("inputs"))
    write_inputs(layout, PLAN)
    return layout


@pytest.fixture
def layout(inputs, tmp_path):
    """Results of their own with links to the same inputs, but not to runs that are trained."""
    for path in inputs.results.iterdir():
        if path.name not in ("runs", "logs"):
            (tmp_path / path.name).symlink_to(path)
    return Layout(tmp_path)


@pytest.fixture(scope="module")
def alone(inputs):
    """The files of each run, trained by a call of its own, the last run first."""
    for run in reversed(runs()):
        train_runs([run], inputs)
    return contents(inputs)


@pytest.mark.parametrize("size", [4, len(NAMES)])
def test_groups_of_any_size_give_the_bytes_of_single_runs(layout, alone, size):
    for start in range(0, len(NAMES), size):
        train_runs(runs()[start : start + size], layout)
    assert contents(layout) == alone


class Killed(BaseException):
    """Stands for SIGKILL at a chosen instruction."""


@pytest.mark.parametrize("nth", [1, 12, 23, 40])
def test_a_group_that_was_killed_goes_on_where_it_was(layout, alone, monkeypatch, nth):
    real, count = atomic.os.replace, 0

    def die_at_nth(*args):
        nonlocal count
        count += 1
        if count == nth:
            raise Killed
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", die_at_nth)
        with pytest.raises(Killed):
            train_runs(runs(), layout)
    train_runs(runs(), layout)
    assert contents(layout) == alone


def test_a_run_that_cannot_be_trained_takes_no_other_along(layout, alone, caplog):
    damaged = run_settings(PLAN, "concat", 7, epochs=3, lr=0.003)
    damaged = damaged.updated(corpus="gone")
    with pytest.raises(TrainError) as caught:
        train_runs([runs()[0], damaged, *runs()[1:]], layout)
    assert f"1 of {len(NAMES) + 1} runs failed, the others are complete: gone/concat/seed7" in str(
        caught.value
    )
    assert contents(layout) == alone


def test_a_failed_run_leaves_no_data_in_memory(layout, monkeypatch):
    """The frames of its error hold the features that it read."""
    held = []

    def fail(settings, *_):
        gc.collect()
        assert not any(rows() is not None for rows in held)
        rows = np.zeros(100)
        held.append(weakref.ref(rows))
        raise TrainError(settings.fusion)

    monkeypatch.setattr(several, "train_run", fail)
    with pytest.raises(TrainError, match=r"3 of 3 runs failed.*concat/seed0: concat"):
        train_runs(runs(NAMES[:3]), layout)
    assert len(held) == 3


def test_the_failure_of_a_single_run_is_its_own_error(layout):
    gone = run_settings(PLAN, "concat", 0).updated(corpus="gone")
    with pytest.raises(FileNotFoundError) as caught:
        train_runs([gone], layout)
    assert "1 of 1" not in str(caught.value)
    assert str(caught.value) in layout.train_log("gone", "concat", 0).read_text()


def test_each_run_has_a_log_of_its_own(layout, caplog):
    caplog.set_level(logging.INFO)
    train_runs(runs(NAMES[:2]), layout)
    logs = [layout.train_log(PLAN.corpus, *name).read_text() for name in NAMES[:2]]
    for seed, text in enumerate(logs):
        assert f"concat/seed{seed}" in text
        assert f"concat/seed{1 - seed}" not in text
    train_runs(runs(NAMES[:1]), layout)
    assert layout.train_log(PLAN.corpus, *NAMES[1]).read_text() == logs[1]


def test_an_unforeseen_error_is_in_the_log_with_its_trace(layout, monkeypatch):
    def fail(settings, *_):
        raise ZeroDivisionError(settings.fusion)

    monkeypatch.setattr(several, "train_run", fail)
    with pytest.raises(TrainError, match="2 of 2 runs failed"):
        train_runs(runs(NAMES[:2]), layout)
    text = layout.train_log(PLAN.corpus, *NAMES[0]).read_text()
    assert "Traceback" in text
    assert "ZeroDivisionError: concat" in text


def test_runs_of_one_process_share_their_features(layout):
    """The tensors themselves; other settings of the features have others."""
    read = SharedInputs().read
    plain, other_seed, other_fusion = (run_settings(PLAN, f, s) for f, s in [*NAMES[:2], NAMES[3]])
    first = read(plain, layout).windows("train")
    gold = read(plain, layout).gold("train", layout, {})
    for settings in (other_seed, other_fusion):
        again = read(settings, layout).windows("train", gold)
        assert again.audio.data_ptr() == first.audio.data_ptr()
        assert not again.gold.isnan().all()
    assert first.gold.isnan().all()
    raw = run_settings(PLAN, "concat", baseline="none")
    assert read(raw, layout).windows("train").audio.data_ptr() != first.audio.data_ptr()
    assert read(plain, layout) is not read(raw, layout)


def test_features_that_take_turns_are_read_once_each(layout, alone, monkeypatch):
    """As the fits of an encoder do, which the seeds take in turn."""
    opened, real = [], Inputs.read

    def watched(settings, layout):
        opened.append(settings.seed)
        return real(settings, layout)

    monkeypatch.setattr(Inputs, "read", watched)
    names = [("concat", seed) for seed in range(4)]
    turns = [
        one.model_copy(update={"features": one.features.model_copy(update={"audio": []})})
        if one.seed % 2
        else one
        for one in runs(names)
    ]
    train_runs(turns, layout)
    assert opened == [0, 1], "then 2 has the features of 0, and 3 those of 1"
    for file in FILES:
        folders = layout.run(PLAN.corpus, "concat", 0), layout.run(PLAN.corpus, "concat", 2)
        for folder, seed in zip(folders, (0, 2), strict=True):
            assert (folder / file).read_bytes() == alone["concat", seed, file], file


def test_runs_that_leave_out_videos_share_the_windows_that_they_are_trained_on(layout):
    read = SharedInputs().read
    less = [run_settings(PLAN, "concat", seed, exclude=["train_01"]) for seed in (0, 1)]
    parts = [divided(one, read(one, layout), layout).windows("train") for one in less]
    assert parts[0].audio.data_ptr() == parts[1].audio.data_ptr()
    plain = run_settings(PLAN, "concat")
    every = read(plain, layout).windows("train")
    assert len(every.audio) > len(parts[0].audio)
    assert read(plain, layout) is not read(less[0], layout)


@pytest.mark.parametrize("exclude", [[], ["train_01"]])
def test_windows_that_are_only_predicted_do_not_stay_in_memory(layout, monkeypatch, exclude):
    rows, real = [], Inputs.windows

    def watched(data, partition, *args, **options):
        windows = real(data, partition, *args, **options)
        rows.append((partition, len(data.videos_in(partition)), weakref.ref(windows.audio)))
        return windows

    monkeypatch.setattr(Inputs, "windows", watched)
    read = SharedInputs().read
    settings = run_settings(PLAN, "concat", epochs=3, lr=0.003, exclude=exclude)
    train_run(settings, layout, read)
    gc.collect()
    alive = {(name, count) for name, count, audio in rows if audio() is not None}
    videos = read(settings, layout).videos["partition"].value_counts()
    assert {name for name, *_ in rows} == set(videos.index) == {"train", "validation", "test"}
    assert alive == {
        ("train", videos["train"] - len(exclude)),
        ("validation", videos["validation"]),
    }


def test_features_that_changed_between_two_runs_are_read_again(inputs, tmp_path):
    """The second run of a process must not have what the first one read."""
    layout = Layout(tmp_path)
    write_inputs(layout, PLAN)
    train_runs(runs(NAMES[:1]), layout)
    first = contents_of(layout)
    folder = layout.features(PLAN.corpus, "ear")
    times = np.load(folder / "train_00.times.npy")
    rows = np.load(folder / "train_00.npy")
    write_features(folder, "train_00", times, rows[::-1])
    with pytest.raises(AvfError):  # the index has another digest
        train_runs(runs(NAMES[:1]), layout)
    write_features(folder, "train_00", times, rows)
    train_runs(runs(NAMES[:1]), layout)
    assert contents_of(layout) == first


def contents_of(layout):
    folder = layout.run(PLAN.corpus, *NAMES[0])
    return [(folder / file).read_bytes() for file in FILES]
