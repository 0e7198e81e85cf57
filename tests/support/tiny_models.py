"""Files of small models with random weights, as the adapters read them."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from support.tiny_bert import write_bert

ADAPTERS = ("onnx", "opensmile", "timm", "torchvision", "transformers")
HIDDEN = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
SPEECH = {
    **HIDDEN,
    "conv_dim": [8, 8, 8],
    "conv_kernel": [20, 15, 6],
    "conv_stride": [8, 8, 5],  # a frame each 320 samples
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 5,
}
TOKENS = {"vocab_size": 20, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def write_transformers(kind: str, folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Write a folder as `save_pretrained` does: weights, config and preprocessing; return it."""
    import torch
    import transformers as t

    torch.manual_seed(seed)
    picture = {**HIDDEN, "image_size": 112, "patch_size": 56}
    makers = {
        "wav2vec2": lambda: t.Wav2Vec2Model(t.Wav2Vec2Config(**SPEECH | changes)),
        "hubert": lambda: t.HubertModel(t.HubertConfig(**SPEECH | changes)),
        "wavlm": lambda: t.WavLMModel(t.WavLMConfig(**SPEECH | changes)),
        "data2vec-audio": lambda: t.Data2VecAudioModel(
            t.Data2VecAudioConfig(**SPEECH | {"conv_pos_kernel_size": 5} | changes)
        ),
        "whisper": lambda: t.WhisperForConditionalGeneration(
            t.WhisperConfig(
                d_model=16, encoder_layers=3, decoder_layers=1, encoder_attention_heads=2,
                decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, vocab_size=20,
                max_source_positions=150, max_target_positions=8, num_mel_bins=8, pad_token_id=0,
                bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
            )
        ),
        "videomae": lambda: t.VideoMAEModel(t.VideoMAEConfig(**picture, num_frames=4)),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**picture)),
        "vit": lambda: t.ViTModel(t.ViTConfig(**picture)),
        "clip": lambda: t.CLIPModel(
            t.CLIPConfig(text_config={**HIDDEN, **TOKENS}, vision_config=picture)
        ),
    }  # fmt: skip
    net = makers[kind]()
    with torch.no_grad():  # as initialised, deep layers hardly differ from each other
        for x in net.parameters():
            x += 0.05 * torch.randn_like(x)
    net.save_pretrained(folder)
    if kind == "whisper":
        t.WhisperFeatureExtractor(feature_size=8, chunk_length=3).save_pretrained(folder)
    elif "conv_stride" in net.config.to_dict():
        t.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    else:
        write_json(folder / "preprocessor_config.json", {"size": 112, "resample": 3, **IMAGENET})
    return folder


def write_roberta(folder: Path, seed: int = 0) -> Path:
    """Write a folder of a small RoBERTa, whose vocabulary is the bytes."""
    import torch
    import transformers as t

    torch.manual_seed(seed)
    pieces = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        "Ġ",
        *"abcdefghijklmnopqrstuvwxyz0123456789'",
    ]
    pieces += ["Ġg", "Ġgo", "Ġgoo", "Ġgood"]
    merges = ["Ġ g", "Ġg o", "Ġgo o", "Ġgoo d"]
    config = t.RobertaConfig(
        **HIDDEN, vocab_size=len(pieces), max_position_embeddings=42, pad_token_id=1
    )
    t.RobertaForMaskedLM(config).save_pretrained(folder)
    write_json(folder / "vocab.json", {piece: n for n, piece in enumerate(pieces)})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return folder


def write_timm(model: str, path: Path, seed: int = 0) -> Path:
    """Write the weights of a model of timm with its classifier, as .safetensors."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    net = settled(timm.create_model(model, pretrained=False, num_classes=7), (8, 3, 64, 64))
    save_file(net.state_dict(), path)
    return path


def write_torchvision(model: str, path: Path, seed: int = 0) -> Path:
    """Write the weights of a model of torchvision with its classifier, as torch.save does."""
    import torch
    import torchvision

    torch.manual_seed(seed)
    net = torchvision.models.get_model(model, weights=None)
    video = model in torchvision.models.list_models(module=torchvision.models.video)
    shape = (2, 3, 4, 32, 32) if video else (8, 3, 64, 64)
    torch.save(settled(net, shape).state_dict(), path)
    return path


def settled(net: Any, shape: tuple[int, ...]) -> Any:
    """The network with running means and deviations of noise, so that values neither fade nor grow.

    A network of random weights would otherwise give nearly 0.
    """
    import torch

    for part in net.modules():
        if hasattr(part, "running_mean"):
            part.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.randn(shape))
    return net.eval()


def write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document))


def write_onnx(
    path: Path, shape: list[int | str], width: int = 4, seed: int = 0, outside: str = ""
) -> np.ndarray:
    """Write y = tanh(flatten(x) W), with x of this shape, and return W; no package is needed.

    The format is Protocol Buffers; numbers of fields are those of onnx.proto. A text is a size that
    is left open. If one besides the batch is open, x is averaged to (n, 1) first. `outside` names a
    file next to it that holds W.
    """
    open_ended = any(isinstance(size, str) for size in shape[1:])
    sizes = [1] if open_ended else [int(size) for size in shape[1:]]
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(int(np.prod(sizes)), width)).astype(np.float32)
    weights *= 40 if open_ended else 1 / len(weights) ** 0.5
    first = _node("ReduceMean", ["x"], "flat", _axes(shape)) if open_ended else None
    nodes = [first or _node("Flatten", ["x"], "flat"), _node("MatMul", ["flat", "w"], "sum")]
    nodes += [_node("Tanh", ["sum"], "y")]
    tensor = _field(1, len(weights)) + _field(1, width) + _field(2, 1)  # dims, type float
    tensor += _field(8, b"w")
    if outside:
        (path.parent / outside).write_bytes(weights.tobytes())
        place = _field(1, b"location") + _field(2, outside.encode())
        tensor += _field(13, place) + _field(14, 1)  # external
    else:
        tensor += _field(9, weights.tobytes())
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"g") + _field(5, tensor)
    graph += _field(11, _value("x", shape)) + _field(12, _value("y", ["n", width]))
    model = _field(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, 13))
    path.write_bytes(model)
    return weights


def _axes(shape: list[int | str]) -> bytes:
    """Attributes: the axes of the mean, and that they go."""
    axes = b"".join(_field(8, axis) for axis in range(1, len(shape)))
    one = _field(5, _field(1, b"axes") + axes + _field(20, 7))
    return one + (
        _field(5, _field(1, b"keepdims") + _field(3, int(len(shape) == 2)) + _field(20, 2))
    )


def _node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    given = b"".join(_field(1, name.encode()) for name in inputs)
    return given + _field(2, output.encode()) + _field(4, kind.encode()) + attributes


def _value(name: str, shape: list[int | str]) -> bytes:
    """A float tensor: its name, and sizes as numbers or names."""
    sizes = [
        _field(1, _field(1, size) if isinstance(size, int) else _field(2, size.encode()))
        for size in shape
    ]
    kind = _field(1, _field(1, 1) + _field(2, b"".join(sizes)))
    return _field(1, name.encode()) + _field(2, kind)


def _field(number: int, content: int | bytes) -> bytes:
    """One field of Protocol Buffers: a number, or bytes with their length."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return struct.pack(f"{len(parts) + 1}B", *parts, value)


def options(name: str, modality: str, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Write the file of one adapter, and return its options."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "transformers" and modality == "text":
        return {"path": str(write_bert(folder)), "layers": [-2, -1]}
    if name == "transformers":
        kind = {"audio": "wav2vec2", "video": "dinov2"}[modality]
        path = write_transformers(kind, folder, seed)
        chunks = {"chunk_s": 2.0} if modality == "audio" else {}
        return {"path": str(path), "layers": [-2, -1], **chunks}
    if name == "timm":
        path = write_timm("test_resnet", folder / "a.safetensors", seed)
        return {"model": "test_resnet", "path": str(path), "crop_px": 64}
    if name == "torchvision":
        path = write_torchvision("shufflenet_v2_x0_5", folder / "a.pth", seed)
        return {"model": "shufflenet_v2_x0_5", "path": str(path), "crop_px": 64}
    if name == "onnx":
        path, pictures = folder / "a.onnx", {"mean": [0.5] * 3, "deviation": [0.25] * 3}
        write_onnx(path, ["n", 3, 16, 16] if modality == "video" else ["n", 3200])
        return {"path": str(path)} | (pictures if modality == "video" else {})
    return {}
