"""Measure what keeping freed memory saves in the steps of the fits of encoders.

    python benchmarks/kept_memory.py --out benchmarks/results/kept_memory.json

Each round starts a process with and one without `avfusion.io.memory.keep_freed`. About two minutes.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from _turns import say
from avfusion.encoders.face_cnn import FaceCnn
from avfusion.encoders.mel_cnn import MelCnn
from avfusion.io.memory import keep_freed
from avfusion.io.stamped import content_hash
from avfusion.training.loop import deterministic
from avfusion.training.losses import ccc_loss
from machine import finish
from support import synthetic_media

BATCH, WARM, STEPS = 64, 3, 10
ENCODERS = {"mel_cnn": (MelCnn, (256, 64)), "face_cnn": (FaceCnn, (56, 56))}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(ENCODERS))
    parser.add_argument("--steps-of", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.steps_of:
        sys.stdout.write(json.dumps(steps(*args.steps_of)) + "\n")
        return
    rows = [row(name, args.rounds) for name in args.only]
    result = {
        "title": "Keeping freed memory",
        "what": f"Processor time of a step of fitting an encoder, batches of {BATCH}, in processes "
        "that return freed memory to the system, as the C library does by default, divided by that "
        "in processes that keep it, as those of `avf` do: median over rounds, with minimum and "
        "maximum.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def row(name: str, rounds: int) -> dict[str, str]:
    """Return the row of one encoder; refuse if the weights differ after the steps."""
    turns = [{how: apart(name, how) for how in ("returned", "kept")} for _ in range(rounds)]
    if len({each["weights"] for turn in turns for each in turn.values()}) != 1:
        raise SystemExit(f"{name}: weights differ.")
    ratios = [turn["returned"]["ms"] / turn["kept"]["ms"] for turn in turns]
    last = turns[-1]
    found = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    say(f"{name}: {found}")
    return {
        "measure": f"{name}: step with memory returned / kept",
        "found": found,
        "pages mapped per step": f"{last['returned']['faults']} and {last['kept']['faults']}",
        "weights": "the same bits",
    }


def apart(name: str, how: str) -> dict[str, Any]:
    """Return what `steps` finds in a new process."""
    command = [sys.executable, __file__, "--steps-of", name, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def steps(name: str, how: str) -> dict[str, Any]:
    """Return processor ms and page faults of a step, and the hash of the weights after all."""
    if how == "kept" and not keep_freed():
        raise SystemExit("This C library cannot keep freed memory.")
    kind, shape = ENCODERS[name]
    with deterministic(0):
        encoder, generator = kind(), torch.Generator().manual_seed(0)
        net = encoder.new_net(synthetic_media.settings(name))
        examples = (10 * torch.randn(BATCH, *shape)).half()
        gold = torch.rand(BATCH, 2) * 2 - 1
        optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
        for number in range(WARM + STEPS):
            if number == WARM:
                before = resource.getrusage(resource.RUSAGE_SELF)
            inputs = encoder.augment(examples, generator)
            loss = ccc_loss(net(inputs)[1], gold)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "ms": 1e3 * spent_s / STEPS,
        "faults": (after.ru_minflt - before.ru_minflt) // STEPS,
        "weights": content_hash(*net.state_dict().values()),
    }


if __name__ == "__main__":
    main()
