"""Instances of one corpus share what is equal, and neither can spoil what the other has."""

import hashlib
import shutil

import pandas as pd
import pytest

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.encoders.stage import encode_shard
from avfusion.io.shards import join
from avfusion.layout import Layout
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from support import odd_videos
from support import synthetic_media as media


@pytest.fixture
def read(tmp_path):
    """Runs the media stage of one instance over the only video; gives its record's folder."""
    odd_videos.write(tmp_path / "v.mp4", odd_videos.pictures(6))
    layout = Layout(tmp_path / "results")

    def run(corpus, **changes):
        sha256 = hashlib.sha256((tmp_path / "v.mp4").read_bytes()).hexdigest()
        table = pd.DataFrame([("v", "v.mp4", sha256)], columns=["video", "path", "sha256"])
        layout.manifest(corpus).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(layout.manifest(corpus))
        settings = MediaJobSettings(root=tmp_path, media=MediaSettings(**changes))
        run_shard(corpus, (0, 1), settings, layout)
        return layout.media(corpus) / "v"

    run.layout = layout
    return run


def files(folder):
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_a_second_instance_reads_no_video_and_leaves_the_first_as_it_is(read):
    one, two = read("fold1"), read("fold2")
    assert files(one) == files(two)
    tables = [pd.read_parquet(folder.parent / "shard-0-of-1.parquet") for folder in (one, two)]
    pd.testing.assert_frame_equal(*tables)
    before = {path.name: path.read_bytes() for path in one.iterdir()}
    read("fold2", sample_rate_hz=8000)
    assert MediaRecord.open(two).sound_hz == 8000
    assert {path.name: path.read_bytes() for path in one.iterdir()} == before
    shutil.rmtree(one)
    assert len(MediaRecord.open(two).frames) == 6


def test_what_was_read_otherwise_or_is_damaged_is_not_shared(read):
    one, two = read("fold1"), read("fold2", face_score=0.7)
    assert not set(files(one).values()) & set(files(two).values())
    whole = (one / "faces.zip").read_bytes()
    (one / "faces.zip").write_bytes(b"cut")
    three = read("fold3")
    assert (three / "faces.zip").read_bytes() == whole
    assert not set(files(one).values()) & set(files(three).values())
    assert not list(three.parent.glob("*.half*"))


def test_where_there_are_no_links_copies_are_made(read, monkeypatch):
    def refuse(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", refuse)
    one, two = read("fold1"), read("fold2")
    assert files(one).keys() == files(two).keys()
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()
        assert path.stat().st_ino != (two / path.name).stat().st_ino


def test_features_of_an_encoder_that_is_not_fitted_are_shared(tmp_path):
    layout = media.make_corpus(tmp_path, {"test": 1}, seconds=2)
    shutil.copytree(layout.media("tiny"), layout.media("again"))
    for corpus in ("tiny", "again"):
        encode_shard(corpus, (0, 1), media.settings("face_expression"), layout)
        join(layout.features(corpus, "face_expression"))
    one, two = (layout.features(name, "face_expression") for name in ("tiny", "again"))
    for ending in (".npy", ".times.npy", ".json"):
        assert (one / f"test_0{ending}").stat().st_ino == (two / f"test_0{ending}").stat().st_ino
    assert (one / "index.parquet").read_bytes() == (two / "index.parquet").read_bytes()
    kept = (one / "test_0.npy").read_bytes()
    more = media.settings("face_expression", posteriors=True)
    encode_shard("again", (0, 1), more, layout)
    assert (one / "test_0.npy").read_bytes() == kept
    assert (two / "test_0.npy").read_bytes() != kept
