"""The attention family's equations in plain NumPy, written from the papers, one window at a time.

Rows are clips. Weights come by the names of the modules that hold them; every clip is present.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

Array = np.ndarray
Named = Mapping[str, Array]


def under(w: Named, prefix: str) -> dict[str, Array]:
    """The weights of one part, without its name."""
    return {k[len(prefix) + 1 :]: v for k, v in w.items() if k.startswith(prefix + ".")}


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def unit(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def affine(x: Array, w: Named, name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def one_way(x: Array, w: Named, tail: str, h: Array, c: Array) -> Array:
    """An LSTM in one direction: x (T, i) -> (T, k); gates in the order i, f, g, o."""
    out = []
    for row in x:
        z = w[f"weight_ih_{tail}"] @ row + w[f"bias_ih_{tail}"]
        i, f, g, o = np.split(z + w[f"weight_hh_{tail}"] @ h + w[f"bias_hh_{tail}"], 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        out.append(h)
    return np.array(out)


def memory(x: Array, w: Named) -> Array:
    """Residual BiLSTM: W [x ; BiLSTM(x)] + b, to unit length."""
    lstm, (h0, c0) = under(w, "lstm"), np.split(w["start"], 2)
    h = x
    for layer in range(len(h0) // 2):
        ahead = one_way(h, lstm, f"l{layer}", h0[2 * layer], c0[2 * layer])
        back = one_way(h[::-1], lstm, f"l{layer}_reverse", h0[2 * layer + 1], c0[2 * layer + 1])
        h = np.hstack([ahead, back[::-1]])
    return unit(affine(np.hstack([x, h]), w, "out"))


def memory_if(x: Array, w: Named, name: str) -> Array:
    own = under(w, name)
    return memory(x, own) if own else x


def self_attended(x: Array, w: Named) -> Array:
    """tanh(X + A'X) with columns of A summing to 1; affinities of unit rows."""
    weights = softmax(unit(x) @ w["affinity"] @ unit(x).T, axis=0)
    return np.tanh(x + weights.T @ x)


def cross_attended(a: Array, v: Array, w: Named) -> tuple[Array, Array]:
    """CA: each modality averages its own clips by affinity to the other's."""
    z = unit(a) @ w["affinity"] @ unit(v).T
    a2 = np.tanh(a + softmax(z, 0).T @ a)
    v2 = np.tanh(v + softmax(z.T, 0).T @ v)
    return cross_attended(a2, v2, under(w, "second")) if under(w, "second") else (a2, v2)


def joint_attended(a: Array, v: Array, w: Named) -> tuple[Array, Array]:
    """JCA without encoders."""
    joint = np.hstack([a, v])
    out = []
    for x, own in ((a, under(w, "audio")), (v, under(w, "video"))):
        c = np.tanh(x.T @ own["mix.weight"] @ joint / np.sqrt(joint.shape[1]))
        h = relu(x.T @ own["from_self.weight"].T + c @ own["from_map.weight"].T)
        out.append((h @ own["back.weight"].T).T + x)
    return out[0], out[1]


def dense_attended(a: Array, v: Array, w: Named) -> tuple[Array, Array]:
    """The published code's co-attention block; both modalities read the same a and v."""
    q = affine(np.hstack([v, a]), w, "query")
    out = []
    for x, own in ((a, under(w, "audio")), (v, under(w, "video"))):
        k = (own["key.weight"] @ x + own["key.bias"][:, None]).T
        s = np.tanh(k @ q / np.sqrt(q.shape[1]))
        u = relu(np.tanh(affine(x, own, "value") @ s))
        out.append(x + relu(affine(u, own, "back")))
    return out[0], out[1]


def guided(audio: Array, video: Array, w: Named, spatial: bool) -> Array:
    """Audio-guided attention, clip by clip; video (T, c 49), channel first."""
    out = []
    for sound, flat in zip(audio, video, strict=True):
        p = flat.reshape(-1, 49).T if spatial else flat.reshape(49, -1)
        g = relu(affine(p, w, "from_video"))
        h = relu(affine(sound, w, "from_audio"))
        s = np.tanh(affine(g, w, "score_video") + affine(h, w, "score_audio")[:, None])
        alpha = softmax(affine(s, w, "score")[:, 0], 0)
        out.append(affine(alpha @ p, w, "out"))
    return np.array(out)


def gated(asked: Array, versions: list[Array], w: Named, temperature: float) -> Array:
    g = softmax(affine(asked, w, "layer") / temperature, -1)
    return relu(sum(g[:, [i]] * x for i, x in enumerate(versions)))


def passes(a: Array, v: Array, w: Named, recursions: int) -> list[tuple[Array, Array]]:
    """RJCA's X^(0) … X^(n)."""
    if "encode_audio.weight" in w:
        a, v = affine(a, w, "encode_audio"), affine(v, w, "encode_video")
    pairs = [(memory_if(a, w, "audio_memory"), memory_if(v, w, "video_memory"))]
    blocks = len({k.split(".")[1] for k in w if k.startswith("blocks.")})
    for t in range(recursions):
        pairs.append(joint_attended(*pairs[-1], under(w, f"blocks.{t % blocks}")))
    return pairs


def dense_passes(
    a: Array, v: Array, w: Named, depth: int, layout: str
) -> list[tuple[Array, Array]]:
    """Before and after each dense block."""
    a = memory_if(unit(a), w, "audio_memory")
    v = unit(v)
    if layout != "none":
        v = guided(a, v, under(w, "guided"), layout == "spatial")
    pairs = [(a, memory_if(v, w, "video_memory"))]
    for t in range(depth):
        pairs.append(dense_attended(*pairs[-1], under(w, f"blocks.{t}")))
    return pairs


def joined(a: Array, v: Array, w: Named) -> Array:
    return memory_if(np.hstack([v, a]), w, "memory")


def dca(x: tuple, y: tuple, w: Named, temperature: float) -> tuple[Array, Array]:
    """Both modalities behind their gate, from before x and after y the attention."""
    a = gated(y[0], [x[0], y[0]], under(w, "gate_audio"), temperature)
    v = gated(y[1], [x[1], y[1]], under(w, "gate_video"), temperature)
    return a, v


def iaca(a: Array, v: Array, w: Named, stage2: str, temperature: float) -> Array:
    a, v = affine(a, w, "encode_audio"), affine(v, w, "encode_video")
    cross = cross_attended(a, v, under(w, "cross"))
    within = [self_attended(x, under(w, f"within.{m}")) for x, m in ((a, "audio"), (v, "video"))]
    a = gated(cross[0], [within[0], cross[0]], under(w, "gate_audio"), temperature)
    v = gated(cross[1], [within[1], cross[1]], under(w, "gate_video"), temperature)
    g = softmax(affine(np.hstack([a, v]), under(w, "gate"), "layer") / temperature, -1)
    if stage2 == "sum":
        return relu(g[:, [0]] * a + g[:, [1]] * v)
    return relu(np.hstack([g[:, [1]] * v, g[:, [0]] * a]))


def hierarchy(xs: list[Array], w: Named, temperature: float) -> Array:
    """HGRJCA's two levels for one modality, from X^(0) … X^(n)."""
    z = [
        gated(after, [before, after], under(w, f"low.{t}"), temperature)
        for t, (before, after) in enumerate(pairwise(xs))
    ]
    return gated(z[-1], z, under(w, "high"), temperature)
