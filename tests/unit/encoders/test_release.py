"""Blocks that are released group by group: what trains when, and a killed fit that continues."""

import logging

import pandas as pd
import pytest
import torch
from torch import nn

from avfusion.config.schedules import Constant, Plateau, Schedule
from avfusion.encoders import base, fitting
from avfusion.encoders.recipe import Recipe, Release
from avfusion.encoders.stage import fit
from avfusion.errors import ConfigError
from avfusion.training import loop
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic
from support import synthetic_media as media

TARGETS = ("valence", "arousal")
CONSTANT = Constant()


class Net(nn.Module):
    """Two blocks and an output layer; the dropout draws."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(5, 5), nn.Tanh()) for _ in range(2))
        self.rate = nn.Sequential(nn.Dropout(0.2), nn.Linear(5, 2))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x, self.rate(x)


class Small(fitting.FittedEncoder):
    """Release the second block first, then the first one."""

    def __init__(self, release: Release, epochs: int = 14, schedule: Schedule = CONSTANT):
        self.release = release
        self.recipe = Recipe(
            *(epochs, 16, 0.02, 1e-2), patience=epochs, most=100, seed=3, schedule=schedule
        )

    def groups(self, net):
        return [[net.blocks[1]], [net.blocks[0]]]

    def augment(self, inputs, generator):
        return inputs + 0.05 * torch.randn(inputs.shape, generator=generator)


def examples(seed: int, count: int = 60) -> fitting.Examples:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 5, generator=draw)
    return fitting.Examples(x, torch.tanh(2 * x[:, :2] * x[:, 2:4]))


def run(folder, encoder: Small) -> nn.Module:
    with deterministic(0):
        net = Net()
    encoder.fit_net(net, (examples(1), examples(2)), TARGETS, folder, {"study": "small"}, "small")
    return net


def blocks_changed(folder, stage: int) -> list[bool]:
    """Whether each block, and the output layer, differ from the start of a stage."""
    with deterministic(0):
        start = Net().state_dict()
    for before in range(stage):
        start = best_until(folder, before)
    state = torch.load(_payload(folder / f"stage{stage}" / "state.pt"), weights_only=True)["model"]
    parts = ("blocks.0", "blocks.1", "rate")
    return [
        any(not torch.equal(start[k], state[k]) for k in start if k.startswith(p)) for p in parts
    ]


def best_until(folder, stage: int) -> dict:
    """Return the weights of the highest score of the stages up to this one."""
    table = pd.read_csv(folder / "epochs.csv")
    best = table[table["stage"] <= stage].sort_values("epoch")["score"].idxmax()
    return load_weights(folder / f"stage{table['stage'][best]}" / "best.safetensors")[0]


def _payload(path):
    import io

    return io.BytesIO(path.read_bytes().partition(b"\n")[2])


def test_each_stage_trains_one_more_group_and_starts_from_the_best_weights(tmp_path):
    run(tmp_path, Small(Release("epochs", 3)))
    assert blocks_changed(tmp_path, 0) == [False, False, True]
    assert blocks_changed(tmp_path, 1) == [False, True, True]
    assert blocks_changed(tmp_path, 2) == [True, True, True]
    table = pd.read_csv(tmp_path / "epochs.csv")
    assert table["epoch"].tolist() == list(range(1, 15))
    assert table["stage"].tolist() == [0] * 3 + [1] * 3 + [2] * 8


def test_the_best_epoch_of_all_stages_is_kept(tmp_path):
    net = run(tmp_path, Small(Release("epochs", 3)))
    weights, document = load_weights(tmp_path / "best.safetensors")
    expected = best_until(tmp_path, 2)
    assert all(torch.equal(weights[key], expected[key]) for key in expected)
    assert all(torch.equal(net.state_dict()[key].cpu(), expected[key]) for key in expected)
    assert document == {"study": "small"}


def test_a_stage_ends_when_validation_stalls(tmp_path):
    run(tmp_path, Small(Release("stalled", 2), epochs=60))
    table = pd.read_csv(tmp_path / "epochs.csv")
    for stage in (0, 1):
        scores = table.loc[table["stage"] == stage, "score"].tolist()
        assert scores.index(max(scores)) == len(scores) - 3, "two epochs without a better score"


PLATEAU = Plateau(**{"is": "plateau", "factor": 0.1, "patience": 1, "least": 1e-4})


def test_a_stage_ends_when_the_rate_has_fallen_to_the_least(tmp_path):
    """The rule of RJCMA's published code; a new stage begins with the full rate."""
    run(tmp_path, Small(Release("rate"), epochs=90, schedule=PLATEAU))
    table = pd.read_csv(tmp_path / "epochs.csv")
    assert table["stage"].unique().tolist() == [0, 1, 2]
    for _, rows in table.groupby("stage"):
        assert rows["lr"].iloc[0] == 0.02
        assert rows["lr"].is_monotonic_decreasing
        assert sorted(rows["lr"].unique()) == pytest.approx([2e-4, 2e-3, 2e-2])
        last = rows.loc[rows["lr"] < 3e-4, "score"].tolist()
        assert len(last) >= 2, "two epochs without a better score lower the rate"
        assert max(last[-2:]) <= rows["score"].iloc[:-2].max()
    assert len(table) < 90


WAYS = {
    "epochs": (Release("epochs", 3), Constant()),
    "stalled": (Release("stalled", 2), Constant()),
    "rate": (Release("rate"), PLATEAU),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kill_after", [1, 2, 3, 4, 6, 7, 10, 13])
def test_a_fit_killed_after_any_epoch_continues_to_the_same_bits(
    kill_after, way, tmp_path, monkeypatch
):
    """The state of the optimiser is per stage, and a stage after the kill begins as it would."""
    release, schedule = WAYS[way]

    def small() -> Small:
        return Small(release, schedule=schedule)

    run(tmp_path / "whole", small())
    saved, save = [], loop.save_state

    def save_then_die(*arguments):
        save(*arguments)
        saved.append(arguments)
        if len(saved) == kill_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", small())
    monkeypatch.undo()
    run(tmp_path / "killed", small())
    for name in ("best.safetensors", "epochs.csv"):
        killed, whole = (tmp_path / f / name for f in ("killed", "whole"))
        assert killed.read_bytes() == whole.read_bytes()


def test_a_stage_from_other_weights_starts_over(tmp_path):
    """A later stage does not continue from a state that began at weights that have changed."""
    run(tmp_path / "one", Small(Release("epochs", 3)))
    run(tmp_path / "two", Small(Release("epochs", 2)))
    (tmp_path / "mixed").mkdir()
    for stage, origin in (("stage0", "two"), ("stage1", "one"), ("stage2", "one")):
        (tmp_path / origin / stage).rename(tmp_path / "mixed" / stage)
    run(tmp_path / "mixed", Small(Release("epochs", 2)))
    mixed, two = (tmp_path / f / "best.safetensors" for f in ("mixed", "two"))
    assert mixed.read_bytes() == two.read_bytes()


def test_groups_that_are_never_released_are_reported(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        run(tmp_path, Small(Release("epochs", 2), epochs=4))
    assert "groups 2 to 2 of 2 were not released within 4 epochs" in caplog.text
    assert (tmp_path / "best.safetensors").is_file()


@pytest.mark.parametrize(
    ("blocks", "release", "expected"),
    [(2, 0, []), (2, 1, [[3, 2]]), (3, 3, [[3], [2], [1]]), (4, 3, [[3], [2], [1, 0]])],
)
def test_the_last_blocks_of_the_face_network_are_released_first(blocks, release, expected):
    settings = media.settings("face_tuned", blocks=blocks, release=release)
    encoder = base.build(settings)
    net = encoder.new_net(settings)
    number = {id(block): at for at, block in enumerate(net.look.blocks)}
    assert [[number[id(b)] for b in group] for group in encoder.groups(net)] == expected


def test_a_face_network_is_tuned_in_stages(tmp_path):
    settings = media.settings(
        "face_tuned", epochs=3, lr=1e-3, release=2, release_when="epochs", release_after=1
    )
    layout = media.make_corpus(tmp_path, {"train": 2, "validation": 1}, seconds=3)
    fit("tiny", settings, layout)
    folder = layout.encoder("tiny", "face_tuned")
    assert pd.read_csv(folder / "epochs.csv")["stage"].tolist() == [0, 1, 2]
    tuned = base.build(settings)
    tuned.load(folder / "best.safetensors", settings)
    begun = base.build(settings).new_net(settings).state_dict()
    state = tuned.net.state_dict()
    frozen = [key for key in begun if key.startswith(("look.blocks.0", "look.blocks.1"))]
    assert all(torch.equal(begun[key], state[key]) for key in frozen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 2, "release": 3}, "`release` must be 0 to 2"),
        ({"release": -1}, "`release` must be 0 to 2"),
        ({"release": 1, "release_after": 0}, "`release_after` must be 1 or more"),
        ({"release": 1, "release_when": "rate"}, "needs a plateau schedule with a least rate"),
        ({"schedule": {"is": "plataeu"}}, "`schedule`: .*'plateau'"),
        ({"schedule": {"is": "plateau", "factor": 2}}, "`schedule.plateau.factor`: .*less than 1"),
        (
            {"release": 1, "release_when": "rate", "schedule": {"is": "plateau", "least": 3e-4}},
            r"`schedule.least` \(0.0003\) is not below `lr` \(0.0003\)",
        ),
        ({"schedule": {"is": "cosine", "least": 1.0}}, "so the rate cannot fall"),
    ],
)
def test_an_impossible_release_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        base.build(media.settings("face_tuned", **options))
