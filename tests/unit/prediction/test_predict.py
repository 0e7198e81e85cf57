"""Predictions of clips: as the study predicts, and with doubts where they must not be trusted."""

import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from avfusion import cli
from avfusion.errors import MediaError
from avfusion.layout import Layout
from avfusion.media.store import MediaRecord
from avfusion.prediction import clip as clips
from avfusion.prediction.api import load_bundle, predict
from avfusion.prediction.clip import is_sound, predict_clip
from avfusion.prediction.find import find
from avfusion.prediction.many import Order, run
from avfusion.prediction.request import Request
from avfusion.runs.files import read_settings, read_traces
from support import odd_videos
from support.tiny_bundle import CORPUS, FUSION


@pytest.fixture(scope="module")
def prediction(bundle, clip):
    return predict_clip(clip, bundle)


def test_a_video_of_the_study_has_the_predictions_of_its_runs(bundle, place, monkeypatch):
    """The record is given, since the corpus has no files of videos; all else is predicted."""
    layout = Layout(place / "results")
    folders = [layout.run(CORPUS, FUSION, seed) for seed in (0, 1)]
    traces = pd.concat(read_traces(folder, read_settings(folder)) for folder in folders)
    means = traces.groupby(["video", "time_s"])[["valence", "arousal"]].mean()
    for video in traces["video"].unique():
        record = MediaRecord.open(layout.media(CORPUS) / video)
        table = clips._table(layout.media(CORPUS), bundle, Request(), record, None, None)
        np.testing.assert_allclose(table[["valence", "arousal"]], means.loc[video], atol=1e-6)


def test_rows_say_what_is_seen_and_heard(prediction, bundle):
    table = prediction.table
    assert list(table.columns) == list(prediction.columns)
    steps = np.diff(table["time_s"])
    assert steps == pytest.approx(np.full(len(steps), bundle.document.windows.hop_s))
    assert table["face"].mean() > 0.8
    assert table["face_score"][table["face"]].between(0.5, 1).all()
    assert table["voiced"].between(0, 1).all()
    for target in ("valence", "arousal"):
        assert (table[f"{target}_low"] <= table[target]).all()
        assert (table[f"{target}_high"] >= table[target]).all()
    assert table["unlike_training"].notna().all()
    assert "generated" in prediction.remarks[0]


def test_a_span_has_the_times_of_the_clip(bundle, clip, prediction):
    part = predict_clip(clip, bundle, Request(start_s=1.0, end_s=2.5))
    assert part.clip["start_s"] == 1.0
    assert part.clip["end_s"] == pytest.approx(2.5)
    assert part.table["time_s"].iloc[0] == pytest.approx(1.16)
    assert part.table["time_s"].iloc[-1] <= 2.5
    rest = predict_clip(clip, bundle, Request(start_s=1.0))
    assert rest.clip["end_s"] == pytest.approx(prediction.clip["duration_s"])
    assert part.remarks == rest.remarks == prediction.remarks


def test_rows_can_be_means_over_a_second(bundle, clip, prediction):
    found = predict_clip(clip, bundle, Request(every_s=1.0))
    assert found.step_s == 1.0
    assert found.table["time_s"].tolist() == [1.0, 2.0, 3.0]
    first = prediction.table[prediction.table["time_s"] <= 1]["valence"].mean()
    assert found.table["valence"].iloc[0] == pytest.approx(first)


def test_sound_only_and_pictures_only(bundle, clip, tmp_path):
    import av

    sound, mute = tmp_path / "sound.wav", tmp_path / "mute.mp4"
    with av.open(str(clip)) as source, av.open(str(sound), "w") as new:
        stream = new.add_stream("pcm_s16le", rate=16_000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 16_000)
        for frame in source.decode(audio=0):
            for piece in resampler.resample(frame):
                new.mux(stream.encode(piece))
    with av.open(str(clip)) as source, av.open(str(mute), "w") as new:
        stream = new.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    assert is_sound(sound)
    assert not is_sound(mute)
    heard, seen = predict_clip(sound, bundle), predict_clip(mute, bundle)
    assert any("No pictures" in remark for remark in heard.remarks)
    assert heard.table["track_id"].isna().all()
    assert not heard.table["face"].any()
    assert heard.table["valence"].notna().all()
    assert any("No sound" in remark for remark in seen.remarks)
    assert seen.table["voiced"].isna().all()
    assert seen.table["valence"].notna().all()
    assert (heard.table["valence"].to_numpy()[:10] != seen.table["valence"].to_numpy()[:10]).any()


def test_no_face_is_a_doubt(bundle, tmp_path):
    path = tmp_path / "wall.mkv"
    wall = np.full((120, 160, 3), 90, np.uint8)
    tone = np.sin(np.arange(2 * odd_videos.AUDIO_HZ) / 20).astype(np.float32) * 0.1
    pictures = odd_videos.pictures(2 * odd_videos.FPS, wall)
    odd_videos.write(path, pictures, None, [(0.0, tone)], "matroska")
    found = predict_clip(path, bundle)
    assert not found.table["face"].any()
    reasons = {doubt.reason for doubt in found.doubts}
    assert reasons & {"no face and no speech", "no face: from the voice only"}
    assert found.table["track_id"].isna().all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", b"a,b\n1,2\n3,4\n", "a table with 2 columns"),
        ("empty.mp4", b"", "cannot be opened|not a media file"),
        ("noise.mp4", bytes(range(256)) * 40, "cannot be opened"),
        ("page.html", b"<html></html>\n", "XML, HTML"),
        ("array.npy", b"\x93NUMPY\x01\x00", "NumPy"),
    ],
)
def test_what_is_no_media_is_refused(bundle, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=message):
        predict_clip(path, bundle)


def test_what_is_missing_or_too_short_is_refused(bundle, clip, tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        predict_clip(tmp_path / "none.mp4", bundle)
    with pytest.raises(MediaError, match="a folder"):
        predict_clip(tmp_path, bundle)
    with pytest.raises(MediaError, match="no such file"):
        predict_clip(tmp_path / ("x" * 300 + ".mp4"), bundle)
    with pytest.raises(MediaError, match=r"no picture within|less than one step"):
        predict_clip(clip, bundle, Request(start_s=1.0, end_s=1.05))
    with pytest.raises(MediaError, match="no picture within"):
        predict_clip(clip, bundle, Request(start_s=100.0))


def test_a_folder_goes_on_where_it_stopped_and_lists_what_failed(
    bundle, clip, tmp_path, monkeypatch
):
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    shutil.copy(clip, folder / "a.mp4")
    shutil.copy(clip, folder / "more/b.mp4")
    (folder / "broken.mp4").write_bytes(b"\x00" * 100)
    out = tmp_path / "out"
    order = Order(model=bundle.folder, out=out, formats=("csv",))
    first = list(run(find([str(folder)]), order))
    assert [bool(outcome.reason) for outcome in first] == [False, True, False]
    assert (out / "more/b.csv").is_file()
    contents = {p: p.read_bytes() for p in out.rglob("*.csv")}
    (out / "more/b.csv").unlink()
    machine, work = os.uname().nodename, out / ".avf-work"
    kept = [f"1@{machine}-runs", "999999999@elsewhere-x"]  # of other machines nothing is known
    for name in (*kept, f"999999999@{machine}-killed"):
        (work / name).mkdir(parents=True)
    again = list(run(find([str(folder)]), order))
    assert [outcome.kept for outcome in again] == [True, False, False]
    assert {p: p.read_bytes() for p in out.rglob("*.csv")} == contents
    assert sorted(p.name for p in work.iterdir()) == kept
    shorter = Order(model=bundle.folder, out=out, formats=("csv",), request=Request(end_s=1.0))
    assert not any(outcome.kept for outcome in run(find([str(folder / "a.mp4")]), shorter))
    page = replace(shorter, formats=("html",))
    assert "data:video" not in page_of(run(find([str(folder / "a.mp4")]), page))
    assert "data:video" in page_of(run(find([str(folder / "a.mp4")]), replace(page, embed=True)))


def test_files_of_other_options_are_not_kept_for_these(bundle, clip, tmp_path):
    copy = tmp_path / "a.mp4"
    shutil.copy(clip, copy)
    every = Order(model=bundle.folder, out=tmp_path / "out", formats=("csv",))
    means = replace(every, request=Request(every_s=1.0), formats=("parquet",))
    for order in (every, means):
        list(run(find([str(copy)]), order))
    assert not (tmp_path / "out/a.csv").exists(), "it was of other options"
    (outcome,) = run(find([str(copy)]), replace(means, formats=("csv", "parquet")))
    assert not outcome.kept
    assert len(pd.read_csv(tmp_path / "out/a.csv")) == 3
    moved = tmp_path / "moved"
    moved.mkdir()
    copy.rename(moved / "a.mp4")
    (outcome,) = run(find([str(moved)]), replace(means, formats=("csv",)))
    assert not outcome.kept, "files refer to the clip where it was"


def test_a_transcript_has_the_times_of_the_clip_in_a_span_too(bundle, clip, tmp_path):
    words = tmp_path / "words.csv"
    words.write_text("word,start_s,end_s\none,0.2,0.6\ntwo,1.3,1.7\n")
    record = MediaRecord(tmp_path, {"duration_s": 1.5})
    found = clips._words(clip, bundle, Request(start_s=1.0, end_s=2.5), record, words)
    assert found.duration_s == 1.5
    np.testing.assert_allclose(found.start_s, [-0.8, 0.3])
    np.testing.assert_allclose(found.end_s, [-0.4, 0.7])


def test_one_transcript_is_not_used_for_several_clips(bundle, clip, tmp_path, capsys):
    for name in "ab":
        shutil.copy(clip, tmp_path / f"{name}.mp4")
    words = ["predict", str(tmp_path), "--transcript", "x.csv", "--model", str(bundle.folder)]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 1
    assert "2 are named" in capsys.readouterr().err


def test_a_worker_that_is_killed_takes_no_finished_clip_along(bundle, clip, tmp_path, monkeypatch):
    for name in "abc":
        shutil.copy(clip, tmp_path / f"{name}.mp4")
    order = Order(model=bundle.folder, out=tmp_path / "out", formats=("csv",))
    monkeypatch.setattr("avfusion.prediction.many._in_worker", killed)
    outcomes = list(run(find([str(tmp_path)]), order, jobs=2))
    assert len(outcomes) == 3
    assert all("fewer --jobs" in outcome.reason for outcome in outcomes)


def killed(clip):
    """Stands for a process that the system kills for its memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def page_of(outcomes):
    """Return the text of the first file of the only clip."""
    (outcome,) = outcomes
    return outcome.files[0].read_text(encoding="utf-8")


def test_a_sound_and_a_video_of_one_name_are_both_predicted(bundle, clip, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for ending in ("mp4", "m4v"):
        shutil.copy(clip, folder / f"a.{ending}")
    order = Order(model=bundle.folder, out=tmp_path / "out", formats=("csv",))
    files = [outcome.files for outcome in run(find([str(folder)]), order)]
    assert [path.name for path in sum(files, ())] == [
        "a.m4v.csv",
        "a.m4v.json",
        "a.mp4.csv",
        "a.mp4.json",
    ]
    assert all(outcome.kept for outcome in run(find([str(folder)]), order))


def test_two_processes_write_what_one_writes(bundle, clip, tmp_path):
    for name in ("a", "b", "c"):
        shutil.copy(clip, tmp_path / f"{name}.mp4")
    found = {}
    for jobs in (1, 2):
        order = Order(model=bundle.folder, out=tmp_path / f"out{jobs}", formats=("csv",))
        outcomes = list(run(find([str(tmp_path)]), order, jobs))
        assert [outcome.reason for outcome in outcomes] == [""] * 3
        found[jobs] = [outcome.files[0].read_bytes() for outcome in outcomes]
    assert found[1] == found[2]


def test_the_command_writes_the_table_and_its_meaning(bundle, clip, tmp_path, capsys):
    words = ["predict", str(clip), "--model", str(bundle.folder), "--out", str(tmp_path)]
    assert cli.main([*words, "--formats", "csv,parquet"]) == 0
    assert "wrote" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / 'person\'s "clip".csv')
    about = json.loads((tmp_path / 'person\'s "clip".json').read_text())
    assert set(table.columns) == set(about["columns"])
    assert about["key"]
    assert cli.main(["predict", str(tmp_path / "none.mp4"), *words[2:]]) == 1
    assert "1 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--formats", "csv,docx"], "docx"),
        (["--end", "0"], "--end 0"),
        (["--weights", "x"], "NAME=FILE"),
        (["--model", "/nowhere"], "no bundle there"),
        (["--model", "/nowhere", "--jobs", "2"], "no bundle there"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_predicted(
    bundle, clip, tmp_path, capsys, words, message
):
    given = ["predict", str(clip), "--model", str(bundle.folder), "--out", str(tmp_path / "out")]
    assert cli.main([*given, *words]) == 1
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.json"))


def test_python_gets_the_table_with_its_doubts(bundle, clip, prediction):
    table = predict(clip, model=bundle.folder)
    pd.testing.assert_frame_equal(table, prediction.table)
    assert table.attrs["remarks"] == prediction.remarks
    opened = load_bundle(bundle.folder)
    assert predict(clip, opened, every_s=1.0)["time_s"].tolist() == [1.0, 2.0, 3.0]
