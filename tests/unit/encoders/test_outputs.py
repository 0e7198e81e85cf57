"""A network that gives NaN fails, because a row of NaN stands for an absent modality."""

import numpy as np
import pytest
import torch

from avfusion.encoders import base
from avfusion.encoders.outputs import finite
from avfusion.errors import AvfError
from avfusion.registry import encoders
from support import synthetic_media as media
from support import tiny_models

CLIP_S = media.WINDOWS["clip_s"]
ENDS_S = np.array([0.64, 1.28, 1.6])
NETS = [
    name
    for name in encoders.names()
    if "width" in encoders.options(name)
    or name in ("face_cnn", "face_expression", "face_tuned", "mel_cnn", "words")
]
ADAPTERS = [
    ("transformers", "audio"),
    ("transformers", "video"),
    ("transformers", "text"),
    ("timm", "video"),
    ("torchvision", "video"),
]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    rng = np.random.default_rng(0)
    return media.make_record(tmp_path_factory.mktemp("r") / "r", media.course(rng, 2.0), rng)


def encoded(encoder, net, record):
    """Encode with a network whose weights are all NaN, as an overflow leaves its values."""
    if encoder.modality == "text":
        record = media.transcript([("good0", 0.1, 0.5), ("bad1", 0.7, 1.5)], 2.0)
    assert np.isfinite(encoder.encode(record, ENDS_S, CLIP_S)).all()
    with torch.no_grad():
        for x in net.parameters():
            x.fill_(torch.nan)
    return encoder.encode(record, ENDS_S, CLIP_S)


@pytest.mark.parametrize("name", NETS)
def test_a_network_without_numbers_is_no_absent_modality(name, record):
    options = {"width": 1 / 16} if "width" in encoders.options(name) else {}
    settings = media.settings(name, **options)
    encoder = base.build(settings)
    if encoder.fitted:
        encoder.net = encoder.new_net(settings).eval().requires_grad_(False)
    with pytest.raises(AvfError, match="the network gives values that are not finite for"):
        encoded(encoder, encoder.net, record)


@pytest.mark.parametrize(("name", "modality"), ADAPTERS)
def test_an_adapter_without_numbers_is_no_absent_modality(name, modality, record, tmp_path):
    pytest.importorskip(name)
    options = tiny_models.options(name, modality, tmp_path)
    settings = media.settings(name, **options)
    if encoders.constant(name, "modalities"):
        settings = settings.updated(modality=modality)
    encoder = base.build(settings)
    with pytest.raises(AvfError, match="the network gives values that are not finite for"):
        encoded(encoder, encoder.net, record)


def test_the_message_counts_the_inputs():
    rows = np.ones((4, 2, 3), np.float32)
    assert finite(rows) is rows
    assert finite(rows[:0]).shape == (0, 2, 3)
    rows[1, 0, 2], rows[3] = np.inf, np.nan
    with pytest.raises(AvfError, match=r"x gives values .* for 2 of 4 inputs\. Remove y; a log"):
        finite(rows, "x", "Remove y")
