"""How an epoch is chosen, and which train videos are not trained on."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from avfusion.config.grid import at_point, points
from avfusion.config.jobs import RunSettings, ScoreSettings
from avfusion.config.load import load
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.config.training import TrainSettings
from avfusion.errors import ConfigError, CorpusError, TrainError
from avfusion.evaluation.score import score_corpus
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.runs.choose import choose
from avfusion.runs.ratings import RatingJob
from avfusion.runs.repeat import repeat
from avfusion.runs.train import train_run
from avfusion.training.checkpoint import load_weights
from support.synthetic_classes import study as classes_study
from support.synthetic_classes import write_utterances
from support.synthetic_features import Plan, run_settings, write_inputs

FILES = ("best.safetensors", "epochs.csv", "traces.parquet")
SHORT = Plan(duration_s=12.0)
ASIDE = {"on": "train_subjects", "share": 0.34}


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path / "results")


@pytest.fixture
def here(project, tmp_path, monkeypatch):
    """The folder of protocols in a working folder of its own."""
    shutil.copytree(project / "config/protocols", tmp_path / "work/config/protocols")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work/config/protocols"


def train(layout: Layout, plan: Plan, fusion: str = "concat", seed: int = 0, **rule):
    given = {"epochs": 4, "lr": 0.003, "hidden": 8}
    train_run(run_settings(plan, fusion, seed, **given | rule), layout)
    return layout.run(plan.corpus, fusion, seed)


def read(folder, *names: str) -> list[bytes]:
    return [(folder / name).read_bytes() for name in names]


def record(folder) -> dict:
    return json.loads((folder / "settings.json").read_text())


def change_gold(layout: Layout, plan: Plan, videos: list[str]) -> None:
    gold = pd.read_parquet(layout.gold(plan.corpus))
    gold.loc[gold["video"].isin(videos), ["valence", "arousal"]] *= -0.5
    write_table(gold, layout.gold(plan.corpus))


def score_settings(protocols: list[str]) -> ScoreSettings:
    features = FeatureSettings(audio=["ear"], video=["eye"])
    named = {"fusions": ["concat"], "protocols": protocols, "seeds": [0], "clip_s": 0.64}
    return ScoreSettings(features=features, **named)


@pytest.mark.parametrize("targets", ["together", "separate"])
@pytest.mark.parametrize("rule", ["smoothed", "per_video", "avec2018"])
def test_the_kept_epoch_has_the_score_that_scoring_gives_it(layout, rule, targets):
    """Also with a video that is rated only in arousal."""
    plan = write_inputs(layout, SHORT)
    gold = pd.read_parquet(layout.gold(plan.corpus))
    gold.loc[gold["video"] == "validation_01", "valence"] = np.nan
    write_table(gold, layout.gold(plan.corpus))
    folder = train(layout, plan, select={"protocol": rule}, targets=targets)
    epochs = pd.read_csv(folder / "epochs.csv")
    score_corpus(plan.corpus, score_settings([rule, "pooled"]), layout)
    table = pd.read_parquet(layout.scores(plan.corpus) / "scores.parquet")
    table = table[table["partition"] == "validation"].set_index(["protocol", "target"])["ccc"]
    assert epochs["score"].max() == pytest.approx(table[rule, "mean"], abs=1e-6)
    for name in ("valence", "arousal"):
        of_target = epochs["score"] if targets == "together" else epochs[f"ccc_{name}"]
        best = epochs.loc[of_target.idxmax(), f"ccc_{name}"]
        assert best == pytest.approx(table[rule, name], abs=1e-6)
        assert abs(best - table["pooled", name]) > 1e-3, "the rules must differ"


def test_without_a_protocol_the_score_is_the_pooled_ccc_of_the_features_times(layout):
    plan = write_inputs(layout, SHORT)
    settings = run_settings(plan, "concat", epochs=1)
    assert "avfusion.runs.by_protocol" in settings.leaving
    assert RatingJob(settings, layout).rule is None
    assert "select" not in record(train(layout, plan, epochs=1))["inputs"]


def test_a_changed_protocol_is_an_other_run(layout, here):
    plan = write_inputs(layout, SHORT)
    grid = {"train.select": [{}, {"protocol": "smoothed"}]}
    study = Study(
        corpora={"toy": CorpusEntry(root="data/toy")},
        fusions={"concat": {"grid": grid}},
        features=FeatureSettings(audio=["ear"], video=["eye"]),
        train={"epochs": 2, "hidden": 8},
    )
    assert study.select_protocols("concat", "toy") == ["smoothed"]
    settings = study.run_settings("toy", "concat", 0)
    assert "avfusion.runs.by_protocol" not in settings.leaving
    for point in points(grid):
        train_run(at_point(settings, point), layout)
    result = choose(study.grid_settings("toy", "concat"), layout)
    assert [row["options"]["train.select"] for row in result["points"]] == grid["train.select"]
    folder = train(layout, plan, select={"protocol": "smoothed"})
    first = record(folder)["inputs"]["select"]["protocol"]
    assert repeat(folder, layout).equal
    text = (here / "smoothed.yaml").read_text()
    (here / "smoothed.yaml").write_text(text.replace("description: The", "description: A"))
    assert repeat(folder, layout).equal, "a description is no rule"
    (here / "smoothed.yaml").write_text(text.replace("valence: 20", "valence: 30"))
    message = r"chosen under protocol 'smoothed'.*smoothed\.yaml now has.*Run `avf train toy concat"
    for action in (
        lambda: repeat(folder, layout),
        lambda: score_corpus("toy", score_settings(["pooled"]), layout),
        lambda: choose(study.grid_settings("toy", "concat"), layout),
    ):
        with pytest.raises(CorpusError, match=message):
            action()
    before = pd.read_csv(folder / "epochs.csv")
    train(layout, plan, select={"protocol": "smoothed"})
    assert record(folder)["inputs"]["select"]["protocol"] != first
    assert (pd.read_csv(folder / "epochs.csv")["ccc_valence"] != before["ccc_valence"]).all()


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("avec2016_post", "cannot choose an epoch: its `postprocess` is fitted on a finished run"),
        ("gold_rescaled", "cannot choose an epoch: it uses the gold that it is scored on"),
        ("smothed", "Protocol not found.*Did you mean 'smoothed'"),
    ],
)
def test_a_protocol_that_cannot_choose_is_refused(layout, project, rule, reason):
    raw = yaml.safe_load((project / "config/config.yaml").read_text())
    places = {
        r"train\.select\.protocol": {"train": {"select": {"protocol": rule}}},
        r"fusions\.jca\.train\.select\.protocol": {
            "fusions": {"jca": {"train": {"select": {"protocol": rule}}}}
        },
        r"grid\.train\.select\.protocol": {"grid": {"train.select": [{"protocol": rule}]}},
    }
    for path, change in places.items():
        with pytest.raises(ConfigError, match=f"{path}: .*{reason}"):
            load(raw | change)
    with pytest.raises(ConfigError, match=reason.replace("cannot choose an epoch: ", "")):
        train(layout, write_inputs(layout, SHORT), select={"protocol": rule})


def test_settings_of_ratings_are_refused_for_classes():
    entry = {"root": "data/x", "is": "iemocap", "task": "classes"}
    raw = {"corpora": {"session": entry}, "fusions": {"ca": {}}}
    load(raw)
    load(raw | {"train": {"head": "separate", "select": {"on": "train_subjects"}}})
    unfit = ({"targets": "separate"}, {"head": "rjcma"}, {"select": {"protocol": "smoothed"}})
    for train_rule in unfit:
        (key,) = train_rule
        given = ".protocol" if key == "select" else f": {train_rule[key]}"
        message = rf"train\.{key}{given} is not offered with `task: classes`"
        with pytest.raises(ConfigError, match=message):
            load(raw | {"train": train_rule})


@pytest.mark.parametrize("targets", ["together", "separate"])
def test_validation_leaves_no_trace_if_train_subjects_choose(layout, tmp_path, targets):
    plan = write_inputs(layout, SHORT)
    rule = {"select": ASIDE | {"protocol": "smoothed"}, "targets": targets}
    first = train(layout, plan, **rule)
    aside = record(first)["set_aside"]
    assert len(aside) == 2
    assert all(video.startswith("train") for video in aside)
    other = Layout(tmp_path / "other")
    write_inputs(other, SHORT)
    change_gold(other, plan, ["validation_00", "validation_01", "validation_02"])
    assert read(first, *FILES) == read(train(other, plan, **rule), *FILES)
    change_gold(other, plan, aside[:1])
    second = train(other, plan, **rule)
    epochs = [pd.read_csv(folder / "epochs.csv") for folder in (first, second)]
    assert (epochs[0]["loss"] == epochs[1]["loss"]).all(), "it is not trained on"
    assert (epochs[0]["score"] != epochs[1]["score"]).any(), "it chooses"


def test_the_same_subjects_choose_for_every_fusion_and_seed(layout):
    """A subject is set aside with all videos; a video without a subject is its own group."""
    plan = write_inputs(layout, Plan(duration_s=6.0, videos={"train": 8, "validation": 2}))
    manifest = pd.read_parquet(layout.manifest(plan.corpus))
    names = ["ann", "ann", "bob", "bob", "cho", "cho", None, None]
    manifest.loc[manifest["partition"] == "train", "subject"] = names
    write_table(manifest, layout.manifest(plan.corpus))
    folders = [
        train(layout, plan, fusion, seed, epochs=1, select=ASIDE)
        for fusion, seed in (("concat", 0), ("concat", 1), ("audio", 0))
    ]
    aside = [record(folder)["set_aside"] for folder in folders]
    assert aside[0] == aside[1] == aside[2]
    groups = dict(zip(manifest["video"], [*names, None, None], strict=True))
    groups = {video: name or video for video, name in groups.items() if video[:5] == "train"}
    chosen = {groups[video] for video in aside[0]}
    assert len(chosen) == 2
    assert set(aside[0]) == {video for video, name in groups.items() if name in chosen}
    traces = pd.read_parquet(folders[0] / "traces.parquet")
    assert set(aside[0]) <= set(traces.loc[traces["partition"] == "train", "video"])


@pytest.mark.parametrize("change", ["set aside", "excluded"])
def test_videos_that_are_not_trained_on_leave_no_trace_in_the_weights(layout, tmp_path, change):
    """Neither by their features, which the standardisation must not see, nor by their gold."""
    plan = write_inputs(layout, SHORT)
    rule = {"baseline": "none", "corrupt": {"audio_feature_noise": 0.3}, "epochs": 1}
    rule |= {"select": ASIDE} if change == "set aside" else {"exclude": ["train_02"]}
    first = train(layout, plan, **rule)
    video = record(first)["set_aside"][0] if change == "set aside" else "train_02"
    other = Layout(tmp_path / "other")
    write_inputs(other, SHORT)
    change_gold(other, plan, [video])
    folder = other.features(plan.corpus, "ear")
    times_s, rows = (np.load(folder / f"{video}{end}.npy") for end in (".times", ""))
    sha256 = write_features(folder, video, times_s, rows * 2 + 1)
    index = pd.read_parquet(folder / "index.parquet")
    index.loc[index["video"] == video, "sha256"] = sha256
    write_table(index, folder / "index.parquet")
    second = train(other, plan, **rule)
    weights = [load_weights(folder / "best.safetensors")[0] for folder in (first, second)]
    for name, tensor in weights[0].items():
        np.testing.assert_array_equal(tensor, weights[1][name], err_msg=name)
    losses = [pd.read_csv(folder / "epochs.csv")["loss"].tolist() for folder in (first, second)]
    assert losses[0] == losses[1]
    traces = pd.read_parquet(first / "traces.parquet")
    assert video in set(traces["video"]), "it is still predicted"


def test_the_key_on_is_read_from_yaml_and_json():
    """YAML reads `on` as true, which JSON has no key for."""
    text = """
corpora: {demo: {root: data/demo}}
train: {select: {on: train_subjects}}
fusions:
  jca: {grid: {train.select: [{}, {on: train_subjects, share: 0.3}]}}
  ca: {train: {select: {on: validation}}}
"""
    study = load(yaml.safe_load(text))
    assert Study.model_validate(json.loads(study.model_dump_json())) == study
    settings = study.run_settings("demo", "jca", 0)
    again = RunSettings.model_validate(json.loads(json.dumps(settings.model_dump(mode="json"))))
    assert again == settings
    rules = [at_point(again, point).train.select for point in points(again.grid)]
    assert [(rule.on, rule.share) for rule in rules] == [
        ("validation", 0.2),
        ("train_subjects", 0.3),
    ]
    assert study.train_rule("ca").select.on == "validation"
    assert study.train.select.on == "train_subjects"


def test_an_excluded_video_is_missed(layout):
    plan = write_inputs(layout, SHORT)
    loss = [
        pd.read_csv(train(layout, plan, epochs=1, exclude=names) / "epochs.csv")["loss"].item()
        for names in ([], ["train_02"])
    ]
    assert loss[0] != loss[1]


def test_names_that_cannot_be_excluded_are_refused(layout):
    plan = write_inputs(layout, SHORT)
    message = (
        r"names 2 of 3 videos that are not in the train partition: 'trian_02' is not in the "
        r"manifest\. Did you mean 'train_02'\? 'test_00' is in the test partition\. Correct the "
        r"names\. Run: avf train toy concat --seed 0"
    )
    with pytest.raises(TrainError, match=message):
        train(layout, plan, exclude=["trian_02", "train_00", "test_00"])
    every = [f"train_{i:02d}" for i in range(6)]
    with pytest.raises(TrainError, match=r"leave none of 6 train videos with features"):
        train(layout, plan, exclude=every)


def test_one_subject_cannot_choose(layout):
    plan = write_inputs(layout, SHORT)
    manifest = pd.read_parquet(layout.manifest(plan.corpus))
    write_table(manifest.assign(subject="ann"), layout.manifest(plan.corpus))
    with pytest.raises(TrainError, match=r"needs 2 subjects in the train partition, found 1"):
        train(layout, plan, select=ASIDE)


@pytest.mark.parametrize("change", ["validation", "set aside", "excluded"])
def test_runs_on_classes_choose_on_subjects_and_leave_videos_out(tmp_path, change):
    """Labels of these videos reach no weights; those of set-aside videos choose the epoch."""
    rule = {"epochs": 3, "select": ASIDE, "exclude": ["u007"], "head": "separate"}
    plan = classes_study().model_copy(update={"train": TrainSettings(hidden=8, **rule)})
    made = []
    for place in ("first", "second"):
        layout = Layout(tmp_path / place)
        write_utterances(layout)
        if made:
            manifest = pd.read_parquet(layout.manifest("said"))
            validation = manifest["video"][manifest["partition"] == "validation"].tolist()
            names = {
                "validation": validation,
                "set aside": record(made[0])["set_aside"],
                "excluded": ["u007"],
            }
            labels = pd.read_parquet(layout.labels("said"))
            labels.loc[labels["video"].isin(names[change]), "label"] = "neu"
            write_table(labels, layout.labels("said"))
        train_run(plan.run_settings("said", "concat", 0), layout)
        made.append(layout.run("said", "concat", 0))
    assert "u007" not in record(made[0])["set_aside"]
    assert len(record(made[0])["set_aside"]) > 10
    epochs = [pd.read_csv(folder / "epochs.csv") for folder in made]
    assert (epochs[0]["loss"] == epochs[1]["loss"]).all()
    assert (epochs[0]["score"] == epochs[1]["score"]).all() == (change != "set aside")
    tables = [pd.read_parquet(folder / "classes.parquet") for folder in made]
    assert change == "set aside" or tables[0].equals(tables[1])
    assert "u007" in set(tables[0]["video"])


def test_all_of_it_at_once_for_one_corpus_and_fusion(layout):
    """Separate targets, a protocol, subjects and an excluded video, by `corpora` and `fusions`."""
    write_inputs(layout, SHORT)
    on_corpus = {"select": ASIDE | {"protocol": "per_video"}, "exclude": ["train_05"]}
    study = Study(
        corpora={"toy": CorpusEntry(root="data/toy", train=on_corpus)},
        fusions={"jca": {"train": {"targets": "separate", "head": "rjcma"}}, "audio": {}},
        features=FeatureSettings(audio=["ear"], video=["eye"]),
        train={"epochs": 2},
    )
    settings = study.run_settings("toy", "jca", 0)
    assert study.select_protocols("audio", "toy") == ["per_video"]
    train_run(settings, layout)
    content = record(layout.run("toy", "jca", 0))
    assert content["train"]["exclude"] == ["train_05"]
    assert "train_05" not in content["set_aside"]
    assert set(content["inputs"]["select"]) == {"protocol", "ratings"}
    assert (layout.run("toy", "jca", 0) / "arousal/state.pt").is_file()
