"""ResNet-18 with one channel on mel levels, the audio half of the two-stream network.

Source   Kuhnke et al., FG 2020; Praveen et al., T-BIOM 2023, ICASSP 2023, and ICME 2024.
File     That of Kuhnke et al. (`audio_model.resnet.conv1.weight`), which also holds the video half
         (`r2plus1d_two_stream`), or a ResNet-18 of torchvision, whose first kernel is averaged over
         colours.
Departs  T-BIOM pads spectrograms of a batch on the left with 0. Here, all have the same length.
"""

from typing import Any, ClassVar

from torch import Tensor

from avfusion.config.contexts import Span
from avfusion.encoders import published_widths, spectra
from avfusion.encoders.backbones import two_stream
from avfusion.encoders.sound import SoundEncoder
from avfusion.encoders.weights_file import Tensors
from avfusion.errors import ConfigError
from avfusion.registry import encoders


@encoders.add("resnet18_two_stream")
class ResNet18TwoStream(SoundEncoder):
    """512 non-negative numbers per clip, from the sound before its end.

    Parameters
    ----------
    samples
        Length of the sound in samples at 44.1 kHz. T-BIOM, RJCA, DCA: 45599. CVPRW 2022: 47040.
    """

    block_count = 9
    leave_out = ("fc.", "video_model.")
    rate_hz = spectra.TWO_STREAM_HZ
    context_before: ClassVar[Span] = {"samples": 44_100}
    width_from = "avfusion.encoders.published_widths:last_512"

    def __init__(
        self, entry: str = "resnet18_two_stream", *, samples: int = 45_599, **options: Any
    ) -> None:
        super().__init__(entry, **options)
        if samples < 1024:
            raise ConfigError(f"{entry}: `samples` must be 1024 or more, found {samples}.")
        self.samples, self.dim = samples, published_widths.last_512({"width": self.width})
        self.freeze()

    def new_backbone(self) -> two_stream.ResNet18:
        """Return the network with new weights."""
        return two_stream.ResNet18(width=self.width)

    def renamed(self, tensors: Tensors) -> Tensors:
        """Return the audio half of the file."""
        return two_stream.audio_half(tensors)

    def spectra(self, waveforms: Tensor) -> Tensor:
        """Return standardised mel levels (N, 64, columns)."""
        return spectra.two_stream(waveforms)
