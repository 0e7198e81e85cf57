"""Convert the npm package of face-api to weights/face_expression.safetensors; run once, by hand.

npm pack @vladmandic/face-api@1.7.15 && tar xf vladmandic-face-api-1.7.15.tgz
python -m avfusion.encoders.convert_face_expression package/model OUT.safetensors
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.errors import AvfError

ORIGIN_SHA256 = "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d"


def read_origin(folder: Path) -> dict[str, np.ndarray]:
    """Read the arrays by face-api's names, dequantised to float32, in TensorFlow's axis order."""
    data = (folder / "face_expression_model.bin").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != ORIGIN_SHA256:
        raise AvfError(
            f"{folder}: SHA-256 {digest[:12]}…, expected {ORIGIN_SHA256[:12]}… (1.7.15)."
        )
    manifest = json.loads((folder / "face_expression_model-weights_manifest.json").read_text())
    arrays: dict[str, np.ndarray] = {}
    start = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        arrays[entry["name"]], start = _read(data, start, entry)
    if start != len(data):
        raise AvfError(f"{folder}: the manifest describes {start} of {len(data)} bytes.")
    return arrays


def _read(data: bytes, start: int, entry: dict[str, Any]) -> tuple[np.ndarray, int]:
    count, packed = int(np.prod(entry["shape"])), entry.get("quantization")
    dtype = np.dtype(packed["dtype"] if packed else entry["dtype"])
    array = np.frombuffer(data, dtype, count, start).astype(np.float64)
    if packed:
        array = array * packed["scale"] + packed["min"]
    return array.astype(np.float32).reshape(entry["shape"]), start + count * dtype.itemsize


def to_torch(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename the arrays to those of ExpressionNet and reorder their axes to PyTorch's."""
    state = {"classify.weight": arrays["fc/weights"].T, "classify.bias": arrays["fc/bias"]}
    for name, array in arrays.items():
        if name.startswith("fc/"):
            continue
        block, convolution, part = name.split("/")
        key = f"blocks.{block[-1]}.convolutions.{convolution[-1]}"
        plain = f"{block}/{convolution}/filters" in arrays
        if part in ("filters", "pointwise_filter"):  # (h, w, in, out) to (out, in, h, w)
            state[f"{key}.weight" if plain else f"{key}.1.weight"] = array.transpose(3, 2, 0, 1)
        elif part == "depthwise_filter":  # (h, w, in, 1) to (in, 1, h, w)
            state[f"{key}.0.weight"] = array.transpose(2, 3, 0, 1)
        else:
            state[f"{key}.bias" if plain else f"{key}.1.bias"] = array
    return {key: np.ascontiguousarray(state[key]) for key in sorted(state)}


def main(folder: str, out: str) -> None:
    """Convert `folder` (package/model) into the file `out`."""
    from safetensors.numpy import save_file

    # Only one metadata key: safetensors does not order several, so the bytes would differ.
    origin = {"origin": f"@vladmandic/face-api@1.7.15 (MIT), SHA-256 {ORIGIN_SHA256}"}
    save_file(to_torch(read_origin(Path(folder))), out, metadata=origin)


if __name__ == "__main__":
    main(*sys.argv[1:])
