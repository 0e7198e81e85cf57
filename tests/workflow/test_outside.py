"""A fusion of an installed package of somebody else's runs in a study like one of avfusion's."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

TINY = ("--configfile", "tiny.yaml")
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "lab"
version = "1.2"

[project.entry-points."avfusion.fusions"]
lab_mean = "lab.fusions:Mean"

[tool.setuptools]
packages = ["lab"]
"""
FUSION = '''
import torch
from torch import nn

from avfusion.fusion.base import Fused


class Mean(nn.Module):
    """The mean of both modalities after a linear layer each."""

    def __init__(self, audio_dim, video_dim, *, steps, width: int = 8):
        super().__init__()
        self.audio, self.video = nn.Linear(audio_dim, width), nn.Linear(video_dim, width)
        self.out_dim = width

    def forward(self, audio, video, audio_present, video_present):
        return Fused((self.audio(audio) + self.video(video)) / 2, {})
'''


@pytest.fixture
def lab(tiny, tmp_path):
    """The tiny study with the package `lab` installed next to avfusion."""
    source, site = tmp_path / "source", tmp_path / "site"
    (source / "lab").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "lab/__init__.py").write_text("")
    (source / "lab/fusions.py").write_text(FUSION)
    quiet = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    install = [sys.executable, "-m", "pip", "install", *quiet, "--target", str(site), str(source)]
    subprocess.run(install, check=True)
    tiny.env["PYTHONPATH"] += f"{os.pathsep}{site}"
    return tiny


@pytest.mark.long  # test_extending has a study with a class of each kind
def test_a_fusion_of_another_package_is_trained_scored_and_said_to_be_one(lab):
    entries = "  lab_mean: {}\n  mine: {is: 'lab.fusions:Mean', width: 4}\n"
    lab.edit("tiny.yaml", "  ca: {}\n", f"  ca: {{}}\n{entries}")
    printed = lab.snakemake("--cores", "2", *TINY, "--", "all")
    assert "fusion mine = lab.fusions:Mean 1.2" in printed
    results = lab.folder / "results"
    scores = pd.read_csv(results / "tables/scores.csv")
    assert {"lab_mean", "mine"} <= set(scores["fusion"])
    settings = json.loads((results / "runs/demo/mine/seed0/settings.json").read_text())
    assert settings["outside"] == {"fusion mine": "lab.fusions:Mean 1.2"}
    ours = json.loads((results / "runs/demo/ca/seed0/settings.json").read_text())
    assert ours["outside"] == {}
    assert "lab.fusions:Mean 1.2" in (results / "report.html").read_text()
    assert lab.jobs("all", options=TINY) == {}

    (path,) = lab.folder.parent.glob("site/lab/fusions.py")
    path.write_text(FUSION.replace(") / 2", ") / 3"))
    jobs = lab.jobs("all", options=TINY)
    assert jobs["train"] == 2, "an edit of the other package trains its runs again"


def test_a_class_that_cannot_be_found_is_refused_before_anything_runs(lab):
    lab.edit("tiny.yaml", "  ca: {}\n", "  ca: {}\n  mine: {is: 'lab.fusion:Mean'}\n")
    printed = lab.snakemake("-n", *TINY, "--", "all", good=False)
    assert "no module 'lab.fusion'" in printed
