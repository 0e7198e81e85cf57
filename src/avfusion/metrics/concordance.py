"""Lin's concordance correlation coefficient (CCC), the score of valence and arousal."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

T = TypeVar("T", "np.ndarray", "Tensor")


def ccc(prediction: T, gold: T) -> T:
    """Compute the concordance over the last axis, with population moments.

    `avfusion.metrics.ccc` also takes unrated frames and plain lists.

        CCC = 2 cov(p, g) / (var p + var g + (mean p - mean g)^2)

    Parameters
    ----------
    prediction
        Predictions, (..., N), without NaN.
    gold
        Gold in the same unit, (..., N), without NaN.

    Returns
    -------
    ndarray or Tensor
        CCC in [-1, 1], (...,). It is 0 where one side is constant, and NaN where N = 0 or both
        sides are the same constant.

    References
    ----------
    Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 1989,
    eq. 3.

    Examples
    --------
    >>> import torch
    >>> round(ccc(torch.tensor([0., 1., 1.]), torch.tensor([0., 1., 2.])).item(), 6)
    0.666667
    >>> ccc(torch.tensor([.1, .1, .1]), torch.tensor([.1, .1, .1])).item()
    nan
    """
    if gold.shape[-1] == 0:
        return prediction.sum(-1) * float("nan")
    p, p_mean = _centred(prediction)
    g, g_mean = _centred(gold)
    spread = (p * p).mean(-1) + (g * g).mean(-1) + (p_mean - g_mean) ** 2
    return 2 * (p * g).mean(-1) / spread


def _centred(x: T) -> tuple[T, T]:
    """Return deviations from the mean (..., N) and the mean (...,).

    The first value is subtracted before averaging, so that a constant deviates by exactly 0.
    """
    shifted = x - x[..., :1]
    mean = shifted.mean(-1)
    return shifted - mean[..., None], mean + x[..., 0]
