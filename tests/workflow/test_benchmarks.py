"""Benchmarks of machines that are not here say so, and run on the CPU in a small size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def measured(out, *words):
    """Run the benchmark of the GPU; return measure -> value."""
    command = [sys.executable, ROOT / "benchmarks/gpu.py", "--out", out, *words]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"AVF_DEVICE": "cpu"})
    return {row["measure"]: row["found"] for row in json.loads(out.read_text())["rows"]}


def test_without_a_gpu_the_benchmark_of_the_gpu_is_not_run(tmp_path):
    assert measured(tmp_path / "gpu.json") == {"on a GPU": "not run, none present"}


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU measures itself")
def test_the_benchmark_of_the_gpu_runs_on_the_cpu(tmp_path):
    small = ("--cpu", "--fusions", "concat", "jca", "--videos", "1", "--steps", "1")
    rows = measured(tmp_path / "gpu.json", *small, "--rounds", "1")
    for name in ("concat", "jca"):
        assert float(rows[f"{name}: float32, on the device"].partition(" s")[0]) > 0
        assert float(rows[f"{name}: float32 / bfloat16"].partition(" ")[0]) > 0
        assert float(rows[f"{name}: copied per batch / on the device"].partition(" ")[0]) > 0
