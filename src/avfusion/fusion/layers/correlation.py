"""Attention with tanh instead of softmax, block by block to save memory.

    Y = dropout(tanh(K Q)) V            K (B, N, T), Q (B, T, M), V (M, P) or (B, M, P)

The joint attentions compare each feature with each joint feature, so N x M is large and T small:
64 windows of 512 + 512 features have 134 MB of scores per modality. Forward and backward go over
the same blocks of a few windows and rows, which stay in the processor's cache. The backward pass
computes the scores again (each costs T multiplications) and draws the same dropout again; few
scores without dropout are kept instead.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = {"cpu": 2**19, "cuda": 2**25}
"""Scores in a block: 2 MB stay in a processor's cache; a GPU needs more for full use."""

WORDS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Size in bytes -> integer type."""

HALF = 4
"""Factor of the block under autocast, where scores take half the memory and fewer passes."""

KEPT = 2**22
"""Most scores that the forward pass keeps for the backward pass: 16 MB."""

TOGETHER = 4
"""Least number of windows multiplied at once: small products run one per core."""


def attend(
    keys: Tensor, queries: Tensor, values: Tensor, dropout: float = 0.0, block: int | None = None
) -> Tensor:
    """Return dropout(tanh(keys @ queries)) @ values without storing all scores.

    Under autocast, products are in its dtype and sums in float32.

    Parameters
    ----------
    keys
        Shape (B, N, T).
    queries
        Shape (B, T, M).
    values
        Shape (M, P) or (B, M, P).
    dropout
        Share of scores set to 0; the others are scaled up. Drawn from torch's global generator.
    block
        Greatest number of scores held at once.

    Returns
    -------
    torch.Tensor
        Shape (B, N, P).
    """
    if torch.compiler.is_exporting():  # blocks would fix the number of windows in the graph
        return correlations(keys, queries) @ values
    device = keys.device.type
    most = block or BLOCK.get(device, BLOCK["cuda"])
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
        keys, queries, values = (x.to(kind) for x in (keys, queries, values))
        most *= 1 if block else HALF
    seed = int(torch.randint(2**62, ())) if dropout else 0
    with torch.autocast(device, enabled=False):
        share = round(dropout * 2**15)  # also the step of the coarsest mask, that of 16 bits
        values = values / (1 - share / 2**15) if share else values
        return _Attend.apply(keys, queries, values, most, share, seed)


def correlations(keys: Tensor, queries: Tensor) -> Tensor:
    """Return all scores at once, (B, N, M), for figures and exported graphs."""
    return torch.tanh(keys @ queries)


class _Attend(torch.autograd.Function):
    """Y and its three gradients; block, share and seed determine how scores are recomputed."""

    @staticmethod
    def forward(ctx: Any, keys: Tensor, queries: Tensor, values: Tensor, *rule: int) -> Tensor:
        ctx.save_for_backward(keys, queries, values)
        ctx.rule, ctx.kept = rule, []
        out = keys.new_empty(*keys.shape[:2], values.shape[-1])  # (B, N, P)
        kept = any(ctx.needs_input_grad) and _few(keys, queries, rule)
        for windows, rows, scores, mask in _blocks(keys, queries, kept, *rule):
            out[windows, rows] = scores @ (values if values.dim() == 2 else values[windows])
            if kept:
                ctx.kept.append((windows, rows, scores, mask))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        keys, queries, values = ctx.saved_tensors
        sums = torch.promote_types(keys.dtype, torch.float32)
        d_keys = torch.empty_like(keys)
        d_queries = torch.zeros_like(queries, dtype=sums)
        d_values = torch.zeros_like(values, dtype=sums)
        shared = values.dim() == 2
        spare = None
        for windows, rows, scores, mask in ctx.kept or _blocks(keys, queries, False, *ctx.rule):
            d_block = d_out[windows, rows]  # (b, n, P)
            spare = torch.empty_like(scores) if spare is None else spare
            d_scores = spare.flatten()[: scores.numel()].view_as(scores)
            if shared:
                d_values += scores.flatten(0, 1).T @ d_block.flatten(0, 1)
                torch.mm(d_block.flatten(0, 1), values.T, out=d_scores.flatten(0, 1))
            else:
                d_values[windows] += scores.mT @ d_block
                torch.bmm(d_block, values[windows].mT, out=d_scores)
            torch.ops.aten.tanh_backward.grad_input(d_scores, scores, grad_input=d_scores)
            if mask is not None:
                d_scores.view(mask.dtype).bitwise_and_(mask)
            d_keys[windows, rows] = d_scores @ queries[windows].mT
            d_queries[windows] += keys[windows, rows].mT @ d_scores
        return d_keys, d_queries.to(queries), d_values.to(values), None, None, None


def _few(keys: Tensor, queries: Tensor, rule: tuple[int, ...]) -> bool:
    """Return whether all scores are kept; with dropout their masks would be needed too."""
    _, share, _ = rule
    return not share and keys.shape[0] * keys.shape[1] * queries.shape[2] <= KEPT


def _blocks(
    keys: Tensor, queries: Tensor, kept: bool, block: int, share: int, seed: int
) -> Iterator[tuple[slice, slice, Tensor, Tensor | None]]:
    """Yield windows, rows, their scores (b, n, M) and, with dropout, their bit masks.

    Unless they are `kept`, all blocks share one buffer: the next block overwrites the previous one.
    tanh(x) is computed as 2 sigmoid(2x) - 1, because torch's sigmoid is up to ten times as fast.
    """
    (count, height, _), width = keys.shape, queries.shape[2]
    together = min(count, max(TOGETHER, block // (height * width)))
    tall = min(height, max(1, block // (together * width)))
    twice = 2 * queries
    buffer = keys.new_empty(together * tall * width)
    kind = torch.promote_types(keys.dtype, torch.float32)
    wide = buffer if kind == keys.dtype else torch.empty_like(buffer, dtype=kind)
    less = wide.new_tensor(-1)
    masks = _Masks(buffer, share, seed) if share else None
    mask = None
    for windows in _cut(count, together):
        for rows in _cut(height, tall):
            some = keys[windows, rows]
            size = (*some.shape[:2], width)
            scores = keys.new_empty(size) if kept else buffer[: math.prod(size)].view(size)
            exact = scores if wide is buffer else wide[: math.prod(size)].view(size)
            torch.bmm(some, twice[windows], out=scores)
            torch.add(less, exact.copy_(scores).sigmoid_(), alpha=2, out=exact)
            scores.copy_(exact)
            if masks:
                mask = masks.draw(size)
                scores.view(mask.dtype).bitwise_and_(mask)
            yield windows, rows, scores, mask


def _cut(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


class _Masks:
    """Dropout masks as bits: all ones for a score that is kept, else all zeros.

    A generator gives 32 bits at a time on one core, which would cost more than the scores. It
    therefore fills one pool, and each block mixes the pool with a word of its own. The mixing is
    the finaliser of MurmurHash3, but with shifts that keep the sign; the sign bit is not used.
    """

    def __init__(self, like: Tensor, share: int, seed: int) -> None:
        self.source = torch.Generator(like.device).manual_seed(seed)
        self.kind = WORDS[like.element_size()]
        self.share = share
        length = -(-like.numel() * like.element_size() // 4)
        self.pool = torch.empty(length, dtype=torch.int32, device=like.device)
        self.pool.random_(-(2**31), None, generator=self.source)
        self.mixed, self.shifted = torch.empty_like(self.pool), torch.empty_like(self.pool)

    def draw(self, size: tuple[int, ...]) -> Tensor:
        """Return the mask of the next block."""
        (word,) = torch.randint(2**31, (1,), generator=self.source, device=self.pool.device)
        mixed, top = torch.bitwise_xor(self.pool, word.int(), out=self.mixed), self._top
        for shift, factor in ((16, -2048144789), (13, -1028477387)):
            mixed.bitwise_xor_(torch.bitwise_right_shift(mixed, shift, out=self.shifted))
            mixed.mul_(factor)
        mixed.bitwise_xor_(torch.bitwise_right_shift(mixed, 16, out=self.shifted))
        mask = mixed.view(self.kind)[: math.prod(size)].view(size)
        least = self.share << (top - 15)  # a number of `top` bits below it is dropped
        mask.bitwise_and_(2**top - 1).sub_(least).bitwise_right_shift_(top)  # -1 if dropped, else 0
        return mask.bitwise_not_()

    @property
    def _top(self) -> int:
        return torch.iinfo(self.kind).bits - 1
