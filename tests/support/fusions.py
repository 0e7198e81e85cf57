"""Small fusions and windows for tests of equations."""

import torch
from torch import Tensor, nn

from avfusion.config.jobs import RunSettings
from avfusion.config.sections import FeatureSettings, WindowSettings
from avfusion.config.training import TrainSettings
from avfusion.registry import fusions

STEPS, AUDIO, VIDEO = 6, 5, 7


def make(name: str, audio: int = AUDIO, video: int = VIDEO, steps: int = STEPS, **options):
    torch.manual_seed(0)
    return fusions.get(name)(audio, video, steps=steps, **options).eval()


def model_settings(name: str, options: dict, steps: int = STEPS, **changes) -> RunSettings:
    """Settings of a run, for `build`; `changes` are settings or, by `train`, training settings."""
    train = TrainSettings(**changes.pop("train", {}))
    given = {"corpus": "toy", "fusion": name, "class_": name, "options": options, "seed": 0}
    given |= {"features": FeatureSettings(), "windows": WindowSettings(clips=steps), "code": ""}
    return RunSettings(**given, train=train, **changes)


def clips(audio: int = AUDIO, video: int = VIDEO, steps: int = STEPS, windows: int = 3):
    """Audio, video and presence, all clips present."""
    draw = torch.Generator().manual_seed(1)
    a = torch.randn(windows, steps, audio, generator=draw, dtype=torch.float64)
    v = torch.randn(windows, steps, video, generator=draw, dtype=torch.float64)
    here = torch.ones(windows, steps, dtype=torch.bool)
    return a.float(), v.float(), here, here


def scatter(module: nn.Module) -> nn.Module:
    """Every weight and bias away from 0 and 1, in float64, so that each one counts."""
    draw = torch.Generator().manual_seed(2)
    for p in module.parameters():
        p.data = 0.4 * torch.randn(p.shape, generator=draw, dtype=torch.float64)
    return module.double()


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def same(actual: Tensor, expected: Tensor, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)
