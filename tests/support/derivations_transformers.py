"""Fusions of multi-head attention in plain NumPy, written from the papers, one window at a time.

Rows are clips; every clip is present. Weights come by the names of the modules that hold them.
"""

import numpy as np

from support.derivations_family import Array, Named, affine, one_way, relu, softmax, under


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


def selfcross(x: dict, w: Named, *, across: bool, heads: int, memory=True, pool=True) -> Array:
    """ICASSP 2022: encoders, attention within or across, statistics over all that was attended.

    x: modality -> (T, d), in the order audio, video, text.
    """
    for m in x:
        own = under(w, f"encode_{m}.gru") if memory else w
        x = x | {m: np.hstack(both_ways(x[m], own)) if memory else affine(x[m], w, f"encode_{m}")}
    asked = {}
    for m in x:
        for of in [o for o in x if o != m] if across else [m]:
            key = f"{m}_asks_{of}" if across and len(x) == 3 else m
            asked[m, of] = multi_head(x[m], x[of], under(w, key), heads)
    if not pool or len(asked) == 1:
        order = sorted(asked, key=lambda pair: ("video", "audio", "text").index(pair[0]))
        return np.hstack([asked[pair] for pair in order])
    every = np.stack(list(asked.values()))
    return np.hstack([every.std(0, ddof=1), every.mean(0)])


def layer_norm(x: Array, w: Named, name: str, least: float = 1e-5) -> Array:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + least)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]


JAX = 1e-6
"""What a norm of MBT's published code adds to the variance; PyTorch adds 1e-5."""


def block(x: Array, w: Named, heads: int) -> Array:
    """A pre-norm transformer block over all rows; the GELU is its approximation by tanh."""
    z = layer_norm(x, w, "norm", JAX)
    u = x + multi_head(z, z, under(w, "attention"), heads)
    inner = affine(layer_norm(u, w, "norm_mlp", JAX), w, "mlp.0")
    rise = np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3))
    return u + affine(inner * (1 + rise) / 2, w, "mlp.3")


def mbt(a: Array, v: Array, w: Named, *, heads: int, layers: int, fuse_from: int) -> Array:
    """NeurIPS 2021: the streams share tokens after `fuse_from` blocks; (T, 2D)."""
    own = {"audio": under(w, "audio"), "video": under(w, "video")}
    z = {m: affine(x, own[m], "encode") + own[m]["place"] for m, x in (("audio", a), ("video", v))}
    shared = w["shared"]
    for t in range(layers):
        if t < fuse_from:
            z = {m: block(x, under(own[m], f"blocks.{t}"), heads) for m, x in z.items()}
            continue
        both = {
            m: block(np.vstack([x, shared]), under(own[m], f"blocks.{t}"), heads)
            for m, x in z.items()
        }
        z = {m: x[: len(a)] for m, x in both.items()}
        shared = (both["audio"][len(a) :] + both["video"][len(a) :]) / 2
    return np.hstack([layer_norm(z[m], w, "norm", JAX) for m in ("video", "audio")])


MUTUAL = (("audio", "video"), ("video", "audio"))


def bbfn(a: Array, v: Array, w: Named, *, heads: int, layers: int) -> Array:
    """ICMI 2021, one pair of modalities; (T, 2D)."""
    x = {"audio": _conv(a, w["encode_audio.weight"]), "video": _conv(v, w["encode_video.weight"])}
    for t in range(layers):
        own = {m: under(w, f"{m}.{t}") for m in x}
        p = {m: _summary(x[m], own[m]) for m in x}
        x = {m: _gated_layer(m, o, x, p, own[m], heads) for m, o in MUTUAL}
    return np.hstack([x["video"], x["audio"]])


def _conv(x: Array, kernel: Array) -> Array:
    """Three clips wide, zeros at both ends: x (T, i), kernel (D, i, 3) -> (T, D)."""
    padded = np.vstack([np.zeros((1, x.shape[1])), x, np.zeros((1, x.shape[1]))])
    return sum(padded[k : k + len(x)] @ kernel[:, :, k].T for k in range(3))


def _summary(x: Array, w: Named) -> Array:
    if "pooled.weight" in w:
        return affine(x.mean(0), w, "pooled")
    return (sum(both_ways(x, under(w, "gru"))) / 2).mean(0)


def _gated_layer(m: str, o: str, x: dict, p: dict, w: Named, heads: int) -> Array:
    c = np.concatenate([p[m], p[o]])
    r, g = sigmoid(affine(c, w, "retain")), sigmoid(affine(c, w, "take"))
    z, zo = layer_norm(x[m], w, "norm"), layer_norm(x[o], w, "norm")
    u = g * multi_head(z, zo, under(w, "attention"), heads) + r * x[m]
    return u + affine(relu(affine(layer_norm(u, w, "norm_ffn"), w, "ffn.0")), w, "ffn.3")


def mmlatch(a: Array, v: Array, w: Named, *, feedback: bool = True) -> Array:
    """ICASSP 2022: encode, mask the inputs by the other modality, encode again, fuse; (T, 2k)."""
    hear, see = under(w, "audio"), under(w, "video")
    if "encode_audio.weight" in w:
        a, v = affine(a, w, "encode_audio"), affine(v, w, "encode_video")
    if feedback:
        h_a, h_v = _encoder(a, hear), _encoder(v, see)
        a = a * sigmoid(_forward_lstm(h_v, under(w, "mask_audio")))
        v = v * sigmoid(_forward_lstm(h_a, under(w, "mask_video")))
    h_a, h_v = _encoder(a, hear), _encoder(v, see)
    f = h_a + _ask(h_a, h_v, under(w, "hears")) + h_v + _ask(h_v, h_a, under(w, "sees"))
    return np.hstack(_two_lstms(np.hstack([h_v, h_a, f]), under(w, "memory")))


def _encoder(x: Array, w: Named) -> Array:
    h = sum(_two_lstms(x, under(w, "lstm")))
    return _ask(h, h, under(w, "ask"))


def _forward_lstm(x: Array, w: Named, tail: str = "l0") -> Array:
    zero = np.zeros(w[f"weight_hh_{tail}"].shape[1])
    return one_way(x, w, tail, zero, zero)


def _two_lstms(x: Array, w: Named) -> tuple[Array, Array]:
    return _forward_lstm(x, w), _forward_lstm(x[::-1], w, "l0_reverse")[::-1]


def _ask(asks: Array, source: Array, w: Named) -> Array:
    q, k, v = affine(asks, w, "query"), affine(source, w, "key"), affine(source, w, "value")
    return softmax(q @ k.T / np.sqrt(q.shape[1]), axis=1) @ v
