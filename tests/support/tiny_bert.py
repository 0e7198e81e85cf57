"""A folder of a small BERT model as the public ones are, with random weights."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

WIDTH, LAYERS, PLACES = 8, 3, 40
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "##0", "##1", "##2", "don", "t", "'"]


def shapes() -> dict[str, tuple[int, ...]]:
    """Published names (Devlin et al. 2019, as converted for PyTorch) and shapes of this size."""
    d, wide = WIDTH, 4 * WIDTH
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(PIECES), d),
        "embeddings.position_embeddings.weight": (PLACES, d),
        "embeddings.token_type_embeddings.weight": (2, d),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        linear = {f"attention.self.{part}": (d, d) for part in ("query", "key", "value")}
        linear |= {"attention.output.dense": (d, d), "intermediate.dense": (wide, d)}
        linear |= {"output.dense": (d, wide)}
        for name, shape in linear.items():
            found[f"{layer}.{name}.weight"] = shape
            found[f"{layer}.{name}.bias"] = shape[:1]
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    return found | {f"{norm}.{part}": (d,) for norm in norms for part in ("weight", "bias")}


def write_bert(folder: Path, old_names: bool = False) -> Path:
    """Write config.json, vocab.txt and the weights, and return the folder.

    old_names: with the prefix, heads, and LayerNorm's names of the first public files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "vocab_size": len(PIECES),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 4 * WIDTH,
        "max_position_embeddings": PLACES,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    draw = torch.Generator().manual_seed(5)
    tensors = {
        name: torch.randn(shape, generator=draw) * 0.3 + ("LayerNorm.weight" in name)
        for name, shape in shapes().items()
    }
    if old_names:
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for new, name in old.items():
            tensors = {key.replace(new, name): x for key, x in tensors.items()}
        tensors = {f"bert.{key}": x for key, x in tensors.items()}
        tensors |= {"bert.pooler.dense.weight": torch.ones(WIDTH, WIDTH)}
        tensors |= {"cls.predictions.bias": torch.ones(len(PIECES))}
    save_file(tensors, folder / "model.safetensors")
    return folder


def hidden_states(w: dict[str, torch.Tensor], numbers: list[int]) -> list[torch.Tensor]:
    """The embeddings and the output of each layer, (M, D) each, from the paper's equations."""

    def norm(x: torch.Tensor, path: str) -> torch.Tensor:
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.square().mean(-1, keepdim=True) + 1e-12).sqrt()
        return x * w[f"{path}.weight"] + w[f"{path}.bias"]

    def linear(x: torch.Tensor, path: str) -> torch.Tensor:
        return x @ w[f"{path}.weight"].T + w[f"{path}.bias"]

    e = "embeddings"
    x = w[f"{e}.word_embeddings.weight"][numbers]
    x = x + w[f"{e}.position_embeddings.weight"][: len(numbers)]
    x = norm(x + w[f"{e}.token_type_embeddings.weight"][0], f"{e}.LayerNorm")
    states = [x]
    for number in range(LAYERS):
        layer, heads = f"encoder.layer.{number}", []
        q, k, v = (linear(x, f"{layer}.attention.self.{p}") for p in ("query", "key", "value"))
        for part in (slice(0, WIDTH // 2), slice(WIDTH // 2, WIDTH)):
            scores = q[:, part] @ k[:, part].T / (WIDTH // 2) ** 0.5
            heads.append(scores.softmax(-1) @ v[:, part])
        attended = linear(torch.cat(heads, 1), f"{layer}.attention.output.dense")
        x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
        y = linear(x, f"{layer}.intermediate.dense")
        y = linear(y * 0.5 * (1 + torch.erf(y / 2**0.5)), f"{layer}.output.dense")
        x = norm(x + y, f"{layer}.output.LayerNorm")
        states.append(x)
    return states


def pieces_of(word: str) -> list[int]:
    """WordPiece: the longest piece first; the number of [UNK] for a word without pieces."""
    found, rest = [], word
    while rest:
        known = [rest[:n] for n in range(len(rest), 0, -1)]
        piece = next((p for p in known if ("##" if found else "") + p in PIECES), None)
        if piece is None:
            return [PIECES.index("[UNK]")]
        found.append(PIECES.index(("##" if found else "") + piece))
        rest = rest[len(piece) :]
    return found
