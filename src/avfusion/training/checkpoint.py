"""State and weights on disk: whole or absent, checked when read, and reading runs no code."""

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
    """A name for settings: equal settings have equal keys, whatever their order.

    >>> key({"lr": 0.1, "epochs": 3}) == key({"epochs": 3, "lr": 0.1})
    True
    """
    text = json.dumps(settings, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def save_state(path: Path, state: dict[str, Any], settings_key: str) -> None:
    """Write tensors, numbers, texts, lists and dicts to go on from, under the settings' key.

    The file is one line of JSON (key, checksum) followed by what torch.save wrote.
    """
    payload = io.BytesIO()
    torch.save(state, payload)
    body = payload.getvalue()
    head = {"key": settings_key, "sha256": hashlib.sha256(body).hexdigest()}
    write_bytes(path, json.dumps(head).encode() + b"\n" + body)


def load_state(path: Path, settings_key: str) -> dict[str, Any]:
    """The state that `save_state` wrote; refuses a damaged one and one of other settings."""
    head, body = _split(path)
    if hashlib.sha256(body).hexdigest() != head["sha256"]:
        raise _damaged(path, f"its checksum does not fit its {len(body):,} bytes")
    if head["key"] != settings_key:
        raise TrainError(
            f"{path}: written under other settings (key {head['key'][:12]}, expected "
            f"{settings_key[:12]}). Run `rm '{path}'` to start over, or restore those settings."
        )
    return torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)


def state_key(path: Path) -> str:
    """The key of the settings that a state was written under."""
    return _split(path)[0]["key"]


def save_weights(path: Path, weights: dict[str, Tensor], settings: dict[str, Any]) -> None:
    """Write named tensors as safetensors; settings and a checksum travel in the metadata."""
    whole = {name: tensor.detach().contiguous().clone() for name, tensor in weights.items()}
    stamp = {"settings": settings, "sha256": _checksum(whole, settings)}
    write_bytes(path, save(whole, metadata={"avfusion": json.dumps(stamp, sort_keys=True)}))


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Named tensors and the settings they were trained under; refuses a damaged file."""
    stamp, file = _stamp(path)
    try:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _spoilt(path, f"not safetensors ({error})") from None
    if _checksum(weights, stamp["settings"]) != stamp["sha256"]:
        raise _spoilt(path, "its checksum does not fit")
    return weights, stamp["settings"]


def _stamp(path: Path) -> tuple[dict[str, Any], Any]:
    if not path.is_file():
        raise TrainError(f"{path}: no such weights. Fit them first (`snakemake all`).")
    try:
        file = safe_open(path, framework="pt")
        stamp = json.loads((file.metadata() or {})["avfusion"])
        return {"settings": stamp["settings"], "sha256": stamp["sha256"]}, file
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _spoilt(path, f"not safetensors of ours ({error})") from None


def _checksum(weights: dict[str, Tensor], settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode() + save(weights)).hexdigest()


def _spoilt(path: Path, what: str) -> DamagedError:
    return DamagedError(
        f"{path}: damaged or not ours: {what}. Run `rm '{path}'`, then `snakemake all` or the "
        f"`avf train` (`avf fit-encoder`) that made it: it writes it again from its state.pt."
    )


def save_history(path: Path, rows: list[dict[str, float]]) -> None:
    """Write epochs.csv, a line an epoch; without any, its heading alone."""
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
