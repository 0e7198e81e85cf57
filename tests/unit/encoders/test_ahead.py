"""Inputs are read ahead: in order, bounded, and without changing a feature or another video."""

import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.encoders import base
from avfusion.encoders.ahead import DEPTH, Ahead, ReadsAhead, ahead
from avfusion.encoders.face_expression import FaceExpression
from avfusion.encoders.job import Job
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.stage import encode_shard
from avfusion.errors import MediaError
from avfusion.features.store import FeatureStore
from avfusion.io.shards import join
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.training.loop import deterministic
from support import synthetic_media as media


def until(condition, seconds: float = 10.0) -> bool:
    """Wait until a condition holds; return whether it does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def readers() -> int:
    return sum("_compute" in thread.name for thread in threading.enumerate())


def test_items_come_in_order_and_few_wait():
    made = []

    def items():
        for number in range(20):
            made.append(number)
            yield number

    reader = Ahead(items())
    assert next(reader) == 0
    assert until(lambda: len(made) == 1 + DEPTH + 1)  # taken, waiting, and one in the hand
    time.sleep(0.05)
    assert len(made) == 1 + DEPTH + 1
    assert list(reader) == list(range(1, 20))
    assert list(reader) == []


def test_an_error_is_raised_in_its_place():
    def items():
        yield "first"
        raise MediaError("cut")

    reader = Ahead(items())
    assert next(reader) == "first"
    with pytest.raises(MediaError, match="cut"):
        next(reader)
    assert list(reader) == []


def test_closing_ends_the_thread_that_waits_for_a_place():
    reader = Ahead(iter(range(1_000_000)))
    assert readers() == 1
    reader.close()
    assert readers() == 0
    assert list(reader) == []


@pytest.fixture
def corpus(tmp_path):
    return media.make_corpus(tmp_path, {"test": 3}, seconds=2)


def encode(layout) -> pd.DataFrame:
    encode_shard("tiny", (0, 1), media.settings("face_expression"), layout)
    return join(layout.features("tiny", "face_expression")).set_index("video")


def test_the_thread_ends_with_a_loop_that_fails():
    before = readers()

    def embed():
        for number in ahead(iter(range(100))):
            if number == 3:
                raise ValueError("of the network")

    with pytest.raises(ValueError, match="of the network"):
        embed()
    assert readers() == before
    assert list(ahead("abc")) == ["a", "b", "c"]


def test_an_adapter_reads_in_a_thread(corpus, monkeypatch):
    threads = set()
    crops = MediaRecord.crops

    def noted(record, frames):
        threads.add(threading.current_thread().name)
        return crops(record, frames)

    monkeypatch.setattr(MediaRecord, "crops", noted)
    form = Pictures(32, (0.5,) * 3, (0.5,) * 3)
    record = MediaRecord.open(corpus.media("tiny") / "test_0")
    ends_s = clip_ends(record.duration_s, 0.16)
    for frames in (0, 4):
        found = replace(form, frames=frames).encode(
            record, ends_s, 0.64, lambda x: x.flatten(1)[:, :3], 3
        )
        assert np.isfinite(found).all()
    assert threads
    assert threading.main_thread().name not in threads


def test_the_next_video_is_read_while_the_network_runs(corpus, monkeypatch):
    began = {video: threading.Event() for video in ("test_0", "test_1", "test_2")}
    crops, embed, waited = MediaRecord.crops, FaceExpression.embed, []

    def noted(record, frames):
        began[record.folder.name].set()
        return crops(record, frames)

    def late(encoder, faces):
        following = f"test_{min(len(waited) + 1, 2)}"  # a video of 2 s is one batch
        waited.append(began[following].wait(10))
        return embed(encoder, faces)

    monkeypatch.setattr(MediaRecord, "crops", noted)
    monkeypatch.setattr(FaceExpression, "embed", late)
    assert list(encode(corpus)["status"]) == ["ok"] * 3
    assert waited == [True] * 3


def test_features_are_those_of_an_encoder_that_does_not_read_ahead(corpus):
    encode(corpus)
    settings = media.settings("face_expression")
    store = FeatureStore.open(corpus.features("tiny", "face_expression") / "index.parquet")
    for video in store.videos:
        record = MediaRecord.open(corpus.media("tiny") / video)
        ends_s = clip_ends(record.duration_s, settings.windows.hop_s)
        with deterministic(seed=0):  # one thread, as in the stage
            rows = base.build(settings).encode(record, ends_s, settings.windows.clip_s)
        np.testing.assert_array_equal(store.load(video).rows, rows.astype(np.float16))


@pytest.mark.parametrize("failing", ["test_0", "test_1", "test_2"])
def test_an_error_of_the_network_stays_with_its_video(failing, corpus, monkeypatch):
    embed, count = FaceExpression.embed, iter(range(3))

    def broken(encoder, faces):
        if f"test_{next(count)}" == failing:
            raise ValueError("no memory")
        return embed(encoder, faces)

    monkeypatch.setattr(FaceExpression, "embed", broken)
    index = encode(corpus)
    assert list(index.index[index["status"] == "failed"]) == [failing]
    assert "no memory" in index.loc[failing, "reason"]
    assert readers() == 0


def test_a_stop_leaves_no_thread(corpus, monkeypatch):
    def stop(encoder, faces):
        raise KeyboardInterrupt

    monkeypatch.setattr(FaceExpression, "embed", stop)
    with pytest.raises(KeyboardInterrupt):
        encode(corpus)
    assert readers() == 0


def test_kept_features_are_not_read_again(corpus, monkeypatch):
    first = encode(corpus)
    monkeypatch.setattr(MediaRecord, "crops", None)
    pd.testing.assert_frame_equal(encode(corpus), first)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("face_expression", [64, 64, 64, 58]),  # 20 s at 12.5 faces/s
        ("face_cnn", [64, 64, 64, 58]),
        ("mel_cnn", [64, 61]),  # clips every 0.16 s
        ("vggish", [64, 61]),
    ],
)
def test_batches_are_full(name, expected, tmp_path):
    rng = np.random.default_rng(0)
    record = media.make_record(tmp_path / "long", media.course(rng, 20), rng)
    settings = media.settings(name)
    encoder = base.build(settings)
    assert isinstance(encoder, ReadsAhead)
    ends_s = clip_ends(record.duration_s, settings.windows.hop_s)
    batches = encoder.read(record, ends_s, settings.windows.clip_s)
    assert [len(inputs) for _, inputs in batches] == expected


def test_a_lower_precision_is_of_gpus_only():
    encoder = base.build(media.settings("vggish", width=0.1, gpu_precision="bfloat16"))
    assert encoder.precision(torch.device("cpu")) == "float32"
    assert encoder.precision(torch.device("cuda")) == "bfloat16"
    plain = base.build(media.settings("vggish", width=0.1))
    assert plain.precision(torch.device("cuda")) == "float32"


@pytest.mark.parametrize(("precision", "bits"), [("bfloat16", 8), ("float16", 11)])
def test_products_of_lower_precision_give_features_close_by(precision, bits, tmp_path):
    """On the CPU as on a GPU: autocast lowers products and convolutions, and rows are float32."""
    encoder = base.build(media.settings("vggish", width=0.1, gpu_precision=precision))
    torch.manual_seed(0)
    encoder.net = encoder.new_net(media.settings("vggish")).eval().requires_grad_(False)
    inputs = torch.rand(4, *encoder.preprocessing()["spectrogram"])
    plain = encoder.embed(inputs)
    encoder.precision = lambda where: precision
    lowered = encoder.embed(inputs)
    assert lowered.dtype == torch.float32
    away = (lowered - plain).abs().max() / plain.abs().max()
    assert 0 < away < 16 * 2.0**-bits


def test_the_precision_is_part_of_the_key(tmp_path):
    keys = set()
    for precision in ("float32", "bfloat16", "float16"):
        settings = media.settings("face_expression", gpu_precision=precision)
        job = Job.__new__(Job)
        job.settings, job.weights_sha256 = settings, None
        keys.add(job._key("record"))
    assert len(keys) == 3
