"""Put the features of one modality on a common scale that the train partition defines.

Source   Winsorised moments, and the three-part redescending function of Hampel, "The influence
         curve and its role in robust estimation", JASA 1974.

    c, s = mean and deviation of x clipped to its 0.5 % and 99.5 % quantiles q, r    (D,)
    s    = max(s, (r - c) / R, (c - q) / R)       so that 99 % of the train values are within R
    z    = (x - c) / s                                                               (B, T, D)
    y    = sign(z) min(|z|, L, max(2 L - |z| / 2, 0))                                (B, T, D)

         R = 2, since a unit that fires in 2 % of the rows reaches 7 deviations, where tanh and
         softmax are saturated. A normal feature gets a deviation of 0.78. L is `train.limit`: y is
         z up to L, L up to 2 L, and falls to 0 at 4 L. A value that is so far off is no measurement
         of the same kind: it contributes as much as the train mean. A feature that fires in less
         than 0.5 % of the rows has q = r; it is divided by its plain deviation. A feature that is
         constant on the train partition, or missing in all of it, gives 0 everywhere.
Masks    An absent row gives 0, and so does a feature that is missing (NaN) in a present row.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avfusion.config.training import TrainSettings

TAIL = 0.005
"""Share of the train values at each end that do not define the scale."""

REACH = 2.0
"""R, the greatest size of the train values that define the scale."""

SAMPLE = 50_000
"""Most rows that the quantiles are taken from, evenly spaced."""

STEADY = 1e-6
"""A feature is constant if its deviation is at most this share of its largest size."""


class Standardise(nn.Module):
    """Standardise the features of one modality as `train.standardise` says.

    Parameters
    ----------
    width
        Number of features, D.
    rule
        Its `standardise`, `limit` and `unit_length` are read.

    Attributes
    ----------
    mean
        Center of each feature (D,); also what a missing feature stands for.
    scale
        Divisor of each feature (D,); infinite if the feature is constant on the train partition, or
        missing in all of it.
    dead
        Features (D,) that fire in less than 0.5 % of the train rows; not part of the weights.
    """

    mean: Tensor
    scale: Tensor
    dead: Tensor

    def __init__(self, width: int, rule: TrainSettings | None = None) -> None:
        super().__init__()
        rule = rule or TrainSettings()
        self.kind, self.limit, self.unit_length = rule.standardise, rule.limit, rule.unit_length
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("dead", torch.zeros(width, dtype=torch.bool), persistent=False)

    def measure(self, rows: Tensor) -> None:
        """Take center and scale from the rows (N, D) of the train partition; NaN is left out."""
        for index in range(rows.shape[1]):
            x = rows[:, index].double().numpy()
            x = x[~np.isnan(x)]
            if len(x):
                low, high = ends(x)
                center, scale = moments(x, (low, high) if self.kind == "robust" else None)
                self.mean[index], self.scale[index] = center, scale
                self.dead[index] = scale < np.inf and low == high
            else:
                self.scale[index] = np.inf  # it has untrained weights

    def scaled(self, x: Tensor) -> Tensor:
        """x (..., D) -> distance from the center in units of the scale, 0 where x is NaN."""
        # In place: in small fusions, passes over memory take longer than the products.
        return (x - self.mean).div_(self.scale).masked_fill_(x.isnan(), 0)

    def beyond(self, x: Tensor) -> Tensor:
        """Return which values of x (..., D) are further from the center than the limit."""
        return self.scaled(x).abs() > self.limit

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """x (..., D) with anything in absent rows, present (...) -> (..., D), finite."""
        z = torch.where(x.isnan(), self.mean, x) if self.kind == "none" else self.scaled(x)
        if self.kind == "robust":
            z = limited(z, self.limit)
        z.masked_fill_(~present[..., None], 0)
        return F.normalize(z, dim=-1) if self.unit_length else z


def limited(z: Tensor, limit: float) -> Tensor:
    """Return Hampel's function of z: z up to `limit`, then `limit`, 0 from 4 `limit` on.

    >>> limited(torch.tensor([-3.0, 7.0, 15.0, 99.0]), 5.0).tolist()
    [-3.0, 5.0, 2.5, 0.0]
    """
    # L, or less beyond 2 L. An ONNX graph needs bounds of one kind, so not 0.
    most = z.abs().mul_(-0.5).add_(2 * limit).clamp_(0.0, limit)
    return torch.clamp(z, -most, most)


def moments(x: np.ndarray, inner: tuple[float, float] | None) -> tuple[float, float]:
    """Return center and scale of a feature's train values (N,), without NaN.

    Parameters
    ----------
    x
        Values, float64 (N,), N > 0.
    inner
        Its `ends`, for the equations above; None for the plain mean and deviation.

    Returns
    -------
    tuple of float
        The scale is infinite if the feature is constant.
    """
    center, scale = float(x.mean()), float(x.std())
    if scale <= STEADY * max(float(np.abs(x).max()), STEADY):
        return center, np.inf
    if inner is None:
        return center, scale
    low, high = inner
    if low == high:
        return low, scale
    clipped = x.clip(low, high)
    center = float(clipped.mean())
    return center, max(float(clipped.std()), (high - center) / REACH, (center - low) / REACH)


def ends(x: np.ndarray) -> tuple[float, float]:
    """Return the quantiles of x (N,) between which values define the scale."""
    sample = x[:: -(-len(x) // SAMPLE)]
    low, high = np.quantile(sample, [TAIL, 1 - TAIL])
    return float(low), float(high)
