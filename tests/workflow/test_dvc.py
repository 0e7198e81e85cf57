"""DVC on a real study with a real remote: made, stored, fetched by a colleague, varied."""

import csv
import hashlib
import io
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from avfusion.config.load import load
from avfusion.report.figures.catalogue import figures_of
from support.dvc_project import Project

STAGES = ("corpus", "features", "train", "report")


def test_stages_name_what_they_read_and_leave(project):
    document = yaml.safe_load((project / "dvc.yaml").read_text())
    stages = document["stages"]
    assert tuple(stages) == STAGES
    for name, stage in stages.items():
        assert stage["deps"], name
        assert stage["params"], name
        assert stage["outs"], name
        outs = [*stage["outs"], *stage.get("metrics", [])]
        assert all(next(iter(out.values()))["persist"] for out in outs), (
            "Snakemake, not DVC, decides what is made again"
        )
    assert stages["report"]["metrics"]
    known = figures_of(load(project / "config/config.yaml"), "demo")
    assert {Path(plot).name for plot in document["plots"]} <= {f"demo_{n}.png" for n in known}
    assert len({Path(plot).stem for plot in document["plots"]}) == len(document["plots"])


def test_plots_are_pictures_on_a_page_that_asks_no_host(project, tmp_path):
    here = Project(tmp_path)
    plots = yaml.safe_load((project / "dvc.yaml").read_text())["plots"]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": plots}))
    for plot in plots:
        (tmp_path / plot).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / plot), np.zeros((9, 9, 3), np.uint8))
    here.run("git", "init", "-q")
    here.run("dvc", "init", "-q")
    here.run("dvc", "plots", "show", "-o", "shown")
    page = (tmp_path / "shown/index.html").read_text()
    assert page.count("<img") == len(plots)
    assert not re.findall(r"(?:https?:)?//[^\s\"'<>]+", page)


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """A small study with a grid and corrupted input after `dvc repro`, pushed to another folder."""
    folder = tmp_path_factory.mktemp("dvc")
    here = Project.new(folder / "mine", finished("tiny"))
    here.run("dvc", "remote", "add", "-q", "-d", "store", str(folder / "store"))
    here.run("dvc", "repro")
    here.commit("results")
    here.run("dvc", "push", "-q")
    return here


@pytest.mark.slow
def test_a_second_repro_does_nothing(made):
    printed = made.run("dvc", "repro")
    for stage in STAGES:
        assert f"Stage '{stage}' didn't change, skipping" in printed
    assert "Data and pipelines are up to date" in printed


@pytest.mark.slow
def test_a_colleague_fetches_a_finished_study_and_a_changed_option_is_seen(made, tmp_path):
    there = made.clone(tmp_path / "theirs")
    there.run("make", "restore", "--old-file=.venv/.installed")
    assert there.jobs() == {}, "nothing to run"
    for name in ("grids/demo/concat/chosen.json", "robustness/demo/sums.parquet"):
        path = f"results/{name}"
        assert (there.folder / path).read_bytes() == (made.folder / path).read_bytes()
    assert "up to date" in there.run("dvc", "status")
    page = "results/report.html"
    assert (there.folder / page).read_bytes() == (made.folder / page).read_bytes()
    assert (there.folder / page).read_text().rstrip().endswith("</html>")
    assert not list((there.folder / "results/media").rglob("faces.zip"))
    there.edit("config/config.yaml", "ca: {}", "ca: {stages: 2}")
    assert there.jobs()["train"] == 1, "settings are known of files that came from the remote"


@pytest.mark.slow
def test_pulled_results_run_nothing_but_the_record_of_this_machine_after_avf_adopt(made, tmp_path):
    there = made.clone(tmp_path / "theirs")
    there.run("dvc", "pull", "-q")
    printed = there.run("avf", "adopt")
    assert "STALE" not in printed
    assert "absent  media " in printed, "face crops are not fetched"
    assert there.jobs() == {"all": 1, "record": 1, "total": 2}


@pytest.mark.slow
def test_neither_faces_nor_voices_leave_the_machine(made):
    media = [path for path in (made.folder / "results/media").glob("*/*/*") if path.is_file()]
    private = {hashlib.md5(path.read_bytes()).hexdigest() for path in media}
    assert {"faces.zip", "sound.npy"} <= {path.name for path in media}
    for store in (made.folder / ".dvc/cache", made.folder.parent / "store"):
        held = {p.parent.name + p.name for p in (store / "files/md5").rglob("*") if p.is_file()}
        assert held
        assert not held & private


@pytest.mark.slow
@pytest.mark.long
def test_an_experiment_adds_what_is_new_and_is_compared(made):
    kept = made.folder / "results/runs/demo/ca/seed0/traces.parquet"
    before = kept.read_bytes()
    made.run("dvc", "exp", "run", "-n", "more", "-S", "config/config.yaml:seeds=[0,1]")
    assert kept.read_bytes() == before
    log = (made.folder / "results/logs/train/demo.ca.seed0.log").read_text()
    assert "going on after epoch" in log, "what was trained is not trained again"
    assert "epochs done" not in log
    own = json.loads((made.folder / "results/runs/demo/ca/seed1/settings.json").read_text())
    assert own["commit"] == made.run("git", "rev-parse", "HEAD").strip()
    assert own["dirty"] is False, "settings are not code"

    rows = list(csv.DictReader(io.StringIO(made.run("dvc", "exp", "show", "--csv"))))
    (row,) = [row for row in rows if row["Experiment"] == "more"]
    assert row["seeds"] == "[0, 1]"
    metrics = json.loads((made.folder / "results/metrics.json").read_text())["demo"]
    assert float(row["demo.score"]) == pytest.approx(metrics["score"])
    assert "ca" in row["demo.fusions"].split(", ")
    assert sum(name.startswith("demo.") for name in row) <= 8
    params = json.loads(made.run("dvc", "params", "diff", "--json"))
    assert params == {"config/config.yaml": {"seeds": {"old": "[0]", "new": "[0, 1]"}}}
    changed = json.loads(made.run("dvc", "metrics", "diff", "--json"))["results/metrics.json"]
    assert {"old", "new", "diff"} <= set(changed["demo.score"])
    made.run("dvc", "plots", "show", "-o", "shown")
    assert list((made.folder / "shown").rglob("*demo_ccc.png"))


COUNTED = """
import sys, dvc_data.hashfile.hash as hashing
plain = hashing._hash_file
def counted(path, *rest, **named):
    if str(path).endswith(".npy"):
        print("hashed", path)
    return plain(path, *rest, **named)
hashing._hash_file = counted
from dvc.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_features_are_hashed_once_by_the_stage_that_makes_them(tmp_path, project):
    here = Project(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text((project / ".dvc/config").read_text())
    write = "open(f'f/{i}.npy', 'wb').write(os.urandom(3 << 20))"
    make = f"import os\nos.makedirs('f')\nfor i in range(4):\n    {write}\n"
    (tmp_path / "make.py").write_text(make)
    stages = {
        "features": {"cmd": "python make.py", "outs": [{"f": {"persist": True}}]},
        "train": {"cmd": "touch t", "deps": ["f"], "outs": [{"t": {"persist": True}}]},
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    here.run("git", "init", "-q")

    def hashed(*words):
        return here.run("python", "-c", COUNTED, *words).count("hashed ")

    assert hashed("repro") == 4, "by the stage that made them, not by the one that reads them"
    assert hashed("status") == 0
    assert hashed("repro") == 0
    here.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    assert hashed("push") == 0
    (tmp_path / "f/1.npy").write_bytes(b"other")
    assert hashed("status") == 1, "the counterpart: what has changed is hashed"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("how", [["--temp"], ["--queue"]])
def test_an_experiment_in_a_folder_of_its_own_leaves_this_one_alone(made, how):
    name, study = f"aside{how[0]}", made.folder / "config/config.yaml"
    before = study.read_text(), made.run("git", "status", "--porcelain")
    made.run("dvc", "exp", "run", *how, "-n", name, "-S", "config/config.yaml:seeds=[2]")
    if how == ["--queue"]:
        made.run("dvc", "queue", "start")
        made.run("dvc", "queue", "logs", "-f", name)
    rows = list(csv.DictReader(io.StringIO(made.run("dvc", "exp", "show", "--csv"))))
    (row,) = [row for row in rows if row["Experiment"] == name]
    assert row["seeds"] == "[2]"
    assert row["demo.ca.mean"]
    assert (study.read_text(), made.run("git", "status", "--porcelain")) == before
