"""Parts of a variational autoencoder (VAE): Gaussian encoder, Laplace decoder, densities.

Source   Kingma, Welling: "Auto-Encoding Variational Bayes", ICLR 2014, arXiv:1312.6114, section 2.

    q(z|x)    = N(z; m, s^2)      m = M h + b, s = softplus(S h + c), h = relu(E x + e)
    z         = m + s * n         n from N(0, 1)
    p(x|z)    = Laplace(x; decoder(z), 1)        of every feature
    KL(q, p)  = sum of log(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2 over the axes of z
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST = 1e-3
"""Smallest deviation of a Gaussian."""


class Gauss(NamedTuple):
    """Independent Gaussians: mean and deviation (..., k)."""

    mean: Tensor
    deviation: Tensor

    def drawn(self, count: int) -> Tensor:
        """Return `count` samples (count, ..., k) with gradient, from PyTorch's own generator."""
        noise = torch.randn(count, *self.mean.shape, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + self.deviation * noise

    def log_density(self, z: Tensor) -> Tensor:
        """z, broadcastable to (..., k) -> (...), summed over the axes of z."""
        x = (z - self.mean) / self.deviation
        return -(x * x / 2 + self.deviation.log() + math.log(2 * math.pi) / 2).sum(-1)

    def divergence(self, other: "Gauss") -> Tensor:
        """Return KL(self, other) (...) in nats."""
        apart = self.deviation.square() + (self.mean - other.mean).square()
        halves = apart / (2 * other.deviation.square()) - 0.5
        return (other.deviation.log() - self.deviation.log() + halves).sum(-1)


def mixture_log_density(z: Tensor, parts: Gauss) -> Tensor:
    """Return the log density of z (..., k) under equally weighted Gaussians (N, k): (...)."""
    return parts.log_density(z[..., None, :]).logsumexp(-1) - math.log(len(parts.mean))


def laplace_log_density(x: Tensor, center: Tensor) -> Tensor:
    """Return the log density of x (..., D) around center (..., D), of scale 1: (...)."""
    return -((x - center).abs() + math.log(2)).sum(-1)


class Encoder(nn.Module):
    """Gaussian encoder with one hidden layer."""

    def __init__(self, inputs: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)  # E, e
        self.mean, self.spread = nn.Linear(hidden, latent), nn.Linear(hidden, latent)

    def forward(self, x: Tensor) -> Gauss:
        """x (..., inputs) -> q(z|x), in the precision of x under autocast too."""
        h = self.hidden(x).relu()
        deviation = F.softplus(self.spread(h).to(x.dtype)).clamp(min=LEAST)
        return Gauss(self.mean(h).to(x.dtype), deviation)


class Decoder(nn.Module):
    """Laplace decoder with one hidden layer."""

    def __init__(self, latent: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(latent, hidden), nn.Linear(hidden, outputs)

    def forward(self, z: Tensor) -> Tensor:
        """z (..., latent) -> center of p(x|z) (..., outputs)."""
        return self.out(self.hidden(z).relu()).to(z.dtype)
