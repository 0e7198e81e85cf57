"""Train several seeds of one fusion in parallel in one process, and in sequence.

In parallel, the seeds' weights are stacked and one step is mapped over them (torch.func). JCA's
blockwise operator cannot be mapped, so its whole-batch transcription replaces it.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from _models import model
from _transcriptions import Plain, jca_by_batch
from _turns import alternate, ratio, say
from avfusion.training.losses import ccc_loss

SEEDS, WINDOWS, CLIPS, WIDTH = 5, 32, 16, 512


def together(device: str, rounds: int) -> list[dict[str, str]]:
    """Return rows for concat, ca and jca with the study's default options and batch."""
    return [_row(name, device, rounds) for name in ("concat", "ca", "jca")]


def _row(name: str, device: str, rounds: int) -> dict[str, str]:
    torch.manual_seed(0)
    here = torch.ones(WINDOWS, CLIPS, dtype=torch.bool, device=device)
    inputs = (*torch.randn(2, WINDOWS, CLIPS, WIDTH, device=device).unbind(), here, here)
    gold = torch.rand(WINDOWS, CLIPS, 2, device=device)
    models = [_model(name, seed).to(device) for seed in range(SEEDS)]
    mapped = deepcopy(models)
    if name == "jca":
        for one in mapped:
            one.fusion = Plain(one.fusion, jca_by_batch)
    weights, buffers = stack_module_state(mapped)
    shape = deepcopy(mapped[0]).to("meta")

    def loss(weights: dict[str, Tensor], rest: dict[str, Tensor]) -> Tensor:
        return ccc_loss(functional_call(shape, (weights, rest), inputs)[0], gold)

    def side_by_side() -> dict[str, Tensor]:
        return vmap(grad(loss))(weights, buffers)

    def in_turn() -> None:
        for one in models:
            one.zero_grad()
            ccc_loss(one(*inputs)[0], gold).backward()

    in_turn()
    last = models[-1].head.layers[0].weight.grad
    gap = (side_by_side()["head.layers.0.weight"][-1] - last).abs().max() / last.abs().max()
    took = alternate({"turn": in_turn, "side": side_by_side}, rounds, device)
    row = ratio(f"{name}: {SEEDS} seeds in turn / side by side", took["turn"], took["side"])
    say(f"{row['measure']}: {row['found']}")
    return row | {"found": f"{row['found']}; gradients differ by {gap:.0e} at most"}


def _model(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return model(name, WIDTH, CLIPS, dropout=0.0)
