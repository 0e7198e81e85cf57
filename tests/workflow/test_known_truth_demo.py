"""The demo form can tell a gate from none: planted spans cost much, and they can be seen."""

import os

import pytest
import yaml

from avfusion import cli
from avfusion.config.load import load
from avfusion.layout import Layout
from avfusion.robustness.known_truth import read_rows, references
from support.scratch import ROOT

pytestmark = pytest.mark.long


def avf(*words):
    assert not cli.main([str(word) for word in words]), words


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """References on the features of config/config.yaml, from the generated files up."""
    place = tmp_path_factory.mktemp("known")
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    study |= {"results": str(place / "results")}
    study["corpora"]["demo"]["root"] = str(place / "demo")
    study["corpora"]["demo"]["options"]["workers"] = len(os.sched_getaffinity(0))
    file = place / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    settings, layout = load(file), Layout(place / "results")
    encoders = settings.features.by_modality
    for words in (("make-corpus", "demo"), ("verify", "demo"), ("media", "demo")):
        avf(*words, "--config", file)
    avf("index", layout.media("demo"), "--shards", "1")
    for name in (name for names in encoders.values() for name in names):
        if settings.fitted(name):
            avf("fit-encoder", "demo", name, "--config", file)
        avf("encode", "demo", name, "--config", file)
        avf("index", layout.features("demo", name), "--shards", "1")
    return references(read_rows("demo", encoders, layout, settings.windows.clip_s))


def test_each_modality_predicts_both_targets_and_both_together_more(scores):
    assert min(scores["audio"], scores["video"]) > 0.35
    assert scores["blind"] > max(scores["audio"], scores["video"]) + 0.05


def test_an_oracle_gains_and_a_gate_from_the_features_closes_most_of_the_gap(scores):
    assert scores["oracle"] - scores["blind"] >= 0.04
    assert scores["closed"] >= 0.8
