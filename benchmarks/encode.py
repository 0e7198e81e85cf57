"""Measure encoders: clips per second and core, and the share of the time that is not the network.

    python benchmarks/encode.py --out benchmarks/results/encode.json [--only NAME ...]

The records are synthetic. Networks whose weights are a file of the user have random weights of the
published size. Speed does not depend on the weights.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from avfusion.encoders import base
from avfusion.encoders.ahead import Ahead
from avfusion.encoders.joined import over_videos
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.training import device
from machine import finish
from support import synthetic_media, tiny_models

PUBLISHED = (
    *("inception_i3d", "inception_i3d_tcn", "r2plus1d_two_stream", "resnet18_two_stream"),
    *("ir50_tcn", "cnn2d_face", "cnn2d_spectrogram", "vggish"),
)
OTHERS = ("face_expression", "face_cnn", "face_tuned", "mel_cnn", "torchvision", "opensmile")
LONG_S = 20.0
FIRST_CLIPS, ENOUGH_S = 4, 1.5
"""The number of clips is doubled until they take so long."""
GPU_CLIPS = 1_000
SHORT_S = 3.0
GOAL = "<= 0.10"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="*", default=[*PUBLISHED, *OTHERS])
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        rows = [row for encoder in args.only for row in measured(encoder, Path(name))]
    if device.gpu() is None:
        rows.append({"measure": "on a GPU", "found": "not run, none present", "expected": ""})
    what = (
        "Synthetic records of 112 px and 16 kHz, clips of 0.64 s every 0.16 s. On the CPU, "
        "processor time of one thread. Networks of the papers have their published size and random "
        "weights. Not the network: reading faces and sound, spectrograms, and means over clips. "
        "The goal holds for the networks of the papers on the CPU; those of avfusion are so small "
        "that reading takes longer."
    )
    if args.out:
        finish({"title": "Encoders", "what": what, "rows": rows}, args.out)


def measured(name: str, scratch: Path) -> list[dict[str, str]]:
    """Return the rows of one encoder, and print them."""
    if name in ("opensmile", "torchvision") and importlib.util.find_spec(name) is None:
        found = [(f"{name}: clips per second and core", "not run, not installed", "")]
    else:
        encoder = built(name, scratch)
        on_gpu = device.gpu() is not None and device.of(getattr(encoder, "net", None)).type != "cpu"
        found = on_the_gpu(name, encoder, scratch) if on_gpu else on_the_cpu(name, encoder, scratch)
    rows = [{"measure": m, "found": f, "expected": e} for m, f, e in found]
    for row in rows:
        sys.stdout.write(f"{row['measure']}: {row['found']}\n")
        sys.stdout.flush()
    return rows


def built(name: str, scratch: Path) -> Any:
    """Return an encoder with random weights where it needs a file or a fit."""
    options: dict[str, Any] = {}
    if name == "torchvision":
        path = tiny_models.write_torchvision("resnet18", scratch / "resnet18.pth")
        options = {"model": "resnet18", "path": str(path)}
    settings = synthetic_media.settings(name, **options)
    if name == "torchvision":
        settings = settings.updated(modality="video")
    encoder = base.build(settings)
    if encoder.fitted:
        torch.manual_seed(0)
        net = encoder.new_net(settings)
        encoder.net = net.to(device.chosen()).eval().requires_grad_(False)
    return encoder


def on_the_cpu(name: str, encoder: Any, scratch: Path) -> list[tuple[str, str, str]]:
    """Return clips per second of processor time, and its share outside the network."""
    ends_s, clip_s = clips(LONG_S)
    encoder.encode(record(scratch, LONG_S), ends_s[:1], clip_s)
    count = FIRST_CLIPS
    while True:
        fresh = record(scratch, LONG_S)  # what was computed of the last one is not kept
        with network_time() as network:
            total = taken(lambda some=fresh, n=count: encoder.encode(some, ends_s[:n], clip_s))
        if total >= ENOUGH_S or count == len(ends_s):
            break
        count = min(2 * count, len(ends_s))
    rows = [(f"{name}: clips per second and core", f"{count / total:.3g}", "")]
    if network[0]:
        share = f"{1 - network[0] / total:.3f}"
        goal = GOAL if name in PUBLISHED else ""
        rows.append((f"{name}: share of the time that is not the network", share, goal))
    return rows


def on_the_gpu(name: str, encoder: Any, scratch: Path) -> list[tuple[str, str, str]]:
    """Return clips per second on a GPU, with and without a thread that reads ahead."""
    long_s = GPU_CLIPS * 0.16
    ends_s, clip_s = clips(long_s)
    encoder.encode(record(scratch, long_s), ends_s[:100], clip_s)  # kernels are chosen once
    rows = []
    for ahead in (False, True):
        fresh = record(scratch, long_s)
        began = time.monotonic()
        if ahead and hasattr(encoder, "encode_read"):
            batches = Ahead(encoder.read(fresh, ends_s, clip_s))
            encoder.encode_read(batches, fresh, ends_s, clip_s)
        else:
            encoder.encode(fresh, ends_s, clip_s)
        rate = len(ends_s) / (time.monotonic() - began)
        how = "reading ahead" if ahead else "reading in turn"
        rows.append((f"{name}: clips per second on {device.gpu()}, {how}", f"{rate:.3g}", ""))
    if hasattr(encoder, "encode_read"):
        rows += on_short_videos(name, encoder, scratch)
    return rows


def on_short_videos(name: str, encoder: Any, scratch: Path) -> list[tuple[str, str, str]]:
    """Return clips per second for videos of a few seconds, each alone and in shared batches."""
    ends_s, clip_s = clips(SHORT_S)
    count, rows = -(-GPU_CLIPS // len(ends_s)), []
    for how in ("each alone", "in shared batches"):
        videos = [record(scratch, SHORT_S) for _ in range(count)]
        began = time.monotonic()
        pairs = [(video, encoder.read(video, ends_s, clip_s)) for video in videos]
        if how == "each alone":
            for video, batches in pairs:
                encoder.encode_read(batches, video, ends_s, clip_s)
        else:
            for video, parts in over_videos(encoder.embed, pairs):
                encoder.gather(parts, video, ends_s, clip_s)
        rate = count * len(ends_s) / (time.monotonic() - began)
        text = f"{name}: clips per second on {device.gpu()}, videos of {SHORT_S:g} s, {how}"
        rows.append((text, f"{rate:.3g}", ""))
    return rows


def record(scratch: Path, seconds: float) -> MediaRecord:
    """Return a record of this length as if it was opened first; it is written once."""
    folder = scratch / f"{seconds:g}"
    if not folder.is_dir():
        rng = np.random.default_rng(0)
        synthetic_media.make_record(folder, synthetic_media.course(rng, seconds), rng)
    return MediaRecord.open(folder)


def clips(seconds: float) -> tuple[np.ndarray, float]:
    """Return the ends of the clips of a record, and their length."""
    windows = synthetic_media.settings("mel_cnn").windows
    return clip_ends(seconds, windows.hop_s), windows.clip_s


@contextmanager
def network_time() -> Iterator[list[float]]:
    """Add up the processor time of the outermost calls of modules in the value."""
    spent, depth, call = [0.0], [0], nn.Module.__call__

    def timed(module: nn.Module, *given: Any, **named: Any) -> Any:
        began = time.process_time()
        depth[0] += 1
        try:
            return call(module, *given, **named)
        finally:
            depth[0] -= 1
            if not depth[0]:
                spent[0] += time.process_time() - began

    nn.Module.__call__ = timed
    try:
        yield spent
    finally:
        nn.Module.__call__ = call


def taken(work: Callable[[], object]) -> float:
    """Return processor seconds, which do not grow on a busy machine."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
