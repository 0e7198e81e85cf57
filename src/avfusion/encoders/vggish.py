"""VGGish on log-mel patches of 0.975 s, as in RJCMA.

Source   Hershey et al.: "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017;
         Praveen, Alam, CVPR Workshops 2024 (RJCMA), whose code leaves out the last ReLU.
File     The public PyTorch file (`features.0.weight`, `embeddings.4.bias`; `pproc.` is left out).
Departs  A patch ends with the clip. The release takes consecutive patches of 0.96 s.
"""

from typing import Any, ClassVar

from torch import Tensor

from avfusion.config.contexts import Span
from avfusion.encoders import published_widths, spectra
from avfusion.encoders.backbones import vgg
from avfusion.encoders.sound import SoundEncoder
from avfusion.registry import encoders


@encoders.add("vggish")
class VGGish(SoundEncoder):
    """128 numbers per clip, from the 0.975 s of sound before its end."""

    block_count = 9
    leave_out = vgg.VGGISH_LEAVE_OUT
    rate_hz, samples = spectra.VGGISH_HZ, spectra.VGGISH_SAMPLES
    context_before: ClassVar[Span] = 0.975
    width_from = "avfusion.encoders.published_widths:vggish"

    def __init__(self, entry: str = "vggish", **options: Any) -> None:
        super().__init__(entry, **options)
        self.dim = published_widths.vggish({"width": self.width})
        self.freeze()

    def new_backbone(self) -> vgg.VGGish:
        """Return the network with new weights."""
        return vgg.VGGish(width=self.width)

    def spectra(self, waveforms: Tensor) -> Tensor:
        """Return log-mel patches (N, 96, 64)."""
        return spectra.vggish(waveforms)
