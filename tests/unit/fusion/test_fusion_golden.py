"""Published equations, worked by hand, in plain NumPy, and by their number of parameters."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from avfusion.fusion.layers.regressor import Regressor
from avfusion.models.heads import Apart, CaHead, JcaHead, build_head
from avfusion.registry import fusions

AUDIO = torch.tensor([[1.0, 0], [0, 1], [2, -1]])  # (T=3, 2)
VIDEO = torch.tensor([[0.5, 1], [-1, 0], [0, 0.5]])


def everywhere(x: Tensor) -> Tensor:
    return torch.ones(x.shape[:2], dtype=torch.bool)


def fused(fuse: nn.Module, audio: Tensor, video: Tensor):
    """One window: audio (T, Da), video (T, Dv) -> features (T, out), maps."""
    a, v = audio[None], video[None]
    with torch.no_grad():
        features, maps = fuse(a, v, everywhere(a), everywhere(v))
    return features[0], {name: m[0] for name, m in maps.items()}


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def golden_ca(**options) -> nn.Module:
    fuse = fusions.get("ca")(2, 2, steps=3, unit_length=False, **options)
    fuse.affinity.data = torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    return fuse


def test_ca_by_hand():
    features, maps = fused(golden_ca(), AUDIO, VIDEO)
    columns = [
        [0.333333, 0.333333, 0.333333],
        [0.244728, 0.665241, 0.090031],
        [0.326496, 0.419229, 0.254275],
    ]
    audio = [[0.964028, 0.400958, 0.993129], [0, 0.917851, -0.683176]]
    video = [[0.621118, -0.732028, 0.307311], [0.943490, 0.578416, 0.870498]]
    torch.testing.assert_close(maps["audio"].T, torch.tensor(columns), rtol=0, atol=1e-6)
    torch.testing.assert_close(features.T, torch.tensor(video + audio), rtol=0, atol=1e-6)


def test_ca_by_hand_with_row_wise_softmax():
    features, maps = fused(golden_ca(softmax_axis="row"), AUDIO, VIDEO)
    audio = [[0.995368, 0.153202, 0.992817], [-0.196322, 0.818153, -0.740823]]
    torch.testing.assert_close(features[:, 2:].T, torch.tensor(audio), rtol=0, atol=1e-6)
    torch.testing.assert_close(maps["audio"].sum(1), torch.ones(3))


def test_jca_by_hand():
    fuse = fusions.get("jca")(1, 1, steps=2, hidden=1, encode=0)
    fuse.audio.mix.weight.data = torch.tensor([[1.0, 0], [0.5, 1]])
    fuse.audio.from_self.weight.data = torch.tensor([[1.0, 1]])
    fuse.audio.from_map.weight.data = torch.tensor([[0.5, 1]])
    fuse.audio.back.weight.data = torch.tensor([[2.0], [1]])
    audio, video = torch.tensor([[1.0], [2]]), torch.tensor([[-1.0], [0.5]])
    features, maps = fused(fuse, audio, video)
    torch.testing.assert_close(maps["audio"], torch.tensor([[0.999587, -0.608859]]))
    torch.testing.assert_close(features[:, 1], torch.tensor([6.781868, 4.890934]))


def random_case(fusion: str, audio_dim: int, video_dim: int, steps: int, **options):
    torch.manual_seed(0)
    fuse = fusions.get(fusion)(audio_dim, video_dim, steps=steps, **options).double()
    draw = np.random.default_rng(0)
    audio, video = draw.normal(size=(steps, audio_dim)), draw.normal(size=(steps, video_dim))
    features, _ = fused(fuse, torch.from_numpy(audio), torch.from_numpy(video))
    weights = {name: p.detach().numpy() for name, p in fuse.named_parameters()}
    return audio, video, weights, features.numpy()


@pytest.mark.parametrize("unit_length", [False, True])
def test_ca_in_numpy_in_the_papers_orientation(unit_length):
    """Columns are clips, as printed: Z = Xa' W Xv, softmax down the columns, X + X A."""
    options = {"unit_length": unit_length}
    audio, video, weights, found = random_case("ca", 5, 7, 6, **options)
    xa, xv = audio.T, video.T
    za, zv = (x / np.linalg.norm(x, axis=0) if unit_length else x for x in (xa, xv))
    z = za.T @ weights["affinity"] @ zv
    att_a, att_v = (np.exp(m) / np.exp(m).sum(0) for m in (z, z.T))
    expected = np.vstack([np.tanh(xv + xv @ att_v), np.tanh(xa + xa @ att_a)])
    np.testing.assert_allclose(found.T, expected, atol=1e-6)


@pytest.mark.parametrize(("audio_dim", "video_dim", "encode"), [(5, 5, 0), (4, 6, 0), (5, 9, 3)])
def test_jca_in_numpy(audio_dim, video_dim, encode):
    sizes = {"hidden": 4, "encode": encode}
    x = {}
    x["audio"], x["video"], w, found = random_case("jca", audio_dim, video_dim, 6, **sizes)
    if encode:
        for m in x:
            x[m] = x[m] @ w[f"encode_{m}.weight"].T + w[f"encode_{m}.bias"]
    joint = np.hstack([x["audio"], x["video"]])
    out = {}
    for m in x:
        own = {name: w[f"{m}.{name}.weight"] for name in ("mix", "from_self", "from_map", "back")}
        c = np.tanh(x[m].T @ (own["mix"] @ joint) / np.sqrt(joint.shape[1]))
        h = np.maximum(x[m].T @ own["from_self"].T + c @ own["from_map"].T, 0)
        out[m] = (h @ own["back"].T).T + x[m]
    np.testing.assert_allclose(found, np.hstack([out["video"], out["audio"]]), atol=1e-6)


@pytest.mark.parametrize(("width", "count"), [(1024, 2_229_249), (512, 918_529)])
def test_ca_has_the_papers_parameters(width, count):
    fuse = fusions.get("ca")(width, width, steps=8)
    assert parameters(fuse, CaHead(fuse.out_dim)) == count


def test_jca_has_the_papers_parameters():
    fuse = fusions.get("jca")(512, 512, steps=8, encode=128)
    assert parameters(fuse.audio, fuse.video) == 17_536
    assert parameters(fuse, JcaHead(fuse.out_dim)) == 181_889


def test_ca_leaves_absent_clips_out_of_the_average():
    """Without its third clip, audio attends as if the window had two audio clips."""
    fuse = golden_ca()
    audio, video = AUDIO.clone()[None], VIDEO[None]
    audio[0, 2] = 0
    heard = torch.tensor([[True, True, False]])
    with torch.no_grad():
        _, maps = fuse(audio, video, heard, everywhere(video))
    weights = maps["audio"][0]
    torch.testing.assert_close(weights.sum(0), torch.ones(3))
    assert (weights[2] == 0).all()
    two = torch.softmax(AUDIO[:2] @ fuse.affinity.detach() @ VIDEO.T, dim=0)
    torch.testing.assert_close(weights[:2], two)


@pytest.mark.parametrize("kind", ["regressor", "ca", "jca"])
def test_every_head_gives_a_number_a_target_and_clip(kind):
    head = build_head(kind, width=10, hidden=8, dropout=0.3)
    assert isinstance(head, Regressor | Apart)
    assert head(torch.zeros(2, 3, 10)).shape == (2, 3, 2)
    one = build_head(kind, width=10, hidden=8, dropout=0.3, names=("fatigue",))
    assert one(torch.zeros(2, 3, 10)).shape == (2, 3, 1)


def test_the_outputs_of_heads_set_apart_share_nothing():
    head = build_head("ca", width=4, hidden=8, dropout=0.3)
    head(torch.ones(1, 4))[..., 0].sum().backward()
    assert not any(p.grad.any() for p in head[1].parameters())
    assert all(p.grad.any() for p in head[0].parameters())
