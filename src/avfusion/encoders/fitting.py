"""How an encoder is fitted: examples of the train partition with their gold, then frozen.

`gold(t)` describes the stimulus at `t - delay_s` (the rater's reaction time, per target), so an
example at time t is paired with the gold at `t + delay_s`. Gold of other partitions is not read.
"""

import json
import logging
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from avfusion.encoders.records import Records
from avfusion.errors import TrainError
from avfusion.features.windows import targets
from avfusion.io.atomic import write_text
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.metrics.ccc import ccc
from avfusion.provenance import machine_state
from avfusion.rating import Rating
from avfusion.training import device, distributed
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic, fit
from avfusion.training.losses import ccc_loss

log = logging.getLogger(__name__)


CHUNK = 256


class Examples(NamedTuple):
    """Inputs of a network (N, ...) and gold in [-1, 1] (N, K), NaN = unrated."""

    inputs: Tensor
    gold: Tensor


class Recipe(NamedTuple):
    """How one network is fitted; `most` bounds the examples held in memory, per partition."""

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    patience: int
    most: int
    seed: int


class FittedEncoder:
    """Base of the encoders that learn from gold; a subclass says what an example is.

    net(inputs) answers (embedding (B, D), targets (B, K)); K is `outputs`, as the corpus says.
    """

    fitted = True
    weights = None
    modality: str
    net: nn.Module
    outputs: int = 2
    recipe: Recipe

    def new_net(self, own: dict[str, Any]) -> nn.Module:
        """A network with fresh weights for the study's settings."""
        raise NotImplementedError

    def instants(self, record: Any, own: dict[str, Any]) -> np.ndarray:
        """Times in seconds at which one video can give an example, ascending (N,)."""
        raise NotImplementedError

    def inputs(self, record: Any, times_s: np.ndarray) -> Tensor:
        """The examples at some of the instants (N, ...)."""
        raise NotImplementedError

    def prepare(self, net: nn.Module, train: Tensor) -> None:
        """Set what the network must know of the train inputs (their scale)."""

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """A batch of train inputs as another recording might have shown them."""
        raise NotImplementedError

    def fit(self, corpus: str, own: dict[str, Any], layout: Layout) -> None:
        """Fit on train, keep the best epoch by validation; writes best.safetensors, …"""
        rating = Rating.of(json.loads(layout.card(corpus).read_text()))
        self.outputs = len(rating.names)
        train, validation = (
            self._examples(corpus, partition, own, layout) for partition in ("train", "validation")
        )
        folder = layout.encoder(corpus, own["encoder"])
        with deterministic(self.recipe.seed):
            net = self.new_net(own)
            self.prepare(net, train.inputs)
            net = distributed.of_whole_batches(net)
        r = self.recipe
        stated = {"own": _lasting(own), **rating.stated()}
        settings = {**stated, "examples": content_hash(*train, *validation)}
        log.info("%s: %d train examples", own["encoder"], len(train.gold))
        fit(
            net,
            batches=self._batches(train),
            loss=_loss,
            validate=lambda model: _validate(model, validation, rating.names),
            folder=folder,
            settings=settings,
            epochs=r.epochs,
            lr=r.lr,
            weight_decay=r.weight_decay,
            patience=r.patience,
            seed=r.seed,
            name=own["encoder"],
        )
        said = settings | {"machine": machine_state(device.gpu()) | _together()}
        if distributed.first():
            write_text(folder / "settings.json", json.dumps(said, indent=1) + "\n")

    def load(self, path: Path, own: dict[str, Any]) -> None:
        """Read fitted weights; refuses those of other settings."""
        weights, settings = load_weights(path)
        if settings.get("own") != json.loads(json.dumps(_lasting(own))):
            raise TrainError(
                f"{path}: fitted under other settings than asked for now. Run "
                f"`avf fit-encoder CORPUS {own['encoder']}` again with these."
            )
        self.outputs = len(Rating.of(settings).names)
        self.net = self.new_net(own)
        self.net.load_state_dict(weights)
        self.net.to(device.chosen()).eval().requires_grad_(False)

    def _batches(self, train: Examples) -> Callable[[torch.Generator], Iterable[Examples]]:
        def batches(generator: torch.Generator) -> Iterable[Examples]:
            order = torch.randperm(len(train.gold), generator=generator)
            for chosen in order.split(self.recipe.batch):
                if len(chosen) > 1:  # batch normalisation and concordance need two
                    inputs = self.augment(train.inputs[chosen], generator)
                    yield Examples(inputs[distributed.part(len(chosen))], train.gold[chosen])

        return batches

    def _examples(
        self, corpus: str, partition: str, own: dict[str, Any], layout: Layout
    ) -> Examples:
        """Rated examples of a partition, at most `most`, evenly spread over its videos."""
        videos = _videos(corpus, partition, layout)
        gold = pd.read_parquet(layout.gold(corpus), filters=[("video", "in", videos)])
        card = json.loads(layout.card(corpus).read_text())
        rating = Rating.of(card)
        late_s = {name: card["delay_s"].get(name, 0.0) for name in rating.names}
        share = self.recipe.most // max(1, len(videos))
        records = Records(corpus, self.modality, own, layout)
        inputs, golds = [], []
        for video in videos:
            record = records.open(video)
            times_s = self.instants(record, own)
            own_gold = gold[gold["video"] == video].sort_values("time_s")
            ratings = rating.inward(own_gold[list(rating.names)].to_numpy(float))
            rated_s = own_gold["time_s"].to_numpy()
            answer = targets(times_s, rated_s, ratings, late_s)  # (N, K)
            rated = np.flatnonzero(~np.isnan(answer).all(1))
            rated = rated[:: max(1, -(-len(rated) // max(1, share)))]
            if len(rated):
                inputs.append(self.inputs(record, times_s[rated]))
                golds.append(torch.from_numpy(answer[rated]))
        if not inputs:
            raise TrainError(
                f"{corpus}: no rated {partition} video has {self.modality} to fit "
                f"{own['encoder']!r} on ({len(videos)} videos readable). Run `avf verify {corpus}`."
            )
        return Examples(torch.cat(inputs), torch.cat(golds))


def _loss(model: nn.Module, batch: Examples) -> Tensor:
    """CCC loss of a whole batch, of which `inputs` is the part of this process."""
    return ccc_loss(distributed.gathered(model(batch.inputs)[1], len(batch.gold)), batch.gold)


def _together() -> dict[str, int]:
    return {"processes": distributed.count()} if distributed.count() > 1 else {}


def _lasting(own: dict[str, Any]) -> dict[str, Any]:
    """The settings that numbers depend on: not where the corpus lies."""
    return {key: value for key, value in own.items() if key != "root"}


def _videos(corpus: str, partition: str, layout: Layout) -> list[str]:
    manifest = pd.read_parquet(layout.manifest(corpus))
    media = pd.read_parquet(layout.media(corpus) / "index.parquet")
    readable = set(media.loc[media["status"] == "ok", "video"])
    own = manifest.loc[manifest["partition"] == partition, "video"]
    return sorted(video for video in own if video in readable)


def _validate(model: nn.Module, validation: Examples, names: tuple[str, ...]) -> dict[str, float]:
    """CCC of each target over all rated examples; the score is their mean.

    Processes that fit together take chunks in turn; a sum with zeros brings them together.
    """
    prediction = torch.zeros(validation.gold.shape, device=device.of(model))  # (N, K)
    chunks = zip(validation.inputs.split(CHUNK), prediction.split(CHUNK), strict=True)
    for inputs, out in islice(chunks, distributed.rank(), None, distributed.count()):
        out.copy_(model(device.moved(inputs, out.device))[1])
    prediction = distributed.summed(prediction).cpu()
    found = {}
    for column, dimension in enumerate(names):
        rated = ~validation.gold[:, column].isnan()
        found[dimension] = ccc(prediction[rated, column], validation.gold[rated, column]).item()
    return {"score": sum(found.values()) / len(found), **found}
