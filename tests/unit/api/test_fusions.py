"""Fusions in other code: any runs on features of any shape, and absent rows count as such."""

import numpy as np
import pytest
import torch

import avfusion
from avfusion import registry
from avfusion.config.modalities import with_text
from avfusion.errors import ConfigError

SHAPE = {"audio": (2, 6, 5), "video": (2, 6, 7), "text": (2, 6, 4)}


def features():
    draw = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=draw) for name, shape in SHAPE.items()}


def test_the_mapping_is_the_registry():
    assert list(avfusion.fusions) == avfusion.fusions.names() == registry.fusions.names()
    assert avfusion.fusions["jca"] is registry.fusions.get("jca")
    assert len(avfusion.fusions) == len(registry.fusions.names())
    assert "jca" in avfusion.fusions
    assert "jac" not in avfusion.fusions
    assert avfusion.fusions.get("jac") is None


@pytest.mark.parametrize("kind", [KeyError, ConfigError])
def test_an_unknown_fusion_is_named(kind):
    with pytest.raises(kind, match=r"^No fusion named 'jac'. Did you mean"):
        avfusion.fusions["jac"]


@pytest.mark.parametrize("name", registry.fusions.names())
def test_every_fusion_can_be_built_and_run(name):
    given = features()
    if not with_text(name, {}):
        given.pop("text")
    torch.manual_seed(0)
    fusion = avfusion.fusions.build(name, **given).eval()
    fused = avfusion.fusions.fuse(fusion, **given)
    assert fused.features.shape == (2, 6, fusion.out_dim)
    assert fused.features.isfinite().all()


def test_rows_that_are_nan_are_absent():
    given = features()
    audio, video = given["audio"], given["video"]
    torch.manual_seed(0)
    ca = avfusion.fusions.build("ca", audio, video).eval()
    audio[0, 2] = torch.nan
    present = torch.ones(2, 6, dtype=torch.bool)
    heard = present.clone()
    heard[0, 2] = False
    expected = ca(audio.nan_to_num(), video, heard, present)
    ours = avfusion.fusions.fuse(ca, audio, video)
    assert torch.equal(ours.features, expected.features)


def test_what_cannot_be_built_is_named():
    given = features()
    audio, video = given["audio"], given["video"]
    with pytest.raises(ConfigError, match=r"jca has no option 'hiden'. Did you mean 'hidden'"):
        avfusion.fusions.build("jca", audio, video, hiden=8)
    with pytest.raises(ConfigError, match=r"fusion text reads text. Pass `text`"):
        avfusion.fusions.build("text", audio, video)
    with pytest.raises(ValueError, match=r"\(2, 6, 5\), \(2, 5, 7\)"):
        avfusion.fusions.build("jca", audio, video[:, :5])
    with pytest.raises(ValueError, match=r"B, L, D"):
        avfusion.fusions.build("jca", torch.from_numpy(np.zeros((6, 5))), video)
