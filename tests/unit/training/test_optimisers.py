"""Optimisers without marks for `torch.compile`: PyTorch's bits and states, without its compiler."""

import subprocess
import sys

import pytest
import torch

from avfusion.training import optimisers

RULES = {
    "AdamW": {"lr": 0.01, "weight_decay": 0.1},
    "Adam": {"lr": 0.01, "weight_decay": 0.1},
    "SGD": {"lr": 0.01, "weight_decay": 0.1, "momentum": 0.9},
}


def stepped(kind, rule, steps, state=None):
    """Take steps from fixed weights; return the weights and the state of the optimiser."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(size, generator=generator) for size in ((3, 4), (5,))]
    weights = [weight.requires_grad_() for weight in weights]
    optimiser = kind([{"params": weights[:1]}, {"params": weights[1:], "lr": 0.03}], **rule)
    if state is not None:
        optimiser.load_state_dict(state)
    for _ in range(steps):
        optimiser.zero_grad()
        sum((weight.sin() ** 2).sum() for weight in weights).backward()
        optimiser.step()
    return weights, optimiser.state_dict()


@pytest.mark.parametrize("name", RULES)
def test_weights_and_states_are_those_of_pytorch(name):
    ours, theirs = getattr(optimisers, name), getattr(torch.optim, name)
    (weights, state), (expected, expected_state) = (
        stepped(kind, RULES[name], 3) for kind in (ours, theirs)
    )
    resumed, _ = stepped(ours, RULES[name], 2, expected_state)
    again, _ = stepped(theirs, RULES[name], 2, state)
    for pairs in ((weights, expected), (resumed, again)):
        assert all(torch.equal(a, b) for a, b in zip(*pairs, strict=True))
    torch.testing.assert_close(state, expected_state, rtol=0, atol=0)
    assert all(weight.requires_grad for weight in weights)


def test_a_step_does_not_import_the_compiler():
    program = (
        "import sys, torch; from avfusion.training import optimisers;"
        "w = torch.ones(3, requires_grad=True);"
        "made = [k([w], lr=0.1) for k in (optimisers.AdamW, optimisers.Adam, optimisers.SGD)];"
        "w.sum().backward();"
        "[(o.step(), o.zero_grad(), o.load_state_dict(o.state_dict())) for o in made];"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
