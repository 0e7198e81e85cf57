"""Model of one run: standardise each modality, fuse, then regress or classify."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from avfusion.config import modalities
from avfusion.config.jobs import RunSettings
from avfusion.config.modalities import MODALITIES
from avfusion.config.training import TrainSettings
from avfusion.fusion.base import HasLoss, PooledJoin
from avfusion.models.heads import build_head
from avfusion.models.speakers import Speakers
from avfusion.models.standardise import Standardise
from avfusion.registry import fusions


class Model(nn.Module):
    """Standardisation, fusion and head; a run's best.safetensors holds its weights."""

    audio: Standardise
    video: Standardise
    text: Standardise
    """Only if the fusion reads text."""
    read: tuple[str, ...]
    """Modalities that predictions depend on; those that a model is not given do not count."""

    def __init__(
        self,
        fusion: nn.Module,
        head: nn.Module,
        *dims: int,
        rule: TrainSettings | None = None,
        read: Sequence[str] = MODALITIES,
    ) -> None:
        super().__init__()
        self.read = tuple(read)
        for modality, width in zip(MODALITIES, dims, strict=False):
            self.add_module(modality, Standardise(width, rule))
        self.fusion = fusion
        self.head = head

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Predict a batch of windows.

        Parameters
        ----------
        audio, video, text
            Features (B, T, Da), (B, T, Dv) and (B, T, Dt); anything in absent rows. NaN in a
            present row is a missing feature.
        audio_present, video_present, text_present
            Which steps are present (B, T).

        Returns
        -------
        tuple
            Predictions (B, T, K) and the fusion's maps by name.
        """
        inputs: tuple[Tensor, ...] = (audio, video, audio_present, video_present)
        if text is not None and text_present is not None:
            inputs = (*inputs, text, text_present)
        fused = self.fusion(*self.standardised(*inputs))
        return self.head(fused.features), fused.maps

    def auxiliary_loss(self, *inputs: Tensor) -> Tensor | float:
        """Return the fusion's own term of the training loss, a scalar; 0 if it has none.

        inputs: the arguments of `forward`.
        """
        if not hasattr(self.fusion, "auxiliary_loss"):
            return 0.0
        return cast(HasLoss, self.fusion).auxiliary_loss(*self.standardised(*inputs))

    def standardised(
        self, audio: Tensor, video: Tensor, heard: Tensor, seen: Tensor, *text: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the arguments of `forward` with each modality standardised."""
        both = (self.audio(audio, heard), self.video(video, seen), heard, seen)
        return (*both, self.text(*text), text[1]) if text else both


class SeparateModel(Model):
    """One model per target, `model_0` for the first, with a common standardisation.

    It predicts as one model does. Maps have the target in their names: `gate_audio_valence`.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        nn.Module.__init__(self)
        self.names = tuple(models)
        first = models[self.names[0]]
        for modality in (name for name in MODALITIES if hasattr(first, name)):
            self.add_module(modality, getattr(first, modality))
        for index, model in enumerate(models.values()):
            for modality in (name for name in MODALITIES if hasattr(first, name)):
                model.add_module(modality, getattr(first, modality))
            self.add_module(f"model_{index}", model)  # a target's name may have a dot

    def of(self, target: str) -> Model:
        """Return the model of one target."""
        return cast(Model, self.get_submodule(f"model_{self.names.index(target)}"))

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """As `Model.forward`; each target of (B, T, K) comes from its own model."""
        inputs = audio, video, audio_present, video_present, text, text_present
        results = {name: self.of(name)(*inputs) for name in self.names}
        prediction = torch.cat([one for one, _ in results.values()], dim=-1)
        named = {f"{m}_{name}": x for name, (_, maps) in results.items() for m, x in maps.items()}
        return prediction, named


class ClassModel(Model):
    """As `Model`, but the head gets one row per video: the mean over its present steps.

    A video is one window or several. A step is present if one of the modalities that the fusion
    reads is. If a fusion `joins_pooled`, each modality is averaged over its own present steps
    before the modalities are joined, as in SelfCrossAttn (arXiv:2202.09263).
    """

    def classify(self, inputs: tuple[Tensor, ...], used: Tensor, owner: Tensor) -> Tensor:
        """Return the logits of each video.

        Parameters
        ----------
        inputs
            The arguments of `forward`.
        used
            Steps that count (B, T).
        owner
            Index of each window's video (B,), 0 … V-1.

        Returns
        -------
        torch.Tensor
            Logits (V, K).
        """
        inputs = self.standardised(*inputs)
        if getattr(self.fusion, "joins_pooled", False):
            fusion = cast(PooledJoin, self.fusion)
            present = by_modality(inputs)
            rows = dict(zip(MODALITIES, (*inputs[:2], *inputs[4:5]), strict=False))
            _, attended, _ = fusion.attend_all(rows, present)
            pooled = {
                key: mean_of(y, present[fusion.attends[key][0]] & used, owner)
                for key, y in attended.items()
            }
            return self.head(fusion.joined(pooled))
        features = self.fusion(*inputs).features
        return self.head(mean_of(features, self.present(inputs) & used, owner))

    def present(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the steps (B, T) at which one of the modalities of `read` is present."""
        known = by_modality(inputs)
        return torch.stack([known[name] for name in self.read if name in known]).any(0)


class VerificationModel(ClassModel):
    """As `ClassModel`, but a video has an embedding."""

    def embeddings(self, inputs: tuple[Tensor, ...], used: Tensor, owner: Tensor) -> Tensor:
        """Return the embedding of each video.

        Parameters
        ----------
        inputs, used, owner
            As in `ClassModel.classify`.

        Returns
        -------
        torch.Tensor
            Embeddings (V, E). Of a model in closed form, the scores of the people of train (V, K).
        """
        if not isinstance(self.head, Speakers):
            return self.classify(inputs, used, owner)
        inputs = self.standardised(*inputs)
        some = self.present(inputs) & used  # (B, T)
        features = self.fusion(*inputs).features
        of_step = owner[:, None].expand(some.shape)[some]  # (M,)
        return self.head(features[some], of_step, int(owner.max()) + 1)


MODELS: dict[str, type[Model]] = {
    "ratings": Model,
    "classes": ClassModel,
    "verification": VerificationModel,
}
"""Task -> model."""


def by_modality(inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Return modality -> its present steps (B, T); inputs: the arguments of `Model.forward`."""
    return dict(zip(MODALITIES, (*inputs[2:4], *inputs[5:6]), strict=False))


def mean_of(x: Tensor, counts: Tensor, owner: Tensor) -> Tensor:
    """Return the mean of x (B, T, W) over each owner's steps that count (B, T): (V, W).

    An owner without such steps gets 0.
    """
    index = torch.arange(int(owner.max()) + 1, device=owner.device)
    windows = (owner == index[:, None]).to(x.dtype)  # (V, B)
    total = windows @ (x * counts[..., None]).sum(1)
    return total / (windows @ counts.sum(1).to(x.dtype)).clamp(min=1)[:, None]


def build(settings: RunSettings, *dims: int) -> Model:
    """Return the model of a run, freshly initialised.

    Parameters
    ----------
    settings
        Settings of the run, with the targets or classes of the corpus.
    dims
        Widths of audio and video, and of text if the fusion reads text.

    Returns
    -------
    Model
        A `ClassModel` if the task is classes, a `VerificationModel` if it is verification, a
        `SeparateModel` if each target is trained separately. A fusion whose constructor has
        `outputs` gets the number of targets, classes or people.
    """
    if settings.train.targets == "separate":
        return SeparateModel({name: build(one, *dims) for name, one in per_target(settings)})
    train, names = settings.train, settings.outputs
    fusion_class = fusions.get(settings.class_)
    derived = {}
    if "outputs" in inspect.signature(fusion_class).parameters:
        derived["outputs"] = len(names)
    fusion = fusion_class(*dims, steps=settings.windows.clips, **derived, **settings.options)
    sizes = settings.verification
    if getattr(fusion, "closed_form", False):
        head: nn.Module = nn.Linear(fusion.out_dim, len(names))
    elif sizes is not None:
        head = Speakers(
            *(fusion.out_dim, len(names)), embedding=sizes.embedding, bottleneck=sizes.bottleneck
        )
    else:
        head = build_head(train.head, fusion.out_dim, train.hidden, train.dropout, names)
    read = modalities.read(settings.class_, settings.options)
    return MODELS[settings.task](fusion, head, *dims, rule=train, read=read)


def per_target(settings: RunSettings) -> Iterator[tuple[str, RunSettings]]:
    """Yield each target with the settings of a run that predicts only this target."""
    train = settings.train.model_copy(update={"targets": "together"})
    for name in settings.targets:
        yield name, settings.updated(targets=(name,), train=train)
