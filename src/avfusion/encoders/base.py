"""What an encoder answers, and the two stages that run one: fit it once, encode each video once."""

from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from avfusion.registry import encoders


class Encoder(Protocol):
    """A feature maker: built from its options, then frozen before it encodes anything.

    A fitted one also has `fit(corpus, own, layout)`, which writes best.safetensors into
    `layout.encoder(corpus, name)`, and `load(path, own)`, which reads that file.
    """

    modality: Literal["audio", "video", "text"]
    fitted: bool
    """Whether it needs fitting on the corpus' train partition before it can encode."""
    dim: int
    """D, the width of a feature."""
    weights: Path | None
    """The file of its pretrained weights; None where fitted. If it is the user's: see `note`."""

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Features float32 (N, D) of the clips (end - clip_s, end] of one video.

        record: a `MediaRecord`, for text a `Transcript`, or an `arrays.Utterance` if `reads` is
        "arrays". A row is NaN where, and only where, the whole clip has no face (audio, word).
        """
        ...


def build(own: dict[str, Any]) -> Any:
    """The encoder that `Study.encoder_settings` describes, not yet fitted or loaded."""
    return encoders.get(own["encoder"])(**own["options"])
