"""The tutorial on features of one's own, followed to the report: no recording, three encoders."""

import re
import shlex
import subprocess
import sys

import pandas as pd
import pytest

from avfusion import registry
from avfusion.layout import Layout
from support.scratch import ROOT, Copy

PAGE = ROOT / "docs" / "tutorials" / "own-features.md"
BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)
NAME = "my_features"


def test_the_options_of_the_class_are_listed():
    rows = PAGE.read_text().split("| Option | ")[1].split("\n\n")[0].splitlines()[2:]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert listed == set(registry.encoders.options("precomputed"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The page's files written and its commands run, in its order."""
    copy = Copy(tmp_path_factory.mktemp("page") / "study")
    script = copy.folder / "tests/support/own_features.py"
    script.parent.mkdir(parents=True)
    script.write_text((ROOT / "tests/support/own_features.py").read_text())
    copy.printed = []
    for kind, title, body in BLOCK.findall(PAGE.read_text()):
        if title and title.endswith("manifest.csv"):
            assert (copy.folder / title).read_text() == body, "the script writes another manifest"
        elif title:
            (copy.folder / title).write_text(body)
        elif kind == "sh":
            copy.printed += [run(copy, shlex.split(line)) for line in body.splitlines()]
    return copy


def run(copy, words):
    if words[0] == "snakemake":
        return copy.snakemake(*words[1:])
    front = ["-m", "avfusion.cli"] if words[0] == "avf" else []
    done = subprocess.run(
        [sys.executable, *front, *words[1:]],
        cwd=copy.folder, env=copy.env, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def layout(study):
    return Layout(study.folder / "results" / NAME)


@pytest.mark.slow
def test_the_page_leads_to_a_report(study, layout):
    assert "none failed, 0 warnings" in study.printed[1]
    page = layout.page.read_text()
    assert "lld" in page
    assert "action_units" in page
    media = pd.read_parquet(layout.media(NAME) / "index.parquet")
    assert set(media["reader"]) == {"features, no media"}


@pytest.mark.slow
def test_two_entries_of_one_class_read_their_own_columns(layout):
    dims = {}
    for name in ("lld", "action_units", "head"):
        index = pd.read_parquet(layout.features(NAME, name) / "index.parquet")
        assert set(index["status"]) == {"ok"}
        dims[name] = set(index["dim"])
    assert dims == {"lld": {4}, "action_units": {5}, "head": {4}}


@pytest.mark.slow
def test_each_modality_predicts_what_it_was_made_from(layout):
    """Loudness follows arousal, and the smile valence; the other target is noise to them."""
    table = pd.read_csv(layout.tables / "scores.csv").query("protocol == 'pooled'")
    scores = table.set_index(["fusion", "target"])["mean"]
    assert scores["audio", "arousal"] > 0.7
    assert scores["video", "valence"] > 0.6
    assert abs(scores["audio", "valence"]) < 0.4
    assert scores["ridge", "arousal"] > 0.8


@pytest.mark.long
def test_missing_features_lower_the_score_of_the_modality(layout):
    table = pd.read_csv(layout.tables / "robustness.csv")
    assert {"audio_missing", "video_missing"} <= set(table["corruption"])
    found = table.query("fusion == 'audio' and target == 'arousal'").set_index("corruption")
    lost = found.query("level == 0.5")["mean"]
    assert lost["audio_missing"] < found.query("level == 0")["mean"].max() - 0.1


@pytest.mark.slow
def test_a_changed_file_is_encoded_again_and_nothing_else(study):
    config = ("--configfile", f"config/experiments/{NAME}.yaml")
    assert study.jobs("features_all", config) == {}
    path = study.folder / "data" / NAME / "openface" / "gus.csv"
    path.write_text(path.read_text().replace("0.98", "0.97", 1))
    run(study, ["avf", "verify", NAME, "--config", config[1]])
    jobs = study.jobs("features_all", config)
    assert jobs["encode"] == 3  # one per encoder; a job keeps videos whose files are the same
