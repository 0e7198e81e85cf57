"""The acoustic features eGeMAPSv02, computed by the library openSMILE.

Source   Eyben et al.: "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research
         and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016.
Licence  openSMILE may be used for research and private purposes only, not commercially.

The functionals summarise the sound that ends with a clip. The low-level descriptors are frames of
10 ms, which are averaged over the clip. Where nothing is recorded, openSMILE reads silence.
"""

from typing import Any, ClassVar, Literal

import numpy as np

from avfusion.config.contexts import Span
from avfusion.encoders.adapter import Adapter, refuse
from avfusion.encoders.adapter_widths import EGEMAPS
from avfusion.encoders.extras import needed
from avfusion.encoders.sound_chunks import Chunks, encode_windows, low_rate
from avfusion.errors import ConfigError
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders

LICENCE = "openSMILE research licence of audEERING GmbH: no commercial use"
LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors"}


@encoders.add("opensmile")
class OpensmileFeatures(Adapter):
    """88 functionals, or 25 low-level descriptors, of eGeMAPSv02 per clip; non-commercial use only.

    Parameters
    ----------
    level
        `functionals` or `lld`.
    context_s
        Length of sound that the functionals summarise, which ends with the clip; at least the
        clip, by default 2.56.
    rate_hz
        Sampling rate of what is read.
    chunk_s, margin_s
        Seconds of sound whose low-level descriptors are computed at once, by default 60, and
        seconds before and after them that are read too, by default 1.
    """

    modality = "audio"
    extra = "opensmile"
    context_before: ClassVar[Span] = {"context_s": 1}
    weights = None
    width_from = "avfusion.encoders.adapter_widths:opensmile"

    def __init__(
        self,
        entry: str = "opensmile",
        *,
        level: Literal["functionals", "lld"] = "functionals",
        context_s: float | None = None,
        rate_hz: int = 16_000,
        chunk_s: float | None = None,
        margin_s: float | None = None,
    ) -> None:
        if level == "lld":
            refuse(entry, {"context_s": context_s}, "the level lld")
        else:
            refuse(entry, {"chunk_s": chunk_s, "margin_s": margin_s}, f"the level {level}")
        context_s = 2.56 if context_s is None else context_s
        chunk_s = 60.0 if chunk_s is None else chunk_s
        margin_s = 1.0 if margin_s is None else margin_s
        if rate_hz < 8_000:
            raise ConfigError(f"{entry}: `rate_hz` must be 8000 or more, found {rate_hz}.")
        if not context_s >= 0.1:  # openSMILE gives only NaN for 50 ms
            raise ConfigError(f"{entry}: `context_s` must be 0.1 or more, found {context_s}.")
        library = needed("opensmile", entry)
        self.version = str(library.__version__)
        level_of = getattr(library.FeatureLevel, LEVELS[level])
        self.smile = library.Smile(library.FeatureSet.eGeMAPSv02, level_of)
        self.level, self.context_s, self.rate_hz = level, context_s, rate_hz
        self.dim, self.looks_ahead = EGEMAPS[level], level == "lld"
        hop, field = rate_hz // 100, rate_hz // 50
        self.chunks = Chunks(rate_hz, hop, field, chunk_s, margin_s).checked(entry)
        spans = {"context_s": context_s}
        if level == "lld":
            spans = {"chunk_s": chunk_s, "margin_s": margin_s}
        self.preprocessing = {"set": "eGeMAPSv02", "level": level, "rate_hz": rate_hz, **spans}

    def identified(self) -> dict[str, Any]:
        """Return the version of openSMILE and its licence."""
        return {"package": f"opensmile {self.version}", "licence": LICENCE}

    def remark(self, record: MediaRecord) -> str | None:
        """Return a note on sound that is stored at a lower rate."""
        return low_rate(record, self.rate_hz)

    def encode(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the features of each clip's sound: float32 (N, D), NaN without sound."""
        if self.level == "lld":
            return self.chunks.encode(record, ends_s, clip_s, self._frames, self.dim)
        samples = round(max(self.context_s, clip_s) * self.rate_hz)
        given = record, ends_s, clip_s, self.rate_hz, samples
        return encode_windows(*given, lambda x: self._frames(x)[:, 0], self.dim)

    def _frames(self, samples: np.ndarray) -> np.ndarray:
        """Return frames (B, T, D) of samples (B, n); one frame if they are functionals."""
        tables = [self.smile.process_signal(row, self.rate_hz) for row in samples]
        return np.stack([table.to_numpy(np.float32) for table in tables])
