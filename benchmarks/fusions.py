"""Measure training steps of JCA and the dense joint block: time, memory, parallel seeds.

    python benchmarks/fusions.py --out benchmarks/results/fusions.json

Each alternates with a plain transcription of the same equations (`_transcriptions.py`) on the
same weights and inputs: 64 windows of 16 clips, 512 + 512 features. About 3 minutes on two cores.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from _seeds import together
from _transcriptions import dense_by_batch, jca_by_batch, jca_by_window
from _turns import alternate, ratio, say
from avfusion.fusion.jca import JointCrossAttention
from avfusion.fusion.layers.dense import DenseJointAttention
from machine import finish

WINDOWS, CLIPS, WIDTH = 64, 16, 512
Step = Callable[[], Tensor]
LEAST = {("jca", "float32"): 1.3, ("jca", "bfloat16"): 2.5}
LEAST |= {("dense", "float32"): 1.9, ("dense", "bfloat16"): 4.0}
NAMES = {"jca": "JCA", "dense": "dense block"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak-of", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.peak_of:
        sys.stdout.write(f"{peak_mb(*args.peak_of, args.device):.1f}\n")
        return
    rows = []
    for name in NAMES:
        rows += [difference(name, args.device), *speed(name, args.device, args.rounds)]
        rows += memory(name, args.device)
    rows += together(args.device, args.rounds)
    result = {
        "title": "Training steps of the joint attentions",
        "what": f"One step forward and backward of {WINDOWS} windows of {CLIPS} clips, {WIDTH} + "
        f"{WIDTH} features, on {args.device} with {args.threads} threads, compared with a plain "
        "PyTorch transcription in float32: JCA window by window, the dense block for the complete "
        "batch. Both alternate. Ratios are medians over rounds, with minimum and maximum.",
        "rows": rows,
    }
    finish(result, args.out)


def forms(name: str, device: str, dropout: float = 0.0) -> tuple[nn.Module, dict[str, Step]]:
    """Return the module and its output by `ours`, `plain` and `batch` (all windows at once)."""
    torch.manual_seed(0)
    audio, video = torch.randn(2, WINDOWS, CLIPS, WIDTH, device=device).unbind()
    here = torch.ones(WINDOWS, CLIPS, dtype=torch.bool, device=device)
    if name == "jca":
        module = JointCrossAttention(WIDTH, WIDTH, steps=CLIPS, encode=0).to(device)
        plain, batch = jca_by_window, jca_by_batch
    else:
        module = DenseJointAttention(WIDTH, WIDTH, CLIPS, dropout).to(device)
        plain = batch = dense_by_batch

    def ours() -> Tensor:
        after = module.attend(audio, video, here, here).after
        return torch.cat([after.video, after.audio], dim=-1)

    return module, {
        "ours": ours,
        "plain": lambda: plain(module, audio, video),
        "batch": lambda: batch(module, audio, video),
    }


def step(module: nn.Module, form: Step, device: str, kind: str) -> None:
    """Run one forward and backward pass."""
    module.zero_grad()
    with torch.autocast(device, torch.bfloat16, enabled=kind == "bfloat16"):
        out = form()
    out.float().square().mean().backward()


def difference(name: str, device: str) -> dict[str, str]:
    """Return the greatest difference of outputs, and of gradients relative to the greatest."""
    module, run = forms(name, device)
    outs, gradients = [], []
    for form in (run["ours"], run["plain"]):
        step(module, form, device, "float32")
        gradients.append([p.grad.clone() for p in module.parameters()])
        outs.append(form().detach())
    gap = (outs[0] - outs[1]).abs().max().item()
    pairs = zip(*gradients, strict=True)
    share = max(((x - y).abs().max() / y.abs().max()).item() for x, y in pairs)
    return {
        "measure": f"{NAMES[name]}: outputs, greatest difference",
        "found": f"{gap:.1e} (gradients: {share:.0e} of the greatest)",
        "expected": "<= 1e-5",
    }


def speed(name: str, device: str, rounds: int) -> list[dict[str, str]]:
    """Compare speed in float32 and bfloat16; the dense block with and without dropout."""
    rows = []
    for dropout in (0.6, 0.0) if name == "dense" else (0.0,):
        module, run = forms(name, device, dropout)
        turns = {
            (form, kind): partial(step, module, run[form], device, kind)
            for kind in ("float32", "bfloat16")
            for form in ("plain", "ours")
        }
        took = alternate(turns, rounds, device)
        label = f"{NAMES[name]}, dropout {dropout}" if name == "dense" else NAMES[name]
        plain = took["plain", "float32"]
        for kind in ("float32", "bfloat16"):
            least = f">= {LEAST[name, kind]}" if dropout or name == "jca" else ""
            measure = f"{label}: time of plain / ours, {kind}"
            rows.append(ratio(measure, plain, took["ours", kind], least))
        measure = f"{label}: both in bfloat16"
        rows.append(ratio(measure, took["plain", "bfloat16"], took["ours", "bfloat16"]))
        for row in rows[-3:]:
            say(f"{row['measure']}: {row['found']}")
    return rows


def memory(name: str, device: str) -> list[dict[str, str]]:
    """Measure the memory that a step adds to the peak, each form in a new process."""
    command = [sys.executable, __file__, "--device", device, "--peak-of", name]
    peaks = {}
    for form in ("ours", "plain", "batch"):
        done = subprocess.run([*command, form], capture_output=True, text=True, check=True)
        peaks[form] = float(done.stdout)
        say(f"{NAMES[name]}, {form}: {peaks[form]:.0f} MB")
    found = f"{peaks['ours'] / peaks['batch']:.2f} ({peaks['ours']:.0f} of {peaks['batch']:.0f} MB"
    by_window = f"; window by window {peaks['plain']:.0f} MB" if name == "jca" else ""
    measure = f"{NAMES[name]}: peak memory of a step, share of the whole-batch form's"
    return [{"measure": measure, "found": f"{found}{by_window})", "expected": "<= 0.25"}]


def peak_mb(name: str, form: str, device: str) -> float:
    """Return the peak memory of one float32 training step above the memory before it."""
    module, run = forms(name, device, dropout=0.6)
    small = torch.randn(64, 64, requires_grad=True, device=device)
    (small @ small).tanh().sum().backward()  # loads the libraries
    if device == "cuda":
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step(module, run[form], device, "float32")
        return (torch.cuda.max_memory_allocated() - held) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    held = status_mb("VmRSS")
    step(module, run[form], device, "float32")
    return status_mb("VmHWM") - held


def status_mb(field: str) -> float:
    """Return a value of this process's memory."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    main()
