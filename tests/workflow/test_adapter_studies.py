"""A study whose encoders read files of the user, from the corpus to scores and a changed file."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from avfusion.encoders import base
from avfusion.layout import Layout
from support import synthetic_media, tiny_models
from support.scratch import Copy

pytestmark = [pytest.mark.slow, pytest.mark.long]  # unit tests have each class and its files
WIDTH = 1 / 16
OPTIONS = ("--cores", "1", "--configfile", "mine.yaml", "--")
SHAPES = {"hum": ["n", 3200], "look": ["n", 3, 16, 16]}
FORMS = {
    "hum": {"rate_hz": 8_000, "normalise": True},
    "look": {"mean": [0.5] * 3, "deviation": [0.25] * 3},
}
ENTRIES = [f"{kind}_{number}" for kind in SHAPES for number in (1, 2)]
CORPUS = {"root": "data/demo", "shards": 1, "options": {"videos": 5, "seconds": 4, "seed": 7}}


def entry(folder, name: str) -> dict:
    """Write the file of one entry, and return its options; two of a kind differ in weights only."""
    kind, number = name.split("_")
    path = folder / "weights" / f"{name}.onnx"
    tiny_models.write_onnx(path, SHAPES[kind], seed=int(number))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"is": "onnx", "path": f"weights/{name}.onnx", "sha256": digest, **FORMS[kind]}


def two_stream(folder) -> dict:
    """Write a narrow file under the names of Kuhnke et al., in the home folder."""
    settings = synthetic_media.settings("resnet18_two_stream", width=WIDTH)
    torch.manual_seed(1)
    encoder = base.build(settings)
    state = encoder.trunk(encoder.new_net(settings)).state_dict()
    tensors = {f"audio_model.resnet.{key}": x for key, x in state.items()}
    (folder / "home").mkdir()
    torch.save({"state_dict": tensors}, folder / "home" / "two_stream.pth.tar")
    return {"path": "~/two_stream.pth.tar", "width": WIDTH, "licence": "research only"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The study, run from the generated corpus to its scores."""
    copy = Copy(tmp_path_factory.mktemp("adapters") / "study")
    copy.env |= {"HOME": str(copy.folder / "home")}
    (copy.folder / "weights").mkdir()
    names = [*ENTRIES[:2], "resnet18_two_stream"]
    document = {
        "corpora": {"demo": CORPUS},
        "features": {"audio": names, "video": ENTRIES[2:]},
        "encoders": {name: entry(copy.folder, name) for name in ENTRIES}
        | {"resnet18_two_stream": two_stream(copy.folder)},
        "windows": {"clip_s": 0.4, "hop_s": 0.2, "clips": 4},
        "fusions": {"concat": {}},
        "seeds": [0],
        "train": {"epochs": 2},
        "statistics": {"draws": 200},
    }
    write(copy, document)
    copy.snakemake(*OPTIONS, "score_all")
    return copy


def write(copy: Copy, document: dict) -> None:
    (copy.folder / "mine.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def rows(copy: Copy, name: str) -> dict[str, np.ndarray]:
    """Video -> features of one entry."""
    folder = layout(copy).features("demo", name)
    index = pd.read_parquet(folder / "index.parquet")
    assert set(index["status"]) == {"ok"}
    return {video: np.load(folder / f"{video}.npy") for video in index["video"]}


def layout(copy: Copy) -> Layout:
    return Layout(copy.folder / "results")


def weights(copy: Copy, name: str) -> dict:
    path = layout(copy).encoder("demo", name) / "settings.json"
    return json.loads(path.read_text())["weights"]


def test_two_files_of_one_class_lead_to_scores(study):
    for kind in SHAPES:
        one, two = (rows(study, f"{kind}_{number}") for number in (1, 2))
        assert len(one) == 5
        for video in one:
            assert one[video].shape == two[video].shape == (20, 4)
            np.testing.assert_array_equal(np.isnan(one[video]), np.isnan(two[video]))
            assert np.nanmax(np.abs(one[video].astype(float) - two[video])) > 0.01
    digest = hashlib.sha256((study.folder / "weights/look_2.onnx").read_bytes()).hexdigest()
    assert weights(study, "look_2")["sha256"] == digest
    scores = pd.read_parquet(layout(study).scores("demo") / "scores.parquet")
    found = scores.query("partition == 'test' and protocol == 'pooled'")
    assert {"concat", "ridge"} <= set(found["fusion"])
    assert np.isfinite(found["ccc"]).all()


def test_a_published_network_is_read_from_the_home_folder(study):
    found = rows(study, "resnet18_two_stream")
    assert {x.shape for x in found.values()} == {(20, 32)}  # a sixteenth of 512
    assert weights(study, "resnet18_two_stream")["licence"] == "research only"


def test_an_older_file_in_the_place_of_another_is_encoded_again(study):
    """Its time says nothing: only the digest of the content tells that it is another file."""
    path = study.folder / "weights/look_1.onnx"
    raw, state = path.read_bytes(), path.stat()
    other = study.folder / "other.onnx"
    tiny_models.write_onnx(other, SHAPES["look"], seed=9)
    path.write_bytes(other.read_bytes())
    os.utime(path, (1_000, 1_000))
    try:
        assert study.jobs("features_all", OPTIONS[:-1])["encode"] == 1
    finally:
        path.write_bytes(raw)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert "encode" not in study.jobs("features_all", OPTIONS[:-1])


def test_a_changed_file_stops_the_job_or_is_encoded_again(study):
    path = study.folder / "weights/hum_2.onnx"
    before = rows(study, "hum_2")
    matrix = tiny_models.write_onnx(study.folder / "same.onnx", SHAPES["hum"], seed=2)
    raw = bytearray(path.read_bytes())
    raw[raw.index(matrix.tobytes()) + 3] ^= 64  # the exponent of the first weight
    path.write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    assert study.jobs("features_all", OPTIONS[:-1])["encode"] == 1
    printed = study.snakemake(*OPTIONS, "features_all", good=False)
    document = yaml.safe_load((study.folder / "mine.yaml").read_text())
    stated = document["encoders"]["hum_2"].pop("sha256")
    assert f"weights/hum_2.onnx: its SHA-256 is {digest}, not {stated}" in printed
    assert "correct encoders.hum_2.sha256 (encoders.hum_2.path)" in printed
    write(study, document)
    doctor = subprocess.run(
        [sys.executable, "-m", "avfusion.cli", "doctor", "--config", "mine.yaml"],
        cwd=study.folder, env=study.env, text=True, capture_output=True, check=False,
    )  # fmt: skip
    lines = [line for line in doctor.stdout.splitlines() if "weights/hum_" in line]
    said = ["with the stated SHA-256" in line for line in lines]
    assert said == [True, False], doctor.stdout
    assert "no sha256 is given" in lines[1]
    study.snakemake(*OPTIONS, "features_all")
    assert weights(study, "hum_2")["sha256"] == digest
    after = rows(study, "hum_2")
    assert not any(np.array_equal(before[v], after[v], equal_nan=True) for v in before)
