"""The term that a fusion adds to the loss of its runs."""

import pytest
import torch
import torch.nn.functional as F

from avfusion.layout import Layout
from avfusion.models.model import ClassModel, build
from avfusion.runs.classes import ClassJob
from avfusion.runs.ratings import RatingJob
from support.synthetic_classes import study, write_utterances
from support.synthetic_features import Plan, run_settings, write_inputs


def rating_job(layout: Layout, fusion: str) -> RatingJob:
    return RatingJob(run_settings(write_inputs(layout, Plan()), fusion), layout)


def class_job(layout: Layout, fusion: str) -> ClassJob:
    write_utterances(layout)
    return ClassJob(study().run_settings("said", "concat", 0).updated(class_=fusion), layout)


@pytest.mark.parametrize("new_job", [rating_job, class_job])
@pytest.mark.parametrize(("fusion", "has"), [("meme", True), ("concat", False)])
def test_the_loss_of_a_batch_is_that_of_the_task_and_the_term_of_the_fusion(
    new_job, fusion, has, tmp_path
):
    job = new_job(Layout(tmp_path), fusion)
    model = build(job.settings, *job.data.dims()).eval()
    batch = next(iter(job.batches(torch.Generator().manual_seed(0))))
    if isinstance(model, ClassModel):
        inputs, label = batch
        given, expected = inputs[0], F.cross_entropy(model.classify(*inputs), label)
    else:
        given = batch.inputs
        expected = job.loss_of(model(*given)[0], batch.gold)
    torch.manual_seed(1)
    term = model.auxiliary_loss(*given)
    torch.manual_seed(1)
    total = job.loss(model, batch)
    assert (term != 0) == has
    torch.testing.assert_close(total, expected + term)
