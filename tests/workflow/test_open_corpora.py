"""A paper's study runs on RAVDESS and CREMA-D without an edit; DVC pins what was downloaded."""

import shutil

import pandas as pd
import pytest
import yaml

from avfusion.config.load import load
from avfusion.corpora.obtain.run import obtain
from avfusion.corpora.ravdess.corpus import Ravdess
from avfusion.corpora.ravdess.source import RECORD
from support.download_server import serving, zipped
from support.dvc_project import Project
from support.miniatures import crema_d, ravdess
from support.scratch import ROOT, Copy

SMALL = {
    "corpora": {"ravdess": {"options": ravdess.OPTIONS}, "crema_d": {"options": crema_d.OPTIONS}},
    "encoders": {name: {"epochs": 1} for name in ("mel_cnn", "face_cnn", "words")},
    "windows": {"clip_s": 0.32, "hop_s": 0.16, "clips": 2},
    "seeds": [0],
    "train": {"epochs": 1},
    "statistics": {"draws": 100},
}


@pytest.mark.slow
@pytest.mark.long
def test_every_fusion_of_a_study_is_scored_on_the_open_corpora(tmp_path):
    """The study also has fusions of text, which read the sentences of the clips."""
    copy, name = Copy(tmp_path / "study"), "icassp2022_selfcross"
    ravdess.build(copy.folder / "data/ravdess")
    crema_d.build(copy.folder / "data/crema_d")
    (copy.folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    files = [f"config/experiments/{part}.yaml" for part in (name, "with_open")]
    words = ("--cores", "2", "--configfile", *files, "small.yaml", "--config", "results=results/it")
    copy.snakemake(*words, "--", "results/it/tables/scores.csv")
    table = pd.read_csv(copy.folder / "results/it/tables/scores.csv")
    expected = set(load(copy.folder / files[0]).fusions)
    for corpus in ("ravdess", "crema_d"):
        rows = table[(table["corpus"] == corpus) & (table["target"] == "intensity")]
        assert expected <= set(rows["fusion"])
        assert (rows["videos"] > 0).all()


def test_dvc_pins_a_download_and_restores_it(tmp_path):
    film = "Actor_01/01-01-01-01-01-01-01.mp4"
    here = Project(tmp_path / "project")
    here.folder.mkdir()
    for name in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
        (here.folder / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, here.folder / name)
    here.run("git", "init", "-q")
    root = here.folder / "data/ravdess"
    with serving() as site:
        site.zenodo(RECORD, {"Video_Speech_Actor_01.zip": zipped({film: b"film"})})

        def get():
            source = Ravdess(root=root, actors="1").source()
            return obtain(source, root, licence="x", mirror=site.address, pause_s=0).read_text()

        receipt = get()
        here.run("dvc", "add", "data/ravdess")
        here.run("git", "add", "data/ravdess.dvc")
        assert "data/ravdess.dvc" in here.run("git", "ls-files")
        assert film not in here.run("git", "status", "--short", "--untracked-files=all")
        shutil.rmtree(root)
        here.run("dvc", "checkout", "-q", "data/ravdess.dvc")
        assert (root / film).read_bytes() == b"film"
        site.asked.clear()
        assert get() == receipt
        assert [path for path, _ in site.asked] == [f"zenodo.org/api/records/{RECORD}"]
    assert "ravdess" not in here.run("dvc", "status", "-q", "data/ravdess.dvc")
