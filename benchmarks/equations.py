"""Compare CA and JCA with plain NumPy of their printed equations, and count parameters.

    python benchmarks/equations.py --out benchmarks/results/equations.json

The tests check the same derivations at small sizes. This script measures the differences at the
published sizes in float64.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.models.heads import CaHead, JcaHead
from avfusion.registry import fusions
from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.derivations_family import cross_attended, joint_attended

STEPS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    result = {
        "title": "Equations and parameter counts",
        "what": "Largest absolute difference to a NumPy derivation in float64 (L = 16, 512 + 512); "
        "parameter counts and those of the published configurations.",
        "rows": [*differences(), *counts()],
    }
    finish(result, args.out)


def differences() -> list[dict[str, Any]]:
    """Return the largest difference of each fusion's features to the derivation, one window."""
    draw = np.random.default_rng(0)
    audio, video = draw.normal(size=(STEPS, 512)), draw.normal(size=(STEPS, 512))
    rows = []
    for name, derive, options in (
        ("ca", cross_attended, {}),
        ("jca", joint_attended, {"encode": 0}),
    ):
        fuse = fusions.get(name)(512, 512, steps=STEPS, **options).double().eval()
        weights = {key: p.detach().numpy() for key, p in fuse.named_parameters()}
        a, v = derive(audio, video, weights)
        gap = np.abs(features(fuse, audio, video) - np.hstack([v, a])).max()
        row = {"measure": f"{name}, largest difference", "found": f"{gap:.1e}"}
        rows.append({**row, "expected": "<= 1e-06"})
    return rows


def features(fuse: nn.Module, audio: np.ndarray, video: np.ndarray) -> np.ndarray:
    """Return features (T, D) of one window in which every clip is present."""
    a, v = torch.from_numpy(audio)[None], torch.from_numpy(video)[None]
    present: Tensor = torch.ones(1, STEPS, dtype=torch.bool)
    with torch.no_grad():
        return fuse(a, v, present, present).features[0].numpy()


def counts() -> list[dict[str, Any]]:
    """Count the parameters of fusion and paper head at the published sizes."""
    ca = {width: fusions.get("ca")(width, width, steps=8) for width in (1024, 512)}
    jca = fusions.get("jca")(512, 512, steps=8, encode=128)
    cases = [
        ("ca, 1024 + 1024, and its head", [ca[1024], CaHead(2048)], 2_229_249),
        ("ca, 512 + 512, and its head", [ca[512], CaHead(1024)], 918_529),
        ("jca, maps only", [jca.audio, jca.video], 17_536),
        ("jca, L = 8, and its head", [jca, JcaHead(256)], 181_889),
    ]
    return [
        {
            "measure": f"parameters of {name}",
            "found": f"{sum(p.numel() for m in modules for p in m.parameters()):,}",
            "expected": f"{published:,}",
        }
        for name, modules, published in cases
    ]


if __name__ == "__main__":
    main()
