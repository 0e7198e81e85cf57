"""Sound for models of transformers: chunks of a video, or for a fit what surrounds a clip.

The features of a clip are the mean of its frames, and a frame depends on all of the sound that the
model reads with it. Encoding reads chunks of `chunk_s`. An example of a fit is the clip with
`margin_s` before and after it: a chunk of the clip's length, read by the same rule. Where a chunk
of `chunk_s` is no more than that, such as in a short video, the row of the example is the features
of the clip. Elsewhere, the features have more surroundings.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avfusion.encoders.sound_chunks import Chunks, heard, low_rate
from avfusion.encoders.transformers_hidden import States
from avfusion.encoders.transformers_load import unreadable
from avfusion.errors import ConfigError
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord


class SoundReader:
    """Sound, normalised or as log-mels as preprocessor_config.json of the folder says."""

    def __init__(
        self,
        chunk_s: float = 10.0,
        margin_s: float = 1.0,
        *,
        folder: Path,
        config: Any,
        entry: str,
    ) -> None:
        import transformers

        try:
            self.extractor = transformers.AutoFeatureExtractor.from_pretrained(
                folder, local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise unreadable(folder, "preprocessor_config.json", entry, error) from None
        self.entry = entry
        hop, field = _frame(config, self.extractor)
        rate_hz = int(self.extractor.sampling_rate)
        self.chunks = Chunks(rate_hz, hop, field, chunk_s, margin_s).checked(entry)
        self._fits(chunk_s, "`chunk_s`", f"encoders.{entry}.chunk_s")

    def note(self) -> dict[str, Any]:
        """Return how sound is read."""
        form = self.chunks
        normalised = bool(getattr(self.extractor, "do_normalize", False))
        return {"rate_hz": form.rate_hz, "hop": form.hop, "field": form.field} | {
            "chunk_s": form.chunk_s,
            "margin_s": form.margin_s,
            "normalised": normalised,
        }

    def remark(self, record: MediaRecord) -> str | None:
        """Return a note on sound that is stored at a lower rate."""
        return low_rate(record, self.chunks.rate_hz)

    def encode(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float, states: States, dim: int
    ) -> np.ndarray:
        """Return the mean of each clip's frames."""

        def embed(samples: np.ndarray) -> np.ndarray:
            return self._frames(samples, states).cpu().numpy()

        return self.chunks.encode(record, ends_s, clip_s, embed, dim)

    def instants(self, record: MediaRecord, clip_s: float, fit_hz: float) -> np.ndarray:
        """Return the ends of clips with sound, `fit_hz` per second."""
        ends_s = clip_ends(record.duration_s, 1 / fit_hz)
        return ends_s[heard(record, ends_s, clip_s)]

    def inputs(self, record: MediaRecord, times_s: np.ndarray, clip_s: float) -> Tensor:
        """Return begin and end of each clip in its sound, and the sound: float32 (N, 2 + n).

        Begin and end are seconds from the first frame. Sound that is shorter than n, in a short
        video, ends with NaN.
        """
        self._fits(clip_s, "a clip", f"windows.clip_s or encoders.{self.entry}.margin_s")
        form = self.chunks
        longest_s = clip_s + 2 * form.margin_s
        samples = max(round(longest_s * form.rate_hz), form.hop) + form.field - form.hop
        out = np.full((len(times_s), 2 + samples), np.nan, np.float32)
        for row, end_s in zip(out, times_s, strict=True):
            begin_s, stop_s = form.around(end_s - clip_s, clip_s, record.duration_s)
            sound = form.samples(record, begin_s, stop_s)[:samples]
            row[:2] = end_s - clip_s - begin_s, end_s - begin_s
            row[2 : 2 + len(sound)] = sound
        return torch.from_numpy(out)

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the examples; sound is not changed."""
        return inputs

    def rows(self, inputs: Tensor, states: States) -> Tensor:
        """Return the mean of the frames (B, D) of the clips, weighted by their overlap."""
        spans, sound = inputs[:, :2], inputs[:, 2:]
        lengths = (~sound.isnan()).sum(1)
        rows = None
        for length in lengths.unique().tolist():  # padding would change the frames
            some = (lengths == length).nonzero()[:, 0]
            frames = self._frames(sound[some, :length].cpu().numpy(), states)  # (b, T, D)
            part = self._mean(frames, spans[some])
            rows = part.new_zeros(len(inputs), part.shape[1]) if rows is None else rows
            rows = rows.index_copy(0, some, part)
        assert rows is not None
        return rows

    def smallest(self) -> Tensor:
        """Return one example: silence of two frames."""
        samples = self.chunks.field + self.chunks.hop
        return torch.tensor([[0.0, self.chunks.hop / self.chunks.rate_hz] + [0.0] * samples])

    def _frames(self, samples: np.ndarray, states: States) -> Tensor:
        """Return frames (B, T, D) of samples (B, n)."""
        given = self.extractor(
            list(samples), sampling_rate=self.chunks.rate_hz, return_tensors="pt"
        )
        name = self.extractor.model_input_names[0]
        count = max((samples.shape[1] - self.chunks.field) // self.chunks.hop + 1, 1)
        return states(**{name: given[name]})[:, :count]  # Whisper pads what it reads

    def _mean(self, frames: Tensor, spans_s: Tensor) -> Tensor:
        """Return the mean (B, D) of frames (B, T, D) over spans (B, 2) in seconds."""
        hop_s = self.chunks.hop / self.chunks.rate_hz
        starts_s = torch.arange(frames.shape[1], device=frames.device) * hop_s
        stops_s = starts_s + hop_s
        stops_s[-1] = torch.inf  # the last frame stands for what is left
        begins_s, ends_s = spans_s[:, :1], spans_s[:, 1:]
        weights = (ends_s.minimum(stops_s) - begins_s.maximum(starts_s)).clamp(min=0)  # (B, T)
        return (frames * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)

    def _fits(self, length_s: float, part: str, setting: str) -> None:
        """Refuse more sound at once than the model reads."""
        most_s = getattr(self.extractor, "chunk_length", None)
        longest_s = length_s + 2 * self.chunks.margin_s
        if most_s is not None and longest_s > most_s:
            raise ConfigError(
                f"{self.entry}: {part} with `margin_s` on both sides is {longest_s:g} s, and this "
                f"model reads {most_s} s. Lower {setting}."
            )


def _frame(config: Any, extractor: Any) -> tuple[int, int]:
    """Return the samples from one frame to the next, and those that a frame is computed from."""
    if not hasattr(config, "conv_stride"):  # Whisper: two spectra per frame
        return 2 * extractor.hop_length, 2 * extractor.hop_length
    hop, field = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * hop
        hop *= stride
    return hop, field
