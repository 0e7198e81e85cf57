"""Hidden layers of a model of the library transformers, from a folder of the user.

Read are folders as `save_pretrained` writes them: config.json, the weights in one file
(model.safetensors or pytorch_model.bin), and preprocessor_config.json or the tokenizer. Nothing is
downloaded, and a folder that names code of its own (`auto_map`) is refused.

| modality | models | a clip's row |
|---|---|---|
| audio | wav2vec 2.0, HuBERT, WavLM, data2vec, the encoder of Whisper | mean of its frames |
| video | DINOv2, ViT, the picture half of CLIP | mean of its faces' rows |
| video | VideoMAE | of `num_frames` of its faces at once |
| text | BERT, RoBERTa, XLM-RoBERTa | mean of its words' rows |
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import nn

from avfusion.encoders import transformers_inputs as inputs
from avfusion.encoders.adapter import Adapter, frozen, refuse
from avfusion.encoders.extras import needed
from avfusion.encoders.transformers_inputs import read_json
from avfusion.encoders.transformers_words import WordReader
from avfusion.encoders.weights_file import IN_FOLDER, WeightsFile
from avfusion.errors import AvfError, ConfigError
from avfusion.io.atomic import file_digest
from avfusion.registry import encoders

CONFIGS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
"""Files besides the weights that features depend on."""

KINDS = {
    "wav2vec2": ("audio", "AutoModel"),
    "hubert": ("audio", "AutoModel"),
    "wavlm": ("audio", "AutoModel"),
    "data2vec-audio": ("audio", "AutoModel"),
    "whisper": ("audio", "WhisperModel"),
    "videomae": ("video", "VideoMAEModel"),
    "clip": ("video", "CLIPVisionModel"),
    "clip_vision_model": ("video", "CLIPVisionModel"),
    "dinov2": ("video", "AutoModel"),
    "vit": ("video", "ViTModel"),
    "bert": ("text", "BertModel"),
    "roberta": ("text", "RobertaModel"),
    "xlm-roberta": ("text", "XLMRobertaModel"),
}
"""`model_type` of config.json -> modality and class."""

UNUSED = ("pooler.", "masked_spec_embed")
"""Weights that hidden layers do not depend on; a folder may lack them."""


@encoders.add("transformers")
class TransformersFolder(Adapter):
    """The sum or mean of some hidden layers; D is the width of a layer.

    Parameters
    ----------
    path
        Folder of the model.
    sha256
        Expected SHA-256 of its file of weights.
    licence
        Terms of the weights, for the record.
    layers
        Hidden layers; -1 is the last, 0 the input of the first.
    combine
        `sum` or `mean` of the layers.
    pool
        One row of the places of a picture: their `mean` (default), or the class token `cls`.
    chunk_s
        Seconds of sound that are read at once; by default 10.
    margin_s
        Seconds before and after them that are read too; by default 1.
    frame_hz
        Faces per second that are read; by default 12.5.
    context_s
        Length of text that ends with the clip, in seconds; by default, and at least, the clip.
    """

    modalities = ("audio", "video", "text")
    extra = "transformers"
    read_hz = 12.5
    width_from = "avfusion.encoders.adapter_widths:transformers"

    def __init__(
        self,
        entry: str = "transformers",
        modality: Literal["audio", "video", "text"] = "audio",
        *,
        path: str = "",
        sha256: str = "",
        licence: str = "",
        layers: list[int] | tuple[int, ...] = (-4, -3, -2, -1),
        combine: Literal["sum", "mean"] = "sum",
        pool: Literal["mean", "cls"] | None = None,
        chunk_s: float | None = None,
        margin_s: float | None = None,
        frame_hz: float | None = None,
        context_s: float | None = None,
    ) -> None:
        self.modality = modality
        by_modality: dict[str, dict[str, Any]] = {
            "audio": {"chunk_s": chunk_s, "margin_s": margin_s},
            "video": {"pool": pool, "frame_hz": frame_hz},
            "text": {"context_s": context_s},
        }
        used = {k: x for k, x in by_modality.pop(modality).items() if x is not None}
        for options in by_modality.values():
            refuse(entry, options, modality)
        self.file = WeightsFile(path, sha256, licence, entry)
        self.folder = self.file.path.parent
        if path and self.file.path.name not in IN_FOLDER:
            folder = self.file.path
            raise AvfError(f"{folder}: {_without(folder)} {self.file.setting}.")
        _ = self.file.sha256
        refuse_code(self.folder, self.file.setting)
        config, net, self.left_out = _built(self.folder, self.file, entry, modality)
        self.net = frozen(net)
        hidden = inputs.Hidden(self.net, list(layers), combine, pool or "mean").checked(
            entry, config
        )
        self.dim, self.weights = hidden.width, self.file.path
        given: dict[str, Any] = {"folder": self.folder, "config": config, "entry": entry}
        self.reader: inputs.Reader
        if modality == "audio":
            self.reader = inputs.SoundReader(hidden, **used, **given)
        elif modality == "video":
            used.pop("pool", None)
            self.reader = inputs.PictureReader(hidden, **used, **given)
        else:
            self.reader = WordReader(hidden, **used, **given)
        self.looks_ahead = modality != "video"
        self.preprocessing = {**hidden.note(), **self.reader.note()}
        self.remark = self.reader.remark

    def identified(self) -> dict[str, Any]:
        """Return hashes of the weights and of the other files, and what was left out."""
        files = [self.folder / name for name in CONFIGS]
        hashes = {path.name: file_digest(path).hex() for path in files if path.is_file()}
        return {**self.file.note(), "files": hashes, "left_out": self.left_out}

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the features of the clips: float32 (N, D), NaN where the modality is absent."""
        return self.reader.encode(record, ends_s, clip_s)


def refuse_code(folder: Path, setting: str) -> None:
    """Refuse a folder that names code of its own.

    Raises
    ------
    AvfError
        If a JSON file has the key `auto_map`, or is damaged.
    """
    for path in (folder / name for name in CONFIGS if name.endswith("config.json")):
        if path.is_file() and (mapped := read_json(path, setting).get("auto_map")):
            code = next(iter(mapped.values())) if isinstance(mapped, dict) else mapped
            raise AvfError(
                f"{path}: names code of its own (auto_map: {code}), which is not run. Choose a "
                f"model whose classes are part of transformers ({setting})."
            )


def _without(folder: Path) -> str:
    """Return what is wrong with a folder without a file of weights, up to the setting's name."""
    parts = sorted(path.name for path in folder.glob("*.index.json"))
    if parts:
        return (
            f"its weights are in several files ({parts[0]}). Load and save the model once with "
            f"`save_pretrained(folder, max_shard_size='100GB')`, and set the new folder as"
        )
    return f"holds neither {' nor '.join(IN_FOLDER)}. Put the model's files there, or correct"


def _built(
    folder: Path, file: WeightsFile, entry: str, modality: str
) -> tuple[Any, nn.Module, list[str]]:
    """Return the configuration, the network, and the beginnings of names that it does not have.

    Raises
    ------
    AvfError
        If the folder is of another kind of model, or a weight is missing or misshapen.
    """
    stated = read_json(folder / "config.json", file.setting).get("model_type")
    kind = KINDS.get(str(stated))
    if kind is None:
        raise ConfigError(
            f"{folder}: a model of the type {stated!r}, which is not read. Known: "
            f"{', '.join(KINDS)}. Correct {file.setting}."
        )
    if kind[0] != modality:
        raise ConfigError(
            f"{folder}: a model of the type {stated!r}, which reads {kind[0]}. List {entry!r} "
            f"under features.{kind[0]}, not features.{modality}."
        )
    library = needed("transformers", entry)
    library.logging.set_verbosity_error()  # it reports what is checked below
    library.logging.disable_progress_bar()
    tensors = file.tensors()
    broken = next((name for name, x in tensors.items() if not x.isfinite().all()), None)
    if broken is not None:
        raise AvfError(f"{file.path}: {broken} has values that are not finite. Download it again.")
    config = library.AutoConfig.from_pretrained(folder, local_files_only=True)
    config = getattr(config, "vision_config", config)
    cls = getattr(library, kind[1])
    if kind[1] == "AutoModel":
        cls = library.AutoModel._model_mapping[type(config)]
    options = {"dtype": "float32", "output_loading_info": True, "state_dict": tensors}
    try:
        net, report = cls.from_pretrained(None, config=config, **options)
    except RuntimeError as error:  # of shapes
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise AvfError(
            f"{file.path}: does not fit config.json ({' '.join(lines)[:300]}). Correct "
            f"{file.setting}."
        ) from None
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(UNUSED))
    if missing:
        raise AvfError(
            f"{file.path}: {len(missing)} weights are missing, such as {missing[0]}. Correct "
            f"{file.setting}: the file must hold the weights of config.json's model."
        )
    left_out = sorted({name.partition(".")[0] for name in report["unexpected_keys"]})
    return config, net.get_encoder() if stated == "whisper" else net, left_out
