"""Training losses: one minus concordance, pooled over a batch or per window.

A loss is a function under `@losses.add("name")`:

Parameters
----------
prediction
    Predictions (B, T, K), float32.
gold
    Gold (B, T, K); NaN where a target is unrated. No NaN may enter the value or the gradient.

Returns
-------
torch.Tensor
    A scalar with gradient.
"""

import torch
from torch import Tensor

from avfusion.registry import losses

SAFE = 1e-8
"""Added to the denominator, so that a constant prediction of a constant gold has a gradient."""


@losses.add("pooled")
def ccc_loss(prediction: Tensor, gold: Tensor) -> Tensor:
    """Return the sum over targets of 1 - CCC, each pooled over the batch.

    Source: the sum of two pooled losses as in Praveen et al., T-BIOM 2023, arXiv:2209.09068. We use
    population moments; their code mixes in the unbiased deviation.

    Parameters
    ----------
    prediction, gold
        Shape (..., K). A NaN in gold is an unrated instant of that target; it affects neither
        value nor gradient. A target with fewer than 2 rated instants adds 0.

    Returns
    -------
    torch.Tensor
        A scalar in [0, 2 K].

    Examples
    --------
    >>> gold = torch.tensor([[0., 1.], [1., float("nan")], [2., 0.]])
    >>> round(ccc_loss(torch.tensor([[0., 1.], [1., 9.], [2., 0.]]), gold).item(), 5)
    0.0
    """
    width = gold.shape[-1]
    prediction, gold = prediction.reshape(-1, width), gold.reshape(-1, width)  # (N, K)
    rated = ~gold.isnan()
    count = rated.sum(0)  # (K,)
    p, p_mean = _centred(prediction, rated, count)
    g, g_mean = _centred(gold, rated, count)
    n = count.clamp(min=1)
    spread = (p * p).sum(0) / n + (g * g).sum(0) / n + (p_mean - g_mean) ** 2
    concordance = 2 * (p * g).sum(0) / n / (spread + SAFE)  # (K,)
    return torch.where(count >= 2, 1 - concordance, 0).sum()


@losses.add("per_window")
def ccc_loss_by_window(prediction: Tensor, gold: Tensor) -> Tensor:
    """Return the mean over windows of each window's own `ccc_loss`; prediction, gold (B, T, K).

    Differences between windows do not count here, and a window whose gold hardly changes counts as
    much as any other. For this reason `ccc_loss` is the default.
    """
    return torch.vmap(ccc_loss)(prediction, gold).mean()


def _centred(x: Tensor, rated: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Return deviations from the mean of rated entries (N, K), else zero, and the mean (K,)."""
    mean = x.where(rated, 0).sum(0) / count.clamp(min=1)
    return (x - mean).where(rated, 0), mean
