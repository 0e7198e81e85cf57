"""Corruption while training: what is drawn, for whom, and that it can be resumed or left out."""

import shutil

import pytest
import torch

from avfusion import fingerprint
from avfusion.config.jobs import RunSettings
from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.features.windows import Batch
from avfusion.io import source
from avfusion.layout import Layout
from avfusion.runs import ratings
from avfusion.runs.augment import corrupted_batch, reaches_of, spreads_of
from avfusion.runs.files import run_folder
from avfusion.runs.inputs import Inputs
from avfusion.runs.ratings import scores
from avfusion.runs.train import train_run
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
    corrupted = spoilt(**{f"{modality}_{kind}": 0.5})
    share = (~getattr(corrupted, f"{modality}_present")).float().mean(1)
    assert share.min() == 0
    assert share.max() == 0.5
    assert share.mean() == pytest.approx(0.25, abs=0.03)
    other = "video" if modality == "audio" else "audio"
    assert getattr(corrupted, f"{other}_present").all()


def test_a_block_is_one_run_and_scattered_steps_are_not():
    for kind, most in (("missing_block", 1), ("missing", 7)):
        gone = (~spoilt(**{f"audio_{kind}": 0.9}).audio_present).int()
        runs = (gone.diff(dim=1, prepend=torch.zeros(B, 1, dtype=torch.int)) == 1).sum(1)
        assert runs.max() <= most
        assert (runs.max() > 1) == (most > 1)


def test_steps_go_whose_encoder_sees_a_removed_one():
    """Missing sound: a step sees 4 back and 1 on; no step that is present sees a removed one."""
    asked = {"audio_missing": 0.3}
    removed = ~spoilt(**asked).audio_present
    draws = torch.Generator().manual_seed(0)
    found = ~corrupted_batch(batch(), asked, {}, draws, {"audio": (4, 1)}).audio_present
    for step in range(T):
        seen = removed[:, max(step - 4, 0) : step + 2].any(1)
        assert torch.equal(found[:, step], seen)


def test_how_far_an_encoder_sees_follows_from_its_options(caplog):
    asked = {"train": {"corrupt": {"audio_missing": 0.3, "video_feature_noise": 0.5}}}
    study = Study.model_validate(GOOD | asked)
    settings = study.run_settings("demo", "ca", 0)
    assert settings.contexts == {"mel_cnn": (2.585, 0.025)}
    assert reaches_of(settings) == {"audio": (4, 1), "video": (0, 0)}
    assert not caplog.text
    asked["train"]["corrupt"]["video_missing_block"] = 0.5
    assert reaches_of(Study.model_validate(GOOD | asked).run_settings("demo", "ca", 0)) == {
        "audio": (4, 1),
        "video": (0, 0),
    }
    options = {"mel_cnn": {"is": "precomputed"}}
    unknown = Study.model_validate(GOOD | asked | {"encoders": options})
    assert reaches_of(unknown.run_settings("demo", "ca", 0))["audio"] == (0, 0)
    assert "mel_cnn may see more" in caplog.text
    assert Study.model_validate(GOOD).run_settings("demo", "ca", 0).contexts == {}


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


def test_the_order_of_the_settings_does_not_change_the_draws():
    """Digests of settings ignore the order of keys, so equal digests must mean equal draws."""
    asked = {"audio_missing": 0.5, "video_missing_block": 0.5}
    first, other = spoilt(**asked), spoilt(**dict(reversed(asked.items())))
    assert torch.equal(first.audio_present, other.audio_present)
    assert torch.equal(first.video_present, other.video_present)


def weights(layout: Layout, settings: RunSettings) -> dict[str, torch.Tensor]:
    return load_weights(run_folder(settings, layout) / "best.safetensors")[0]


def equal(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_stopped_fit_goes_on_to_the_same_bits_and_corruption_changes_them(tmp_path, monkeypatch):
    corrupt = {"audio_missing": 0.5, "video_feature_noise": 0.5}
    fitted = []
    for name in ("straight", "stopped"):
        layout = Layout(tmp_path / name)
        plan = write_inputs(layout, Plan())
        settings = run_settings(plan, "concat", epochs=4, corrupt=corrupt)
        if name == "stopped":
            _stop_in_epoch(3, settings, layout, monkeypatch)
        train_run(settings, layout)
        fitted.append(weights(layout, settings))
    assert equal(*fitted)
    plain = run_settings(Plan(), "concat", epochs=4)
    train_run(plain, layout)
    assert not equal(fitted[0], weights(layout, plain))


def _stop_in_epoch(epoch: int, settings: RunSettings, layout: Layout, monkeypatch) -> None:
    calls = []

    def stopping(*given):
        calls.append(given)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return scores(*given)

    monkeypatch.setattr(ratings, "scores", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_run(settings, layout)
    monkeypatch.undo()


def test_spreads_are_those_of_the_modalities_that_get_noise(tmp_path):
    layout = Layout(tmp_path)
    plan = write_inputs(layout, Plan())
    data = Inputs.read(run_settings(plan, "concat"), layout)
    assert spreads_of(data, {"audio_missing": 0.5}) == {}
    spreads = spreads_of(data, {"video_feature_noise": 0.5})
    assert list(spreads) == ["video"]
    assert spreads["video"].shape == (plan.widths["eye"],)
    assert (spreads["video"] > 0).all()


def test_left_out_it_changes_no_setting_of_a_run():
    plain = Study.model_validate(GOOD)
    asked = Study.model_validate({**GOOD, "train": {"corrupt": {"audio_missing": 0.3}}})
    assert plain.run_settings("demo", "ca", 0).train.corrupt == {}
    assert asked.run_settings("demo", "ca", 0).train.corrupt == {"audio_missing": 0.3}
    one = {**GOOD, "fusions": {"ca": {"train": {"corrupt": {"audio_missing": 0.3}}}, "concat": {}}}
    study = load(one)
    assert study.run_settings("demo", "ca", 0).train.corrupt
    assert not study.run_settings("demo", "concat", 0).train.corrupt


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"audio_mising": 0.3}, "Did you mean 'audio_missing'"),
        ({"audio_noise_db": 10}, "only for evaluation"),
        ({"audio_late": 0.16}, "only for evaluation"),
        ({"audio_missing": 1.5}, "at most 1"),
        ({"video_feature_noise": 1.0}, "at most 1"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        load({**GOOD, "train": {"corrupt": given}})
    with pytest.raises(ConfigError, match=message):
        load({**GOOD, "fusions": {"ca": {"train": {"corrupt": given}}}})


def test_editing_it_changes_the_code_of_runs_that_use_it_and_of_no_other(
    tmp_path, monkeypatch, project
):
    package = tmp_path / "avfusion"
    shutil.copytree(project / "src/avfusion", package)
    asked = {"ca": {"train": {"corrupt": {"audio_missing": 0.3}}}, "concat": {}}
    study = Study.model_validate({**GOOD, "fusions": asked})

    def code() -> dict[str, str]:
        fingerprint.fingerprint.cache_clear()
        source.module_file.cache_clear()
        return {name: study.run_settings("demo", name, 0).code for name in asked}

    with monkeypatch.context() as patch:
        patch.setattr(source, "PACKAGE", package)
        before = code()
        for path in ("runs/augment.py", "features/corrupt.py"):
            text = (package / path).read_text()
            edited = text.replace("np.concatenate(", "np.hstack(").replace("np.sqrt(", "np.cbrt(")
            assert edited != text, path
            (package / path).write_text(edited)
            after = code()
            assert after["ca"] != before["ca"], path
            assert after["concat"] == before["concat"], path
            before = after
    code()
