"""From a fusion's output over time to one embedding per video, and the loss that trains it.

Source   Okabe et al., "Attentive statistics pooling for deep speaker embedding", Interspeech 2018,
         arXiv:1803.10963, in the form of RJCA for verification (arXiv:2403.04654); Deng et al.,
         "ArcFace", CVPR 2019, arXiv:1801.07698.

    a_t = W_2 tanh(BN(relu(W_1 x_t + b_1))) + b_2           (W,)    x_t: the fusion's output
    w_t = exp(a_t) / sum_t exp(a_t)                         (W,)    over the steps of a video
    m   = sum_t w_t x_t,   d^2 = sum_t w_t x_t^2 - m^2      (W,)
    e   = W_e [m ; d] + b_e                                 (E,)
    L   = -log softmax(s cos(theta_k + [k = y] margin))_y           theta_k: angle of e and row k

Masks    A step counts if one of the modalities that the fusion reads is present. The embedding of a
         video without such a step does not depend on the video, and scoring replaces it.
Departs  A video is all of its windows, not eight segments, and its embedding is that of all steps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 1e-6
"""Least variance, so that the gradient of a constant feature is finite."""


class StatisticsPooling(nn.Module):
    """Weighted mean and deviation of the steps of each video.

    Parameters
    ----------
    width
        Width of a step, W.
    hidden
        Width of the layer that weighs steps.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm = nn.BatchNorm1d(hidden)

    def forward(self, x: Tensor, owner: Tensor, videos: int) -> Tensor:
        """Pool the steps x (M, W) of the videos `owner` (M,), 0 to V-1: (V, 2 W)."""
        hidden = F.relu(self.first(x))
        norm = self.norm
        if self.training and len(x) == 1:  # one row has no variance
            hidden = F.batch_norm(
                *(hidden, norm.running_mean, norm.running_var, norm.weight, norm.bias), eps=norm.eps
            )
        else:
            hidden = norm(hidden)
        scores = self.last(hidden.tanh())  # (M, W)
        if len(x):
            scores = (scores - scores.detach().amax(0)).clamp(min=-60)  # no weight vanishes
        weights = scores.exp()
        # A product with a mask has the same bits on every run; scattered sums on a GPU do not.
        mask = (owner == torch.arange(videos, device=x.device)[:, None]).to(x.dtype)  # (V, M)
        total = (mask @ weights).clamp(min=torch.finfo(x.dtype).tiny)
        mean = mask @ (weights * x) / total
        away = x - mean[owner]
        variance = mask @ (weights * away.square()) / total
        return torch.cat([mean, variance.clamp(min=LEAST).sqrt()], dim=1)


class Speakers(nn.Module):
    """Head of a verification run: pooling, embedding, and a direction per person of train.

    Parameters
    ----------
    width
        Width of the fusion's output.
    people
        Number of people of the train partition.
    embedding, bottleneck
        As in `verification` of the config.
    """

    def __init__(self, width: int, people: int, *, embedding: int, bottleneck: int) -> None:
        super().__init__()
        self.pool = StatisticsPooling(width, bottleneck)
        self.embed = nn.Linear(2 * width, embedding)
        self.directions = nn.Parameter(torch.empty(people, embedding))
        nn.init.xavier_uniform_(self.directions)

    def forward(self, x: Tensor, owner: Tensor, videos: int) -> Tensor:
        """Return embeddings (V, E) of the steps x (M, W)."""
        embeddings: Tensor = self.embed(self.pool(x, owner, videos))
        return embeddings

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Return the cosine of each embedding with the direction of each person (V, K)."""
        return F.normalize(embeddings) @ F.normalize(self.directions).T


def margin_loss(cosines: Tensor, label: Tensor, margin: Tensor, scale: float) -> Tensor:
    """Return the AAM-softmax loss, the mean over the batch.

    Parameters
    ----------
    cosines
        Cosine of each embedding with each person's direction (V, K).
    label
        The person of each video (V,).
    margin
        Angle in radians that is added to that of the own person, a scalar. Where the sum would pass
        pi, the cosine is lowered by margin sin(margin) instead, so that the loss never falls with
        the angle. No value of it is read, because that would wait for a GPU.
    scale
        Factor of the cosines.
    """
    target = cosines.gather(1, label[:, None])  # (V, 1)
    sine = (1 - target.square()).clamp(min=1e-9).sqrt()
    shifted = target * margin.cos() - sine * margin.sin()
    behind = target <= -margin.cos()
    shifted = torch.where(behind, target - margin * margin.sin(), shifted)
    return F.cross_entropy(scale * cosines.scatter(1, label[:, None], shifted), label)


def margin_at(epoch: int, margin: float, epochs: int) -> float:
    """Return the margin of an epoch, which counts from 0: a line from 0 to `margin`.

    >>> [round(margin_at(epoch, 0.4, 4), 2) for epoch in range(6)]
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.4]
    """
    return margin * min(1.0, epoch / epochs) if epochs else margin
