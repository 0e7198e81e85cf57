"""Runs under the recipes of published training codes: from the settings to the files of a run."""

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.errors import TrainError
from avfusion.layout import Layout
from avfusion.runs.classes import ClassJob
from avfusion.runs.ratings import RatingJob
from avfusion.runs.repeat import repeat
from avfusion.runs.train import train_run
from support.synthetic_classes import study as class_study
from support.synthetic_classes import write_utterances
from support.synthetic_features import run_settings, write_inputs

STEP = {"is": "step", "factor": 0.8, "every": 2, "after": 1, "lr": 0.003}
TBIOM = {
    **{"optimiser": "adam", "weight_decay": 0.0, "lr": 0.001, "schedule": STEP, "epochs": 6},
    **{"precision": "float16", "order": "consecutive", "batch": 16, "clip_norm": 1.0},
}


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


@pytest.mark.parametrize("fusion", ["jca", pytest.param("rjca", marks=pytest.mark.long)])
def test_a_run_follows_its_recipe_and_is_repeated_to_the_bit(layout, fusion):
    """RJCA has LSTMs, which PyTorch cannot train in float16 on the CPU."""
    plan = write_inputs(layout)
    train_run(run_settings(plan, fusion, **TBIOM), layout)
    folder = layout.run(plan.corpus, fusion, 0)
    epochs = pd.read_csv(folder / "epochs.csv")
    expected = [0.001, 0.001, 0.003, 0.0024, 0.0024, 0.00192]
    np.testing.assert_allclose(epochs["lr"], expected, rtol=1e-12)
    assert epochs["score"].max() > 0.1
    verdict = repeat(folder, layout)
    assert verdict.equal


@pytest.mark.parametrize("key", TBIOM)
def test_each_setting_of_a_recipe_changes_the_run(layout, key):
    """The counterpart: without any of them, the weights are others."""
    plan = write_inputs(layout)
    found = []
    rule = TBIOM | {"clip_norm": 0.01, "weight_decay": 0.1, "epochs": 3, "lr": 0.002}
    for given in (rule, {k: v for k, v in rule.items() if k != key}):
        given = {"epochs": 4} | given
        train_run(run_settings(plan, "concat", **given), layout)
        found.append((layout.run(plan.corpus, "concat", 0) / "epochs.csv").read_bytes())
    assert found[0] != found[1]


def test_consecutive_batches_of_a_run_go_through_the_videos_in_order(layout):
    plan = write_inputs(layout)
    job = RatingJob(run_settings(plan, "concat", order="consecutive", batch=7), layout)
    batches = job.batches(torch.Generator())
    gold = torch.cat([batch.gold for batch in batches])
    assert [len(batch.gold) for batch in batches][:-1] == [7] * (len(batches) - 1)
    torch.testing.assert_close(gold, job.rows.batch(job.rows.rated()).gold, equal_nan=True)


def test_a_run_without_a_complete_batch_is_refused(layout):
    plan = write_inputs(layout)
    settings = run_settings(plan, "concat", batch=100_000, drop_last=True)
    with pytest.raises(TrainError, match=r"windows are no complete batch of 100000"):
        train_run(settings, layout)


def test_classes_follow_a_recipe_too(layout):
    write_utterances(layout)
    plan = class_study()
    rule = TBIOM | {"batch": 16, "drop_last": True}
    train = type(plan.train)(**{**plan.train.model_dump(), **rule})
    settings = plan.model_copy(update={"train": train}).run_settings("said", "self_transformer", 0)
    job = ClassJob(settings, layout)
    labelled = (job.train.label >= 0).nonzero()[:, 0]
    batches = list(job.batches(torch.Generator()))
    count = len(labelled) // 16
    assert len(batches) == count
    label = torch.cat([batch[1] for batch in batches])
    assert torch.equal(label, job.train.label[labelled[: 16 * count]])
    train_run(settings, layout)
    assert (layout.run("said", "self_transformer", 0) / "classes.parquet").is_file()
