"""A fusion that wraps an attention takes it by name, with its options.

The attentions are imported here, not looked up, so that editing one re-trains what wraps it. A new
one needs an `attend` (see `base.Attention`) and a line in `ABLE`.
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
    """The attention named `wraps`, built with the options `inner`; refuses what it cannot wrap."""
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
            f"{wrapper}: gates audio and video alone. Remove `modalities` from `inner`."
        )
    if inner.get("raw_video"):
        raise ConfigError(
            f"{wrapper}: `raw_video` leaves the attended audio out, so nothing of it can be "
            f"gated. Remove it from `inner`."
        )
    return ABLE[wraps](audio_dim, video_dim, steps=steps, **inner)
