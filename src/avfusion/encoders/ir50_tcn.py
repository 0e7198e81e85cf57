"""ArcFace's IR-50 on single faces and a temporal network over them, as in RJCMA.

Source   Deng et al., CVPR 2019; Praveen, Alam, CVPR Workshops 2024 (RJCMA), whose code crops faces
         of 48 px to 40 and releases the IR-50 in three groups (`release: 3, release_when: rate`).
File     That of RJCMA (`backbone.body.0.res_layer.1.weight`), or with `form: arcface` a public
         PyTorch file of the IR-50 at 112 px (`body.0.res_layer.1.weight`).
Departs  RJCMA trains on windows of 300 frames, each with a target. Here, an example is `frames`
         faces with the target of the last one. Where a video has fewer, its first face is repeated.
         The crop of 40 px is the middle one while fitting, too.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avfusion.encoders import published_widths
from avfusion.encoders.backbones import ir50
from avfusion.encoders.clip_inputs import Clips
from avfusion.encoders.face_clips import ClipEncoder
from avfusion.encoders.faces import CHUNK, read_faces, sample_faces
from avfusion.encoders.outputs import finite
from avfusion.encoders.weights_file import Tensors
from avfusion.media.clips import clip_spans
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.training import device
from avfusion.training.precision import products


@encoders.add("ir50_tcn")
class IR50Tcn(ClipEncoder):
    """512 numbers per clip, from the `frames` faces up to its last one.

    The temporal network has new weights, so this encoder is always fitted; with `blocks: 0`, the
    weights of the file do not change.

    Parameters
    ----------
    frames
        Faces that the temporal network reads; they can begin before the clip. It sees 121 at most,
        which RJCMA uses.
    form
        `rjcma`: faces of 48 px, cropped to 40. `arcface`: 112 px.
    """

    frozen_with = ""
    block_count = 6
    most_frames = 1_000
    read_hz = 12.5
    leave_out = ir50.LEAVE_OUT
    context_before = None
    width_from = "avfusion.encoders.published_widths:last_512"

    def __init__(
        self,
        entry: str = "ir50_tcn",
        *,
        frames: int = 32,
        form: Literal["rjcma", "arcface"] = "rjcma",
        **options: Any,
    ) -> None:
        super().__init__(entry, frames=frames, **options)
        self.form, self.dim = form, published_widths.last_512({"width": self.width})
        self.picture = (ir50.RESIZED[form], ir50.HALF, ir50.HALF)

    def preprocessing(self) -> dict[str, Any]:
        """Return how faces are read, and the side of their middle that the network sees."""
        return {**super().preprocessing(), "middle_px": ir50.CROPPED[self.form]}

    def new_backbone(self) -> ir50.IR50Tcn:
        """Return the network with new weights."""
        return ir50.IR50Tcn(width=self.width, form=self.form)

    def trunk(self, net: Any) -> Any:
        """Return the IR-50."""
        return net.backbone.ir50

    def renamed(self, tensors: Tensors) -> Tensors:
        """Return the tensors without RJCMA's prefix."""
        return ir50.of_rjcma(tensors)

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Clips:
        """Return the faces that end at these times."""
        frames, _, windows = self._windows(record, times_s, self.clip_s)
        used, places = np.unique(windows, return_inverse=True)
        faces = torch.cat([self._small(part) for _, part in read_faces(record, frames[used])])
        return Clips(faces, torch.from_numpy(places.reshape(windows.shape)))

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield places (B,) and faces uint8 (B, side, side, 3)."""
        for begin, part in read_faces(record, sample_faces(record, ends_s, clip_s, self.frame_hz)):
            yield np.arange(begin, begin + len(part)), self._small(part)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the embeddings (B, D) of single faces, on the CPU."""
        place = device.of(self.net)
        backbone: Any = self.net.get_submodule("backbone")
        with torch.inference_mode(), products(place, self.precision(place)):
            faces: Tensor = backbone.ir50(device.moved(inputs, place))
            return faces.float().cpu()

    def gather(
        self, parts: Iterable[Any], record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the last step of each clip: float32 (N, D), NaN without a face."""
        out = np.full((len(ends_s), self.dim), np.nan, np.float32)
        frames, rows, windows = self._windows(record, ends_s, clip_s)
        backbone: Any = self.net.get_submodule("backbone")
        place = device.of(self.net)
        faces = torch.zeros(len(frames), self.dim)
        for places, values in parts:
            faces[places] = torch.from_numpy(values)
        faces = faces.to(place)
        with torch.inference_mode(), products(place, self.precision(place)):
            for begin in range(0, len(rows), CHUNK):
                places = torch.from_numpy(windows[begin : begin + CHUNK])
                last = backbone.last(faces[places]).float().cpu()
                out[rows[begin : begin + CHUNK]] = finite(last.numpy())
        return out

    def _small(self, faces: Tensor) -> Tensor:
        """Return faces uint8 at the side that the network reads, as RJCMA stores them."""
        side = ir50.RESIZED[self.form]
        if faces.shape[1] == side:
            return faces
        x = faces.permute(0, 3, 1, 2).float()
        x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
        return x.round().to(torch.uint8).permute(0, 2, 3, 1)

    def _windows(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the sampled frames, the clips with a face, and the places of each one's faces."""
        frames = sample_faces(record, ends_s, clip_s, self.frame_hz)
        times_s = record.frames["time_s"].to_numpy()[frames]
        first, last = clip_spans(times_s, ends_s, clip_s)
        rows = np.flatnonzero(first < last)
        windows = last[rows, None] - 1 + np.arange(1 - self.frames, 1)  # (n, frames)
        return frames, rows, windows.clip(0)
