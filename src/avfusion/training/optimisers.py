"""PyTorch's optimisers without what only `torch.compile` needs.

PyTorch marks methods of its optimisers for `torch.compile`, and the first call of one imports the
compiler, which takes longer than many a fit. Nothing here is compiled, so these classes have the
same methods without the marks: the arithmetic, the state and their names are those of PyTorch.
"""

import inspect
from typing import Any

import torch
from torch.optim import Optimizer

MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
"""Methods of `torch.optim.Optimizer` with such a mark; `step` of each optimiser has another."""


def _unmarked(kind: type[Optimizer]) -> Any:
    """Return a subclass with the methods as they are inside of the marks."""
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in MARKED}
    step = torch.no_grad()(inspect.unwrap(kind.step))  # the mark also turns gradients off
    methods |= {"step": step, "__doc__": f"`torch.optim.{kind.__name__}` without the marks."}
    return type(kind.__name__, (kind,), methods)


AdamW, Adam, SGD = (
    _unmarked(kind) for kind in (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD)
)
