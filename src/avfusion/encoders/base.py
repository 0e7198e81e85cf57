"""The contract of encoders, and `build`, which makes one from its settings."""

from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from avfusion.config.jobs import EncoderSettings
from avfusion.layout import Layout
from avfusion.registry import encoders


class Encoder(Protocol):
    """Computes the features of one modality, one row per clip.

    The options of an encoder are the keyword arguments of its constructor. Its parameters are
    frozen before it encodes a video, and they are the same for all videos.

    Attributes
    ----------
    modality
        The modality that it reads.
    fitted
        Whether it must be fitted on the train partition of the corpus before it can encode; it
        then is a `FittableEncoder`.
    dim
        D, the number of features.
    weights
        The file of its pretrained weights, or None.

    Notes
    -----
    Optional members:

    - `modalities = ("audio", "video")`: the study chooses one of them, by the list under `features`
      that names the encoder. The constructor takes it as `modality`, which is no option, and sets
      the attribute. The class itself has no attribute `modality`.
    - `reads = "arrays"`: its records are rows of shared arrays (`media.arrays.Utterance`) instead
      of media. `reads = "features"`: they are files of features (`media.feature_files.Source`).
    - `identity(record)` returns what the features depend on of a record, JSON-ready; by default the
      key of the media record.
    - `width_from = "package.module:function"`: the function returns the width for the options, or
      None, and its module imports no torch; see `config.widths`.
    - `frozen_with = "path"`: with this option, an encoder is fitted only if its option `blocks` is
      1 or more, whatever `fitted` of the class is. It sets its attribute `fitted` in this way.
    - `note(corpus, settings, layout)` writes settings.json and returns what identifies weights that
      neither ship with avfusion nor are fitted; it becomes part of the key of the features. If it
      has `sha256`, its `file` and `licence` are not part of the key.
    - `by_digest = ("path", "sha256", "licence")`: options that name a file. `note`, or the weights
      that are fitted, give its SHA-256, so features do not depend on these options.
    - `named = True`: the constructor takes `entry`, the name of the encoder in the study, which
      messages about its options need.
    - `read_hz = 12.5`: an encoder of faces reads so many per second, and an option `frame_hz` of
      it changes that. The media stage stores no more. Without `read_hz`, it stores a face per
      frame.
    - `read(record, ends_s, clip_s)`, `embed(inputs)`, `gather(parts, record, ends_s, clip_s)` and
      `encode_read(batches, record, ends_s, clip_s)` of `ahead.ReadsAhead`: inputs of the network in
      batches, their embeddings, and the features from these. A thread then reads ahead, and on a
      GPU a batch can hold inputs of several videos. With `batched = False`, neither is done.
    - `context_before` and `context_after`: the part of the recording that a row depends on; see
      `config.contexts`. Without them, it is the complete recording.
    - `remark(record)` returns a note on one video for the feature index, or None.
    """

    modality: Literal["audio", "video", "text"]
    fitted: bool
    dim: int
    weights: Path | None

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Compute the features of the clips of one video.

        Parameters
        ----------
        record
            The video's `MediaRecord`; a `Transcript` for text; an `Utterance` if `reads` is
            "arrays".
        ends_s
            Ends of the clips in seconds, ascending, float64 (N,). A clip is (end - clip_s, end].
        clip_s
            Length of a clip in seconds.

        Returns
        -------
        ndarray
            Features, float32 (N, D). A row is NaN if and only if the modality (face, audio or
            word) is absent in the whole clip.
        """
        ...


class FittableEncoder(Encoder, Protocol):
    """An encoder with `fitted = True`; `fitting.FittedEncoder` is the usual base."""

    def fit(self, corpus: str, settings: EncoderSettings, layout: Layout) -> None:
        """Fit on the train partition and write the weights.

        Parameters
        ----------
        corpus
            Name of the corpus entry.
        settings
            Settings of the encoder. `settings.encoder` is its name in the study.
        layout
            Paths of the study; best.safetensors is written into
            `layout.encoder(corpus, settings.encoder)`.

        Raises
        ------
        TrainError
            If there are no rated videos to fit on.
        """
        ...

    def load(self, path: Path, settings: EncoderSettings) -> None:
        """Read the weights that `fit` wrote.

        Parameters
        ----------
        path
            The file best.safetensors.
        settings
            Settings that the weights must have been fitted under.

        Raises
        ------
        TrainError
            If the file is missing or was fitted under other settings.
        """
        ...


def build(settings: EncoderSettings) -> Any:
    """Build an encoder from its settings; it is neither fitted nor loaded.

    Parameters
    ----------
    settings
        `class_` is the name in the registry and `options` are the constructor's arguments.

    Returns
    -------
    Encoder
        A new instance of the class.
    """
    kind = encoders.get(settings.class_)
    given: dict[str, Any] = {}
    if getattr(kind, "named", False):
        given["entry"] = settings.encoder
    if getattr(kind, "modalities", ()):
        given["modality"] = settings.modality
    return kind(**given, **settings.options)
