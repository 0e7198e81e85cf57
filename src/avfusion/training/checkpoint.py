"""Save and load training states and weights.

Files are written whole or not at all and carry a checksum. Reading them runs no code.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from avfusion.errors import DamagedError, TrainError
from avfusion.io.atomic import write_bytes, write_text


def key(settings: dict[str, Any]) -> str:
    """Return a hash of settings; equal settings have equal keys, in any order.

    >>> key({"lr": 0.1, "epochs": 3}) == key({"epochs": 3, "lr": 0.1})
    True
    """
    text = json.dumps(settings, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def save_state(path: Path, state: dict[str, Any], settings_key: str) -> None:
    """Write a state to resume from: tensors, numbers, texts, lists and dicts.

    The file is one line of JSON (key, checksum) followed by the output of torch.save.
    """
    payload = io.BytesIO()
    torch.save(state, payload)
    body = payload.getvalue()
    head = {"key": settings_key, "sha256": hashlib.sha256(body).hexdigest()}
    write_bytes(path, json.dumps(head).encode() + b"\n" + body)


def load_state(path: Path, settings_key: str) -> dict[str, Any]:
    """Read a state that `save_state` wrote.

    Raises
    ------
    DamagedError
        If the file is damaged.
    TrainError
        If it was written under other settings.
    """
    head, body = _split(path)
    if hashlib.sha256(body).hexdigest() != head["sha256"]:
        raise _damaged(path, f"its checksum does not fit its {len(body):,} bytes")
    if head["key"] != settings_key:
        raise TrainError(
            f"{path}: written under other settings (key {head['key'][:12]}, expected "
            f"{settings_key[:12]}). Run `rm '{path}'` to start over, or restore those settings."
        )
    try:
        state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load has no error of its own, and advises to run the code
        raise _damaged(path, f"not a state ({type(error).__name__})") from None
    if not isinstance(state, dict):
        raise _damaged(path, f"a {type(state).__name__} and not a state")
    return state


def state_key(path: Path) -> str:
    """Return the key of the settings that a state was written under."""
    return _split(path)[0]["key"]


def save_weights(path: Path, weights: dict[str, Tensor], settings: dict[str, Any]) -> None:
    """Write named tensors as safetensors with the settings and a checksum in the metadata."""
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in weights.items()}
    stamp = {"settings": settings, "sha256": _checksum(tensors, settings)}
    write_bytes(path, save(tensors, metadata={"avfusion": json.dumps(stamp, sort_keys=True)}))


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read named tensors and the settings that they were trained under.

    Raises
    ------
    TrainError
        If there is no such file.
    DamagedError
        If it is damaged or not a file of avfusion.
    """
    stamp, file = _stamp(path)
    try:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged_weights(path, f"not safetensors ({error})") from None
    if _checksum(weights, stamp["settings"]) != stamp["sha256"]:
        raise _damaged_weights(path, "its checksum does not fit")
    return weights, stamp["settings"]


def _stamp(path: Path) -> tuple[dict[str, Any], Any]:
    if not path.is_file():
        raise TrainError(f"{path}: no such weights. Run `snakemake all` to fit them first.")
    try:
        file = safe_open(path, framework="pt")
        stamp = json.loads((file.metadata() or {})["avfusion"])
        return {"settings": stamp["settings"], "sha256": stamp["sha256"]}, file
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _damaged_weights(path, f"not safetensors of ours ({error})") from None


def _checksum(weights: dict[str, Tensor], settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode() + save(weights)).hexdigest()


def _damaged_weights(path: Path, what: str) -> DamagedError:
    return DamagedError(
        f"{path}: damaged or not ours: {what}. Run `rm '{path}'`, then `snakemake all` or the "
        f"`avf train` (`avf fit-encoder`) that made it; it is written again from state.pt."
    )


def save_history(path: Path, rows: list[dict[str, float]]) -> None:
    """Write epochs.csv with one line per epoch; without epochs, only the heading."""
    lines = [",".join(rows[0] if rows else ("epoch", "loss", "score", "lr"))]
    lines += [",".join(str(value) for value in row.values()) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def _split(path: Path) -> tuple[dict[str, str], bytes]:
    line, _, body = path.read_bytes().partition(b"\n")
    try:
        head = json.loads(line)
        return {"key": head["key"], "sha256": head["sha256"]}, body
    except (ValueError, KeyError, TypeError):
        raise _damaged(path, "it does not begin with avfusion's line") from None


def _damaged(path: Path, what: str) -> DamagedError:
    return DamagedError(
        f"{path}: damaged or not ours: {what}. Run `rm '{path}'` and the same command again."
    )
