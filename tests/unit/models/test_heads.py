"""Heads: their sizes are those of the papers, and each target has one of its own."""

import numpy as np
import pytest
import torch

from avfusion.errors import ConfigError
from avfusion.models.heads import Apart, RjcmaHead, build_head
from avfusion.rating import Rating

TARGETS = ("valence", "arousal", "pain")


def head(kind: str, width: int = 512, names=("valence", "arousal")):
    torch.manual_seed(0)
    return build_head(kind, width, 128, 0.6, names)


def test_sizes_are_the_published_ones():
    """Two heads of T-BIOM have 65,793 parameters each; RJCMA's follow from its layers."""
    assert sum(p.numel() for p in head("separate").parameters()) == 2 * 65_793
    layers = (512 * 256 + 256) + 2 * 256 + (256 + 1)
    assert sum(p.numel() for p in head("rjcma", names=("valence",)).parameters()) == layers


@pytest.mark.parametrize("kind", ["separate", "rjcma", "ca", "jca"])
def test_a_target_depends_only_on_its_own_head(kind):
    net = head(kind, 20, TARGETS).eval()
    x = torch.randn(4, 5, 20)
    before = net(x)
    assert before.shape == (4, 5, 3)
    for weight in net[1].parameters():
        weight.data += 0.1
    changed = (net(x) != before).flatten(0, 1).any(0)
    assert changed.tolist() == [False, True, False]


def test_separate_is_the_regressor_once_per_target():
    net = head("separate", 6, TARGETS).eval()
    x = torch.randn(3, 6)
    for column, part in enumerate(net):
        first, _, dropout, last = part.layers
        assert dropout.p == 0.6
        hidden = (x @ first.weight.T + first.bias).clamp(min=0)
        expected = (hidden @ last.weight.T + last.bias)[:, 0]
        torch.testing.assert_close(net(x)[:, column], expected)


def normed(net: RjcmaHead, x: np.ndarray, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
    """The head's equation in NumPy, x (R, width)."""
    w = {name: tensor.detach().double().numpy() for name, tensor in net.state_dict().items()}
    hidden = x @ w["first.weight"].T + w["first.bias"]
    hidden = (hidden - mean) / np.sqrt(var + 1e-5) * w["norm.weight"] + w["norm.bias"]
    hidden = np.where(hidden > 0, hidden, 0.01 * hidden)
    return np.tanh(hidden @ w["last.weight"].T + w["last.bias"])


def test_rjcma_follows_its_equation_in_training_and_prediction():
    """In training, all B T rows of a batch count, those of absent steps included."""
    torch.manual_seed(1)
    net, x = RjcmaHead(7).double(), torch.randn(4, 6, 7).double()
    x[2, 3:] = 0  # absent
    rows = x.flatten(0, 1).numpy()
    hidden = rows @ net.first.weight.detach().numpy().T + net.first.bias.detach().numpy()
    expected = normed(net, rows, hidden.mean(0), hidden.var(0))
    actual = net(x).detach().flatten(0, 1).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-10)
    running = 0.1 * hidden.mean(0), 0.9 + 0.1 * hidden.var(0, ddof=1)
    np.testing.assert_allclose(net.norm.running_mean, running[0], atol=1e-10)
    net.eval()
    actual = net(x).detach().flatten(0, 1).numpy()
    np.testing.assert_allclose(actual, normed(net, rows, *running), atol=1e-10)
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]))  # in prediction, windows are independent


def test_rjcma_takes_a_batch_of_one_row():
    net = RjcmaHead(7)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    x = torch.randn(1, 1, 7)
    trained = net.train()(x)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    torch.testing.assert_close(trained, net.eval()(x))


@pytest.mark.parametrize("kind", ["separate", "rjcma", "ca", "jca"])
def test_a_target_may_have_a_name_that_pytorch_does_not_allow(kind):
    names = ("pain.left", "type", "forward", "0")
    net = head(kind, 6, names).eval()
    assert net(torch.randn(2, 3, 6)).shape == (2, 3, 4)
    parts = list(dict.fromkeys(key.partition(".")[0] for key in net.state_dict()))
    assert parts == ["0", "1", "2", "3"]


def test_an_unknown_head_is_refused():
    with pytest.raises(ConfigError, match=r"train\.head is 'rjcm'; set one of regressor, separate"):
        head("rjcm")
    assert isinstance(head("rjcma"), Apart)


@pytest.mark.parametrize("name", ["", "pain/left", ".hidden"])
def test_a_target_that_cannot_be_a_folder_is_refused(name):
    with pytest.raises(ConfigError, match=r"A target is named .*leave out `/`"):
        Rating(("valence", name))
