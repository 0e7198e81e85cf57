"""The smallest corpora: one person, one video, sound or pictures only, and hardly any ratings."""

import json
import wave

import numpy as np
import pandas as pd
import pytest

from avfusion.config.sections import MediaSettings
from avfusion.corpora.own.split import Row, cut, over_time
from avfusion.errors import CorpusError, MediaError
from avfusion.layout import Layout
from avfusion.media.person import Person
from avfusion.media.read import read_video
from avfusion.media.stage import person_of
from avfusion.media.store import MediaRecord
from support import odd_videos
from support.miniatures import verify

RATE_HZ = 8000


def film(path, seconds=16.0, hz=5):
    """Write a film of few frames, with sound."""
    count = int(seconds * hz)
    images = odd_videos.pictures(count)
    times_ms = [round(1000 * i / hz) for i in range(count)]
    return odd_videos.write(path, images, times_ms, [(0.0, odd_videos.tone(seconds))])


def tone(path, seconds, start_hz=200):
    """Write a wav whose pitch rises by 50 Hz each second."""
    at_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch = start_hz + 50 * np.floor(at_s)
    samples = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def rate(path, seconds, hz=5):
    times_s = np.arange(0, seconds, 1 / hz)
    table = pd.DataFrame({"time_s": times_s, "valence": np.sin(times_s), "arousal": times_s / 100})
    table.to_csv(path, index=False)


def checked(root, lines, results, **options):
    """Write a manifest and verify it."""
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return verify("own", root, {"rating_hz": 5, **options}, results)


def tables(results):
    layout = Layout(results)
    manifest = pd.read_parquet(layout.manifest("own")).set_index("video")
    return manifest, pd.read_parquet(layout.gold("own")), json.loads(layout.card("own").read_text())


def test_one_video_is_split_over_time_with_a_warning(tmp_path):
    film(tmp_path / "a.mp4", 20.0)
    rate(tmp_path / "a.csv", 20.0)
    code, checks = checked(tmp_path, ["video,subject,ratings", "a.mp4,ann,a.csv"], tmp_path / "r")
    assert code == 0
    assert checks.loc["split", "verdict"] == "WARN"
    assert "cannot show how well a model works for a new person" in checks.loc["split", "hint"]
    assert checks.loc["subject overlap", "verdict"] == "WARN"
    manifest, gold, card = tables(tmp_path / "r")
    spans = {v: (row.start_s, row.end_s) for v, row in manifest.iterrows()}
    assert spans == {"a__train": (0, 12), "a__validation": (13, 16), "a__test": (17, 20)}
    assert card["people_shared"] is True
    assert card["split"].startswith("over time")
    for video, (start_s, end_s) in spans.items():
        rows = gold[gold["video"] == video]
        assert rows["time_s"].min() == 0
        assert rows["time_s"].max() <= end_s - start_s
        assert np.allclose(rows["valence"], np.sin(rows["time_s"] + start_s))


def test_the_pieces_of_a_video_are_read_from_their_spans(tmp_path):
    film(tmp_path / "a.mp4", 20.0)
    rate(tmp_path / "a.csv", 20.0)
    checked(tmp_path, ["video,subject,ratings", "a.mp4,ann,a.csv"], tmp_path / "r")
    manifest, _, _ = tables(tmp_path / "r")
    row = next(manifest.loc[["a__test"]].reset_index().itertuples())
    person, _ = person_of(tmp_path, row)
    meta = read_video(tmp_path / "a.mp4", tmp_path / "m", MediaSettings(), person=person)
    assert meta["duration_s"] == pytest.approx(3.0, abs=0.21)


def test_short_videos_of_one_person_are_dealt_out_in_order(tmp_path):
    lines = ["video,subject,ratings"]
    for k in range(5):
        film(tmp_path / f"v{k}.mp4", 4.0)
        rate(tmp_path / f"v{k}.csv", 4.0)
        lines.append(f"v{k}.mp4,{'ab'[k % 2]},v{k}.csv")
    code, checks = checked(tmp_path, lines, tmp_path / "r")
    assert code == 0
    assert checks.loc["split", "verdict"] == "WARN"
    manifest, _, card = tables(tmp_path / "r")
    assert manifest["partition"].tolist() == ["train"] * 3 + ["validation", "test"]
    assert card["people_shared"] is True


def test_too_little_for_any_split_gets_one_message_with_what_is_needed(tmp_path):
    film(tmp_path / "a.mp4", 4.0)
    rate(tmp_path / "a.csv", 4.0)
    code, checks = checked(tmp_path, ["video,subject,ratings", "a.mp4,ann,a.csv"], tmp_path / "r")
    assert code == 1
    failed = checks[checks["verdict"] == "FAIL"]
    assert list(failed.index) == ["tree"]
    assert "one rated video of 15 s or more, or 3 rated videos" in failed.loc["tree", "found"]


def test_no_ratings_at_all_get_one_message(tmp_path):
    film(tmp_path / "a.mp4", 4.0)
    code, checks = checked(tmp_path, ["video,subject,ratings", "a.mp4,ann,"], tmp_path / "r")
    assert code == 1
    failed = checks[checks["verdict"] == "FAIL"]
    assert list(failed.index) == ["tree"]
    assert "no video has ratings. Training needs ratings" in failed.loc["tree", "found"]


def test_unrated_people_are_in_test_and_unrated_videos_stay_with_their_person(tmp_path):
    lines = ["video,subject,ratings"]
    for name in "abcd":
        film(tmp_path / f"{name}.mp4", 4.0)
        rate(tmp_path / f"{name}.csv", 4.0)
        lines.append(f"{name}.mp4,{name},{'' if name == 'd' else f'{name}.csv'}")
    film(tmp_path / "e.mp4", 4.0)
    for subject in "abc":
        lines.append(f"e.mp4,{subject},".replace("e.mp4", f"e{subject}.mp4"))
        film(tmp_path / f"e{subject}.mp4", 4.0)
    (tmp_path / "e.mp4").unlink()
    code, checks = checked(tmp_path, lines, tmp_path / "r")
    assert code == 0
    assert set(checks.loc[["gold of train", "gold of validation"], "verdict"]) == {"WARN"}
    manifest, _, _ = tables(tmp_path / "r")
    assert manifest.loc["d", "partition"] == "test"
    for name in "abc":
        assert manifest.loc[f"e{name}", "partition"] == manifest.loc[name, "partition"]


def test_sound_without_pictures_is_listed_under_sound(tmp_path):
    lines = ["sound,subject,ratings"]
    for k in range(3):
        tone(tmp_path / f"s{k}.wav", 5.0)
        rate(tmp_path / f"s{k}.csv", 5.0)
        lines.append(f"s{k}.wav,p{k},s{k}.csv")
    code, checks = checked(tmp_path, lines, tmp_path / "r")
    assert code == 0
    assert not (checks["verdict"] != "PASS").any(), checks[checks["verdict"] != "PASS"]
    manifest, _, _ = tables(tmp_path / "r")
    assert (manifest["path"] == manifest["sound"]).all()


def test_the_last_rating_of_a_sound_file_holds_to_its_end(tmp_path):
    lines = ["sound,subject,ratings"]
    for k in range(3):
        tone(tmp_path / f"s{k}.wav", 5.0)
        (tmp_path / f"s{k}.csv").write_text(f"time_s,valence,arousal\n0,0.{k},0\n1,0.5,0.1\n")
        lines.append(f"s{k}.wav,p{k},s{k}.csv")
    checked(tmp_path, lines, tmp_path / "r", ratings="held")
    _, gold, _ = tables(tmp_path / "r")
    assert gold.groupby("video")["time_s"].max().tolist() == pytest.approx([4.9] * 3)


def test_a_sound_file_as_a_video_fails_and_names_the_column(tmp_path):
    tone(tmp_path / "s.wav", 20.0)
    rate(tmp_path / "s.csv", 20.0)
    lines = ["video,subject,partition,ratings"]
    lines += [f"s.wav,p,{part},s.csv" for part in ("train",)]
    code, checks = checked(tmp_path, lines, tmp_path / "r")
    assert code == 1
    assert "this is a sound file" in checks.loc["video files", "found"]
    assert "column `sound`" in checks.loc["video files", "hint"]


def loudest_hz(samples, rate_hz):
    return np.abs(np.fft.rfft(samples)).argmax() * rate_hz / len(samples)


@pytest.mark.parametrize("cut_s", [None, (2.0, 4.5)])
def test_a_sound_file_becomes_a_record_without_frames(tmp_path, cut_s):
    path = tone(tmp_path / "s.wav", 5.0)
    meta = read_video(path, tmp_path / "m", MediaSettings(), person=Person(sound=path, cut_s=cut_s))
    start_s, end_s = cut_s or (0.0, 5.0)
    assert (meta["frames"], meta["audio"]) == (0, True)
    assert meta["duration_s"] == pytest.approx(end_s - start_s, abs=0.01)
    record = MediaRecord.open(tmp_path / "m")
    assert len(record.frames) == 0
    assert len(record.with_face) == 0
    samples, known = record.waveform(1.2, 1.8)
    assert known.all()
    assert loudest_hz(samples, 16000) == pytest.approx(200 + 50 * (start_s + 1), abs=3)


def test_a_table_as_a_sound_is_refused(tmp_path):
    path = tmp_path / "s.wav"
    path.write_text("time_s,x\n" * 50)
    with pytest.raises(MediaError, match="the sound cannot be read"):
        read_video(path, tmp_path / "m", MediaSettings(), person=Person(sound=path))


def test_gaps_keep_the_pieces_of_a_long_video_apart():
    spans = [piece.span_s for piece in cut("a", 3600.0)]
    assert spans == [(0.0, 2160.0), (2170.0, 2880.0), (2890.0, 3600.0)]


def test_short_videos_next_to_a_long_one_are_trained_on():
    rows = [Row("long", "p", "", True), Row("short", "p", "", True), Row("x", "p", "", False)]
    parts = over_time(rows, {"long": 100.0, "short": 3.0, "x": 9.0}, "m").parts
    assert parts["short"] == "train"
    assert parts["x"] == "test"
    assert parts["long__validation"] == "validation"


def test_two_short_videos_are_refused():
    rows = [Row("a", "p", "", True), Row("b", "q", "", True)]
    with pytest.raises(CorpusError, match="2 rated subjects in 2 videos of at most 9"):
        over_time(rows, {"a": 9.0, "b": 3.0}, "m")


@pytest.mark.parametrize("column", ["video", "ratings", "transcript", "sound"])
def test_a_path_longer_than_the_file_system_allows_is_a_missing_file(column, tmp_path):
    film(tmp_path / "a.mp4", 4)
    film(tmp_path / "b.mp4", 4)
    rate(tmp_path / "a.csv", 4)
    row = {"video": "a.mp4", "ratings": "a.csv", "subject": "s1", "partition": "train"}
    rows = [row, {**row, "video": "b.mp4", "subject": "s2", "partition": "test"}]
    rows[1][column] = 300 * "x" + ".csv"
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.csv", index=False)
    _, checks = verify("own", tmp_path, {"rating_hz": 5}, tmp_path / "results")
    said = checks[checks["verdict"] != "PASS"]["found"]
    assert said.str.contains("xxxxx").any(), said.tolist()
