"""How far features are from those of training: the Mahalanobis distance, per encoder.

Source   Lee et al., "A simple unified framework for detecting out-of-distribution samples", NeurIPS
         2018; shrunk covariance of Ledoit and Wolf, J. Multivariate Analysis 2004.

    d(x) = sqrt((x - m)' S^-1 (x - m)) / q

m and S are mean and covariance of the train rows, and q is the distance that 1 % of the validation
rows exceed. Above 1, a row is further away than 99 % of the rows of people who were not trained on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avfusion.training.checkpoint import load_weights, save_weights

FULL = 1024
"""Widest features with a full covariance; wider ones have a diagonal one."""

MOST = 20_000
"""Most rows that the moments are taken from, evenly spaced."""

TAIL = 0.01
_BATCH = 4096


@dataclass(frozen=True)
class Outlook:
    """What the features of one encoder look like in training.

    Attributes
    ----------
    mean
        Mean of the train rows (D,).
    whitening
        W with W W' = S^-1, (D, D), or (D,) if S is diagonal.
    far
        q, the distance that 1 % of the validation rows exceed.
    """

    mean: np.ndarray
    whitening: np.ndarray
    far: float

    @classmethod
    def of(cls, train: np.ndarray, validation: np.ndarray) -> "Outlook":
        """Measure train rows (N, D) and validation rows (M, D), which have no NaN."""
        from sklearn.covariance import ledoit_wolf

        rows = train[:: -(-len(train) // MOST)].astype(np.float64)
        mean = rows.mean(0)
        if rows.shape[1] > FULL:
            spread = rows.std(0)
            whitening = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        else:
            scale = rows.std(0)
            live = scale > 0
            whitening = np.zeros((rows.shape[1],) * 2)
            if live.any():  # standardised first: the shrinkage is towards equal variances
                covariance, _ = ledoit_wolf((rows[:, live] - mean[live]) / scale[live])
                inverse = np.linalg.cholesky(np.linalg.inv(covariance))
                whitening[np.ix_(live, live)] = inverse / scale[live][:, None]
        outlook = cls(mean.astype(np.float32), whitening.astype(np.float32), 1.0)
        distances = outlook.distance(validation if len(validation) else train)
        far = float(np.quantile(distances, 1 - TAIL)) if len(distances) else 1.0
        return cls(outlook.mean, outlook.whitening, far if far > 0 else 1.0)

    def distance(self, rows: np.ndarray) -> np.ndarray:
        """Return the distance of rows (N, D), float32 (N,).

        A missing feature counts as the mean; a row without any number has NaN.
        """
        out = np.full(len(rows), np.nan, np.float32)
        for begin in range(0, len(rows), _BATCH):
            part = rows[begin : begin + _BATCH].astype(np.float32)
            missing = np.isnan(part)
            off = np.where(missing, 0, part - self.mean)
            scaled = off * self.whitening if self.whitening.ndim == 1 else off @ self.whitening
            size = np.sqrt((scaled.astype(np.float64) ** 2).sum(1)) / self.far
            out[begin : begin + _BATCH] = np.where(missing.all(1), np.nan, size)
        return out

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        tensors = {
            "mean": torch.from_numpy(self.mean),
            "whitening": torch.from_numpy(self.whitening),
        }
        save_weights(path, tensors, {"far": self.far})

    @classmethod
    def read(cls, path: Path) -> "Outlook":
        """Read what `save` wrote."""
        tensors, document = load_weights(path)
        return cls(tensors["mean"].numpy(), tensors["whitening"].numpy(), float(document["far"]))
