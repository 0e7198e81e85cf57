"""Live predictions: rows of spans, the end, what is refused, and skipping when it is too slow."""

import json
import os
import signal
import subprocess
import sys
import threading

import av
import numpy as np
import pandas as pd
import pytest

from avfusion import cli
from avfusion.errors import AvfError, MediaError
from avfusion.prediction.clip import predict_clip
from avfusion.prediction.live import buffer as buffers
from avfusion.prediction.live.buffer import Buffer
from avfusion.prediction.live.clock import SoundClock
from avfusion.prediction.live.follow import updates
from avfusion.prediction.live.reach import Reach, reach_of
from avfusion.prediction.live.run import Live, live, predictor
from avfusion.prediction.live.source import Source
from avfusion.prediction.live.written import Written
from avfusion.prediction.request import Request
from support.recordings import recorded, written
from support.tiny_bundle import tiny_clip

PCM = ("pcm_s16le", 16_000)
HOP_S = 0.16


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("film") / "film.mp4", 7.0)


@pytest.fixture(scope="module")
def mkv(film):
    return recorded(film, film.with_suffix(".mkv"), "matroska", sound=PCM)


def order(bundle, source, out, **given):
    return Live(str(source), bundle.folder, out, **{"behind_s": 1e6, "idle_s": 2.0, **given})


def shown(line):
    assert line


def test_rows_of_a_growing_file_are_those_of_its_spans(live_bundle, mkv, tmp_path):
    growing = tmp_path / "talk.mkv"
    growing.touch()
    writer = written(mkv, growing, 20, 0.15)
    lines = []
    table = live(order(live_bundle, growing, tmp_path / "out", update_s=2.0), lines.append)
    assert writer.wait() == 0
    rows = pd.read_csv(table)
    about = json.loads(table.with_suffix(".json").read_text())
    step, span, late = (round(s / HOP_S) for s in about["options"]["live"].values())
    assert rows["time_s"].to_numpy() == pytest.approx(np.arange(1, len(rows) + 1) * HOP_S)
    assert rows["time_s"].iloc[-1] > 6.7
    assert about["rows"] == len(rows)
    assert list(rows.columns) == list(about["columns"])
    ends = [*range(step, len(rows), step), len(rows)]
    assert ends[-2] > span, "a span begins inside the recording"
    done = 0
    for end in ends:
        request = Request(start_s=max(0, end - span) * HOP_S, end_s=end * HOP_S)
        wanted = predict_clip(mkv, live_bundle, request).table
        last = end if end == len(rows) else end - late
        wanted = wanted[(wanted["time_s"] / HOP_S).round().between(done + 1, last)]
        for name in ("valence", "arousal_low", "face_score", "voiced", "unlike_training"):
            np.testing.assert_allclose(rows[name][done:last], wanted[name], atol=1e-6)
        done = last
    assert all("behind" in line for line in lines[1:])
    assert not (tmp_path / "out/.avf-work").exists()
    with pytest.raises(AvfError, match="earlier recording"):
        live(order(live_bundle, growing, tmp_path / "out"), shown)


def test_sigterm_ends_a_stream_from_a_pipe_with_its_description(live_bundle, film, tmp_path):
    stream = recorded(film, tmp_path / "film.ts", "mpegts", sound=("mp2", 16_000))
    writer = written(stream, "-", 7, 1.0, stdout=subprocess.PIPE)
    words = ["predict", "--live", "-", "--model", str(live_bundle.folder), "--behind", "1e6"]
    command = [sys.executable, "-m", "avfusion.cli", *words, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdin=writer.stdout, stdout=subprocess.PIPE, text=True)
    writer.stdout.close()
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=300)
    writer.kill()
    writer.wait()
    assert process.returncode == 0, rest
    assert "valence" in lines[1]
    assert "wrote" in rest
    about = json.loads((tmp_path / "out/stdin.live.json").read_text())
    assert about["rows"] == len(pd.read_csv(tmp_path / "out/stdin.live.csv")) > 0
    assert "stopped" in about["remarks"][0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "stdin.live.csv",
        "stdin.live.json",
    ]


def test_a_named_pipe_of_sound_only_is_followed(live_bundle, film, tmp_path):
    sound = recorded(film, tmp_path / "film.mka", "matroska", sound=PCM, kinds=("audio",))
    os.mkfifo(tmp_path / "microphone")
    writer = written(sound, tmp_path / "microphone", 4, 0.1)
    table = live(order(live_bundle, tmp_path / "microphone", tmp_path, update_s=3.0), shown)
    assert writer.wait() == 0
    rows = pd.read_csv(table)
    assert len(rows) == pytest.approx(7.0 / HOP_S, abs=1)
    assert rows["valence"].notna().all()
    assert rows["track_id"].isna().all()
    assert any(
        "No pictures" in r
        for r in json.loads((tmp_path / "microphone.live.json").read_text())["remarks"]
    )


def opened(path, keep_s):
    """A buffer for a file, and its packets; the streams keep the file open."""
    container = av.open(str(path))
    buffer = Buffer("talk", keep_s)
    buffer.begin(container.streams)
    return buffer, (packet for packet in container.demux() if packet.size)


def add_all(buffer, arriving):
    for packet in arriving:
        buffer.add(packet)


def test_a_slow_machine_skips_to_the_newest_span_and_names_the_gap(live_bundle, mkv, tmp_path):
    """While the second span is predicted, the rest of the recording arrives."""
    reach = reach_of(live_bundle, 0.8)
    buffer, arriving = opened(mkv, reach.span_s + 2.0)

    def arrive(until_s):
        for packet in arriving:
            buffer.add(packet)
            if buffer.complete_s > until_s:
                return
        buffer.end()

    ready, calls = predictor(live_bundle, Request(), tmp_path / "work"), []

    def slow(path, start_s, end_s):
        calls.append(path)
        arrive(1.7 if len(calls) == 1 else 100.0)
        return ready(path, start_s, end_s)

    arrive(1.0)
    rows = Written(tmp_path, "talk", reach)
    spans = []
    for update in updates(buffer, reach, slow, tmp_path, 2.0, threading.Event()):
        rows.add(update)
        spans.append(update.span)
    rows.close({}, {}, [])
    times_s = pd.read_csv(tmp_path / "talk.live.csv")["time_s"]
    (gap,) = (span for span in spans if span.first > span.skipped)
    missing = np.setdiff1d(np.arange(1, spans[-1].last + 1), (times_s / HOP_S).round())
    assert missing.tolist() == list(range(gap.skipped + 1, gap.first + 1))
    assert len(missing) > 5
    remarks = json.loads((tmp_path / "talk.live.json").read_text())["remarks"]
    expected = f"no rows from {gap.skipped * HOP_S:.2f} to {gap.first * HOP_S:.2f} s"
    assert f"{expected}: slower than real time" in remarks


def test_old_packets_are_forgotten(mkv, tmp_path):
    buffer, arriving = opened(mkv, 1.0)
    most_s = 0.0
    for packet in arriving:
        buffer.add(packet)
        most_s = max(most_s, buffer.held_s)
    assert buffer.newest_s > 6.5
    assert 1.0 <= most_s < 2.1  # a keyframe every half second
    with pytest.raises(MediaError, match="not kept"):
        buffer.write(tmp_path / "span.nut", 0.0, 1.0)


@pytest.mark.parametrize("codec", ["aac", "libopus", "pcm_s16le"])
def test_sound_is_placed_by_its_samples_with_those_that_decoders_drop(film, tmp_path, codec):
    """Matroska rounds times to 1 ms, and a decoder drops the first samples of AAC and Opus."""
    path = recorded(film, tmp_path / "film.mkv", "matroska", sound=(codec, 48_000))
    clock = SoundClock()
    with av.open(str(path)) as container:
        given = [packet for packet in container.demux(audio=0) if packet.size]
        placed = [place for packet in given for place in clock(packet)]
    assert [place.data for place in placed] == [bytes(packet) for packet in given]
    starts = np.array([place.start for place in placed])
    assert np.diff(starts).tolist() == [place.length for place in placed][:-1]
    stated_s = np.array([float(packet.pts * packet.time_base) for packet in given])
    np.testing.assert_allclose(starts / 48_000, stated_s, atol=1.1e-3)


def test_a_recording_without_keyframes_is_refused(film, tmp_path, monkeypatch):
    monkeypatch.setattr(buffers, "KEYFRAME_S", 3.0)
    path = recorded(film, tmp_path / "long.mkv", "matroska", gop=1000)
    buffer, arriving = opened(path, 1.0)
    with pytest.raises(MediaError, match="no keyframe for 3 s"):
        add_all(buffer, arriving)


def test_timestamps_that_step_back_end_the_rows(mkv):
    buffer, first = opened(mkv, 1.0)
    _, second = opened(mkv, 1.0)
    add_all(buffer, first)
    with pytest.raises(MediaError, match="step back"):
        add_all(buffer, second)


def test_a_span_covers_the_context_a_window_and_a_step(live_bundle):
    reach = reach_of(live_bundle, 1.0)
    assert reach.hop_s == pytest.approx(HOP_S)
    assert reach.step == 7  # 1 s in steps of 0.16 s
    assert reach.span >= 2 * 4 + 4 + reach.step  # 2 clips of 0.64 s; a clip of context
    assert 0 < reach.late <= 2  # the window of a spectrum
    windows = live_bundle.document.windows.model_copy(update={"last": "padded"})
    document = live_bundle.document.model_copy(update={"windows": windows})
    padded = reach_of(type(live_bundle)(live_bundle.folder, document, "", {}), 1.0)
    assert isinstance(padded, Reach)
    assert padded.span % (2 * 4) == 0
    assert padded.span >= reach.span


def test_a_bundle_that_needs_the_complete_clip_is_refused(bundle, mkv, tmp_path, capsys):
    words = ["predict", "--live", str(mkv), "--model", str(bundle.folder), "--out", str(tmp_path)]
    assert cli.main(words) == 1
    message = capsys.readouterr().err
    assert "mel_cnn" in message
    assert "at_rest: false" in message
    assert "avf bundle --best tiny" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"a,b\n1,2\n3,4\n", "a table with 2 columns"),
        ("a.mkv", b"", "nothing arrived"),
        ("a.mkv", bytes(range(256)) * 40, "cannot be read while it is written"),
        ("a", None, "a folder"),
    ],
)
def test_what_is_no_recording_is_refused(live_bundle, tmp_path, name, content, message):
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(MediaError, match=message):
        live(order(live_bundle, path, tmp_path / "out", idle_s=0.2), shown)
    assert not list((tmp_path / "out").rglob("*.live.*"))


def test_an_mp4_file_says_in_which_format_to_record(live_bundle, film, tmp_path):
    path = tmp_path / "plain.mp4"
    recorded(film, path, "mp4")
    with pytest.raises(MediaError, match=r"index at the end.*Matroska"):
        live(order(live_bundle, path, tmp_path, idle_s=0.2), shown)
    for name, message in (("none.mkv", "no such file"), ("/dev/none", "no such device")):
        with pytest.raises(MediaError, match=message):
            live(order(live_bundle, tmp_path / name, tmp_path), shown)
    with pytest.raises(MediaError, match=r"a device.*ffmpeg -f v4l2"):
        live(order(live_bundle, "/dev/zero", tmp_path), shown)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--live", "--start", "1"], "--start"),
        (["--live", "--jobs", "2"], "--jobs"),
        (["--live", "--embed"], "--embed"),
        (["--live", "--every", "1"], "--every"),
        (["--live", "--face", "all"], "follows one person"),
        (["--live", "--formats", "csv,html"], "--formats"),
        (["--live", "--transcript", "a.txt"], "--transcript"),
        (["--live", "--update", "0"], "--update 0"),
        (["--live", "--idle", "0"], "--idle 0"),
        (["--update", "1"], "only with --live"),
    ],
)
def test_options_that_do_not_fit_are_refused(live_bundle, mkv, tmp_path, capsys, words, message):
    given = ["predict", str(mkv), "--model", str(live_bundle.folder), "--out", str(tmp_path)]
    assert cli.main([*given, *words]) == 1
    assert message in capsys.readouterr().err


def test_a_file_that_does_not_grow_ends_once(tmp_path, mkv):
    path = tmp_path / "talk.mkv"
    path.write_bytes(mkv.read_bytes()[:10_000])
    source = Source(str(path), 0.3, threading.Event())
    assert len(source.read(20_000)) == 10_000
    assert source.read(20_000) == b""
    path.write_bytes(mkv.read_bytes())
    assert source.read(20_000) == b"", "FFmpeg reads again after the end, and would wait again"
    source.close()


def test_several_clips_are_refused(live_bundle, mkv, capsys):
    words = ["predict", str(mkv), "other.mkv", "--live", "--model", str(live_bundle.folder)]
    assert cli.main(words) == 1
    assert "2 clips" in capsys.readouterr().err
