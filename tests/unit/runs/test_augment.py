"""Corruption while training: what is drawn, for whom, and that it can be resumed or left out."""

import pytest
import torch

from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.features.windows import Batch
from avfusion.layout import Layout
from avfusion.runs import train
from avfusion.runs.augment import corrupted_batch, spreads_of
from avfusion.runs.inputs import Inputs
from avfusion.runs.train import scores, train_run
from avfusion.training.checkpoint import load_weights
from support.synthetic_features import Plan, run_settings, write_inputs

B, T = 400, 16
GOOD = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"ca": {}, "concat": {}}}


def batch() -> Batch:
    return Batch(torch.zeros(B, T, 3), torch.ones(B, T, 5), torch.ones(B, T, dtype=torch.bool),
                 torch.ones(B, T, dtype=torch.bool), torch.zeros(B, T, 2))  # fmt: skip


def spoilt(seed: int = 0, spreads=None, **asked: float) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return corrupted_batch(batch(), asked, spreads or {}, generator)


@pytest.mark.parametrize("kind", ["missing", "missing_block"])
@pytest.mark.parametrize("modality", ["audio", "video"])
def test_windows_lose_anything_up_to_the_greatest_level_of_that_modality_alone(kind, modality):
    found = spoilt(**{f"{modality}_{kind}": 0.5})
    share = (~getattr(found, f"{modality}_present")).float().mean(1)
    assert share.min() == 0
    assert share.max() == 0.5
    assert share.mean() == pytest.approx(0.25, abs=0.03)
    other = "video" if modality == "audio" else "audio"
    assert getattr(found, f"{other}_present").all()


def test_a_block_is_one_run_and_scattered_steps_are_not():
    for kind, most in (("missing_block", 1), ("missing", 7)):
        gone = (~spoilt(**{f"audio_{kind}": 0.9}).audio_present).int()
        runs = (gone.diff(dim=1, prepend=torch.zeros(B, 1, dtype=torch.int)) == 1).sum(1)
        assert runs.max() <= most
        assert (runs.max() > 1) == (most > 1)


def test_every_step_goes_as_often_as_any_other():
    often = (~spoilt(audio_missing=1.0).audio_present).float().mean(0)
    assert (often - 0.5).abs().max() < 0.1


def test_noise_has_the_drawn_share_of_the_variance_of_each_feature():
    spread = torch.tensor([1.0, 10.0, 0.1])
    noise = spoilt(spreads={"audio": spread}, audio_feature_noise=0.5).audio / spread
    power = noise.square().mean((1, 2))  # even levels in (0, 0.5): E l / (1 - l) = 2 ln 2 - 1
    assert power.mean() == pytest.approx(2 * torch.tensor(2.0).log().item() - 1, abs=0.05)
    assert power.max() < 1.6
    per_feature = noise.square().mean((0, 1))
    assert per_feature.max() / per_feature.min() < 1.1


def test_the_same_draws_corrupt_alike():
    asked = {"audio_missing": 0.5, "video_missing_block": 0.5}
    first, again, other = (spoilt(seed, **asked) for seed in (0, 0, 1))
    assert torch.equal(first.audio_present, again.audio_present)
    assert torch.equal(first.video_present, again.video_present)
    assert not torch.equal(first.audio_present, other.audio_present)


def weights(layout: Layout, own: dict) -> dict[str, torch.Tensor]:
    return load_weights(layout.run("toy", own["fusion"], own["seed"]) / "best.safetensors")[0]


def equal(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_stopped_fit_goes_on_to_the_same_bits_and_corruption_changes_them(tmp_path, monkeypatch):
    corrupt = {"audio_missing": 0.5, "video_feature_noise": 0.5}
    found = []
    for name in ("straight", "stopped"):
        layout = Layout(tmp_path / name)
        own = run_settings(write_inputs(layout, Plan()), "concat", epochs=4, corrupt=corrupt)
        if name == "stopped":
            _stop_in_epoch(3, own, layout, monkeypatch)
        train_run(own, layout)
        found.append(weights(layout, own))
    assert equal(*found)
    plain = run_settings(Plan(), "concat", epochs=4)
    train_run(plain, layout)
    assert not equal(found[0], weights(layout, plain))


def _stop_in_epoch(epoch: int, own: dict, layout: Layout, monkeypatch) -> None:
    calls = []

    def stopping(*given):
        calls.append(given)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return scores(*given)

    monkeypatch.setattr(train, "scores", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_run(own, layout)
    monkeypatch.undo()


def test_spreads_are_those_of_the_modalities_that_get_noise(tmp_path):
    layout = Layout(tmp_path)
    plan = write_inputs(layout, Plan())
    data = Inputs.read(run_settings(plan, "concat"), layout)
    assert spreads_of(data, {"audio_missing": 0.5}) == {}
    found = spreads_of(data, {"video_feature_noise": 0.5})
    assert list(found) == ["video"]
    assert found["video"].shape == (plan.widths["eye"],)
    assert (found["video"] > 0).all()


def test_left_out_it_changes_no_setting_of_a_run():
    plain = Study.model_validate(GOOD)
    asked = Study.model_validate({**GOOD, "train": {"corrupt": {"audio_missing": 0.3}}})
    assert "corrupt" not in plain.run_settings("demo", "ca", 0)["train"]
    assert asked.run_settings("demo", "ca", 0)["train"]["corrupt"] == {"audio_missing": 0.3}
    one = {**GOOD, "fusions": {"ca": {"train": {"corrupt": {"audio_missing": 0.3}}}, "concat": {}}}
    study = load(one)
    assert "corrupt" in study.run_settings("demo", "ca", 0)["train"]
    assert "corrupt" not in study.run_settings("demo", "concat", 0)["train"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"audio_mising": 0.3}, "Did you mean 'audio_missing'"),
        ({"audio_noise_db": 10}, "test time alone"),
        ({"audio_late": 0.16}, "test time alone"),
        ({"audio_missing": 1.5}, "at most 1"),
        ({"video_feature_noise": 1.0}, "at most 1"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        load({**GOOD, "train": {"corrupt": given}})
    with pytest.raises(ConfigError, match=said):
        load({**GOOD, "fusions": {"ca": {"train": {"corrupt": given}}}})
