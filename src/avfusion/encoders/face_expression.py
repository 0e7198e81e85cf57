"""Pretrained expression network on aligned faces, trained on seven posed classes.

Source   face-api's expression model, see weights/README.md. It classifies single faces; its
         256-d pooled layer is the embedding, averaged over the sampled faces of a clip.
Departs  face-api crops its detector's box; here the face is aligned by five landmarks.
"""

import numpy as np
import torch
from torch import Tensor

from avfusion.encoders.expression_net import WEIGHTS, pretrained
from avfusion.encoders.faces import encode_faces
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.training import device


@encoders.add("face_expression")
class FaceExpression:
    """256 non-negative numbers per clip, with `posteriors` also the 7 class probabilities."""

    modality = "video"
    read_hz = 12.5
    fitted = False
    weights = WEIGHTS

    def __init__(self, *, frame_hz: float = 12.5, posteriors: bool = False) -> None:
        self.frame_hz = frame_hz
        self.posteriors = posteriors
        self.dim = 256 + 7 * posteriors
        self.net = pretrained().to(device.chosen())

    def encode(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the mean embedding of each clip's faces: float32 (N, D), NaN without a face."""
        return encode_faces(record, ends_s, clip_s, self.frame_hz, self._embed, self.dim)

    def _embed(self, faces: Tensor) -> Tensor:
        faces = device.moved(faces, device.of(self.net))
        embedding, posteriors = self.net(faces)  # (B, 256), (B, 7)
        return torch.cat([embedding, posteriors], -1) if self.posteriors else embedding
