"""Nothing of the people in a corpus leaves the folders that hold it, whatever is studied.

Each miniature's whole study is searched by content; the search is shown to find one leak of
each kind.
"""

import base64
import io
import shutil
import sqlite3
import wave
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from support import corpus_studies as studies
from support import odd_videos
from support.leaks import Private, leaks, of_store, private

pytestmark = pytest.mark.slow
OURS = ("media", "features")
"""What is made of faces and voices and may be read as such; it stays on the machine."""
LOCAL = ("logs", "settings", "benchmarks", "manifest", "encoders", "mlflow.lock")
"""Not handed around either, and may name folders; of people it holds nothing all the same."""


def known(study: str, folder: Path) -> Private:
    tree = studies.tree(study, folder)
    words = studies.SAID.get(study, ())
    return private(tree, folder / "results", words, [tree.parent, folder, Path.home()])


def shared(results: Path) -> list[Path]:
    """Every file of a study but faces, voices and features."""
    found = [p for p in results.rglob("*") if p.is_file()]
    return sorted(p for p in found if p.relative_to(results).parts[0] not in OURS)


def search(study: str, folder: Path) -> list[str]:
    """What leaks from a study's results."""
    results, secret, seen, found = folder / "results", known(study, folder), set(), []
    assert len(secret.recordings) > 20
    for path in shared(results):
        top, raw = path.relative_to(results).parts[0], path.read_bytes()
        if path.name == "mlflow.db":
            found += of_store(path, secret)
        elif (raw, top in LOCAL) not in seen:  # MLflow has a copy of every table and figure
            seen.add((raw, top in LOCAL))
            found += [
                f"{path.relative_to(results)}: {w}" for w in leaks(path, secret, top not in LOCAL)
            ]
    return found


@pytest.mark.parametrize("study", studies.cases(*studies.STUDIES, long=(*studies.LONG, "own")))
def test_no_face_voice_word_or_folder_is_in_what_is_handed_around(finished, study):
    assert search(study, finished(study).folder) == []


@pytest.mark.parametrize("study", studies.cases(*studies.STUDIES))
def test_neither_media_nor_features_nor_ratings_of_a_licensed_corpus_are_versions(
    finished, project, study
):
    """dvc.yaml, read as DVC reads it: an output is a file or all that lies in a folder."""
    results = finished(study).folder / "results"
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"].values()
    kinds = ("outs", "metrics", "plots")
    entries = [entry for stage in stages for kind in kinds for entry in stage.get(kind, [])]
    names = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    tracked = {Path(n).relative_to("results") for n in names if n.startswith("results/")}
    assert {Path("report.html"), Path("scores")} <= tracked
    secret = known(study, results.parent)
    for path in results.rglob("*"):
        here = path.relative_to(results)
        if path.is_file() and any(here.is_relative_to(out) for out in tracked):
            assert here.parts[0] not in (*OURS, "manifest", "encoders", "mlartifacts")
            assert leaks(path, secret) == []


def crop(folder: Path) -> bytes:
    """A JPEG of a face, as faces.zip has it."""
    return cv2.imencode(".jpg", odd_videos.face()[..., ::-1])[1].tobytes()


def png(folder: Path) -> bytes:
    """A figure that shows a frame among its curves."""
    figure = np.full((500, 800, 3), 255, np.uint8)
    figure[50:290, 60:380] = odd_videos.face()[..., ::-1]
    return cv2.imencode(".png", figure)[1].tobytes()


def spoken(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(4000))
    return buffer.getvalue()


def heard(folder: Path) -> bytes:
    """A stretch of a stored sound without its file's head."""
    path = next((folder / "results/media").rglob("sound.npy"))
    return path.read_bytes()[1000:-10]


def film(folder: Path) -> bytes:
    return next(studies.tree("own", folder).rglob("*.mp4")).read_bytes()


def table(folder: Path) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"note": [f"she says {studies.WORDS[2].upper()}"]}).to_parquet(buffer)
    return buffer.getvalue()


PLANTED = {
    "a face as a file": ("figures/x.bin", crop, "a photograph"),
    "a face in a figure": ("figures/x.png", png, "a picture with a face"),
    "a face in the page": ("report.html", crop, "a photograph"),
    "a voice in MLflow": ("mlartifacts/my_clips/x/artifacts/x.dat", spoken, "a film or a sound"),
    "a sound among the scores": ("scores/my_clips/x.bin", heard, "bytes of sound.npy"),
    "a film in a log": ("logs/x.log", film, "a film or a sound"),
    "a word in a table": ("scores/my_clips/x.parquet", table, "the word 'ulthrik'"),
    "a folder in a table": (
        "tables/x.csv", lambda folder: f"{studies.tree('own', folder)}/a.mp4".encode(), "licensed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_leak_is_found(finished, kind):
    folder, (name, make, says) = finished("own").folder, PLANTED[kind]
    path, secret = folder / "results" / name, known("own", folder)
    raw = make(folder)
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if name == "report.html":
            text = b'<img src="data:image/jpeg;base64,' + base64.b64encode(raw) + b'">'
            path.write_bytes(before + text)
        else:
            path.write_bytes(raw)
        assert any(says in what for what in leaks(path, secret))
        assert path in shared(folder / "results")
    finally:
        path.unlink() if before is None else path.write_bytes(before)


@pytest.mark.parametrize("planted", ["a word", "a folder", "a face"])
def test_a_planted_leak_in_mlflows_own_file_is_found(finished, tmp_path, planted):
    folder = finished("own").folder
    path, secret = tmp_path / "mlflow.db", known("own", folder)
    shutil.copyfile(folder / "results/mlflow.db", path)
    assert of_store(path, secret) == []
    value = {
        "a word": f"says {studies.WORDS[0]}", "a folder": f"{folder}/x.mp4", "a face": crop(folder),
    }[planted]  # fmt: skip
    with sqlite3.connect(path) as base:
        base.execute("UPDATE tags SET value = ? WHERE rowid = 1", (value,))
    assert of_store(path, secret)
