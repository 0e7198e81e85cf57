"""Fusions from other tasks in plain NumPy, written from the papers, one window at a time.

Rows are clips. Weights come by the names of the modules that hold them.
"""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import laplace, norm

from support.derivations_family import Array, Named, affine, relu, softmax, under
from support.derivations_transformers import layer_norm


def posterior(x: Array, w: Named) -> tuple[Array, Array]:
    """Mean and deviation of q(z|x), (..., L) each."""
    h = relu(affine(x, w, "hidden"))
    return affine(h, w, "mean"), np.maximum(np.log1p(np.exp(affine(h, w, "spread"))), 1e-3)


def decoded(z: Array, w: Named) -> Array:
    return affine(relu(affine(z, w, "hidden")), w, "out")


def divergence(q: tuple[Array, Array], p: tuple[Array, Array]) -> float:
    """KL of two Gaussians of one clip, from the form with full covariances."""
    over, under_ = np.diag(q[1] ** 2), np.diag(p[1] ** 2)
    apart, inverse = p[0] - q[0], np.linalg.inv(under_)
    logs = np.linalg.slogdet(under_)[1] - np.linalg.slogdet(over)[1]
    return (np.trace(inverse @ over) + apart @ inverse @ apart - len(apart) + logs) / 2


def mutual_bound(x: Array, label: Array, noise: Array, w: Named, other: Named) -> float:
    """MEME's bound of one clip, from modality x to the modality `label`; noise (1+K, L)."""
    q, prior = posterior(x, under(w, "encode")), posterior(label, under(other, "encode"))
    z = q[0] + q[1] * noise
    labelled = laplace.logpdf(label, decoded(z, under(other, "decode"))).sum(-1)  # (1+K,)
    evidence = np.log(np.mean(np.exp(labelled)))
    share = np.exp(labelled[0]) / np.exp(evidence)
    own = laplace.logpdf(x, decoded(z[0], under(w, "decode"))).sum()
    return share * (own - labelled[0] - divergence(q, prior)) + evidence


def alone_bound(x: Array, noise: Array, w: Named, other: Named) -> float:
    """MEME's bound of one clip with only modality x; noise (L,)."""
    mean, deviation = posterior(x, under(w, "encode"))
    z = mean + deviation * noise
    centers, deviations = posterior(other["pseudo"], under(other, "encode"))
    prior = logsumexp(norm.logpdf(z, centers, deviations).sum(-1)) - np.log(len(centers))
    own = laplace.logpdf(x, decoded(z, under(w, "decode"))).sum()
    return own + prior - norm.logpdf(z, mean, deviation).sum()


def ddag(
    a: Array, v: Array, w: Named, heard: Array, seen: Array, *, heads: int, parts: int, reach=None
) -> Array:
    """ECCV 2020 over a window: part attention within, graph attention across; (T, 4D)."""
    x = {"audio": affine(a, w, "encode_audio"), "video": affine(v, w, "encode_video")}
    here = {"audio": heard, "video": seen}
    x = {m: np.where(here[m][:, None], rows, 0) for m, rows in x.items()}
    steps = len(a)
    within = {m: layer_norm(x[m], w, "norm") + _context(x[m], here[m], w, parts) for m in x}
    nodes, present = np.vstack(list(x.values())), np.concatenate(list(here.values()))
    linked = [
        [j for j in range(2 * steps) if present[j] and _near(i % steps, j % steps, reach)]
        for i in range(2 * steps)
    ]
    graph = elu(
        _graph(elu(_graph(nodes, linked, under(w, "graph"), heads)), linked, under(w, "out"), 1)
    )
    return np.hstack([within["video"], within["audio"], graph[steps:], graph[:steps]])


def elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _near(one: int, other: int, reach: int | None) -> bool:
    return reach is None or abs(one - other) <= reach


def _context(x: Array, here: Array, w: Named, parts: int) -> Array:
    """The weighted sum of one modality's attended parts (D,)."""
    own = under(w, "parts")
    part = np.arange(len(x)) * parts // len(x)
    kept = [i for i in range(parts) if (here & (part == i)).any()]
    if not kept:
        return np.zeros(x.shape[1])
    p = np.array([x[here & (part == i)].mean(0) for i in kept])
    attended = softmax(affine(p, own, "query") @ affine(p, own, "key").T, 1) @ affine(
        p, own, "value"
    )
    return softmax(own["gate"][kept], 0) @ attended


def _graph(x: Array, linked: list[list[int]], w: Named, heads: int) -> Array:
    """Graph attention, node by node and neighbour by neighbour."""
    h = np.split(x @ w["transform.weight"].T, heads, axis=1)
    out = np.zeros((len(x), w["transform.weight"].shape[0]))
    width = out.shape[1] // heads
    for head in range(heads):
        both = np.concatenate([w["asks"][head], w["asked"][head]])
        for i, neighbours in enumerate(linked):
            if neighbours:
                pairs = np.array([np.concatenate([h[head][i], h[head][j]]) for j in neighbours])
                scores = pairs @ both
                scores = np.where(scores > 0, scores, 0.2 * scores)
                mean = softmax(scores, 0) @ h[head][neighbours]
                out[i, head * width : (head + 1) * width] = mean
    return out
