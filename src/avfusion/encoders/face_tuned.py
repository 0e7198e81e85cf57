"""Pretrained expression network on aligned faces, last blocks fine-tuned on the corpus' gold.

Source   face-api's expression model, see weights/README.md; `face_expression` is the same network
         without tuning. The first blocks detect edges and parts, which all faces share, and stay
         frozen. The last `blocks` of four are trained at a low rate on the train partition's gold.
Departs  The seven posed classes are dropped. A linear layer predicts the targets from the 256-d
         pooled layer. This layer, averaged over the sampled faces of a clip, is the embedding.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders import colour
from avfusion.encoders.expression_net import pretrained
from avfusion.encoders.faces import AveragedFaces, SingleFaces
from avfusion.encoders.tuning import TunedEncoder, recipe_of, staged
from avfusion.registry import encoders
from avfusion.training import device

BLOCKS = 4


@encoders.add("face_tuned")
class FaceTuned(SingleFaces, AveragedFaces, TunedEncoder):
    """256 non-negative numbers per clip; embeds `frame_hz` faces per second, tunes on `fit_hz`.

    Parameters
    ----------
    blocks
        Number of last blocks to tune, 0 to 4.
    release
        Groups into which the tuned blocks are divided, at most `blocks`. First only the output
        layer is trained; then the groups are released one after the other, the last blocks first.
        0 trains all tuned blocks from the first epoch. RJCMA: 3.
    release_when
        `stalled`: release the next group after `release_after` epochs without a better validation
        score. `epochs`: release it every `release_after` epochs. `rate`: release it when the
        plateau `schedule` has lowered the rate to its `least`, as in RJCMA. Each time, the best
        weights are restored, and optimiser and schedule begin again.
    release_after
        Epochs, see `release_when`; `epochs` bounds all of them together.
    head_lr
        Learning rate of the output layer, by default `lr`; it follows the same schedule.
    schedule
        The learning rate over the epochs, written as `train.schedule`; constant by default.
    brightness
        Each face is multiplied by a draw from U(1 - brightness, 1 + brightness). With `brightness`
        or `contrast`, the usual change of light and tint is left out. T-BIOM: 0.2.
    contrast
        The distance of each face from its mean grey level is multiplied by such a draw. T-BIOM:
        0.2.
    flip
        Share of the faces that are mirrored.
    """

    modality = "video"
    read_hz = 12.5
    dim = 256

    def __init__(
        self,
        *,
        blocks: int = 2,
        frame_hz: float = 12.5,
        fit_hz: float = 6.25,
        epochs: int = 6,
        batch: int = 32,
        lr: float = 3e-4,
        head_lr: float | None = None,
        most: int = 10_000,
        seed: int = 0,
        release: int = 0,
        release_when: Literal["stalled", "epochs", "rate"] = "stalled",
        release_after: int = 2,
        schedule: dict[str, Any] | None = None,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float = 0.5,
    ) -> None:
        colour.check("face_tuned", brightness, contrast, flip)
        self.brightness, self.contrast, self.flip = brightness, contrast, flip
        self.frame_hz, self.fit_hz = frame_hz, fit_hz
        fit: dict[str, Any] = {
            "epochs": epochs,
            "batch": batch,
            "lr": lr,
            "most": most,
            "seed": seed,
        }
        self.recipe = recipe_of("face_tuned", **fit, schedule=schedule, head_lr=head_lr)
        after = release_after
        self.staged = staged(
            *("face_tuned", blocks, BLOCKS, release, release_when, after, self.recipe)
        )
        self.release = self.staged.release

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return the pretrained network with a new output layer."""
        return _Net(self.staged.blocks, self.outputs)

    def blocks_of(self, net: nn.Module) -> list[nn.Module]:
        """Return the four dense blocks."""
        assert isinstance(net, _Net)
        return list(net.look.blocks)

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror some faces; relight each (0.8 to 1.25) and tint it by up to 5 %, or jitter it."""
        one = (len(inputs), 1, 1, 1)
        mirror = torch.rand(one, generator=generator) < self.flip
        x = torch.where(mirror, inputs.flip(2), inputs).float()  # (B, side, side, 3)
        if self.brightness is not None or self.contrast is not None:
            return colour.jitter(x, self.brightness, self.contrast, generator)
        light = torch.exp((torch.rand(one, generator=generator) * 2 - 1) * 0.22)
        tint = 1 + 0.05 * (torch.rand((len(x), 1, 1, 3), generator=generator) * 2 - 1)
        return (x * light * tint).clamp(0, 255)

    def embed(self, faces: Tensor) -> Tensor:
        """Return the embeddings (B, D) of faces uint8 RGB (B, side, side, 3)."""
        embedded: Tensor = self.net(device.moved(faces, device.of(self.net)))[0]
        return embedded


class _Net(nn.Module):
    def __init__(self, blocks: int, outputs: int) -> None:
        super().__init__()
        self.look = pretrained()
        for block in list(self.look.blocks)[BLOCKS - blocks :]:
            block.requires_grad_(True)
        self.rate = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(self.look.classify.in_features, outputs)
        )

    def backbone_weights(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the blocks, which have the learning rate `lr`."""
        return self.look.blocks.parameters()

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Map faces (B, side, side, 3) to embeddings (B, 256) and targets (B, K)."""
        embedding, _ = self.look(faces)
        return embedding, self.rate(embedding)
