"""A wrong config is refused in words that say what is wrong and what to write instead."""

import copy
import json
import re

import jsonschema
import pytest
import yaml

from avfusion.config.grid import at_point, points
from avfusion.config.load import load, schema
from avfusion.config.spectra import hop_fault
from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.fingerprint import fingerprint, used
from avfusion.fusion.wrap import ABLE
from avfusion.registry import fusions

GOOD = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"concat": {}, "jca": {}}}


def refusal(path, value):
    raw = copy.deepcopy(GOOD)
    *folders, last = path.split("/")
    place = raw
    for name in folders:
        place = place.setdefault(name, {})
    place[last] = value
    with pytest.raises(ConfigError) as caught:
        load(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("windws", {}, "unknown setting 'windws'. Did you mean 'windows'?"),
        ("windows/clip", 3, "unknown setting 'windows.clip'. Did you mean 'clips'?"),
        ("corpora/demo/shard", 3, "unknown setting 'corpora.demo.shard'. Did you mean 'shards'?"),
        ("corpora/demo", {}, "setting 'corpora.demo.root' is missing"),
        ("corpora/demmo", {"root": "x"}, "No corpus named 'demmo'. Did you mean 'demo'?"),
        ("train/lr", -1, "train.lr: input should be greater than 0; found -1"),
        ("train/epochs", 2.5, "train.epochs: "),
        ("seeds", [], "seeds: "),
        ("seeds", [0, 1, 0], "seeds: 0 is listed twice"),
        ("seeds", [-1], "seeds: found -1; a seed is 0 or more"),
        ("protocols", ["pooled", "pooled"], "protocols: 'pooled' is listed twice"),
        ("features/audio", ["mel_cnn", "mel_cnn"], "features.audio: 'mel_cnn' is listed twice"),
        ("features/video", [], "features.video names no encoder"),
        ("results", "", "results is empty"),
        ("results", "data/demo/results", "and results ("),
        ("corpora/demo/root", "results/corpus", "overlap. Take another folder"),
        ("fusions/jac", {}, "No fusion named 'jac'. Did you mean 'jca'?"),
        ("fusions/wide", {"is": "jac"}, "fusions.wide: No fusion named 'jac'"),
        ("fusions/jca", {"hiden": 3}, "fusions.jca has no option 'hiden'. Did you mean 'hidden'?"),
        ("fusions/jca", {"train": {"lrr": 1}}, "'fusions.jca.train.lrr'. Did you mean 'lr'?"),
        ("fusions/jca", {"train": {"epochs": 0}}, "fusions.jca.train.epochs: "),
        ("fusions/dca", {"inner": {"hidden": "x"}}, "fusions.dca.inner.hidden: expected int"),
        (
            "fusions/dca",
            {"inner": {"hiden": 3}},
            "fusions.dca.inner has no option 'hiden'. Did you",
        ),
        ("fusions/iaca", {"inner": {"stages": 1.5}}, "fusions.iaca.inner.stages: expected int"),
        (
            "fusions/dca",
            {"wraps": "jcaa"},
            "fusions.dca.wraps: expected one of 'ca', 'cross_transformer', 'dense_joint', 'jca'",
        ),
        ("fusions/dca", {"wraps": "concat"}, "'self_transformer', found 'concat'"),
        ("fusions/iaca", {"grid": {"wraps": ["ca", "lstm"]}}, "fusions.iaca.grid.wraps: expected"),
        ("fusions/dca", {"wraps": "ca", "inner": {"raw_video": True}}, "so dca cannot gate it"),
        ("fusions/dca", {"inner": 3}, "fusions.dca.inner: expected dict"),
        (
            "fusions/dca",
            {"wraps": "cross_transformer", "inner": {"modalities": ["audio", "text"]}},
            "fusions.dca.inner: dca gates only audio and video",
        ),
        (
            "fusions/dca",
            {"wraps": "rjca", "grid": {"inner": [{"recursions": 2}, {"recursions": "3"}]}},
            "fusions.dca.grid.inner.recursions: expected int, found '3'",
        ),
        ("fusions/jca", {"train": 3}, "fusions.jca.train: expected settings"),
        ("fusions/jca", {"hidden": "abc"}, "fusions.jca.hidden: expected int, found 'abc'"),
        ("fusions/ca", {"stages": 1.5}, "fusions.ca.stages: expected int, found 1.5"),
        ("fusions/ca", {"stages": True}, "fusions.ca.stages: expected int, found True"),
        ("encoders/mel_cnn", {"epochs": "1e-3"}, "as text; write 0.001)"),
        ("corpora/demo/options", {"videos": []}, "corpora.demo.options.videos: expected int"),
        ("fusions/jca", {"grid": {"hiden": [3]}}, "fusions.jca.grid has no option 'hiden'"),
        ("fusions/jca", {"grid": {"hidden": [3, "x"]}}, "fusions.jca.grid.hidden: expected int"),
        ("fusions/jca", {"grid": {"train.lr": [-1]}}, "fusions.jca.grid.train.lr: "),
        ("fusions/jca", {"grid": {"hidden": 3}}, "fusions.jca.grid: expected lists"),
        ("fusions/jca", {"grid": {"hidden": [3, 3]}}, "two of its points are the same"),
        ("grid", {"hidden": [3]}, "can only hold `train.…` keys"),
        ("grid", {"train.lr": ["1e-3"]}, "as text; write 0.001)"),
        ("fusions/a b", {}, "'fusions.a b' cannot be a name"),
        ("features/audio", ["mel_cn"], "No encoder named 'mel_cn'. Did you mean 'mel_cnn'?"),
        ("features/audio", ["face_cnn"], "lists 'face_cnn', which encodes video"),
        ("encoders/mel_cnn", {"dims": 3}, "encoders.mel_cnn has no option 'dims'"),
        ("encoders/mel_cnn", {"hop_s": 0.01005}, "encoders.mel_cnn.hop_s: 0.01005 s is 160.8 samp"),
        ("encoders/mel_cnn", {"window_s": 0}, "encoders.mel_cnn.window_s: found 0; expected a num"),
        ("encoders/mel_cnn", {"bands": -1}, "encoders.mel_cnn.bands: found -1; expected a number"),
        (
            "media/sample_rate_hz",
            22050,
            "is 220.5 samples at 22050 Hz. Choose a whole number, such",
        ),
        ("windows/clip_s", 0.5, "windows.clip_s (0.5) must be a multiple of windows.hop_s (0.16)"),
        ("features/audio", ["lab.sound:Ear"], "add `my_name: {is: package.module:Class}`"),
        ("encoders/ear", {"is": "mel_cn"}, "encoders.ear: No encoder named 'mel_cn'. Did you"),
        ("encoders/ear", {"is": 3}, "encoders.ear.is: expected a name or package.module:Class"),
        ("fusions/wide", {"is": 3}, "fusions.wide.is: expected a name or package.module:Class"),
        ("fusions/wide", {"is": "no.lab:Wide"}, "fusion 'no.lab:Wide': no module 'no.lab'"),
        (
            "corpora/lab",
            {"root": "x", "is": "avfusion.cli:Lab"},
            "corpora.lab: corpus 'avfusion.cli:Lab': ",
        ),
        ("train/loss", "poled", "train.loss: No loss named 'poled'. Did you mean 'pooled'?"),
        ("corpora/demo/train", {"loss": "poled"}, "corpora.demo.train.loss: No loss named"),
        ("fusions/jca", {"train": {"loss": "poled"}}, "fusions.jca.train.loss: No loss named"),
        ("fusions/jca", {"grid": {"train.loss": ["poled"]}}, "jca.grid.train.loss: No loss"),
        ("grid", {"train.lrr": [1]}, "unknown setting 'grid.train.lrr'. Did you mean 'lr'?"),
        ("statistics", {"seed": -1}, "statistics.seed: input should be greater than or equal to 0"),
        (
            "train/corrupt",
            {"audio_mising": 0.5},
            "config: train.corrupt: No corruption named 'audio_mising'. Did you mean",
        ),
        (
            "fusions/jca",
            {"grid": {"train.corrupt": [{"audio_missing": 2}]}},
            "fusions.jca.grid.train.corrupt: audio_missing: the greatest level is a share above 0 "
            "and at most 1 (for noise below 1); found {'audio_missing': 2}.",
        ),
        ("train/loss", "no.lab:loss", "train.loss: loss 'no.lab:loss': no module 'no.lab'"),
        (
            "train/momentum",
            0.9,
            "train.momentum (0.9) is an option of `optimiser: sgd`; found train.optimiser 'adamw'.",
        ),
        ("fusions/jca", {"train": {"momentum": 0.9}}, "or remove fusions.jca.train.momentum"),
        ("grid", {"train.momentum": [0.0, 0.9]}, "config: grid.train.momentum (0.9) is an option"),
        (
            "train/schedule",
            {"is": "cosine", "least": 1},
            "train.schedule.least (1.0) is not below train.lr (0.001), so the rate cannot fall.",
        ),
        (
            "fusions/jca",
            {"grid": {"train.schedule": [{"is": "plateau", "least": 1}]}},
            "fusions.jca.grid.train.schedule.least (1.0) is not below train.lr",
        ),
        (
            "train/schedule",
            {"is": "cosin"},
            "train.schedule.is: expected one of 'constant', 'step', 'exponential', 'plateau', "
            "'cosine'; found 'cosin'. Did you mean 'cosine'?",
        ),
        ("train/schedule", {"factor": 0.5}, "setting 'train.schedule.is' is missing"),
        ("train/schedule", {"is": "step"}, "setting 'train.schedule.factor' is missing"),
        ("train/schedule", {"is": "step", "factor": 2}, "train.schedule.factor: input should be"),
        ("train/schedule", "cosine", "train.schedule: expected settings such as {is: cosine}"),
        (
            "train/schedule",
            {"is": "cosine", "warmup": {"epoch": 3}},
            "unknown setting 'train.schedule.warmup.epoch'. Did you mean 'epochs'?",
        ),
        (
            "fusions/jca",
            {"grid": {"train.schedule": [{"is": "plateau", "leas": 1}]}},
            "unknown setting 'fusions.jca.grid.train.schedule.leas'. Did you mean 'least'?",
        ),
        ("train/schedule", None, "train.schedule: expected settings such as {is: constant}"),
        (
            "train/schedule",
            {"is": "cosine", "warmup": 5},
            "train.schedule.warmup: expected settings with the keys epochs, shape; found 5.",
        ),
        (
            "train/select",
            "smoothed",
            "train.select: expected settings with the keys protocol, on, share; found 'smoothed'.",
        ),
        ("corpora/demo", 3, "corpora.demo: expected settings with the keys is, root, task, "),
        ("train/exclude", [313], "found 313. Write it in quotes."),
        ("headline", "pooed", "no protocol named 'pooed'"),
        ("headline", "gold_rescaled", "headline 'gold_rescaled' is not among protocols"),
    ],
)
def test_a_fault_is_named_with_its_remedy(path, value, said):
    assert said in refusal(path, value)


def test_all_faults_are_told_at_once():
    raw = {**copy.deepcopy(GOOD), "headline": "pooed"}
    raw["fusions"]["jac"] = {}
    with pytest.raises(ConfigError) as caught:
        load(raw)
    assert "pooed" in str(caught.value)
    assert "jac" in str(caught.value)


def test_the_shipped_config_is_valid_and_says_nothing_the_schema_does_not_know(project):
    study = load(project / "config/config.yaml")
    raw = yaml.safe_load((project / "config/config.yaml").read_text())
    jsonschema.validate(raw, json.loads(schema()))
    assert {*raw["fusions"], "ridge"} == set(study.fusions)


def test_the_schema_on_disk_is_the_one_the_settings_give(project):
    found = (project / "workflow/schemas/config.schema.json").read_text()
    assert found == schema(), "run: avf schema > workflow/schemas/config.schema.json"


def test_every_setting_is_explained_in_the_config_readme(project):
    said = (project / "config/README.md").read_text()
    names = set(Study.model_fields)
    for field in Study.model_fields.values():
        names |= set(getattr(field.annotation, "model_fields", {}))
    assert [name for name in sorted(names) if f"{name}" not in said] == []


def test_a_missing_or_broken_file_is_refused_by_name(tmp_path):
    for name, text in [("no.yaml", None), ("list.yaml", "- 1"), ("bad.yaml", "a: [")]:
        if text:
            (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match=name):
            load(tmp_path / name)


def test_a_run_depends_on_its_own_options_and_seed_alone():
    study = load(GOOD)
    raw = copy.deepcopy(GOOD)
    raw["fusions"]["jca"] = {"hidden": 8, "train": {"lr": 0.01}}
    other = load({**raw, "statistics": {"draws": 7}, "headline": "smoothed"})
    assert study.run_settings("demo", "concat", 1) == other.run_settings("demo", "concat", 1)
    assert study.run_settings("demo", "jca", 1) != other.run_settings("demo", "jca", 1)
    assert other.run_settings("demo", "jca", 1).train.lr == 0.01
    assert study.run_settings("demo", "jca", 0) != study.run_settings("demo", "jca", 1)
    assert study.encoder_settings("mel_cnn") == other.encoder_settings("mel_cnn")


def test_a_second_form_of_a_fusion_has_its_class_and_its_own_name():
    raw = copy.deepcopy(GOOD)
    raw["fusions"]["wide"] = {"is": "jca", "hidden": 64}
    own = load(raw).run_settings("demo", "wide", 0)
    assert (own.fusion, own.class_, own.options) == ("wide", "jca", {"hidden": 64})


def test_a_fusion_with_nothing_behind_its_name_has_default_options():
    assert load({**GOOD, "fusions": {"concat": None}}).fusions == {"ridge": {}, "concat": {}}


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("fusions:\n  jca: {}\n  ca: {}\n  jca: {hidden: 3}\n")
    with pytest.raises(ConfigError, match=r"twice\.yaml: key 'jca' is in line 2 and again in"):
        load(path)


def test_an_override_given_as_text_reaches_training_as_a_number():
    study = load({**GOOD, "fusions": {"jca": {"train": {"lr": "1e-3"}}}})
    assert study.run_settings("demo", "jca", 0).train.lr == 0.001


def test_schedules_may_be_points_of_a_grid():
    schedules = [{"is": "cosine"}, {"is": "plateau", True: "loss", "warmup": {"epochs": 2}}]
    raw = copy.deepcopy(GOOD) | {"grid": {"train.schedule": schedules, "train.epochs": [5, 10]}}
    settings = load(raw).run_settings("demo", "jca", 0)
    names = list(points(settings.grid))
    assert len(names) == 4
    found = at_point(settings, names[3]).train
    assert (found.epochs, found.schedule.is_, found.schedule.on) == (10, "plateau", "loss")
    assert found.schedule.warmup.epochs == 2


def test_momentum_of_a_grid_point_that_sets_sgd_is_accepted():
    point = {"train.momentum": [0.0, 0.9], "train.optimiser": ["sgd"]}
    load(copy.deepcopy(GOOD) | {"grid": point})


def test_what_a_run_on_classes_would_refuse_is_refused_at_once():
    raw = GOOD | {"corpora": {"demo": {"root": "data/demo", "task": "classes"}}}
    with pytest.raises(ConfigError, match=r"train\.corrupt is not offered with `task: classes`"):
        load(raw | {"train": {"corrupt": {"audio_missing": 0.5}}})
    own = {"concat": {"train": {"corrupt": {"audio_missing": 0.5}}}, "jca": {}}
    with pytest.raises(ConfigError, match=r"fusions\.concat\.train\.corrupt is not offered"):
        load(raw | {"fusions": own})
    with pytest.raises(ConfigError, match=r"train\.loss is not offered"):
        load(raw | {"train": {"loss": "per_window"}})
    with pytest.raises(ConfigError, match=r"fusions\.jca\.train\.loss is not offered"):
        load(raw | {"fusions": {"jca": {"train": {"loss": "avfusion.training.losses:ccc_loss"}}}})
    for key, values in (("loss", ["per_window"]), ("corrupt", [{}, {"audio_missing": 0.5}])):
        grid = {f"train.{key}": values}
        with pytest.raises(ConfigError, match=rf"config: grid\.train\.{key} is not offered"):
            load(raw | {"grid": grid})
        with pytest.raises(ConfigError, match=rf"fusions\.jca\.grid\.train\.{key} is not offered"):
            load(raw | {"fusions": {"jca": {"grid": grid}}})
        load(raw | {"grid": grid, "fusions": {"jca": {"grid": {}}}})
    default = {"corpora": {"demo": raw["corpora"]["demo"] | {"train": {"loss": "pooled"}}}}
    load(raw | default | {"train": {"loss": "per_window"}})
    curves = {"robustness": {"audio_missing": [0.5]}}
    with pytest.raises(ConfigError, match=r"robustness is not offered"):
        load(raw | curves)
    load(raw)
    load(raw | curves | {"corpora": raw["corpora"] | {"rated": {"is": "demo", "root": "data/x"}}})


def test_no_run_subtracts_the_mean_of_a_vector_that_is_constant_per_video():
    entry = {"root": "data/arrays", "task": "classes", "train": {"baseline": "none"}}
    raw = {
        "corpora": {"iemocap_arrays": entry},
        "features": {"audio": ["arrays_prosody"], "video": ["arrays_video"]},
        "fusions": {"ca": {}},
    }
    load(raw)
    plain = {"iemocap_arrays": {key: entry[key] for key in ("root", "task")}}
    with pytest.raises(ConfigError, match=r"and train\.baseline `video` subtracts.*Add `train"):
        load(raw | {"corpora": plain})
    own = {"train": {"baseline": "video"}}
    with pytest.raises(ConfigError, match=r"and fusions\.ca\.train\.baseline `video` subtracts"):
        load(raw | {"fusions": {"ca": own}})
    grid = {"train.baseline": ["none", "video"]}
    with pytest.raises(ConfigError, match=r"and grid\.train\.baseline `video` subtracts"):
        load(raw | {"grid": grid})
    with pytest.raises(ConfigError, match=r"and fusions\.ca\.grid\.train\.baseline `video`"):
        load(raw | {"fusions": {"ca": {"grid": grid}}})


def test_what_a_gate_may_wrap_is_written_where_the_check_reads_it():
    for name in ("dca", "iaca"):
        (allowed,) = re.findall(r"^Literal\[(.*)\]$", fusions.annotations(name)["wraps"])
        assert allowed.replace("'", "").split(", ") == list(ABLE)


def test_the_code_of_a_run_follows_from_its_roots_and_holds_what_a_gate_wraps():
    study = load(GOOD | {"fusions": {"dca": {"wraps": "rjca", "grid": {"train.corrupt": [{}]}}}})
    settings = study.run_settings("demo", "dca", 0)
    leaving = frozenset(settings.leaving)
    assert settings.code == fingerprint(*settings.roots, leaving=leaving)
    others = ("by_protocol", "classes", "separate", "verification")
    assert leaving == {"avfusion.models.speakers", *(f"avfusion.runs.{name}" for name in others)}
    definitions = used(*settings.roots, leaving=leaving)
    for name in ABLE:
        assert used(fusions.code(name)) <= definitions


def test_settings_of_results_hold_names_of_fusions_in_the_order_of_the_study():
    first, second = (
        load(GOOD | {"fusions": {"jca": options, "concat": {}}})
        for options in ({}, {"train": {"lr": 0.5}})
    )
    for of in (Study.record_settings, Study.robust_settings, lambda s: s.score_settings("demo")):
        assert of(first).fusions == ["ridge", "jca", "concat"]
        assert of(first) == of(second)


def test_a_corpus_that_is_not_in_the_study_has_no_task():
    with pytest.raises(KeyError, match="dmeo"):
        load(GOOD).task("dmeo")
    with pytest.raises(KeyError, match="dmeo"):
        load(GOOD).score_settings("dmeo")


def test_two_entries_do_not_make_one_folder_by_different_options():
    one, same = {"root": "data/demo"}, {"root": "data/demo/", "is": "demo"}
    other = same | {"options": {"seed": 5}}
    with pytest.raises(ConfigError, match=r"corpora\.again and corpora\.demo fill data/demo"):
        load(GOOD | {"corpora": {"demo": one, "again": other}})
    load(GOOD | {"corpora": {"demo": one, "again": same}})
    load(GOOD | {"corpora": {"demo": one, "again": other | {"root": "data/again"}}})


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A module outside avfusion, in the working folder, with a fusion and a loss."""
    (tmp_path / "lab_code.py").write_text(
        "from avfusion.fusion.concat import Concat\n\n\n"
        "class Wide(Concat):\n    pass\n\n\n"
        "def loss(prediction, gold):\n    return (prediction - gold).square().mean()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def test_code_outside_the_package_is_named_in_the_settings_that_use_it(lab):
    raw = {**GOOD, "fusions": {"mine": {"is": "lab_code:Wide"}, "concat": {}, "jca": {}}}
    raw["fusions"]["jca"] = {"train": {"loss": "lab_code:loss"}}
    study = load(raw)
    assert set(study.outside()) == {"fusion mine", "loss lab_code:loss"}
    assert set(study.run_settings("demo", "mine", 0).outside) == {"fusion mine"}
    assert set(study.run_settings("demo", "jca", 0).outside) == {"loss lab_code:loss"}
    assert study.run_settings("demo", "concat", 0).outside == {}
    with pytest.raises(ConfigError, match=r"fusions\.mine has no option 'hiden'"):
        load({**raw, "fusions": {"mine": {"is": "lab_code:Wide", "hiden": 3}}})


def test_losses_of_a_grid_and_of_a_corpus_are_part_of_the_runs_code(lab):
    grid = {**GOOD, "fusions": {"jca": {"grid": {"train.loss": ["pooled", "lab_code:loss"]}}}}
    assert set(load(grid).run_settings("demo", "jca", 0).outside) == {"loss lab_code:loss"}
    corpora = {"demo": {"root": "data/demo", "train": {"loss": "lab_code:loss"}}}
    settings = load({**GOOD, "corpora": corpora}).run_settings("demo", "jca", 0)
    assert set(settings.outside) == {"loss lab_code:loss"}
    assert settings.code != load(GOOD).run_settings("demo", "jca", 0).code


def test_an_encoder_of_a_clip_is_not_encoded_again_where_faces_are_missing():
    study = Study.model_validate(GOOD | {"robustness": {"video_missing": [0.5]}})
    assert study.signal_cases() == [("video_missing", "0.5", "face_cnn")]
    at_rest = study.model_copy(update={"encoders": {"face_cnn": {"at_rest": False}}})
    assert at_rest.signal_cases() == []


def test_every_encoder_of_the_corrupted_modality_is_run_anew_at_every_level():
    asked = {"audio_missing": [0.5], "audio_noise_db": [10, 0], "video_blur_px": [2.5]}
    study = Study.model_validate(GOOD | {"robustness": asked})
    assert study.signal_cases() == [
        ("audio_missing", "0.5", "mel_cnn"),
        ("audio_noise_db", "10", "mel_cnn"),
        ("audio_noise_db", "0", "mel_cnn"),
        ("video_blur_px", "2.5", "face_expression"),
        ("video_blur_px", "2.5", "face_cnn"),
    ]


def test_a_setting_that_has_moved_names_its_new_place():
    corpora = {"demo": {"root": "."}}
    settings = {"corpora": corpora, "fusions": {"ca": {}}, "media": {"mel_bands": 40}}
    with pytest.raises(ConfigError, match=r"media.mel_bands.*has moved.*mel_cnn: \{bands"):
        load(settings)


def test_the_hop_that_a_message_suggests_is_accepted():
    hop_s = hop_fault(0.01, 22_050).split()[-2]
    assert hop_fault(float(hop_s), 22_050) == ""
