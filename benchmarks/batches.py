"""Compare batch sizes and runtimes of the face_expression encoder, and what they change.

    python benchmarks/batches.py --out benchmarks/results/batches.json

All ways embed the same faces in turn, on one thread. About a minute. ONNX Runtime needs the extra
packages `onnx` and `onnxscript`; OpenCV reads the same file.
"""

import argparse
import importlib.util
import statistics
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from _turns import Took, alternate, say
from avfusion.encoders.expression_net import MEAN_RGB, ExpressionNet, pretrained
from avfusion.encoders.face_expression import SMALL
from avfusion.encoders.faces import CHUNK
from avfusion.training.loop import deterministic
from machine import finish

FACES, SIDE_PX = 64, 112
SIZES = (4, 8, 16, 32)
BASE = f"torch, {CHUNK} at a time"
Embed = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    size = (FACES, SIDE_PX, SIDE_PX, 3)
    faces = torch.randint(256, size, generator=generator, dtype=torch.uint8)
    cv2.setNumThreads(1)
    with deterministic(0), torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        ways, lacking = every_way(Path(folder))
        turns = {name: partial(in_parts, embed, faces, count) for name, (embed, count) in ways}
        expected = turns[BASE]()
        took = alternate(turns, args.rounds, "cpu")
        rows = [row(name, took, turns[name](), expected) for name in turns if name != BASE]
    rows += [{"measure": name, "found": f"not run: {why}"} for name, why in lacking.items()]
    for one in rows:
        say(f"{one['measure']}: {one['found']}, {one.get('greatest difference', '')}")
    result = {
        "title": "Batches and runtimes of face_expression",
        "what": f"Processor time of {FACES} faces in batches of {CHUNK}, as the other networks of "
        f"pictures have them, divided by that of each way, on one thread: median over rounds, with "
        f"minimum and maximum. The encoder uses batches of {SMALL}. A difference of 0 means the "
        "same bits; features are stored in float16, with steps of 5e-4 near 1.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def every_way(folder: Path) -> tuple[list[tuple[str, tuple[Embed, int]]], dict[str, str]]:
    """Return each way with its batch size, and the ways that cannot run with the reason."""
    net = pretrained()
    planes = pretrained().to(memory_format=torch.contiguous_format)
    ways: list[tuple[str, tuple[Embed, int]]] = [(BASE, (of(net), CHUNK))]
    ways += [(f"torch, {count} at a time", (of(net), count)) for count in SIZES]
    ways += [
        (f"torch, {SMALL} at a time, channels first", (of_planes(planes), SMALL)),
        (f"torch, {SMALL} at a time, without oneDNN", (without_onednn(net), SMALL)),
        (f"torch, {SMALL} at a time, bfloat16", (in_bfloat16(net), SMALL)),
    ]
    runtimes = {"ONNX Runtime": onnx_runtime, "OpenCV": opencv}
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        return ways, dict.fromkeys(runtimes, f"{', '.join(missing)} not installed")
    path, lacking = folder / "net.onnx", dict[str, str]()
    export(planes, path)
    for name, runtime in runtimes.items():
        try:
            embed = runtime(path)
            in_parts(embed, torch.zeros(1, SIDE_PX, SIDE_PX, 3, dtype=torch.uint8), 1)
        except (ImportError, RuntimeError, cv2.error) as error:
            lacking[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
        else:
            ways += [(f"{name}, {count} at a time", (embed, count)) for count in (SMALL, CHUNK)]
    return ways, lacking


def in_parts(embed: Embed, faces: Tensor, count: int) -> Tensor:
    """Return the embeddings of faces (N, side, side, 3), `count` at a time."""
    return torch.cat([embed(part) for part in faces.split(count)])


def of(net: ExpressionNet) -> Embed:
    """Return the network as the encoder uses it."""
    return lambda faces: net(faces)[0]


def of_planes(net: ExpressionNet) -> Embed:
    """Return the network on pictures whose colours are separate planes in memory."""
    after = Embeds(net)
    return lambda faces: after(planes_of(faces))


def without_onednn(net: ExpressionNet) -> Embed:
    """Return the network with PyTorch's own convolutions."""

    def embed(faces: Tensor) -> Tensor:
        with torch.backends.mkldnn.flags(enabled=False):
            return net(faces)[0]

    return embed


def in_bfloat16(net: ExpressionNet) -> Embed:
    """Return the network in bfloat16 where PyTorch's autocast allows it."""

    def embed(faces: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return net(faces)[0].float()

    return embed


def planes_of(faces: Tensor) -> Tensor:
    """Return faces (B, side, side, 3) as the network scales them, float32 (B, 3, side, side)."""
    return ((faces.float() - torch.tensor(MEAN_RGB)) / 255).permute(0, 3, 1, 2).contiguous()


class Embeds(nn.Module):
    """The embeddings (B, 256) of scaled faces (B, 3, side, side)."""

    def __init__(self, net: ExpressionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over positions of what the last block gives."""
        for block in self.net.blocks:
            x = block(x)
        return x.mean((2, 3))


def export(net: ExpressionNet, path: Path) -> None:
    """Write the network as an ONNX file with a free batch size."""
    example = torch.zeros(3, 3, SIDE_PX, SIDE_PX)
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = {"x": {0: torch.export.Dim("batch", min=1)}}
        named = {"input_names": ["x"], "output_names": ["embedding"], "dynamic_shapes": shapes}
        program = torch.onnx.export(Embeds(net), (example,), dynamo=True, verbose=False, **named)
    assert program is not None
    program.save(path)


def onnx_runtime(path: Path) -> Embed:
    """Return the file in ONNX Runtime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    provider = ["CPUExecutionProvider"]
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=provider)
    return lambda faces: torch.from_numpy(session.run(None, {"x": planes_of(faces).numpy()})[0])


def opencv(path: Path) -> Embed:
    """Return the file in OpenCV."""
    net = cv2.dnn.readNetFromONNX(str(path))

    def embed(faces: Tensor) -> Tensor:
        net.setInput(planes_of(faces).numpy())
        return torch.from_numpy(np.array(net.forward()))

    return embed


def row(name: str, took: dict[str, Took], found: Tensor, expected: Tensor) -> dict[str, str]:
    """Return the speed of one way, and by how much its embeddings differ."""
    ratios = [b / w for (_, b), (_, w) in zip(took[BASE], took[name], strict=True)]
    most = (found - expected).abs().max().item()
    return {
        "measure": name,
        "found": f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        "greatest difference": f"{most:.1e}" if most else "0",
    }


if __name__ == "__main__":
    main()
