"""Train MMSA's EF_LSTM: `python training_mmsa.py WINDOWS CLIPS WIDTH BATCH HIDDEN ROUNDS`.

WIDTH is that of all modalities together. `MMSA_run` asks for a GPU, so its parts are called here.
"""

import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _timing import report, timed
from MMSA.config import get_config_regression
from MMSA.data_loader import MMDataLoader
from MMSA.models import AMIO
from MMSA.trains import ATIO


class Counting:
    """A loader that counts how often it is read."""

    def __init__(self, loader: Any) -> None:
        self.loader, self.epochs = loader, 0

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        self.epochs += 1
        return iter(self.loader)


def part(count: int, clips: int, width: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return random features of a partition in the form that MMSA reads."""
    each = {"text": 2, "audio": (width - 2) // 2, "vision": width - 2 - (width - 2) // 2}
    rows = {m: rng.standard_normal((count, clips, w), np.float32) for m, w in each.items()}
    names = np.array([f"{number}" for number in range(count)])
    return rows | {
        "raw_text": names,
        "id": names,
        "regression_labels": rng.uniform(-1, 1, count).astype(np.float32),
    }


def main() -> None:
    """Train until the validation loss rises, and report the time of one epoch."""
    count, clips, width, batch, hidden, rounds = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    sizes = {"train": count, "valid": count // 2, "test": 2}
    with tempfile.TemporaryDirectory() as folder:
        features = Path(folder) / "features.pkl"
        parts = {name: part(size, clips, width, rng) for name, size in sizes.items()}
        features.write_bytes(pickle.dumps(parts))
        args = get_config_regression("ef_lstm", "mosi")
        args.update(custom_feature=str(features), feature_T="", feature_A="", feature_V="")
        args.update(hidden_dims=hidden, num_layers=2, batch_size=batch, seq_lens=[clips] * 3)
        args.update(device=torch.device("cpu"), train_mode="regression", cur_seed=1)
        args.update(early_stop=1, model_save_path=Path(folder) / "model.pth")
        loaders = MMDataLoader(args, 0)
        loaders["train"] = Counting(loaders["train"])
        model = AMIO(args)
        train = ATIO().getTrain(args).do_train
        train(model, loaders)
        took = [epoch_s(partial(train, model, loaders), loaders["train"]) for _ in range(rounds)]
    report(took, weights=sum(parameter.numel() for parameter in model.parameters()))


def epoch_s(work: Callable[[], object], loader: Counting) -> float:
    """Return the processor seconds of one epoch; validation decides how many there are."""
    before = loader.epochs
    spent_s = timed(work)
    return spent_s / (loader.epochs - before)


if __name__ == "__main__":
    main()
