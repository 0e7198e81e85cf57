"""ECAPA-TDNN on 1.015 s of sound, as in RJCA and DCA for person verification.

Source   Desplanques et al., Interspeech 2020, arXiv:2005.07143; Praveen, Alam, FG 2024
         (arXiv:2403.04654, arXiv:2403.04661), whose segments have 16,240 samples.
File     SpeechBrain's `embedding_model.ckpt` (`blocks.0.conv.conv.weight`, `fc.conv.bias`).
Departs  A segment ends with the clip. The published code draws a place in each eighth of the
         recording, also while testing.
"""

from typing import Any, ClassVar

from torch import Tensor

from avfusion.config.contexts import Span
from avfusion.encoders import published_widths, spectra
from avfusion.encoders.backbones import ecapa
from avfusion.encoders.sound import SoundEncoder
from avfusion.encoders.weights_file import Tensors
from avfusion.registry import encoders


@encoders.add("ecapa_tdnn")
class EcapaTdnn(SoundEncoder):
    """192 numbers per clip, from the 1.015 s of sound before its end."""

    block_count = 6
    rate_hz, samples = spectra.SPEAKER_HZ, spectra.SPEAKER_SAMPLES
    context_before: ClassVar[Span] = 1.015
    width_from = "avfusion.encoders.published_widths:ecapa_tdnn"

    def __init__(self, entry: str = "ecapa_tdnn", **options: Any) -> None:
        super().__init__(entry, **options)
        self.dim = published_widths.ecapa_tdnn({"width": self.width})
        self.freeze()

    def new_backbone(self) -> ecapa.EcapaTdnn:
        """Return the network with new weights."""
        return ecapa.EcapaTdnn(width=self.width)

    def renamed(self, tensors: Tensors) -> Tensors:
        """Return the tensors with the names of the network."""
        return ecapa.of_speechbrain(tensors)

    def spectra(self, waveforms: Tensor) -> Tensor:
        """Return log-mel bands with mean 0 over time (N, 102, 80)."""
        return spectra.speaker(waveforms)
