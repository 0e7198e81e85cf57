"""Models run on the device that the job was given, and whole: no part of one stays on the CPU.

PyTorch's device `meta` computes shapes alone, and refuses an operation between it and the CPU: a
tensor that a model makes on the wrong device is found without a GPU.
"""

import contextlib
import logging

import pytest
import torch

from avfusion.config.modalities import with_text
from avfusion.encoders import expression_net, face_cnn, mel_cnn
from avfusion.errors import ConfigError
from avfusion.features.windows import Batch, Windows, cut
from avfusion.models.model import build
from avfusion.registry import fusions
from avfusion.training import device
from avfusion.training.losses import ccc_loss
from support.fusions import model_settings

META = torch.device("meta")
STEPS, AUDIO, VIDEO, TEXT = 8, 12, 20, 6


@pytest.fixture
def chosen(monkeypatch):
    """Choose again under these variables, as a fresh process would."""

    def choose(**variables):
        for name in (device.VARIABLE, "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return device.chosen.__wrapped__()

    return choose


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_no_driver_answers_for_is_told_and_the_cpu_taken(chosen, caplog):
    with caplog.at_level(logging.WARNING):
        assert chosen() == torch.device("cpu")
        assert not caplog.messages, "nothing was given, nothing is missed"
        assert chosen(CUDA_VISIBLE_DEVICES="1") == torch.device("cpu")
    (message,) = caplog.messages
    assert message == "GPU 1 was given to this job, but PyTorch sees none; on the CPU"


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_was_asked_for_and_is_not_there_is_an_error(chosen):
    with pytest.raises(ConfigError, match="sees no GPU"):
        chosen(AVF_DEVICE="cuda")


def test_a_visible_gpu_is_taken_unless_the_cpu_is_asked_for(chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    assert chosen() == torch.device("cuda")
    assert chosen(AVF_DEVICE="cpu") == torch.device("cpu")


def test_an_unknown_device_is_refused_with_those_there_are(chosen):
    with pytest.raises(ConfigError, match="'gpu'; set it to one of auto, cpu, cuda"):
        chosen(AVF_DEVICE="gpu")


def test_moving_keeps_a_batch_a_batch_and_on_the_cpu_the_very_tensors():
    batch = Batch(*torch.zeros(5, 2, 3))
    there = device.moved(batch, META)
    assert isinstance(there, Batch)
    assert {part.device for part in there if part is not None} == {META}
    here = device.moved(batch, torch.device("cpu"))
    assert all(a is b for a, b in zip(batch, here, strict=True))
    assert device.moved(batch[:4], META)[3].device == META


def test_windows_that_are_on_a_device_give_batches_there():
    rows, inside, used = (torch.from_numpy(part) for part in cut(9, 2, 2))
    here = Windows(torch.rand(9, 3), torch.rand(9, 4), torch.rand(9, 2), rows, inside, used)
    assert here.on(torch.device("cpu")) is here
    there = here.on(META)
    batch = there.batch(torch.tensor([2, 0]))
    assert {part.device for part in batch if part is not None} == {META}
    assert [part.shape for part in batch[:5]] == [
        part.shape for part in here.batch(torch.tensor([2, 0]))[:5]
    ]


def test_features_stay_on_a_gpu_only_in_half_of_its_free_memory(monkeypatch):
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda where: (100, 200))
    assert device.fits(50, gpu)
    assert not device.fits(51, gpu)
    assert device.fits(2**60, torch.device("cpu"))


@pytest.mark.parametrize("head", ["regressor", "ca", "jca"])
@pytest.mark.parametrize("name", fusions.names())
def test_a_model_runs_and_learns_wholly_where_it_was_moved(name, head, monkeypatch):
    # Autocast, which layers/correlation.py switches off for its scores, knows no `meta`.
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *kind: False)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    train = {"head": head, "hidden": 16, "dropout": 0.5}
    words = [TEXT] * with_text(name, {})
    model = (
        build(model_settings(name, {}, STEPS, train=train), AUDIO, VIDEO, *words).to(META).eval()
    )
    here = torch.ones(4, STEPS, dtype=torch.bool)
    given = [*(torch.zeros(4, STEPS, width) for width in (AUDIO, VIDEO)), here, here]
    given += [part for width in words for part in (torch.zeros(4, STEPS, width), here)]
    batch = device.moved(tuple(given), device.of(model))
    prediction, maps = model(*batch)
    assert {prediction.device, *(part.device for part in maps.values())} == {META}
    ccc_loss(prediction, torch.zeros(4, STEPS, 2, device=META)).backward()
    assert all(p.grad is None or p.grad.device == META for p in model.parameters())


def test_an_encoder_runs_wholly_where_it_was_moved():
    nets = [
        (expression_net.ExpressionNet(), (2, 112, 112, 3)),
        (face_cnn._Net(16, 2), (2, 56, 56)),
        (mel_cnn._Net(16, 64, 2), (2, 256, 64)),
    ]
    for net, shape in nets:
        embedding, answer = net.to(META).eval()(torch.zeros(shape, device=META))
        assert embedding.device == answer.device == META
