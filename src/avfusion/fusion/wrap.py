"""Build the attention that another fusion wraps, from its name and options.

A new attention that can be wrapped is a `base.Attention`, an entry of `ABLE`, and a name in the
annotations of `wraps` in dca.py and iaca.py, which the check of a study reads without torch.
"""

from typing import Any

from avfusion.config.modalities import USUAL, used
from avfusion.errors import ConfigError
from avfusion.fusion.base import Attention
from avfusion.fusion.ca import CrossAttention
from avfusion.fusion.dense_joint import DenseJoint
from avfusion.fusion.jca import JointCrossAttention
from avfusion.fusion.rjca import RecursiveJointCrossAttention
from avfusion.fusion.self_attention import SelfAttention
from avfusion.fusion.selfcross import CrossTransformer, SelfTransformer
from avfusion.registry import fusions

ABLE: dict[str, type[Attention]] = {
    "ca": CrossAttention,
    "cross_transformer": CrossTransformer,
    "dense_joint": DenseJoint,
    "jca": JointCrossAttention,
    "rjca": RecursiveJointCrossAttention,
    "self_attention": SelfAttention,
    "self_transformer": SelfTransformer,
}


def attention(
    wrapper: str,
    wraps: str,
    inner: dict[str, Any] | None,
    audio_dim: int,
    video_dim: int,
    steps: int,
) -> Attention:
    """Return the attention `wraps` with the options `inner`.

    Raises
    ------
    ConfigError
        If there is no such attention or option, or the options give nothing to gate.
    """
    inner = inner or {}
    if wraps not in ABLE:
        raise ConfigError(f"{wrapper}: cannot wrap {wraps!r}; it wraps one of {', '.join(ABLE)}.")
    known = fusions.options(wraps)
    for key in inner:
        if key not in known:
            listed = ", ".join(f"{k} (default {v})" for k, v in known.items()) or "none"
            raise ConfigError(f"{wrapper}: {wraps} has no option {key!r}. Its options: {listed}.")
    if sorted(used(wraps, inner)) != sorted(USUAL):
        raise ConfigError(
            f"{wrapper}: gates only audio and video. Remove `modalities` from `inner`."
        )
    if inner.get("raw_video"):
        raise ConfigError(
            f"{wrapper}: `raw_video` leaves out the attended audio, so it cannot be gated. "
            f"Remove it from `inner`."
        )
    return ABLE[wraps](audio_dim, video_dim, steps=steps, **inner)
