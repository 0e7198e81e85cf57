"""Each study of published settings starts, trains and is scored, with encoders that stand in.

Overridden are epochs (1), seeds (the first), corpora (five videos of 18 s of the demo corpus, which
has ratings and none of the videos that a study excludes), encoders, and corrupted test input.
Everything else is as in the file.
"""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from avfusion import cli
from avfusion.config.load import load
from avfusion.io.yaml import read_mapping
from avfusion.layout import Layout
from avfusion.registry import encoders
from support.scratch import ROOT

FILES = sorted((ROOT / "config/experiments").glob("*_as_published.yaml"))
FIRST = ("icassp2022_selfcross_arrays",)
"""What CI runs: the smallest study."""
DEMO = {"videos": 5, "seconds": 18, "seed": 7}
CLASSES = {"audio": "Heard", "video": "Seen", "text": "Read"}
WIDTHS = {"mel_cnn": 1024, "face_expression": 16, "face_cnn": 16, "word_vectors": 300}
WIDTHS |= {"arrays_mfcc": 120, "arrays_video": 2048, "arrays_words": 300}
WIDTHS |= {"cnn2d_spectrogram": 1024, "inception_i3d": 1024, "inception_i3d_tcn": 512}
WIDTHS |= {"resnet18_two_stream": 512, "r2plus1d_two_stream": 25_088}
WIDTHS |= {"vggish": 128, "ir50_tcn": 512, "bert_words": 768}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """The demo corpus with its media, and the folder of the results."""
    place = tmp_path_factory.mktemp("published")
    study = {
        "results": str(place / "media"),
        "corpora": {"demo": {"root": str(place / "demo"), "shards": 1, "options": DEMO}},
        "fusions": {"concat": {}},
    }
    file = place / "media.yaml"
    file.write_text(yaml.safe_dump(study))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for words in (("make-corpus", "demo"), ("verify", "demo"), ("media", "demo")):
            avf(*words, "--config", file)
        avf("index", place / "media/media/demo", "--shards", "1")
    return place


def avf(*words):
    assert not cli.main([str(word) for word in words]), words


def on_demo(path, media, results):
    """The settings of a file on the demo corpus, with encoders that stand in."""
    raw = read_mapping(path)
    root = str(media / "demo")
    raw |= {"results": str(results), "seeds": raw["seeds"][:1]}
    raw["corpora"] = {"demo": {"root": root, "shards": 1, "options": DEMO}}
    raw["encoders"] = {
        name: {"is": f"support.stand_ins:{CLASSES[modality]}", "dim": WIDTHS[name]}
        for modality, names in raw["features"].items()
        for name in names
    }
    raw.setdefault("train", {})["epochs"] = 1
    if raw["train"].get("exclude"):
        raw["train"]["exclude"] = []
    raw.pop("robustness", None)
    raw.pop("media", None)
    return raw


def marked(path):
    """Return a file with the mark of those that CI leaves out."""
    first = path.stem.removesuffix("_as_published") in FIRST
    return pytest.param(path, id=path.stem, marks=[] if first else pytest.mark.long)


@pytest.mark.parametrize("path", [marked(path) for path in FILES])
def test_it_starts_trains_and_is_scored(path, media, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    results = tmp_path / "results"
    raw = on_demo(path, media, results)
    for name in ("media", "manifest"):
        results.mkdir(exist_ok=True)
        (results / name).symlink_to(media / "media" / name)
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(raw))
    study, layout = load(file), Layout(results)
    for encoder in study.features.encoders:
        assert not encoders.constant(study.encoder_class(encoder), "fitted")
        avf("encode", "demo", encoder, "--shard", "0/1", "--config", file)
        avf("index", layout.features("demo", encoder), "--shards", "1")
    for fusion in study.fusions:
        avf("train", "demo", fusion, "--seed", str(study.seeds[0]), "--config", file)
        folder = layout.run("demo", fusion, study.seeds[0])
        assert (folder / "best.safetensors").is_file(), (folder / "failed.json").read_text()
        traces = pd.read_parquet(folder / "traces.parquet")
        assert np.isfinite(traces[["valence", "arousal"]].to_numpy()).all()
        assert len(traces) > 5 * DEMO["seconds"]
    avf("score", "demo", "--config", file)
    scores = pd.read_parquet(layout.scores("demo") / "scores.parquet")
    assert set(scores["fusion"]) >= set(study.fusions)
    assert set(scores["protocol"]) == set(study.protocols)
    assert np.isfinite(scores["ccc"]).all()
    shutil.rmtree(results)
