"""Audio network of CA: five convolutions on a mel spectrogram of 0.64 s.

Source   Praveen et al., FG 2021, arXiv:2111.05222, and its published code. It is trained from new
         weights on the corpus; no file is published.
File     Of your own, under the names of `backbones.vgg.SpectrogramCnn`.
Departs  The published head has a hidden layer and one target. Here, a linear layer predicts all.
"""

from typing import Any, ClassVar

from torch import Tensor

from avfusion.config.contexts import Span
from avfusion.encoders import published_widths, spectra
from avfusion.encoders.backbones.vgg import SpectrogramCnn
from avfusion.encoders.sound import SoundEncoder
from avfusion.registry import encoders


@encoders.add("cnn2d_spectrogram")
class Cnn2dSpectrogram(SoundEncoder):
    """1024 non-negative numbers per clip, from the 0.64 s of sound before its end."""

    block_count = 5
    rate_hz, samples = spectra.CA_HZ, spectra.CA_SAMPLES
    context_before: ClassVar[Span] = 0.64
    width_from = "avfusion.encoders.published_widths:spectrogram_cnn"

    def __init__(self, entry: str = "cnn2d_spectrogram", **options: Any) -> None:
        super().__init__(entry, **options)
        self.dim = published_widths.spectrogram_cnn({"width": self.width})
        self.freeze()

    def new_backbone(self) -> SpectrogramCnn:
        """Return the network with new weights."""
        return SpectrogramCnn(width=self.width)

    def spectra(self, waveforms: Tensor) -> Tensor:
        """Return scaled mel spectrograms (N, 128, 65)."""
        return spectra.ca(waveforms)
