"""Lin's concordance correlation coefficient (CCC), the number every table here is made of."""

from torch import Tensor


def ccc(prediction: Tensor, gold: Tensor) -> Tensor:
    """Concordance over the last axis, population moments (Lin, Biometrics 1989, eq. 3).

        CCC = 2 cov(p, g) / (var p + var g + (mean p - mean g)^2)

    prediction, gold: (..., N), same unit, no NaN (mask first). Returns (...,) in [-1, 1]:
    0 where one side is constant, NaN where N = 0 or both sides are the same constant.

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


def _centred(x: Tensor) -> tuple[Tensor, Tensor]:
    """Deviations from the mean (..., N) and the mean (...,).

    The first value is taken off before averaging, so a constant deviates by exactly 0.
    """
    shifted = x - x[..., :1]
    mean = shifted.mean(-1)
    return shifted - mean[..., None], mean + x[..., 0]
