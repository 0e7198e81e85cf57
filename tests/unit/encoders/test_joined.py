"""Batches over videos: of one size, in the order of the videos, and without mixing them up."""

import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.encoders import base, job, joined
from avfusion.encoders.face_expression import FaceExpression
from avfusion.encoders.joined import over_videos
from avfusion.encoders.stage import encode_shard
from avfusion.errors import MediaError
from avfusion.features.store import FeatureStore
from avfusion.io.shards import join
from avfusion.media.store import MediaRecord
from support import synthetic_media as media

EACH = 4
"""Bytes of an input of one float32."""


@pytest.fixture
def ten(monkeypatch):
    """Batches hold ten inputs of one number."""
    monkeypatch.setattr(joined, "BATCH_BYTES", 10 * EACH)


def batches(video: int, *sizes: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Inputs 100 * video + place, in batches of these sizes."""
    begin = 0
    for size in sizes:
        places = np.arange(begin, begin + size)
        yield places, torch.from_numpy(places + 100.0 * video).float()[:, None]
        begin += size


def values(parts) -> list[float]:
    assert [int(place) for places, _ in parts for place in places] == list(
        range(sum(len(places) for places, _ in parts))
    )
    return [float(x) for _, rows in parts for x in rows[:, 0]]


@pytest.mark.parametrize(
    "sizes", [[(3,), (4,), (5,)], [(25,), (1,)], [(7, 7, 7), (), (2, 9)], [(10,), (10,)], [()]]
)
def test_every_input_comes_back_to_its_video_in_full_batches(ten, sizes):
    shapes = []

    def embed(inputs):
        shapes.append(len(inputs))
        return inputs + 0.5

    videos = [(number, batches(number, *each)) for number, each in enumerate(sizes)]
    found = list(over_videos(embed, videos))
    assert [video for video, _ in found] == list(range(len(sizes)))
    for number, parts in found:
        expected = [100 * number + place + 0.5 for place in range(sum(sizes[number]))]
        assert values(parts) == expected
    total = sum(map(sum, sizes))
    assert shapes == [10] * -(-total // 10)


def test_a_video_is_yielded_as_soon_as_its_inputs_were_embedded(ten):
    read = []

    def videos():
        for number in range(6):
            read.append(number)
            yield number, batches(number, 6)

    seen = [(video, len(read)) for video, _ in over_videos(lambda x: x, videos())]
    assert seen == [(0, 2), (1, 4), (2, 4), (3, 5), (4, 5), (5, 6)]


def test_what_has_nothing_to_read_keeps_its_place(ten):
    videos = [("a", batches(0, 4)), ("kept", None), ("b", batches(1, 4))]
    found = dict(over_videos(lambda x: x, videos))
    assert list(found) == ["a", "kept", "b"]
    assert found["kept"] == []
    assert values(found["b"]) == [100, 101, 102, 103]


def test_inputs_of_another_shape_have_batches_of_their_own(ten):
    def wide(size):
        yield np.arange(size), torch.ones(size, 2)

    shapes = []

    def embed(inputs):
        shapes.append(tuple(inputs.shape))
        return inputs[:, :1]

    list(over_videos(embed, [("a", batches(0, 4)), ("b", wide(3)), ("c", batches(2, 4))]))
    assert shapes == [(10, 1), (5, 2), (10, 1)]


def test_an_error_of_reading_leaves_the_others_alone(ten):
    def cut():
        yield from batches(1, 4)
        raise MediaError("cut")

    videos = [("a", batches(0, 4)), ("b", cut()), ("c", batches(2, 12))]
    found = dict(over_videos(lambda x: x, videos))
    assert found["b"] is None
    assert values(found["a"]) == [0, 1, 2, 3]
    assert values(found["c"]) == [200.0 + place for place in range(12)]


def test_an_error_of_the_network_is_of_the_videos_of_its_batch(ten):
    calls = []

    def embed(inputs):
        calls.append(len(inputs))
        if len(calls) == 1:
            raise RuntimeError("no memory")
        return inputs

    videos = [(number, batches(number, 6)) for number in range(4)]
    found = dict(over_videos(embed, videos))
    assert found[0] is None
    assert found[1] is None  # its first four inputs were in that batch
    assert values(found[2]) == [200.0 + place for place in range(6)]
    assert values(found[3]) == [300.0 + place for place in range(6)]


@pytest.fixture
def corpus(tmp_path):
    return media.make_corpus(tmp_path, {"test": 4}, seconds=2)


@pytest.fixture
def on_gpu(monkeypatch):
    """Jobs join videos, as on a GPU; a batch holds 40 faces, and a video of 2 s has 25."""
    monkeypatch.setattr(job.Job, "joins", property(lambda self: self._in_batches))
    monkeypatch.setattr(joined, "BATCH_BYTES", 40 * 112 * 112 * 3)


def encode(layout, **options) -> pd.DataFrame:
    settings = media.settings("face_expression", **options)
    encode_shard("tiny", (0, 1), settings, layout)
    return join(layout.features("tiny", "face_expression")).set_index("video")


def features(layout) -> dict[str, np.ndarray]:
    store = FeatureStore.open(layout.features("tiny", "face_expression") / "index.parquet")
    return {video: store.load(video).rows for video in store.videos}


@pytest.fixture
def sizes(monkeypatch):
    """The number of faces of each call of the network."""
    seen, embed = [], FaceExpression.embed
    monkeypatch.setattr(
        FaceExpression, "embed", lambda self, x: seen.append(len(x)) or embed(self, x)
    )
    return seen


def test_a_stage_joins_videos_and_gives_their_features(corpus, sizes, on_gpu, monkeypatch):
    with monkeypatch.context() as plain:
        plain.setattr(job.Job, "joins", property(lambda self: False))
        first = encode(corpus)
        alone = features(corpus)
        assert sizes == [25] * 4
    for path in corpus.features("tiny", "face_expression").glob("*"):
        path.unlink()
    sizes.clear()
    second = encode(corpus)
    assert sizes == [40] * 3  # of 100 faces
    assert list(second.index) == list(first.index)
    assert set(second["status"]) == {"ok"}
    for video, rows in features(corpus).items():
        np.testing.assert_allclose(rows.astype(float), alone[video], rtol=1e-3, atol=1e-6)


def test_which_videos_are_left_changes_a_feature_by_rounding_at_most(corpus, on_gpu):
    encode(corpus)
    together = features(corpus)
    (corpus.features("tiny", "face_expression") / "test_2.json").unlink()
    encode(corpus)
    found = features(corpus)["test_2"].astype(float)
    np.testing.assert_allclose(found, together["test_2"], rtol=1e-3, atol=1e-6)


def test_kept_videos_are_not_read_again(corpus, on_gpu, monkeypatch):
    first = encode(corpus)
    monkeypatch.setattr(MediaRecord, "crops", None)
    pd.testing.assert_frame_equal(encode(corpus), first)


def test_a_video_that_cannot_be_read_fails_alone(corpus, on_gpu):
    path = corpus.media("tiny") / "test_1" / "faces.zip"
    path.write_bytes(path.read_bytes()[:2000])
    index = encode(corpus)
    assert list(index.index[index["status"] == "failed"]) == ["test_1"]
    assert "test_1" in index.loc["test_1", "reason"]
    assert "faces.zip" in index.loc["test_1", "reason"]


def test_videos_of_a_batch_that_failed_are_encoded_alone(corpus, on_gpu, monkeypatch):
    """Such as on a GPU with too little memory for a batch of several videos."""
    embed, sizes = FaceExpression.embed, []

    def small(encoder, faces):
        sizes.append(len(faces))
        if len(faces) == 40:
            raise RuntimeError("no memory")
        return embed(encoder, faces)

    monkeypatch.setattr(FaceExpression, "embed", small)
    assert set(encode(corpus)["status"]) == {"ok"}
    assert sorted(sizes) == [25] * 4 + [40] * 3


def test_a_stop_leaves_no_thread(corpus, on_gpu, monkeypatch):
    def stop(encoder, faces):
        raise KeyboardInterrupt

    monkeypatch.setattr(FaceExpression, "embed", stop)
    with pytest.raises(KeyboardInterrupt):
        encode(corpus)
    assert not [x for x in threading.enumerate() if "_compute" in x.name]


def test_videos_are_joined_on_a_gpu_unless_they_have_different_fits(corpus, monkeypatch):
    settings = media.settings("face_expression")
    of_cpu = job.Job("tiny", settings, corpus)
    assert not of_cpu.joins
    monkeypatch.setattr(job.device, "of", lambda net: torch.device("cuda"))
    assert of_cpu.joins
    of_cpu.settings = settings.updated(cross_fit=5)
    assert not of_cpu.joins
    words = base.build(media.settings("words"))
    of_cpu.settings, of_cpu.encoder = settings, words
    assert not of_cpu.joins
