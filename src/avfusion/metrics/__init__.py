"""Scores of predictions: concordance (CCC), and the sums per video that scores follow from."""

import sys
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from avfusion.metrics import concordance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

__all__ = ["ccc"]


@overload
def ccc(predicted: "Tensor", gold: "Tensor") -> "Tensor": ...
@overload
def ccc(predicted: "ArrayLike", gold: "ArrayLike") -> Any: ...
def ccc(predicted: Any, gold: Any) -> Any:
    """Compute Lin's concordance correlation coefficient over the last axis.

        CCC = 2 cov(p, g) / (var p + var g + (mean p - mean g)^2)

    Moments are population moments. To pool several videos, concatenate their frames.

    Parameters
    ----------
    predicted
        Predictions, (..., N): an array, a list, a Series or a tensor.
    gold
        Gold in the same unit and of the same shape; NaN frames are unrated and left out.

    Returns
    -------
    float, ndarray or Tensor
        CCC in [-1, 1], (...,): a float for vectors, and a tensor on the device of the tensors,
        with gradients, if one side is a tensor. Arrays are computed in float64.
        It is 0 where one side is constant. It is NaN without a rated frame, where both sides are
        the same constant, and where a prediction of a rated frame is NaN.

    Raises
    ------
    ValueError
        If the shapes differ, or if there is no axis of frames.

    References
    ----------
    Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 1989,
    eq. 3.

    Examples
    --------
    >>> round(ccc([0.0, 1.0, 1.0, 5.0], [0.0, 1.0, 2.0, float("nan")]), 6)
    0.666667
    >>> ccc(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [1.0, -1.0]
    """
    torch = sys.modules.get("torch")  # without torch, there is no tensor
    if torch is not None and any(isinstance(x, torch.Tensor) for x in (predicted, gold)):
        like = predicted if isinstance(predicted, torch.Tensor) else gold
        predicted, gold = (torch.as_tensor(x, device=like.device) for x in (predicted, gold))
        rows = _rows(predicted, gold)
        return torch.stack(rows).reshape(gold.shape[:-1]) if rows else predicted.sum(-1)
    predicted, gold = np.asarray(predicted, float), np.asarray(gold, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.reshape(_rows(predicted, gold), gold.shape[:-1])
    return values if values.ndim else float(values)


def _rows(predicted: Any, gold: Any) -> list[Any]:
    """Return the CCC of each row of (..., N) on its rated frames."""
    if predicted.shape != gold.shape or not gold.ndim:
        raise ValueError(
            f"ccc: predicted has shape {tuple(predicted.shape)} and gold {tuple(gold.shape)}. "
            f"Give both the same shape (..., N), with the frames on the last axis."
        )
    rows = (int(np.prod(gold.shape[:-1])), gold.shape[-1])
    pairs = zip(predicted.reshape(rows), gold.reshape(rows), strict=True)
    return [concordance.ccc(p[g == g], g[g == g]) for p, g in pairs]  # NaN differs from itself
