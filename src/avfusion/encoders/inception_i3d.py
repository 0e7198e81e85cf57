"""Inception-v1 I3D on the faces of a clip, as in CA; with a temporal network, as in JCA.

Source   Carreira, Zisserman, CVPR 2017; Praveen et al., FG 2021 (CA: 16 frames at 224 px); Praveen
         et al., CVPR Workshops 2022 (JCA: 8 of 32 frames, no temporal strides).
File     The public PyTorch file of the RGB network (`Conv3d_1a_7x7.conv3d.weight`; `logits.` is
         left out), or with `inflate` a 2-D Inception-v1 (torchvision's GoogLeNet).
Departs  The published heads have a hidden layer and one target. Here, a linear layer predicts all.
"""

from typing import Any

from avfusion.encoders import published_widths
from avfusion.encoders.backbones import i3d
from avfusion.encoders.backbones.base import Backbone
from avfusion.encoders.face_clips import ClipEncoder
from avfusion.encoders.weights_file import Tensors
from avfusion.registry import encoders


class _I3d(ClipEncoder):
    """Base of both: `inflate` says what the file holds."""

    block_count = 12
    leave_out = i3d.LEAVE_OUT
    picture = i3d.READS

    def __init__(self, entry: str, *, inflate: bool = False, **options: Any) -> None:
        super().__init__(entry, **options)
        self.inflate = inflate

    def renamed(self, tensors: Tensors) -> Tensors:
        """Return the tensors of the file, inflated if it is of a 2-D network."""
        return i3d.inflated(tensors) if self.inflate else tensors


@encoders.add("inception_i3d")
class InceptionI3d(_I3d):
    """1024 non-negative numbers per clip.

    Parameters
    ----------
    frames
        Faces of a clip that the network reads. FG 2021: 16 of 16.
    inflate
        The file holds a 2-D Inception-v1. Its kernels are repeated over time and divided by its
        length; the first and last frame of a clip are repeated instead of padded by zeros.
    """

    read_hz = 25.0
    width_from = "avfusion.encoders.published_widths:inception_i3d"

    def __init__(
        self,
        entry: str = "inception_i3d",
        *,
        frames: int = 16,
        frame_hz: float = 25.0,
        **options: Any,
    ) -> None:
        super().__init__(entry, frames=frames, frame_hz=frame_hz, **options)
        self.dim = published_widths.inception_i3d({"width": self.width})
        self.freeze()

    def new_backbone(self) -> Backbone:
        """Return the network with new weights."""
        return i3d.InceptionI3d(width=self.width, inflated=self.inflate)


@encoders.add("inception_i3d_tcn")
class InceptionI3dTcn(_I3d):
    """512 numbers per clip: an I3D without temporal strides, and a temporal network.

    The temporal network has new weights, so this encoder is always fitted; with `blocks: 0`, the
    weights of the file do not change.

    Parameters
    ----------
    frames
        Faces of a clip that the network reads. CVPRW 2022: 8 of 32.
    inflate
        As in `inception_i3d`.
    """

    frozen_with = ""
    read_hz = 12.5
    width_from = "avfusion.encoders.published_widths:last_512"

    def __init__(
        self,
        entry: str = "inception_i3d_tcn",
        *,
        frames: int = 8,
        frame_hz: float = 12.5,
        **options: Any,
    ) -> None:
        super().__init__(entry, frames=frames, frame_hz=frame_hz, **options)
        self.dim = published_widths.last_512({"width": self.width})

    def new_backbone(self) -> Backbone:
        """Return the network with new weights."""
        return i3d.I3dTcn(width=self.width, inflated=self.inflate)

    def trunk(self, net: Any) -> Any:
        """Return the I3D."""
        return net.backbone.i3d
