"""One video's trouble stays its own: time limits, killed readers, what is kept and removed."""

import hashlib
import multiprocessing
import os
import signal
import threading
import time

import pandas as pd
import pytest

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.errors import AvfError, ConfigError
from avfusion.io.halves import half_name
from avfusion.io.shards import join
from avfusion.layout import Layout
from avfusion.media.stage import run_shard, video_key
from support import odd_videos
from support.halves import left_half

SETTINGS = MediaSettings()


@pytest.fixture
def corpus(tmp_path):
    """Runs the stage over files below a root; gives back the shard's table."""
    layout = Layout(tmp_path / "results")
    layout.manifest("c").parent.mkdir(parents=True)

    def run(names, shard=(0, 1), **changes):
        rows = [(n, n, hashlib.sha256((tmp_path / n).read_bytes()).hexdigest()) for n in names]
        pd.DataFrame(rows, columns=["video", "path", "sha256"]).to_parquet(layout.manifest("c"))
        media = MediaSettings(**changes)
        run_shard("c", shard, MediaJobSettings(root=tmp_path, media=media), layout)
        return table(shard)

    def table(shard=(0, 1)):
        path = layout.media("c") / f"shard-{shard[0]}-of-{shard[1]}.parquet"
        return pd.read_parquet(path).set_index("video")

    run.root, run.layout, run.table = tmp_path, layout, table
    odd_videos.write(tmp_path / "good.mp4", odd_videos.pictures(10))
    return run


def test_a_video_past_its_time_limit_is_killed_and_says_so(corpus):
    row = corpus(["good.mp4"], time_limit_s=0.02).loc["good.mp4"]
    assert row.status == "failed"
    assert "not read within 0.02 s" in row.reason
    assert "time_limit_s" in row.reason
    assert not multiprocessing.active_children()
    assert not list(corpus.layout.media("c").glob("good.mp4*")), "a half-written face would stay"
    assert corpus(["good.mp4"]).status["good.mp4"] == "ok"  # and the next run heals it


def test_a_killed_reader_fails_one_video_only(corpus):
    """As when the system runs out of memory in a decoder."""
    odd_videos.write(corpus.root / "long.mp4", odd_videos.pictures(250))
    killed = []

    def kill_readers_of_the_first_video():
        while len(killed) < 2:  # the second attempt, without decord, is killed as well
            # Not active_children(): it also collects exit codes, which the stage waits for.
            for process in list(multiprocessing.process._children):
                if process.pid and process.pid not in killed:
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(process.pid)
            time.sleep(0.005)

    thread = threading.Thread(target=kill_readers_of_the_first_video)
    thread.start()
    table = corpus(["long.mp4", "good.mp4"])
    thread.join()
    assert table.status.to_dict() == {"long.mp4": "failed", "good.mp4": "ok"}
    assert "SIGKILL" in table.reason["long.mp4"]


def test_broken_videos_fail_alone_and_only_a_corpus_without_any_other_is_refused(corpus):
    for name in ("a.mp4", "b.mp4"):
        (corpus.root / name).write_bytes(b"")
    assert corpus(["a.mp4", "b.mp4"]).status.tolist() == ["failed", "failed"]
    with pytest.raises(AvfError, match=r"all 2 videos failed\. The first: .*the file is empty"):
        join(corpus.layout.media("c"))
    assert corpus(["a.mp4", "good.mp4"]).status["good.mp4"] == "ok"
    assert join(corpus.layout.media("c")).status.tolist() == ["failed", "ok"]


def test_a_withdrawn_video_leaves_no_face(corpus):
    (corpus.root / "other.mp4").write_bytes((corpus.root / "good.mp4").read_bytes())
    corpus(["good.mp4", "other.mp4"])
    assert (corpus.layout.media("c") / "other.mp4" / "faces.zip").is_file()
    corpus(["good.mp4"])
    assert not (corpus.layout.media("c") / "other.mp4").exists()
    assert (corpus.layout.media("c") / "good.mp4" / "faces.zip").is_file()


def test_other_code_is_another_record(monkeypatch):
    before = video_key("0", SETTINGS)
    monkeypatch.setattr("avfusion.media.stage.fingerprint", lambda *modules: "edited")
    assert video_key("0", SETTINGS) != before


def test_a_setting_that_cannot_be_met_is_the_study_s_fault_not_the_video_s(corpus):
    with pytest.raises(ConfigError, match=r"face_embedding\.path .*no such file"):
        corpus(["good.mp4"], face_embedding={"path": "absent.onnx", "sha256": "0" * 64})


def test_a_failed_video_keeps_no_older_record(corpus):
    corpus(["good.mp4"])
    (corpus.root / "good.mp4").write_bytes(b"")
    assert corpus(["good.mp4"]).status["good.mp4"] == "failed"
    assert not (corpus.layout.media("c") / "good.mp4").exists()


def test_what_a_killed_job_left_half_done_is_swept_away(corpus):
    stale = corpus.layout.media("c") / left_half("good.mp4")
    stale.mkdir(parents=True)
    corpus(["good.mp4"])
    assert not stale.exists()


def test_shards_deal_every_video_once(corpus):
    for name in "abc":
        (corpus.root / name).write_bytes((corpus.root / "good.mp4").read_bytes())
    tables = [corpus(["a", "b", "c"], shard=(index, 2)) for index in range(2)]
    assert sorted(pd.concat(tables).index) == ["a", "b", "c"]


def test_the_key_follows_content_and_settings_but_not_the_time_limit():
    key = video_key("abc", SETTINGS)
    assert video_key("abd", SETTINGS) != key
    assert video_key("abc", MediaSettings(sample_rate_hz=8000)) != key
    assert video_key("abc", MediaSettings(time_limit_s=1.0)) == key


def test_a_withdrawn_video_leaves_no_half_written_face_but_other_shards_go_on(corpus):
    corpus(["good.mp4"])
    stale = corpus.layout.media("c") / left_half("withdrawn.mp4")
    running = corpus.layout.media("c") / half_name("good.mp4").replace(
        str(os.getpid()), str(os.getppid())
    )
    for folder in (stale, running):
        folder.mkdir()
        (folder / "meta.json").write_text("{}")
    corpus(["good.mp4"])
    assert not stale.exists()
    assert running.exists(), "of another process, which is about to rename it"


def test_the_place_of_a_face_network_is_not_part_of_the_key():
    def key(path, digest):
        named = {"path": path, "sha256": digest * 64}
        return video_key("abc", MediaSettings(face_embedding=named))

    assert key("/a/net.onnx", "0") == key("/b/net.onnx", "0")
    assert key("/a/net.onnx", "0") != key("/a/net.onnx", "1")
    assert key("/a/net.onnx", "0") != video_key("abc", SETTINGS)
