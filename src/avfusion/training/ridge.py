"""Ridge regression in closed form: one decomposition gives the weights for every penalty.

Source   Hoerl, Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
         Technometrics 1970.

    x, y = features and targets without their means     (N, D), (N, K)
    G    = x^T x = Q diag(e) Q^T                         (D, D)
    W    = (G + s g I)^-1 x^T y                          (D, K)    g = trace(G) / D
    b    = mean(y) - W^T mean(x)                         (K,)

         The strength s has no unit: s = 1 is a penalty as large as the mean eigenvalue of G. The
         intercept b is not penalised.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

STRENGTHS = tuple(10.0**exponent for exponent in range(-5, 4))
"""Strengths to choose from."""

Rows = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Returns features (N, D) and targets (N, K) in parts; NaN where a row has no target."""


@dataclass(frozen=True)
class _System:
    """The normal equations of targets that are known in the same rows."""

    targets: list[int]
    x_mean: Tensor
    y_mean: Tensor
    eigenvalues: Tensor
    vectors: Tensor
    turned: Tensor  # Q^T x^T y


class Ridge:
    """Ridge regressions of one table, for every strength.

    Sums are float64 on the CPU and part by part, so memory depends on the size of a part, not on
    the number of rows. Two passes over the rows are made: one for the means, one for the products.
    2,000 features and 1,000,000 rows take 8e12 operations. Fewer rows than features are held in
    memory at once, so that 25,088 features of a few thousand rows need no (D, D) matrix.

    Parameters
    ----------
    rows
        Called twice; it must return the same rows each time.

    Raises
    ------
    ValueError
        If a target is known in no row.
    """

    def __init__(self, rows: Rows) -> None:
        each, together = _known(rows)
        if (each == 0).any():
            raise ValueError(f"target {int(each.argmin())} is known in no row")
        count = len(each)
        same = bool((each == together).all())
        groups = [list(range(count))] if same else [[target] for target in range(count)]
        self.outputs = count
        self._systems = [_system(rows, group) for group in groups]

    def weights(self, strength: float) -> tuple[Tensor, Tensor]:
        """Return W^T (K, D) and b (K,), float64."""
        width = len(self._systems[0].x_mean)
        weight = torch.zeros(self.outputs, width, dtype=torch.float64)
        bias = torch.zeros(self.outputs, dtype=torch.float64)
        for system in self._systems:
            penalty = strength * _size(system.eigenvalues, width)
            inverse = 1 / (system.eigenvalues + penalty)
            solved = system.vectors @ (inverse[:, None] * system.turned)  # (D, K of the system)
            weight[system.targets] = solved.T
            bias[system.targets] = system.y_mean - solved.T @ system.x_mean
        return weight, bias


def _size(eigenvalues: Tensor, width: int) -> float:
    """Return the mean eigenvalue of G; 1 if all features are constant."""
    return float(eigenvalues.sum()) / width or 1.0


def _known(rows: Rows) -> tuple[Tensor, Tensor]:
    """Return in how many rows each target is known (K,), and in how many all are."""
    each, together = torch.zeros(0), torch.zeros(())
    for _, y in rows():
        known = ~y.isnan()
        each = (each if len(each) else torch.zeros(y.shape[1])) + known.sum(0)
        together = together + known.all(1).sum()
    return each, together


def _system(rows: Rows, targets: list[int]) -> _System:
    """Sum the normal equations over the rows in which the targets are known."""
    count, x_sum, y_sum = 0, torch.zeros(()), torch.zeros(())
    for x, y in _parts(rows, targets):
        count, x_sum, y_sum = count + len(x), x_sum + x.sum(0), y_sum + y.sum(0)
    x_mean, y_mean = x_sum / count, y_sum / count
    if count < len(x_mean):
        return _System(targets, x_mean, y_mean, *_from_rows(rows, targets, x_mean, y_mean))
    gram = torch.zeros(len(x_mean), len(x_mean), dtype=torch.float64)
    cross = torch.zeros(len(x_mean), len(y_mean), dtype=torch.float64)
    for x, y in _parts(rows, targets):
        centered = x - x_mean
        gram.addmm_(centered.T, centered)
        cross.addmm_(centered.T, y - y_mean)
    eigenvalues, vectors = torch.linalg.eigh(gram)
    least = eigenvalues.clamp(min=0)  # rounding may give -1e-12
    return _System(targets, x_mean, y_mean, least, vectors, vectors.T @ cross)


def _from_rows(
    rows: Rows, targets: list[int], x_mean: Tensor, y_mean: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return e (N,), Q (D, N) and Q^T x^T y from x x^T, of more features than rows (N < D).

    G has the eigenvalues of x x^T and otherwise 0, to which x^T y has no part.
    """
    parts = [(x - x_mean, y - y_mean) for x, y in _parts(rows, targets)]
    x, y = torch.cat([part for part, _ in parts]), torch.cat([part for _, part in parts])
    eigenvalues, left = torch.linalg.eigh(x @ x.T)
    kept = eigenvalues > eigenvalues.max() * len(x) * torch.finfo(x.dtype).eps
    eigenvalues, left = eigenvalues[kept], left[:, kept]
    root = eigenvalues.sqrt()
    return eigenvalues, x.T @ (left / root), root[:, None] * (left.T @ y)


def _parts(rows: Rows, targets: list[int]) -> Iterable[tuple[Tensor, Tensor]]:
    for x, y in rows():
        known = ~y[:, targets].isnan().any(1)
        if known.any():
            yield x[known].double(), y[known][:, targets].double()
