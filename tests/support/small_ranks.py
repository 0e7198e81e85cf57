"""A fit of a fitted encoder's own network on drawn examples, in one process or in several forked.

As a script: `python small_ranks.py FOLDER ENCODER PROCESSES [--epochs N] [--stop N] [--double]
[--plateau]`.
"""

import argparse
import os
import sys
import traceback
from pathlib import Path

import torch
import torch.distributed as dist

from avfusion.config.jobs import EncoderSettings
from avfusion.config.schedules import Constant, Plateau
from avfusion.config.sections import ClipSettings, SignalSettings
from avfusion.encoders import fitting
from avfusion.registry import encoders
from avfusion.training import distributed
from avfusion.training.loop import deterministic, fit
from avfusion.training.rule import FitRule

SHAPES = {"face_cnn": (56, 56), "mel_cnn": (64, 64), "face_tuned": (112, 112, 3)}
SHAPES |= {"r2plus1d_two_stream": (2, 112, 112, 3), "ir50_tcn": (2, 48, 48, 3)}
OPTIONS = {"face_cnn": {"dim": 8}, "mel_cnn": {"dim": 8}, "face_tuned": {"lr": 1e-4}}
NARROW = {"width": 1 / 32, "head_lr": None}
OPTIONS |= {"r2plus1d_two_stream": NARROW, "ir50_tcn": NARROW}
MIDDLE = dict.fromkeys(SHAPES, 128) | {"face_cnn": 0, "mel_cnn": 0}
KINDS = torch.nn.Conv2d | torch.nn.Conv3d


def settings_of(name: str) -> EncoderSettings:
    parts = {"windows": ClipSettings(), "media": SignalSettings(), "code": ""}
    return EncoderSettings(encoder=name, class_=name, **parts)


def examples(name: str, count: int, seed: int) -> fitting.Examples:
    """Noise whose level shows the first target and whose spread the second; some unrated."""
    draw = torch.Generator().manual_seed(seed)
    gold = torch.rand(count, 2, generator=draw) * 2 - 1  # (N, 2)
    x = torch.randn(count, *SHAPES[name], generator=draw)
    level, spread = (gold[:, column].reshape(-1, *[1] * (x.ndim - 1)) for column in (0, 1))
    x = 8 * x * (1.5 + spread) + 20 * level + MIDDLE[name]
    gold[::7, 0] = float("nan")
    return fitting.Examples(x.half(), gold)


def doubled(net: torch.nn.Module) -> torch.nn.Module:
    """The network in float64, whatever the precision of what it is given."""
    for layer in net.modules():
        if isinstance(layer, KINDS):
            layer.register_forward_pre_hook(lambda _, given: (given[0].double(),))
    return net.double()


def small_fit(
    folder: Path,
    name: str,
    batch: int = 19,
    epochs: int = 2,
    stop: int = 0,
    double: bool = False,
    plateau: bool = False,
) -> None:
    """Fit as `FittedEncoder.fit` does; killed by itself after epoch `stop`, if there is one."""
    encoder = encoders.get(name)(epochs=epochs, batch=batch, **OPTIONS[name])
    train, validation = examples(name, 77, seed=1), examples(name, 40, seed=2)
    with deterministic(0):
        net = encoder.new_net(settings_of(name))
        encoder.prepare(net, train.inputs)
        net = distributed.of_whole_batches(doubled(net) if double else net)

    def validate(model: torch.nn.Module) -> dict[str, float]:
        found = fitting.validate(model, validation, ("valence", "arousal"))
        history = (folder / "epochs.csv").read_text().splitlines()[1:]
        if stop and len(history) == stop:
            os._exit(9)  # as a kill would end it, in the next epoch
        if plateau:
            found["score"] *= -1  # falls while the network learns
        return found

    schedule = Plateau(is_="plateau", patience=0) if plateau else Constant()
    fit(
        net,
        batches=encoder.batches(train),
        loss=fitting.batch_loss,
        validate=validate,
        folder=folder,
        settings={},
        name=name,
        rule=FitRule(epochs, epochs, encoder.recipe.lr, 1e-2, schedule=schedule),
        seed=0,
    )


def together(folder: Path, name: str, processes: int, **how: int) -> list[int]:
    """The same in forked processes over Gloo; their exit statuses."""
    folder.mkdir(parents=True, exist_ok=True)
    meeting = folder / f"meeting{os.getpid()}"
    meeting.unlink(missing_ok=True)
    children = []
    for rank in range(processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                dist.init_process_group(
                    "gloo", f"file://{meeting}", rank=rank, world_size=processes
                )
                small_fit(folder, name, **how)
                code = 0
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("processes", type=int)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--stop", type=int, default=0)
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--plateau", action="store_true")
    torch.set_num_threads(1)
    return max(map(abs, together(**vars(parser.parse_args()))))


if __name__ == "__main__":
    sys.exit(main())
