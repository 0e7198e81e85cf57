"""VGG-Face on single faces, the 2-D network that CA compares with.

Source   Praveen et al., FG 2021, arXiv:2111.05222: the 4096 activations of VGG-Face (Parkhi et al.,
         BMVC 2015) at 224 px.
File     The public PyTorch file (`conv1_1.weight` … `fc7.bias`; `fc8.` is left out).
Departs  The paper follows it with a recurrent network over frames. Here, a clip's row is the mean
         over its faces, and the fusion sees the course over clips.
"""

from typing import Any

import torch
from torch import Tensor

from avfusion.encoders import colour, published_widths
from avfusion.encoders.backbones import vgg
from avfusion.encoders.faces import AveragedFaces, SingleFaces
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.published import PublishedEncoder
from avfusion.errors import ConfigError
from avfusion.registry import encoders


@encoders.add("cnn2d_face")
class Cnn2dFace(SingleFaces, PublishedEncoder, AveragedFaces):
    """4096 non-negative numbers per clip, the mean over its faces.

    Parameters
    ----------
    brightness, contrast
        As in `face_tuned`.
    flip
        Share of the faces that are mirrored while fitting.
    """

    modality = "video"
    read_hz = 12.5
    block_count = 15
    leave_out = vgg.VGG_FACE_LEAVE_OUT
    width_from = "avfusion.encoders.published_widths:vgg_face"

    def __init__(
        self,
        entry: str = "cnn2d_face",
        *,
        frame_hz: float = 12.5,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(entry, **options)
        colour.check(entry, brightness, contrast, flip)
        self.brightness, self.contrast, self.flip = brightness, contrast, flip
        if not frame_hz > 0:
            raise ConfigError(f"{entry}: `frame_hz` must be above 0, found {frame_hz}.")
        self.frame_hz = frame_hz
        self.dim = published_widths.vgg_face({"width": self.width})
        self.freeze()

    def new_backbone(self) -> vgg.VggFace:
        """Return the network with new weights."""
        return vgg.VggFace(width=self.width)

    def preprocessing(self) -> dict[str, Any]:
        """Return how faces are read, as `Pictures` names it."""
        return Pictures(*vgg.READS, frame_hz=self.frame_hz).note()

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror some faces; change brightness and contrast of each if asked for."""
        change = (self.flip, self.brightness, self.contrast)
        return colour.augmented(inputs, *change, generator)
