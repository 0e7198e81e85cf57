"""Hidden layers of a model of the library transformers, from a folder of the user.

`transformers_load` says which folders are read.

| modality | models | a clip's row |
|---|---|---|
| audio | wav2vec 2.0, HuBERT, WavLM, data2vec, the encoder of Whisper | mean of its frames |
| video | DINOv2, ViT, the picture half of CLIP | mean of its faces' rows |
| video | VideoMAE | of `num_frames` of its faces at once |
| text | BERT, RoBERTa, XLM-RoBERTa | mean of its words' rows |

With `blocks`, the last layers are fitted on the train partition. An example is a clip with sound, a
face or, for VideoMAE, the faces of a clip, or the words of a clip.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.adapter import frozen, refuse
from avfusion.encoders.backbones.base import Backbone, Tuned
from avfusion.encoders.clip_inputs import Clips
from avfusion.encoders.transformers_hidden import FolderBackbone, Hidden, Reader
from avfusion.encoders.transformers_load import CONFIGS, built
from avfusion.encoders.transformers_pictures import PictureReader
from avfusion.encoders.transformers_sound import SoundReader
from avfusion.encoders.transformers_words import WordReader
from avfusion.encoders.tuned_file import TunedFile
from avfusion.io.atomic import file_digest
from avfusion.registry import encoders
from avfusion.training import device
from avfusion.training.precision import products

READERS: dict[str, Callable[..., Reader]] = {
    "audio": SoundReader,
    "video": PictureReader,
    "text": WordReader,
}


@encoders.add("transformers")
class TransformersFolder(TunedFile):
    """The sum or mean of some hidden layers; D is the width of a layer.

    Parameters
    ----------
    path
        Folder of the model.
    sha256
        Expected SHA-256 of its file of weights.
    licence
        Terms of the weights, for the record.
    blocks
        Number of last layers that are fitted, up to the highest of `layers`; by default 0. One more
        than there are layers fits all weights, such as the convolutions of wav2vec 2.0.
    layers
        Hidden layers; -1 is the last, 0 the input of the first.
    combine
        `sum` or `mean` of the layers.
    pool
        One row of the places of a picture: their `mean` (default), or the class token `cls`.
    chunk_s
        Seconds of sound that are read at once; by default 10.
    margin_s
        Seconds before and after them that are read too; by default 1. An example of a fit is the
        clip with as much before and after it.
    frame_hz
        Faces per second that are read; by default 12.5.
    context_s
        Length of text that ends with the clip, in seconds; by default, and at least, the clip.
    brightness, contrast
        Of faces, as in `face_tuned`, with one draw per face or clip.
    flip
        Share of the faces or clips that are mirrored while fitting; by default 0.5.
    """

    fitted = False
    modalities = ("audio", "video", "text")
    extra = "transformers"
    read_hz = 12.5
    width_from = "avfusion.encoders.adapter_widths:transformers"

    def __init__(
        self,
        entry: str = "transformers",
        modality: Literal["audio", "video", "text"] = "audio",
        *,
        layers: list[int] | tuple[int, ...] = (-4, -3, -2, -1),
        combine: Literal["sum", "mean"] = "sum",
        pool: Literal["mean", "cls"] | None = None,
        chunk_s: float | None = None,
        margin_s: float | None = None,
        frame_hz: float | None = None,
        context_s: float | None = None,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float | None = None,
        **options: Any,
    ) -> None:
        self.entry, self.modality = entry, modality
        pictures = {"pool": pool, "frame_hz": frame_hz, "flip": flip}
        by_modality: dict[str, dict[str, Any]] = {
            "audio": {"chunk_s": chunk_s, "margin_s": margin_s},
            "video": {**pictures, "brightness": brightness, "contrast": contrast},
            "text": {"context_s": context_s},
        }
        used = {k: x for k, x in by_modality.pop(modality).items() if x is not None}
        for others in by_modality.values():
            refuse(entry, others, modality)
        self.read_layers, self.combine = list(layers), combine
        super().__init__(entry, **options)
        hidden = self.start
        self.reader = READERS[modality](
            **used, folder=self.file.path.parent, config=self.config, entry=entry
        )
        self.dim = hidden.width
        self.looks_ahead = modality != "video"
        chosen = {"layers": self.read_layers, "combine": combine, "pool": pool or "mean"}
        self.preprocessing = {**chosen, **self.reader.note()}
        self.remark = self.reader.remark
        if not self.fitted:
            self.weights = self.file.path
            self.net = frozen(Tuned(FolderBackbone(hidden, self.reader), 0, self.outputs))

    @cached_property
    def start(self) -> Hidden:
        """The layers with the weights of the folder."""
        self.config, net, self.left_out = built(self.file, self.entry, self.modality)
        return Hidden(net, self.read_layers, self.combine).checked(self.entry, self.config)

    @cached_property
    def block_count(self) -> int:  # type: ignore[override]
        """Number of blocks; see `FolderBackbone`."""
        return self.start.top + 1

    def new_backbone(self) -> Backbone:
        """Return the network with the weights of the folder."""
        return FolderBackbone(copy.deepcopy(self.start), self.reader).used()

    def prepare(self, net: nn.Module, train: Tensor) -> None:
        """Do nothing; the network has the weights of the folder."""

    def identified(self) -> dict[str, Any]:
        """Return hashes of the weights and other files, what was left out, and preprocessing."""
        files = [self.file.path.parent / name for name in CONFIGS]
        hashes = {path.name: file_digest(path).hex() for path in files if path.is_file()}
        note = {**self.file.note(), "files": hashes, "left_out": self.left_out}
        return {**note, "preprocessing": self.preprocessing}

    def instants(self, record: Any, settings: EncoderSettings) -> np.ndarray:
        """Return the times in seconds of possible examples, `fit_hz` per second."""
        self.clip_s = settings.windows.clip_s
        return self.reader.instants(record, self.clip_s, self.fit_hz)

    def inputs(self, record: Any, times_s: np.ndarray) -> Tensor | Clips:
        """Return examples (N, ...) of some instants."""
        return self.reader.inputs(record, times_s, self.clip_s)

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror some faces; change brightness and contrast of each if asked for."""
        return self.reader.augment(inputs, generator)

    @property
    def batched(self) -> bool:
        """Whether `read` yields its inputs; those of sound and text differ in length."""
        return self.modality == "video"

    def read(self, record: Any, ends_s: np.ndarray, clip_s: float) -> Iterator[Any]:
        """Yield places (B,) and faces or clips (B, ...), if the model reads pictures."""
        assert isinstance(self.reader, PictureReader)
        return self.reader.pictures.read(record, ends_s, clip_s)

    def gather(
        self, parts: Iterable[Any], record: Any, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the features float32 (N, D) from places (B,) and embeddings (B, D)."""
        assert isinstance(self.reader, PictureReader)
        return self.reader.pictures.gather(parts, record, ends_s, clip_s, self.dim)

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the features of the clips: float32 (N, D), NaN where the modality is absent."""
        return self.reader.encode(record, ends_s, clip_s, self._states, self.dim)

    def _states(self, **inputs: Tensor) -> Tensor:
        """Return hidden layers (B, T, D) for inputs of the model."""
        where = device.of(self.net)
        with torch.inference_mode(), products(where, self.precision(where)):
            hidden: Tensor = self.net.get_submodule("backbone.hidden")(**inputs)
            return hidden.float()
