"""Random brightness and contrast of faces while an encoder is fitted, as in T-BIOM.

Source   Praveen, Granger, Cardinal, T-BIOM 2023: factors from U(0.8, 1.2), and mirrored faces.
Departs  An example of a fit is one face, so each face has its own draw. T-BIOM fits on clips and
         draws once per clip.
"""

import torch
from torch import Tensor

from avfusion.errors import ConfigError

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (Rec. 601)."""


def check(encoder: str, brightness: float | None, contrast: float | None, flip: float) -> None:
    """Raise ConfigError unless all are within [0, 1]."""
    for name, value in (("brightness", brightness), ("contrast", contrast), ("flip", flip)):
        if value is not None and not 0 <= value <= 1:
            raise ConfigError(f"{encoder}: `{name}` must be 0 to 1, found {value}.")


def factors(count: int, spread: float | None, generator: torch.Generator) -> Tensor:
    """Draw factors (count,) from U(1 - spread, 1 + spread); 1 without a spread."""
    if not spread:
        return torch.ones(count)
    return 1 + spread * (torch.rand(count, generator=generator) * 2 - 1)


def jitter(
    faces: Tensor, brightness: float | None, contrast: float | None, generator: torch.Generator
) -> Tensor:
    """Change float RGB faces (B, side, side, 3), each by its own draw, within [0, 255].

    Brightness multiplies the face. Contrast multiplies its distance from its mean grey level.
    """
    bright, strong = (factors(len(faces), s, generator) for s in (brightness, contrast))
    x = (faces * bright.view(-1, 1, 1, 1)).clamp(0, 255)
    grey = (x @ torch.tensor(GREY)).mean((1, 2)).view(-1, 1, 1, 1)
    return (grey + (x - grey) * strong.view(-1, 1, 1, 1)).clamp(0, 255)


def augmented(
    faces: Tensor,
    flip: float,
    brightness: float | None,
    contrast: float | None,
    generator: torch.Generator,
) -> Tensor:
    """Mirror a share of the examples; `jitter` each if asked for, with one draw per example.

    Examples are faces (B, side, side, 3) or clips (B, frames, side, side, 3), uint8 RGB.
    """
    one = (len(faces), *(1 for _ in faces.shape[1:]))
    mirror = torch.rand(one, generator=generator) < flip
    x = torch.where(mirror, faces.flip(-2), faces)
    if brightness is None and contrast is None:
        return x
    tall = x.flatten(1, -3).float()  # a clip as one picture, so that it has one draw
    return jitter(tall, brightness, contrast, generator).view(x.shape)
