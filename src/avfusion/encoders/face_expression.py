"""Pretrained expression network on aligned faces, trained on seven posed classes.

Source   face-api's expression model, see weights/README.md. It classifies single faces; its
         256-d pooled layer is the embedding, averaged over the sampled faces of a clip.
Departs  face-api crops its detector's box; here the face is aligned by five landmarks.
"""

import torch
from torch import Tensor

from avfusion.encoders import published_widths
from avfusion.encoders.expression_net import WEIGHTS, pretrained
from avfusion.encoders.faces import AveragedFaces
from avfusion.registry import encoders
from avfusion.training import device

SMALL = 16
"""Faces at a time on a CPU: what a layer gives stays in its cache (benchmarks/batches.py)."""


@encoders.add("face_expression")
class FaceExpression(AveragedFaces):
    """256 non-negative numbers per clip, with `posteriors` also the 7 class probabilities."""

    modality = "video"
    read_hz = 12.5
    fitted = False
    weights = WEIGHTS
    width_from = "avfusion.encoders.published_widths:face_expression"

    def __init__(self, *, frame_hz: float = 12.5, posteriors: bool = False) -> None:
        self.frame_hz = frame_hz
        self.posteriors = posteriors
        self.dim = published_widths.face_expression({"posteriors": posteriors})
        self.net = pretrained().to(device.chosen())

    def embed(self, faces: Tensor) -> Tensor:
        """Return the embeddings (B, D) of faces uint8 RGB (B, side, side, 3)."""
        faces = device.moved(faces, device.of(self.net))
        most = SMALL if faces.device.type == "cpu" else len(faces)
        return torch.cat([self._embed(part) for part in faces.split(most)])

    def _embed(self, faces: Tensor) -> Tensor:
        embedding, posteriors = self.net(faces)  # (B, 256), (B, 7)
        return torch.cat([embedding, posteriors], -1) if self.posteriors else embedding
