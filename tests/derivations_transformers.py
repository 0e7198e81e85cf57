"""Fusions of multi-head attention in plain NumPy, written from the papers, one window at a time.

Rows are clips; every clip is present. Weights come by the names of the modules that hold them.
"""

import numpy as np

from derivations_family import Array, Named, affine, softmax, under


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def gru(x: Array, w: Named, tail: str = "l0") -> Array:
    """A GRU in one direction: x (T, i) -> (T, k); gates in the order r, z, n."""
    h = np.zeros(w[f"weight_hh_{tail}"].shape[1])
    out = []
    for row in x:
        r, z, n = np.split(w[f"weight_ih_{tail}"] @ row + w[f"bias_ih_{tail}"], 3)
        hr, hz, hn = np.split(w[f"weight_hh_{tail}"] @ h + w[f"bias_hh_{tail}"], 3)
        z = sigmoid(z + hz)
        h = (1 - z) * np.tanh(n + sigmoid(r + hr) * hn) + z * h
        out.append(h)
    return np.array(out)


def both_ways(x: Array, w: Named) -> tuple[Array, Array]:
    """A bidirectional GRU's two directions, (T, k) each."""
    return gru(x, w), gru(x[::-1], w, "l0_reverse")[::-1]


def multi_head(asks: Array, source: Array, w: Named, heads: int) -> Array:
    """Each head on its own slice of the features; (T, D)."""
    q, k, v = affine(asks, w, "query"), affine(source, w, "key"), affine(source, w, "value")
    out = []
    for own in np.split(np.arange(q.shape[1]), heads):
        weights = softmax(q[:, own] @ k[:, own].T / np.sqrt(len(own)), axis=1)
        out.append(weights @ v[:, own])
    return affine(np.hstack(out), w, "out")


def selfcross(a: Array, v: Array, w: Named, *, across: bool, heads: int, memory=True, pool=True):
    """ICASSP 2022: encoders, attention within or across, statistics of the two, (T, 2D)."""
    if memory:
        a = np.hstack(both_ways(a, under(w, "encode_audio.gru")))
        v = np.hstack(both_ways(v, under(w, "encode_video.gru")))
    else:
        a, v = affine(a, w, "encode_audio"), affine(v, w, "encode_video")
    a, v = (
        multi_head(a, v if across else a, under(w, "audio"), heads),
        multi_head(v, a if across else v, under(w, "video"), heads),
    )
    if not pool:
        return np.hstack([v, a])
    both = np.stack([a, v])
    return np.hstack([both.std(0, ddof=1), both.mean(0)])
