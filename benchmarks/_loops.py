"""The training loop of this package and that of the published code, on the same windows."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from avfusion.config.training import TrainSettings
from avfusion.features.windows import Batch, Windows
from avfusion.metrics.concordance import ccc
from avfusion.models.model import Model
from avfusion.training.batches import Batches, divide
from avfusion.training.loop import fit
from avfusion.training.losses import ccc_loss
from avfusion.training.rule import FitRule

BATCH, LR = 64, 1e-4
Form = Callable[[nn.Module, Tensor, Tensor], Tensor]


class Published(nn.Module):
    """The weights of a model in a published form, without standardisation and masks."""

    def __init__(self, model: Model, form: Form) -> None:
        super().__init__()
        self.fusion, self.head, self.form = model.fusion, model.head, form

    def forward(self, audio: Tensor, video: Tensor) -> Tensor:
        """audio, video (B, T, D) -> predictions (B, T, K)."""
        return self.head(self.form(self.fusion, audio, video))


def some(windows: Windows, begin: int, end: int) -> Windows:
    """Return the windows from `begin` to before `end`."""
    part = slice(begin, end)
    inside, used = windows.inside[part], windows.used[part]
    return replace(windows, rows=windows.rows[part], inside=inside, used=used)


def ours(model: Model, train: Windows, validation: Windows) -> None:
    """Train for an epoch as `avf train` does: batches, validation, state and weights on disk."""
    settings = TrainSettings(batch=BATCH, lr=LR)

    def batches(generator: torch.Generator) -> Batches[Batch]:
        chosen = divide(torch.arange(len(train)), settings, generator, "windows")
        return Batches(chosen, train.batch)

    def validate(model: Model) -> dict[str, float]:
        prediction = validation.predict(model)  # (R, K), NaN outside of these windows
        seen = prediction.isfinite().all(1)
        return {"score": ccc(prediction[seen].mT, validation.gold[seen].mT).mean().item()}

    with tempfile.TemporaryDirectory() as folder:
        fit(
            model,
            batches=batches,
            loss=lambda model, batch: ccc_loss(model(*batch.inputs)[0], batch.gold),
            validate=validate,
            folder=Path(folder),
            settings={},
            rule=FitRule(epochs=1, patience=1, lr=LR, weight_decay=0.0),
            seed=0,
            name="an epoch",
        )


def loader(windows: Windows, *, shuffle: bool) -> DataLoader:
    """Return what the published code reads: windows as float32 tensors, one by one."""
    batch = windows.batch(torch.arange(len(windows)))
    tensors = TensorDataset(batch.audio, batch.video, batch.gold)
    return DataLoader(tensors, BATCH, shuffle=shuffle)


def published(model: Published, train: DataLoader, validation: DataLoader) -> float:
    """Train for an epoch as the published code does; return the concordance on validation."""
    optimiser = torch.optim.Adam(model.parameters(), LR)
    model.train()
    total = 0.0
    for audio, video, gold in train:
        prediction = model(audio, video)
        losses = [_loss(prediction[..., k].flatten(), gold[..., k].flatten()) for k in range(2)]
        loss = losses[0] + losses[1]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item()
    model.eval()
    with torch.no_grad():
        pairs = [(model(audio, video), gold) for audio, video, gold in validation]
    prediction, gold = (torch.cat(part).flatten(0, 1) for part in zip(*pairs, strict=True))
    scores = [1 - _loss(prediction[:, k], gold[:, k]).item() for k in range(2)]
    return sum(scores) / len(scores)


def _loss(prediction: Tensor, gold: Tensor) -> Tensor:
    """Return 1 - CCC as the published code computes it, with unbiased deviations."""
    p, g = prediction - prediction.mean(), gold - gold.mean()
    r = (p * g).sum() / (p.square().sum().sqrt() * g.square().sum().sqrt() + 1e-8)
    spread = prediction.std() ** 2 + gold.std() ** 2 + (prediction.mean() - gold.mean()) ** 2
    return 1 - 2 * r * prediction.std() * gold.std() / spread
