"""What encoding costs is told before and while a shard is encoded."""

import logging
import math

import numpy as np
import pandas as pd
import pytest

from avfusion.encoders import base, cost
from avfusion.encoders.cost import Progress, clips_of, clips_per_s, clips_per_s_of_all
from avfusion.encoders.stage import encode_shard
from support import synthetic_media as media


class Clock:
    """A clock that only encoding moves."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, 0

    def encoder(self, seconds):
        def encode(ends_s):
            self.calls += 1
            self.now += seconds(len(ends_s))

        return encode


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(cost.time, "monotonic", lambda: clock.now)
    return clock


ENDS_S = np.arange(1, 22_501) * 0.16
"""An hour of clips."""


def test_what_is_computed_once_per_video_is_not_counted(clock):
    assert clips_per_s(clock.encoder(lambda n: 2 + 0.1 * n), ENDS_S) == pytest.approx(10)
    assert clips_per_s(clock.encoder(lambda n: 1.5 * n), ENDS_S) == pytest.approx(1 / 1.5)


def test_a_heavy_network_is_measured_on_few_clips(clock):
    assert clips_per_s(clock.encoder(lambda n: 1.5 * n), ENDS_S) is not None
    assert clock.now == 1.5 * (1 + 1 + 8)


def test_chunks_of_10_s_are_measured_by_the_chunk(clock):
    """The log divides by the clips after the first chunk; the doctor by all of the recording."""

    def seconds(n):
        return 1.5 * math.ceil(n * 0.16 / 10 - 1e-9)

    assert clips_per_s(clock.encoder(seconds), ENDS_S) == pytest.approx(63 / 1.5)
    rate = clips_per_s_of_all(clock.encoder(seconds), ENDS_S[:125])  # 20 s are two chunks
    assert rate == pytest.approx(62.5 / 1.5)


@pytest.mark.parametrize("once_s", [3.0, 30.0])
def test_the_doctor_counts_what_is_computed_once(clock, once_s):
    """A text or a chunk that goes through the network in one pass, slow or not."""
    ends_s = ENDS_S[:125]
    rate = clips_per_s_of_all(clock.encoder(lambda n: once_s + 1e-5 * n), ends_s)
    assert rate == pytest.approx(125 / once_s, rel=1e-3)
    assert clips_per_s(clock.encoder(lambda n: once_s + 1e-5 * n), ends_s) is None


def test_the_doctor_measures_a_heavy_network_on_few_clips(clock):
    rate = clips_per_s_of_all(clock.encoder(lambda n: 2.0 + 1.5 * n), ENDS_S[:125])
    assert rate == pytest.approx(125 / (2 + 1.5 * 125))
    assert clock.now == 2 * 3.5 + 14
    assert clips_per_s_of_all(clock.encoder(lambda n: 60.0 * n), ENDS_S[:1]) == 1 / 60


def test_a_measurement_ends(clock):
    assert clips_per_s(clock.encoder(lambda n: 9 + 1e-6 * n), ENDS_S) is None
    assert clock.calls == 3
    assert clips_per_s(clock.encoder(lambda n: 9 + n), ENDS_S[:1]) is None


def test_the_first_clips_cost_only_their_faces(tmp_path):
    rng = np.random.default_rng(0)
    record = media.make_record(tmp_path / "long", media.course(rng, 20), rng)
    for name in ("face_expression", "ir50_tcn"):
        encoder = base.build(media.settings(name))
        batches = encoder.read(record, ENDS_S[:8], 0.64)
        assert sum(len(faces) for _, faces in batches) == 17  # at 0, 0.08, ..., 1.28 s


def test_clips_follow_from_the_lengths_of_readable_videos():
    index = pd.DataFrame(
        {"status": ["ok", "failed", "ok"], "duration_s": [1.0, None, 0.5], "video": list("abc")}
    )
    assert clips_of(index, 0.16).tolist() == [6, 0, 3]
    assert clips_of(index[["status", "video"]], 0.16).tolist() == [0, 0, 0]


def test_the_cost_of_the_corpus_is_told_once(clock, caplog):
    caplog.set_level(logging.INFO)
    progress = Progress("net shard 0/4", np.array([22_500, 72_900]), 583_000)
    encode = clock.encoder(lambda n: 1.5 * n)
    for _ in range(2):
        progress.announce(encode, ENDS_S, 25_088)
    (line,) = caplog.messages
    # 95,400 x 1.5 s = 39.75 h
    assert "0.667 clips/s, 40 h for 95,400 clips without what is computed once per video" in line
    assert "29 GB (583,000 clips x 25,088)" in line


def test_what_is_left_follows_from_what_was_encoded(clock, caplog):
    caplog.set_level(logging.INFO)
    progress = Progress("net", np.array([50, 100, 500, 1_500]), 2_150)
    progress.step(0, 30.0)  # kept: its time says nothing
    clock.now = 40.0
    progress.step(100, 10.0)
    assert caplog.messages[-1] == "net: 2 of 4 videos, 10 clips/s, at most 3 min left"
    clock.now = 41.0
    progress.step(500, 50.0)
    assert len(caplog.messages) == 1  # not again within 5 s
    progress.step(1_500, 150.0)
    assert caplog.messages[-1] == "net: 4 of 4 videos"


def test_a_failing_measurement_leaves_the_error_to_the_video(clock, caplog):
    caplog.set_level(logging.INFO)
    progress = Progress("net", np.array([6]), 6)

    def broken(ends_s):
        raise ValueError("no memory")

    progress.announce(broken, ENDS_S, 4)
    assert not caplog.messages
    progress.announce(clock.encoder(lambda n: n), ENDS_S, 4)
    assert len(caplog.messages) == 1


def test_a_shard_tells_its_cost_unless_all_is_kept(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    layout = media.make_corpus(tmp_path, {"test": 2}, seconds=2)
    path = layout.media("tiny") / "index.parquet"
    pd.read_parquet(path).assign(duration_s=2.0).to_parquet(path)
    settings = media.settings("face_expression")
    encode_shard("tiny", (0, 1), settings, layout)
    (line,) = (text for text in caplog.messages if "features of the corpus" in text)
    assert "24 clips without what" in line or "not measured on the first video" in line
    assert "(24 clips x 256)" in line
    caplog.clear()
    encode_shard("tiny", (0, 1), settings, layout)
    assert not [text for text in caplog.messages if "features of the corpus" in text]
    assert any("2 of 2 videos" in text for text in caplog.messages)
