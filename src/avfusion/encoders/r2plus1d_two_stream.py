"""R(2+1)D-18 on the faces of a clip, the video half of the two-stream network.

Source   Kuhnke et al., FG 2020; Praveen et al., T-BIOM 2023, ICASSP 2023, and ICME 2024, which read
         8 of 32 frames at 112 px and keep the map of 7 x 7 places for audio-guided attention.
File     That of Kuhnke et al. (`video_model.r2plus1d.stem.0.weight`), whose mask channel is left
         out and which also holds the audio half (`resnet18_two_stream`), or torchvision's
         R(2+1)D-18.
"""

from typing import Any

from avfusion.encoders import published_widths
from avfusion.encoders.backbones import two_stream
from avfusion.encoders.face_clips import ClipEncoder
from avfusion.encoders.weights_file import Tensors
from avfusion.registry import encoders


@encoders.add("r2plus1d_two_stream")
class R2Plus1dTwoStream(ClipEncoder):
    """25,088 non-negative numbers per clip: 512 channels at 7 x 7 places, channel first.

    Parameters
    ----------
    pooled
        Average over places: 512 numbers per clip. `guided` of a fusion needs the map.
    """

    block_count = 9
    read_hz = 12.5
    leave_out = ("fc.", "audio_model.")
    picture = two_stream.READS
    width_from = "avfusion.encoders.published_widths:r2plus1d"

    def __init__(
        self, entry: str = "r2plus1d_two_stream", *, pooled: bool = False, **options: Any
    ) -> None:
        super().__init__(entry, **options)
        self.mean = pooled
        self.dim = published_widths.r2plus1d({"width": self.width, "pooled": pooled})
        self.freeze()

    def new_backbone(self) -> two_stream.R2Plus1d:
        """Return the network with new weights."""
        return two_stream.R2Plus1d(width=self.width, pooled=self.mean)

    def renamed(self, tensors: Tensors) -> Tensors:
        """Return the video half of the file."""
        return two_stream.video_half(tensors)
