"""Read the folder of a model of transformers: check it, and make its network with its weights.

Read are folders as `save_pretrained` writes them: config.json, the weights in one file
(model.safetensors or pytorch_model.bin), and preprocessor_config.json or the tokenizer. Nothing is
downloaded, and a folder that names code of its own (`auto_map`) is refused.
"""

import json
from pathlib import Path
from typing import Any

from torch import nn

from avfusion.encoders.extras import needed
from avfusion.encoders.weights_file import IN_FOLDER, WeightsFile
from avfusion.errors import AvfError, ConfigError

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


def built(file: WeightsFile, entry: str, modality: str) -> tuple[Any, nn.Module, list[str]]:
    """Return the configuration, the network, and the beginnings of names that it does not have.

    Raises
    ------
    AvfError
        If there is no file of weights in the folder, the folder is of another kind of model, or a
        weight is missing or misshapen.
    """
    folder = file.path.parent
    if file.given and file.path.name not in IN_FOLDER:
        raise AvfError(f"{file.path}: {_without(file.path)} {file.setting}.")
    _ = file.sha256
    refuse_code(folder, file.setting)
    stated, name = _kind(folder, file, entry, modality)
    library = needed("transformers", entry)
    library.logging.set_verbosity_error()  # it reports what is checked below
    library.logging.disable_progress_bar()
    tensors = file.tensors()
    broken = next((name for name, x in tensors.items() if not x.isfinite().all()), None)
    if broken is not None:
        raise AvfError(f"{file.path}: {broken} has values that are not finite. Download it again.")
    config = library.AutoConfig.from_pretrained(folder, local_files_only=True)
    config = getattr(config, "vision_config", config)
    cls = getattr(library, name)
    if name == "AutoModel":
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
    for unused in report["missing_keys"]:  # they are random, and a fit keeps them
        net.get_parameter(unused).data.zero_()
    left_out = sorted({name.partition(".")[0] for name in report["unexpected_keys"]})
    return config, net.get_encoder() if stated == "whisper" else net, left_out


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


def read_json(path: Path, setting: str) -> dict[str, Any]:
    """Return the mapping in a JSON file of a model's folder.

    Raises
    ------
    AvfError
        If it is missing or holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        text = "file not found" if isinstance(error, FileNotFoundError) else f"not JSON ({error})"
        raise AvfError(
            f"{path}: {text}. Put the file of the model there, or correct {setting}."
        ) from None
    if not isinstance(document, dict):
        raise AvfError(f"{path}: holds no mapping. Correct {setting}.")
    return document


def unreadable(folder: Path, what: str, entry: str, error: Exception) -> AvfError:
    """Return the error of a folder whose preprocessing or vocabulary cannot be used."""
    text = str(error).partition("\n")[0]
    return AvfError(
        f"{folder}: its {what} is missing or cannot be used ({type(error).__name__}: {text}). Put "
        f"the files of the model there, or correct encoders.{entry}.path."
    )


def _kind(folder: Path, file: WeightsFile, entry: str, modality: str) -> tuple[str, str]:
    """Return the `model_type` of a folder, and the name of its class.

    Raises
    ------
    ConfigError
        If no class reads it, or one of another modality does.
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
    return str(stated), kind[1]


def _without(folder: Path) -> str:
    """Return what is wrong with a folder without a file of weights, up to the setting's name."""
    parts = sorted(path.name for path in folder.glob("*.index.json"))
    if parts:
        return (
            f"its weights are in several files ({parts[0]}). Load and save the model once with "
            f"`save_pretrained(folder, max_shard_size='100GB')`, and set the new folder as"
        )
    return f"holds neither {' nor '.join(IN_FOLDER)}. Put the model's files there, or correct"
