"""IResNet-18 on single faces, as in RJCA and DCA for person verification.

Source   Duta et al., ICPR 2020, arXiv:2004.04989; Praveen, Alam, FG 2024 (arXiv:2403.04654,
         arXiv:2403.04661), whose faces have 112 px.
File     A public PyTorch file of insightface's `iresnet18` (`layer1.0.bn1.weight`, `fc.bias`).
Departs  A clip's row is the mean over its sampled faces; the published code reads one face of each
         eighth of the recording, in an order that depends on the file system.
"""

from typing import Any

import torch
from torch import Tensor

from avfusion.encoders import colour, published_widths
from avfusion.encoders.backbones import iresnet
from avfusion.encoders.faces import AveragedFaces, SingleFaces
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.published import PublishedEncoder
from avfusion.errors import ConfigError
from avfusion.registry import encoders


@encoders.add("iresnet18")
class IResNet18(SingleFaces, PublishedEncoder, AveragedFaces):
    """512 numbers per clip, the mean over its faces.

    Parameters
    ----------
    bgr
        Give the network blue, green and red in this order, as the code of RJCA for verification.
    brightness, contrast
        As in `face_tuned`.
    flip
        Share of the faces that are mirrored while fitting.
    """

    modality = "video"
    read_hz = 12.5
    block_count = 6
    width_from = "avfusion.encoders.published_widths:last_512"

    def __init__(
        self,
        entry: str = "iresnet18",
        *,
        frame_hz: float = 12.5,
        bgr: bool = False,
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
        self.frame_hz, self.bgr = frame_hz, bgr
        self.dim = published_widths.last_512({"width": self.width})
        self.freeze()

    def new_backbone(self) -> iresnet.IResNet18:
        """Return the network with new weights."""
        return iresnet.IResNet18(width=self.width, bgr=self.bgr)

    def preprocessing(self) -> dict[str, Any]:
        """Return how faces are read, as `Pictures` names it, and the order of colours."""
        return {**Pictures(*iresnet.READS, frame_hz=self.frame_hz).note(), "bgr": self.bgr}

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror some faces; change brightness and contrast of each if asked for."""
        change = (self.flip, self.brightness, self.contrast)
        return colour.augmented(inputs, *change, generator)
