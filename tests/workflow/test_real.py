"""`make real` on miniature archives, from the download to the page; a killed download goes on."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from avfusion.corpora.crema_d.corpus import CremaD
from avfusion.corpora.obtain.run import obtain
from avfusion.corpora.ravdess.source import RECORD
from support.download_server import (
    GITHUB,
    GITLAB,
    ZENODO,
    Fault,
    pointer,
    serving,
    tree,
    zipped,
)
from support.miniatures import crema_d, ravdess, verify
from support.scratch import ROOT, Copy

SMALL = {
    "encoders": {"mel_cnn": {"epochs": 1}, "face_cnn": {"epochs": 1}},
    "windows": {"clip_s": 0.32, "hop_s": 0.16, "clips": 2},
    "fusions": {"audio": {}, "video": {}, "ca": {}},
    "seeds": [0],
    "statistics": {"draws": 200},
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Return the archives of the miniature's actors, as the record holds them."""
    root = tmp_path_factory.mktemp("ravdess")
    ravdess.build(root)
    return {
        f"Video_Speech_Actor_{actor:02d}.zip": _archive(root, actor) for actor in ravdess.ACTORS
    }


def _archive(root: Path, actor: int) -> bytes:
    """Return an archive of the speech of one actor, with the twins that have no sound."""
    films = sorted(root.rglob(f"Actor_{actor:02d}/0[12]-01-*.mp4"))
    return zipped({f"Actor_{actor:02d}/{path.name}": path.read_bytes() for path in films})


@pytest.fixture
def site(archives):
    with serving() as it:
        it.zenodo(RECORD, archives)
        yield it


def study(folder: Path) -> Path:
    """Write the study of `make real`, made small, and return its path."""
    settings = yaml.safe_load((ROOT / "config/experiments/real.yaml").read_text())
    assert settings["corpora"]["ravdess"]["download"] is True
    assert settings["corpora"]["ravdess"]["options"]["actors"] == "1-6"
    settings["corpora"]["ravdess"] |= {"options": ravdess.OPTIONS, "shards": 1}
    settings |= SMALL
    settings["train"] = settings.get("train", {}) | {"epochs": 2}
    path = folder / "real_small.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


@pytest.mark.slow
@pytest.mark.long
def test_make_real_runs_from_the_download_to_the_page(tmp_path, site):
    project = Copy(tmp_path / "project")
    shutil.copy2(ROOT / "Makefile", project.folder)
    config = study(project.folder)
    name = "Video_Speech_Actor_02.zip"
    site.faults[f"{ZENODO}/{RECORD}/files/{name}/content"] = [Fault(cut=5000), Fault(503)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "-o", "env", "real", f"REAL={config.name}"],
        cwd=project.folder,
        env=project.env | {"AVF_MIRROR": site.address, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    results, root = project.folder / "results/real", project.folder / "data/ravdess"
    assert "Video_Speech_Actor" not in str(list(root.rglob("*.zip")))
    assert not list(root.rglob("02-*.mp4")), "twins without sound are left out"
    receipt = json.loads((root / "obtained.json").read_text())
    assert len(receipt["files"]) == len(ravdess.ACTORS)
    manifest = pd.read_parquet(results / "manifest/ravdess/manifest.parquet")
    assert (manifest.groupby("subject")["partition"].nunique() == 1).all()
    assert set(manifest["partition"]) == {"train", "validation", "test"}
    page = (results / "report.html").read_text()
    assert "ravdess" in page
    scores = pd.read_csv(results / "tables/scores.csv")
    assert {"audio", "video", "ca"} <= set(scores["fusion"])
    asked = len(site.asked)
    project.env["AVF_MIRROR"] = site.address
    assert project.jobs("all", ("--configfile", config.name)) == {}
    assert len(site.asked) == asked, "what is there is not downloaded again"


def test_a_killed_download_goes_on_when_run_again(tmp_path, site, archives):
    config = study(tmp_path)
    name = "Video_Speech_Actor_03.zip"
    place = f"{ZENODO}/{RECORD}/files/{name}/content"
    half = len(archives[name]) // 2
    site.faults[place] = [Fault(cut=half, stall_s=60)]
    words = [sys.executable, "-m", "avfusion.cli", "obtain", "ravdess", "--accept-licence"]
    words += ["--config", str(config)]
    env = os.environ | {"AVF_MIRROR": site.address, "PYTHONPATH": str(ROOT / "src")}
    root = tmp_path / "data/ravdess"
    part = root / f"{name}.part"
    with subprocess.Popen(words, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (part.is_file() and part.stat().st_size == half):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert not (root / "obtained.json").exists()
    site.asked.clear()
    subprocess.run(words, cwd=tmp_path, env=env, check=True, capture_output=True)
    assert (place, f"bytes={half}-") in site.asked
    films = sorted(path.name for path in root.rglob("*.mp4"))
    assert len(films) == len(ravdess.ACTORS) * len(ravdess.SPEECH)
    assert (root / "obtained.json").is_file()
    assert not list(root.rglob("*.part"))


@pytest.mark.parametrize("refuses", ["nothing", "the quota", "a file"])
def test_crema_d_is_obtained_from_the_mirror_where_github_refuses(tmp_path, refuses):
    tree_of = tmp_path / "release"
    crema_d.build(tree_of)
    contents = tree(tree_of)
    media = {path: body for path, body in contents.items() if path.endswith((".flv", ".wav"))}
    packed = {f"CREMA-D-master/{path}": pointer(body) for path, body in media.items()}
    packed |= {f"CREMA-D-master/{p}": body for p, body in contents.items() if p.endswith(".csv")}
    objects = {hashlib.sha256(body).hexdigest(): body for body in media.values()}
    left = dict(objects)
    if refuses == "a file":
        left.pop(next(iter(left)))
    root = tmp_path / "crema_d"
    (root / "VideoFlash").mkdir(parents=True)
    name = "VideoFlash/1001_IEO_NEU_XX.flv"
    (root / name).write_bytes(pointer(media[name]))  # as in a clone without Git LFS
    with serving() as site:
        site.repository(zipped(packed), left, objects)
        if refuses == "the quota":
            place = f"{GITHUB}.git/info/lfs/objects/batch"
            site.faults[place] = [Fault(403) for _ in range(9)]
        corpus = CremaD(root=root, **crema_d.OPTIONS)
        obtain(corpus.source(), root, licence="x", mirror=site.address, pause_s=0)
        asked = [path for path, _ in site.asked]
    assert {p: (root / p).read_bytes() for p in media} == media
    assert any(path.startswith(GITLAB) for path in asked) == (refuses != "nothing")
    code, checks = verify("crema_d", root, crema_d.OPTIONS, tmp_path / "results")
    assert code == 0, checks[checks["verdict"] == "FAIL"]
