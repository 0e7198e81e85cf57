"""Fit an encoder on the train partition of a corpus, then freeze it.

`avfusion.encoders.examples` reads the examples. The validation partition chooses the epoch; gold of
the test partition is not read.
"""

import json
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.clip_inputs import Clips, tensors
from avfusion.encoders.cross_fit import fold_folder, folds
from avfusion.encoders.examples import Examples, read_examples
from avfusion.encoders.recipe import Recipe, Release
from avfusion.encoders.release import Group, fit_in_stages
from avfusion.errors import TrainError
from avfusion.io.atomic import write_text
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.metrics.concordance import ccc
from avfusion.provenance import machine_state
from avfusion.rating import Rating
from avfusion.training import device, distributed
from avfusion.training.batches import Batches
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import FitResult, deterministic, fit
from avfusion.training.losses import ccc_loss
from avfusion.training.rule import FitRule

log = logging.getLogger(__name__)


CHUNK = 256


class FittedEncoder:
    """Base of the encoders that learn from gold; a subclass defines the examples.

    A subclass sets `modality`, `dim` and `recipe`, and implements `new_net`, `instants`, `inputs`,
    `augment` and `encode`.

    Attributes
    ----------
    net
        The fitted network, set by `load`; net(inputs) returns (embedding (B, D), targets (B, K)).
    outputs
        K, the number of targets of the corpus.
    recipe
        Settings of the fit.
    release
        When the next group of `groups` is released.
    chunk
        Number of validation examples that go through the network at a time.
    """

    fitted = True
    weights: Path | None = None
    modality: Literal["audio", "video", "text"]
    net: nn.Module
    outputs: int = 2
    recipe: Recipe
    release: Release = Release()
    chunk: int = CHUNK

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return a network with new weights."""
        raise NotImplementedError

    def instants(self, record: Any, settings: EncoderSettings) -> np.ndarray:
        """Return the times in seconds of a video's possible examples, ascending (N,)."""
        raise NotImplementedError

    def inputs(self, record: Any, times_s: np.ndarray) -> Tensor | Clips:
        """Return the inputs of the network at some of the instants, (N, ...)."""
        raise NotImplementedError

    def prepare(self, net: nn.Module, train: Any) -> None:
        """Set statistics of the train inputs in the network, such as their scale."""

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return a randomly changed copy of a batch of train inputs."""
        raise NotImplementedError

    def origin(self) -> dict[str, Any]:
        """Return what identifies the weights that the fit starts from; empty for new weights."""
        return {}

    def recorded(self) -> dict[str, Any]:
        """Return what else settings.json says; nothing depends on it."""
        return {}

    def groups(self, net: nn.Module) -> Sequence[Group]:
        """Return groups of blocks to release one after the other; empty trains all at once."""
        return ()

    def fit(self, corpus: str, settings: EncoderSettings, layout: Layout) -> None:
        """Fit on train and keep the best epoch by validation; see `FittableEncoder.fit`.

        With `cross_fit`, the fits without one fold come first (`avfusion.encoders.cross_fit`).
        """
        rating = Rating.of(json.loads(layout.card(corpus).read_text()))
        self.outputs = len(rating.names)
        train, validation = (
            read_examples(self, corpus, partition, settings, layout)
            for partition in ("train", "validation")
        )
        folder = layout.encoder(corpus, settings.encoder)
        fold_of = folds(corpus, settings.cross_fit, layout)
        for fold in range(settings.cross_fit):
            kept = train.without([video for video, number in fold_of.items() if number == fold])
            name = f"{settings.encoder} without fold {fold}"
            self._fit_on((kept, validation), rating, fold_folder(folder, fold), settings, name)
        self._fit_on((train, validation), rating, folder, settings, settings.encoder)

    def _fit_on(
        self,
        examples: tuple[Examples, Examples],
        rating: Rating,
        folder: Path,
        settings: EncoderSettings,
        name: str,
    ) -> None:
        """Fit a new network on train and validation examples; write weights and settings.json."""
        train, _ = examples
        with deterministic(self.recipe.seed):
            net = self.new_net(settings)
            self.prepare(net, train.inputs)
            net = distributed.of_whole_batches(net)
        document = {
            "settings": settings.lasting,
            **rating.stated(),
            "examples": content_hash(
                *(x for part in examples for x in (*tensors(part.inputs), part.gold))
            ),
            **self.origin(),
        }
        log.info("%s: %d train examples", name, len(train.gold))
        self.fit_net(net, examples, rating.names, folder, document, name)
        record = document | self.recorded()
        record |= {"machine": machine_state(device.gpu()) | _processes()}
        if distributed.first():
            write_text(folder / "settings.json", json.dumps(record, indent=1) + "\n")

    def fit_net(
        self,
        net: nn.Module,
        examples: tuple[Examples, Examples],
        targets: tuple[str, ...],
        folder: Path,
        document: dict[str, Any],
        name: str,
    ) -> None:
        """Fit a network on train and validation examples, at once or in stages; write weights."""
        train, validation = examples

        def fit_once(folder: Path, document: dict[str, Any], r: Recipe) -> FitResult:
            return fit(
                net,
                batches=self.batches(train),
                loss=batch_loss,
                validate=lambda model: validate(model, validation, targets, self.chunk),
                folder=folder,
                settings=document,
                rule=FitRule(
                    *(r.epochs, r.patience, r.lr, r.weight_decay),
                    schedule=r.schedule,
                    ends_at=r.ends_at,
                    head_lr=r.head_lr,
                ),
                seed=r.seed,
                name=name,
            )

        groups = self.groups(net)
        if groups:
            rule = (folder, document, self.recipe)
            fit_in_stages(net, groups, self.release, fit_once, *rule)
        else:
            fit_once(folder, document, self.recipe)

    def load(self, path: Path, settings: EncoderSettings) -> None:
        """Read fitted weights; see `FittableEncoder.load`."""
        weights, document = load_weights(path)
        current = json.loads(json.dumps({"settings": settings.lasting, **self.origin()}))
        if any(document.get(key) != value for key, value in current.items()):
            raise TrainError(
                f"{path}: fitted under other settings than the current ones, or from another file "
                f"of weights. Run: avf fit-encoder {path.parent.parent.name} {settings.encoder}"
            )
        self.outputs = len(Rating.of(document).names)
        self.net = self.new_net(settings)
        self.net.load_state_dict(weights)
        self.net.to(device.chosen()).eval().requires_grad_(False)

    def batches(self, train: Examples) -> Callable[[torch.Generator], Batches[Examples]]:
        """Return a function that returns the shuffled, augmented batches of one epoch."""

        def batches(generator: torch.Generator) -> Batches[Examples]:
            def load(chosen: Tensor) -> Examples:
                inputs = self.augment(train.inputs[chosen], generator)
                return Examples(inputs[distributed.part(len(chosen))], train.gold[chosen])

            order = torch.randperm(len(train.gold), generator=generator)
            parts = order.split(self.recipe.batch)
            # Batch normalisation and concordance need two.
            return Batches([chosen for chosen in parts if len(chosen) > 1], load)

        return batches


def batch_loss(model: nn.Module, batch: Examples) -> Tensor:
    """Return the CCC loss of the complete batch; `batch.inputs` is the part of this process."""
    return ccc_loss(distributed.gathered(model(batch.inputs)[1], len(batch.gold)), batch.gold)


def validate(
    model: nn.Module, validation: Examples, names: tuple[str, ...], chunk: int = CHUNK
) -> dict[str, float]:
    """Return the CCC of each target over all rated examples, and their mean as `score`.

    Processes that fit together take turns at the chunks and add up their predictions, which are 0
    in the chunks of the others.
    """
    prediction = torch.zeros(validation.gold.shape, device=device.of(model))  # (N, K)
    chunks = zip(validation.inputs.split(chunk), prediction.split(chunk), strict=True)
    for inputs, out in islice(chunks, distributed.rank(), None, distributed.count()):
        out.copy_(model(device.moved(inputs, out.device))[1])
    prediction = distributed.summed(prediction).cpu()
    scores = {}
    for column, name in enumerate(names):
        rated = ~validation.gold[:, column].isnan()
        scores[name] = ccc(prediction[rated, column], validation.gold[rated, column]).item()
    return {"score": sum(scores.values()) / len(scores), **scores}


def _processes() -> dict[str, int]:
    return {"processes": distributed.count()} if distributed.count() > 1 else {}
