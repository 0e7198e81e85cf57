"""Features from files: each format on the clips' time, failed rows, and refusals with numbers.

A feature that is its own time, v(t) = t, shows when a clip's row is of: the mean over a clip must
be the clip's middle, within half a step of the file.
"""

import json
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from avfusion.corpora.own.split import cut
from avfusion.encoders import precomputed
from avfusion.encoders.precomputed import Precomputed
from avfusion.errors import AvfError, CorpusError
from avfusion.media import feature_formats
from avfusion.media.clips import clip_ends
from avfusion.media.feature_files import Source, recordings_s
from avfusion.media.feature_forms import PRESETS

CLIP_S, HOP_S, SECONDS = 0.4, 0.16, 8.0
ENDS_S = clip_ends(SECONDS, HOP_S)
FULL = ENDS_S >= CLIP_S  # clips that begin after the file


def source(root, path, start_s=0.0, duration_s=SECONDS, **named):
    return Source(
        root, "anna", "clips/anna.mp4", {"audio_features": path, **named}, start_s, duration_s
    )


def encoded(root, path, *, at=ENDS_S, clip_s=CLIP_S, **options):
    encoder = Precomputed("mine", "audio", **options)
    return encoder, encoder.encode(source(root, path), at, clip_s)


def assert_on_time(rows, step_s, column=0):
    middles_s = (ENDS_S - CLIP_S / 2)[FULL]
    np.testing.assert_allclose(rows[FULL, column], middles_s, atol=step_s / 2 + 1e-6)


def openface(times_s, lost):
    frames = np.arange(1, len(times_s) + 1)
    table = pd.DataFrame({"frame": frames, "face_id": 0, "timestamp": times_s})
    table["confidence"], table["success"] = np.where(lost, 0.1, 0.97), np.where(lost, 0, 1)
    table["AU12_r"], table["AU45_c"] = np.where(lost, 0.0, times_s), 0.0
    table["x_0"] = 640.0
    return table


def test_openface_skips_failed_frames_and_is_nan_where_all_failed(tmp_path):
    times_s = np.arange(0, SECONDS, 0.04).round(3)
    lost = ((times_s >= 2) & (times_s < 4)) | (np.arange(len(times_s)) % 5 == 3)
    openface(times_s, lost).to_csv(tmp_path / "a.csv", index=False)
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text(text.replace(",", ", "))  # as OpenFace writes it
    encoder, rows = encoded(tmp_path, "a.csv", preset="openface")
    assert encoder.names == ("AU12_r", "AU45_c")
    fine_s = np.arange(0, SECONDS, 0.001) + 0.0005  # a frame is shown until the next one
    shown = np.where(lost, np.nan, times_s)[(fine_s / 0.04).astype(int)]
    inside = [shown[(fine_s > e - CLIP_S) & (fine_s < e)] for e in ENDS_S]
    absent = np.array([np.isnan(values).all() for values in inside])
    assert 5 < absent.sum() < 15
    np.testing.assert_array_equal(np.isnan(rows).any(1), absent)
    np.testing.assert_array_equal(np.isnan(rows).all(1), absent)
    expected = [np.nanmean(values) for values, gone in zip(inside, absent, strict=True) if not gone]
    np.testing.assert_allclose(rows[~absent, 0], expected, atol=1e-3)
    assert (
        encoder.remark(source(tmp_path, "a.csv")) == f"{lost.sum()} of 200 rows of the file failed"
    )


def test_frames_below_the_least_confidence_count_as_failed(tmp_path):
    table = openface(np.arange(0, SECONDS, 0.04), np.zeros(200, bool))
    table.loc[100:149, "confidence"] = 0.7
    table.to_csv(tmp_path / "a.csv", index=False)
    _, rows = encoded(tmp_path, "a.csv", preset="openface", least_confidence=0.8)
    inside = (ENDS_S - CLIP_S >= 4.0) & (ENDS_S <= 6.0)
    assert np.isnan(rows[inside]).all()
    assert not np.isnan(rows[(ENDS_S < 4) | (ENDS_S - CLIP_S > 6)]).any()


def test_opensmile_descriptors_at_10_ms_are_on_time(tmp_path):
    times_s = (np.arange(800) * 0.01).round(2)
    table = pd.DataFrame({"name": "'unknown'", "frameTime": times_s, "loudness": times_s})
    table.to_csv(tmp_path / "a.csv", index=False, sep=";")
    encoder, rows = encoded(tmp_path, "a.csv", preset="opensmile")
    assert encoder.names == ("loudness",)
    assert_on_time(rows, 0.01)


def test_an_array_at_50_hz_is_on_time_from_its_stated_start(tmp_path):
    times_s = 0.5 + np.arange(375) * 0.02
    np.save(tmp_path / "a.npy", np.stack([times_s, -times_s], 1).astype(np.float32))
    _, rows = encoded(tmp_path, "a.npy", hop_s=0.02, begin_s=0.5)
    assert np.isnan(rows[ENDS_S <= 0.5]).all()
    late = ENDS_S - CLIP_S >= 0.5
    np.testing.assert_allclose(rows[late, 0], (ENDS_S - CLIP_S / 2)[late], atol=0.01 + 1e-6)
    np.testing.assert_allclose(rows[late, 1], -rows[late, 0])


def test_irregular_times_of_a_parquet_table_hold_until_the_next_row(tmp_path):
    rng = np.random.default_rng(4)
    times_s = np.sort(rng.uniform(0, SECONDS, 60))
    times_s[30:] += 3 - (times_s[30] - times_s[29])  # a gap of 3 s
    pd.DataFrame({"at": times_s, "v": times_s}).to_parquet(tmp_path / "a.parquet")
    _, rows = encoded(tmp_path, "a.parquet", time="at")
    fine_s = np.arange(0, SECONDS, 0.0005) + 0.00025
    usual_s = np.median(np.diff(times_s))
    last = np.searchsorted(times_s, fine_s, side="right") - 1
    held = np.where((last >= 0) & (fine_s - times_s[last] < 1.5 * usual_s), times_s[last], np.nan)
    for row, end_s in zip(rows[:, 0], ENDS_S, strict=True):
        inside = held[(fine_s > end_s - CLIP_S) & (fine_s < end_s)]
        expected = np.nanmean(inside) if (~np.isnan(inside)).sum() > 2 else np.nan
        if np.isnan(expected):
            assert np.isnan(row) or (~np.isnan(inside)).any()
        else:
            assert row == pytest.approx(expected, abs=0.01)
    assert np.isnan(rows).sum() > 8


def test_hdf5_is_read_with_its_times(tmp_path):
    h5py = pytest.importorskip("h5py")
    times_s = np.arange(200) * 0.04
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["video/values"], file["video/times"] = times_s[:, None], times_s
    _, rows = encoded(tmp_path, "a.h5", key="video/values", time="video/times")
    assert_on_time(rows, 0.04)


def test_without_h5py_one_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n")
    with pytest.raises(AvfError, match=r"h5py, which is not installed\. Run: make extras"):
        encoded(tmp_path, "a.h5", hop_s=0.04)


def test_an_archive_brings_its_times(tmp_path):
    times_s = np.arange(200) * 0.04
    np.savez(tmp_path / "a.npz", features=times_s[:, None], times_s=times_s)
    assert_on_time(encoded(tmp_path, "a.npz")[1], 0.04)


def test_segments_of_audformat_count_by_their_overlap(tmp_path):
    starts = pd.to_timedelta(np.arange(8), unit="s")
    index = {"file": "anna.wav", "start": starts, "end": starts + pd.Timedelta("1s")}
    pd.DataFrame({**index, "f0": np.arange(8.0)}).to_csv(tmp_path / "a.csv", index=False)
    _, rows = encoded(
        tmp_path, "a.csv", preset="audformat", at=np.array([1.0, 1.5, 2.0, 2.25]), clip_s=1.0
    )
    np.testing.assert_allclose(rows[:, 0], [0.0, 0.5, 1.0, 1.25], atol=1e-6)


def test_sliding_segments_stand_for_their_middles(tmp_path):
    starts = np.arange(0, 7)  # of 3 s each, one a second
    table = pd.DataFrame({"start": starts, "end": starts + 3, "v": starts + 1.5})
    table.to_parquet(tmp_path / "a.parquet")
    _, rows = encoded(tmp_path, "a.parquet", preset="audformat")
    inside = (ENDS_S - CLIP_S >= 1) & (ENDS_S <= 7)
    np.testing.assert_allclose(rows[inside, 0], (ENDS_S - CLIP_S / 2)[inside], atol=0.5 + 1e-6)


def test_one_table_holds_all_videos(tmp_path):
    table = pd.DataFrame({"file": ["x/ben.wav", "x/anna.wav"], "start": "0 days", "end": "NaT"})
    table.assign(f0=[1.0, 7.0]).to_csv(tmp_path / "all.csv", index=False)
    encoder = Precomputed("mine", "audio", path="all.csv", preset="audformat")
    rows = encoder.encode(Source(tmp_path, "anna", "clips/anna.mp4", {}, 0, 8.0), ENDS_S, CLIP_S)
    assert (rows == 7.0).all()


PIECE = Source(
    *(Path(), "anna__test", "clips/anna.mp4", {}, 4.8, SECONDS), recording="anna"
)  # the end of anna.mp4, after 4.8 s


def shared(root, files, **options):
    """Write a table with a row every 0.2 s per file; a row is its time, plus 100 per file."""
    starts_s = np.repeat(np.arange(100) * 0.2, len(files))
    table = pd.DataFrame({"file": files * 100, "start": starts_s, "end": starts_s + 0.2})
    table["v"] = starts_s + 0.1 + 100 * np.tile(np.arange(len(files)), 100)
    table.to_csv(root / "all.csv", index=False)
    return Precomputed("mine", "audio", path="all.csv", **{"preset": "audformat", **options})


@pytest.mark.parametrize("cell", ["clips/anna.wav", "anna.mp4", "anna", "/data/clips/anna.wav"])
def test_a_table_that_names_the_recording_is_shifted_to_a_span(tmp_path, cell):
    encoder = shared(tmp_path, [cell, "ben"])
    piece = replace(PIECE, root=tmp_path)
    assert encoder.encode(piece, np.array([0.4]), CLIP_S)[0, 0] == pytest.approx(5.0)
    assert encoder.identity(piece) != encoder.identity(replace(piece, start_s=2.4))


@pytest.mark.parametrize("cell", ["anna__test", "pieces/anna__test.wav"])
def test_a_table_that_names_the_video_counts_from_its_start(tmp_path, cell):
    encoder = shared(tmp_path, [cell, "ben"])
    rows = encoder.encode(replace(PIECE, root=tmp_path), np.array([0.4]), CLIP_S)
    assert rows[0, 0] == pytest.approx(0.2)


def test_a_piece_finds_the_name_of_its_recording(tmp_path):
    row = SimpleNamespace(video="a1__test", partition="test", path="clips/x.mp4", start_s=4.8)
    encoder = shared(tmp_path, ["a1", "ben"])
    rows = encoder.encode(Source.of(tmp_path, row, SECONDS), np.array([0.4]), CLIP_S)
    assert rows[0, 0] == pytest.approx(5.0)


def test_of_recordings_of_one_stem_the_most_like_path_counts(tmp_path):
    encoder = shared(tmp_path, ["/data/day1/anna.wav", "/data/day2/anna.wav"])
    day2 = Source(tmp_path, "day2__anna", "day2/anna.mp4", {}, 0.0, SECONDS)
    assert encoder.encode(day2, np.array([0.4]), CLIP_S)[0, 0] == pytest.approx(100.2)
    with pytest.raises(AvfError, match=r"2 recordings can be clips/anna\.mp4: /data/day1/anna\."):
        encoder.encode(replace(PIECE, root=tmp_path), ENDS_S, CLIP_S)


def test_a_table_without_rows_of_a_video_is_nan_and_the_index_says_so(tmp_path):
    encoder = shared(tmp_path, ["ben", "cleo"])
    record = replace(PIECE, root=tmp_path)
    encoder.names = ("v",)
    assert np.isnan(encoder.encode(record, ENDS_S, CLIP_S)).all()
    assert encoder.remark(record) == "no row of it in all.csv; every row is NaN"


@pytest.mark.parametrize("options", [{"video": "fiel"}, {"preset": "", "time": "start"}])
def test_a_table_of_all_videos_without_their_names_is_refused(tmp_path, options):
    encoder = shared(tmp_path, ["anna", "ben"], **options)
    name = options.get("video", "")
    with pytest.raises(AvfError, match=f"no column '{name}' .* it has file, start, end, v"):
        encoder.encode(replace(PIECE, root=tmp_path), ENDS_S, CLIP_S)


def test_videos_of_one_table_have_features_of_their_own_keys(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    encoder = Precomputed("mine", "audio", preset="audformat")
    ben = replace(source(tmp_path, "a.npy"), video="ben", path="clips/ben.mp4")
    assert encoder.identity(ben) != encoder.identity(source(tmp_path, "a.npy"))


def test_a_table_of_all_videos_is_hashed_and_grouped_once(tmp_path, monkeypatch):
    hashed, grouped = [], []
    monkeypatch.setattr(precomputed, "file_digest", lambda path: hashed.append(path) or b"")
    group = pd.Series.groupby
    monkeypatch.setattr(pd.Series, "groupby", lambda *a, **k: grouped.append(1) or group(*a, **k))
    encoder = shared(tmp_path, ["anna", "ben"])
    for name in ("anna", "ben", "anna"):
        record = Source(tmp_path, name, f"{name}.mp4", {}, 0.0, SECONDS)
        encoder.identity(record)
        encoder.encode(record, ENDS_S, CLIP_S)
    assert len(hashed) == len(grouped) == 1


def test_the_remark_uses_the_rows_of_the_features(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((9, 2)))
    encoder, record = Precomputed("mine", "audio", hop_s=0.04), source(tmp_path, "a.npy")
    encoder.encode(record, ENDS_S, CLIP_S)
    (tmp_path / "a.npy").unlink()
    assert encoder.remark(record) is None


@pytest.mark.parametrize("option", ["time", "stop", "failed", "confidence", "video"])
@pytest.mark.parametrize("preset", ["", "openface"])
def test_an_option_that_names_no_column_is_refused(tmp_path, option, preset):
    table = openface(np.arange(0, SECONDS, 0.04), np.zeros(200, bool))
    table.to_csv(tmp_path / "a.csv", index=False)
    options = {"preset": preset, "time": "timestamp", option: "typo"}
    with pytest.raises(AvfError, match=r"no column 'typo'.* it has frame, face_id, timestamp"):
        encoded(tmp_path, "a.csv", **options)


def test_a_column_of_the_preset_is_refused_only_if_it_is_stated(tmp_path):
    table = openface(np.arange(0, SECONDS, 0.04), np.zeros(200, bool))
    table.drop(columns=["confidence", "success"]).to_csv(tmp_path / "a.csv", index=False)
    assert not np.isnan(encoded(tmp_path, "a.csv", preset="openface")[1]).any()
    for option in ({"failed": "success"}, {"least_confidence": 0.8}):
        with pytest.raises(AvfError, match=r"no column '(success|confidence)'"):
            encoded(tmp_path, "a.csv", preset="openface", **option)


def test_times_of_an_archive_replace_no_stated_name(tmp_path):
    times_s = np.arange(200) * 0.04
    np.savez(tmp_path / "a.npz", features=times_s[:, None], times=times_s)
    with pytest.raises(AvfError, match="no column 'tiems'; it has 0, times"):
        encoded(tmp_path, "a.npz", time="tiems")
    assert_on_time(encoded(tmp_path, "a.npz", preset="openface", columns=["0"])[1], 0.04)


def test_a_single_row_with_a_time_needs_a_length(tmp_path):
    pd.DataFrame({"time": [2.0], "v": [1.0]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(AvfError, match="one row at 2 s, and nothing states how long it lasts"):
        encoded(tmp_path, "a.csv")
    _, rows = encoded(tmp_path, "a.csv", time="time", hop_s=1.0)
    outside = (ENDS_S <= 2) | (ENDS_S - CLIP_S >= 3)
    np.testing.assert_array_equal(np.isnan(rows[:, 0]), outside)


def test_a_single_row_at_time_0_is_of_the_complete_recording(tmp_path):
    """As in the files of openSMILE's functionals."""
    table = pd.DataFrame({"name": ["'unknown'"], "frameTime": [0.0], "v": [1.5]})
    table.to_csv(tmp_path / "a.csv", index=False, sep=";")
    _, rows = encoded(tmp_path, "a.csv", preset="opensmile")
    assert (rows == 1.5).all()


def test_an_overlap_leaves_the_gaps_of_a_file(tmp_path):
    table = pd.DataFrame({"start": [0.0, 1.0, 5.0], "end": [2.0, 2.5, 6.0], "v": [1.0, 2.0, 3.0]})
    table.to_csv(tmp_path / "a.csv", index=False)
    encoder, _ = encoded(tmp_path, "a.csv", preset="audformat")
    rows = source(tmp_path, "a.csv").rows(encoder.form, "mine", "audio")
    assert rows.starts_s.tolist() == [0.0, 1.375, 5.0]
    assert rows.stops_s.tolist() == [1.375, 2.5, 6.0]


def test_spans_inside_another_one_stay_in_order(tmp_path):
    rng = np.random.default_rng(0)
    starts_s = np.sort(rng.uniform(0, 8, 40))
    table = pd.DataFrame({"start": starts_s, "end": starts_s + rng.uniform(0, 2, 40), "v": 1.0})
    table.to_csv(tmp_path / "a.csv", index=False)
    encoder, _ = encoded(tmp_path, "a.csv", preset="audformat")
    rows = source(tmp_path, "a.csv").rows(encoder.form, "mine", "audio")
    edges_s = np.stack([rows.starts_s, rows.stops_s], 1)
    assert (np.diff(edges_s.ravel()) >= 0).all()
    assert (edges_s[:, 0] >= table["start"] - 1e-9).all()
    assert (edges_s[:, 1] <= table["end"] + 1e-9).all()


def test_one_vector_is_of_the_complete_video(tmp_path):
    np.save(tmp_path / "a.npy", np.array([3.0, 4.0]))
    _, rows = encoded(tmp_path, "a.npy")
    np.testing.assert_array_equal(rows, np.tile([3.0, 4.0], (len(ENDS_S), 1)))


def pieces_of(video, path, duration_s, **more):
    """Rows of the manifest of a video that is split over time."""
    rows = [(p.video, p.partition, *p.span_s) for p in cut(video, duration_s)]
    columns = ["video", "partition", "start_s", "end_s"]
    return pd.DataFrame(rows, columns=columns).assign(path=path, **more)


@pytest.mark.parametrize("bare", [False, True])
def test_steps_of_mertools_are_spread_over_the_recording_and_not_over_its_span(tmp_path, bare):
    np.save(tmp_path / "a.npy", np.arange(100.0)[:, None] + 0.5)  # the middles of 100 steps
    named = json.dumps({"audio_features": "a.npy"})
    parts = [pieces_of("a", "a.npy" if bare else "a.mp4", 100.0, features=named)]
    parts += [pieces_of("b", "a.npy" if bare else "b.mp4", 40.0, features=named)]
    manifest = pd.concat(parts)
    lengths_s = recordings_s(manifest)
    assert lengths_s == {video: 100 if video[0] == "a" else 40 for video in manifest["video"]}
    encoder = Precomputed("mine", "audio", preset="mertools")
    for row in parts[0].itertuples():
        piece = Source.of(tmp_path, row, row.end_s - row.start_s, lengths_s)
        ends_s = np.arange(1.0, piece.duration_s + 0.5)
        rows = encoder.encode(piece, ends_s, 1.0)
        np.testing.assert_allclose(rows[:, 0], row.start_s + ends_s - 0.5, atol=1e-3)
        assert encoder.identity(piece)[-1] == 100


def test_steps_are_not_spread_over_a_recording_of_unknown_length(tmp_path):
    """Such as a dialogue whose turns the manifest lists."""
    row = {"video": "turn", "path": "dialogue.mp4", "partition": "train"}
    manifest = pd.DataFrame([{**row, "start_s": 3.0, "end_s": 9.0}])
    (turn,) = manifest.itertuples()
    source = Source.of(tmp_path, turn, 6.0, recordings_s(manifest))
    np.save(tmp_path / "dialogue.npy", np.ones((100, 1)))
    np.save(tmp_path / "turn.npy", np.ones((12, 1)))

    def rows(path, **options):
        return source.rows(Precomputed("mine", "audio", path=path, **options).form, "mine", "audio")

    with pytest.raises(CorpusError, match="100 rows are spread over a recording of unknown length"):
        rows("{path}.npy", preset="mertools")
    assert rows("{video}.npy", preset="mertools").stops_s[-1] == 6.0
    assert rows("{path}.npy", hop_s=0.1).stops_s[-1] == pytest.approx(7.0)
    np.save(tmp_path / "dialogue.npy", np.ones(5))  # one vector is of the complete file
    assert rows("{path}.npy", preset="mertools").stops_s[-1] >= 6.0


def test_steps_of_mertools_are_spread_and_rows_of_zeros_failed(tmp_path):
    values = np.arange(80.0)[:, None] * 0.1 + 0.05  # the middles of 80 steps over 8 s
    values[40:60] = 0
    np.save(tmp_path / "a.npy", values)
    _, rows = encoded(tmp_path, "a.npy", preset="mertools")
    failed = (ENDS_S - CLIP_S >= 4.0 - 1e-9) & (ENDS_S <= 6.0)
    np.testing.assert_array_equal(np.isnan(rows[:, 0]), failed)
    early = FULL & (ENDS_S <= 4)
    np.testing.assert_allclose(rows[early, 0], (ENDS_S - CLIP_S / 2)[early], atol=1e-5)


def test_pyfeat_counts_frames(tmp_path):
    table = pd.DataFrame(
        {"frame": np.arange(200), "FaceScore": 0.99, "AU12": np.arange(200) * 0.04}
    )
    table.loc[50:99, ["FaceScore", "AU12"]] = np.nan
    table.assign(approx_time="00:00", input="a.mp4").to_csv(tmp_path / "a.csv", index=False)
    encoder, rows = encoded(tmp_path, "a.csv", preset="pyfeat", hop_s=0.04)
    assert encoder.names == ("AU12",)
    seen = FULL & ((ENDS_S <= 2) | (ENDS_S - CLIP_S >= 4))
    np.testing.assert_allclose(rows[seen, 0], (ENDS_S - CLIP_S / 2)[seen], atol=0.02 + 1e-6)
    assert np.isnan(rows[(ENDS_S - CLIP_S >= 2) & (ENDS_S <= 4)]).all()
    with pytest.raises(AvfError, match=r"`frame` counts pictures\. Set `hop_s`"):
        encoded(tmp_path, "a.csv", preset="pyfeat")


def test_the_last_row_of_a_clip_can_be_taken(tmp_path):
    times_s = np.arange(200) * 0.04
    np.save(tmp_path / "a.npy", times_s[:, None])
    _, rows = encoded(tmp_path, "a.npy", hop_s=0.04, pool="last")
    expected = [times_s[times_s < end_s - 1e-6][-1] for end_s in ENDS_S]
    np.testing.assert_allclose(rows[:, 0], expected, atol=1e-6)


def test_a_span_of_a_recording_reads_its_own_part(tmp_path):
    times_s = np.arange(3000) * 0.01
    np.save(tmp_path / "a.npy", times_s[:, None])
    encoder = Precomputed("mine", "audio", hop_s=0.01)
    rows = encoder.encode(source(tmp_path, "a.npy", start_s=20.0), ENDS_S, CLIP_S)
    np.testing.assert_allclose(rows[FULL, 0], 20 + (ENDS_S - CLIP_S / 2)[FULL], atol=0.005 + 1e-5)


def test_columns_and_patterns_choose_features(tmp_path):
    table = pd.DataFrame({"time": [0.0, 4.0], "AU01_r": 1.0, "AU01_c": 2.0, "text": "x"})
    table.to_csv(tmp_path / "a.csv", index=False)
    encoder, rows = encoded(tmp_path, "a.csv", time="time", columns=["AU*_c"])
    assert encoder.names == ("AU01_c",)
    assert (rows == 2).all()
    with pytest.raises(AvfError, match=r"matches AU2\*\. It has 2: AU01_r, AU01_c"):
        encoded(tmp_path, "a.csv", time="time", columns=["AU2*"])


def test_a_clip_without_a_number_in_a_column_is_nan_and_the_index_says_why(tmp_path):
    table = pd.DataFrame({"time": np.arange(200) * 0.04, "a": 1.0, "f0": 2.0})
    table.loc[table["time"] < 2, "f0"] = np.nan
    table.to_csv(tmp_path / "a.csv", index=False)
    encoder, rows = encoded(tmp_path, "a.csv", time="time")
    np.testing.assert_array_equal(np.isnan(rows).all(1), ENDS_S <= 2)
    assert not np.isnan(rows[ENDS_S > 2]).any()
    assert "50 of 200 rows lack a number, most often of f0" in encoder.remark(
        source(tmp_path, "a.csv")
    )


REFUSED = {
    "rows without times": (np.zeros((9, 2)), {}, "9 rows without times. .* set `hop_s`"),
    "features after the video": (
        np.zeros((9, 2)),
        {"hop_s": 0.04, "begin_s": 100.0},
        r"from 100 to 100\.36 s, and the video lasts from 0 to 8 s",
    ),
    "beyond half precision": (np.full((9, 2), 7e4), {"hop_s": 0.04}, r"2 of 2 columns .*: 0, 1"),
    "infinite": (np.full((9, 2), np.inf), {"hop_s": 0.04}, "0 is infinite in row 1"),
    "three dimensions": (np.zeros((9, 2, 3)), {"hop_s": 0.04}, r"shape \(9, 2, 3\); expected"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_with_numbers(tmp_path, name):
    array, options, message = REFUSED[name]
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(AvfError, match=message):
        encoded(tmp_path, "a.npy", **options)


TIMES_S = np.arange(200) * 0.04
TABLE = pd.DataFrame({"time": TIMES_S, "v": TIMES_S, "w": 0.5})
LINES = TABLE.round(2).to_csv(index=False).splitlines()

TEXTS = {
    "decimal commas, semicolon": (TABLE.to_csv(index=False, sep=";", decimal=","), {}),
    "decimal commas, tab": (TABLE.to_csv(index=False, sep="\t", decimal=","), {}),
    "a mark of the byte order": ("\ufeff" + TABLE.to_csv(index=False), {}),
    "ends of lines of old systems": ("\r".join(LINES), {}),
    "an empty first line": ("\n" + TABLE.to_csv(index=False), {}),
    "row numbers of pandas": (TABLE.to_csv(), {}),
    "separators at the ends of lines": ("\n".join(f"{line}," for line in LINES), {}),
    "milliseconds": (
        TABLE.assign(time=TIMES_S * 1000).to_csv(index=False),
        {"unit": "milliseconds"},
    ),
    "durations": (TABLE.assign(time=[f"00:00:{t:06.3f}" for t in TIMES_S]).to_csv(index=False), {}),
    "another clock": (
        TABLE.assign(time_s=TIMES_S + 1e6).to_csv(index=False),
        {"time": "time"},
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_tools_and_spreadsheets_write_is_on_time(tmp_path, name):
    text, options = TEXTS[name]
    (tmp_path / "a.csv").write_bytes(text.encode())
    encoder, rows = encoded(tmp_path, "a.csv", **options)
    assert encoder.names == ("v", "w")
    assert_on_time(rows, 0.04)


@pytest.mark.parametrize("comma", [False, True])
def test_a_table_without_names_is_an_array(tmp_path, comma):
    array = np.stack([TIMES_S + 0.5, TIMES_S + 0.5], 1)
    text = TABLE.drop(columns="time").assign(v=array[:, 0], w=array[:, 1])
    sep, decimal = (";", ",") if comma else (",", ".")
    text.to_csv(tmp_path / "a.csv", index=False, header=False, sep=sep, decimal=decimal)
    encoder, rows = encoded(tmp_path, "a.csv", hop_s=0.04)
    np.save(tmp_path / "b.npy", array)
    _, same = encoded(tmp_path, "b.npy", hop_s=0.04)
    assert encoder.names == ("0", "1")
    np.testing.assert_allclose(rows, same, atol=1e-6)
    pd.DataFrame(array).to_csv(tmp_path / "c.csv", index=False)  # names are the numbers
    np.testing.assert_allclose(encoded(tmp_path, "c.csv", hop_s=0.04)[1], same, atol=1e-6)


def changed(line, old, new):
    return "\n".join([*LINES[:line], LINES[line].replace(old, new), *LINES[line + 1 :]])


FAULTY = {
    "a dash": (changed(3, ",0.5", ",-"), "w is '-' in row 3, no number .1 such rows"),
    "a word": (changed(3, ",0.5", ",error"), "w is 'error' in row 3, no number"),
    "a second header": ("\n".join([*LINES, *LINES[:2]]), "v is 'v' in row 201, no number"),
    "thousands": (
        TABLE.assign(w="1,000.50").to_csv(index=False),
        "w is '1,000.50' in row 1, no number .200 such rows",
    ),
    "per cent": (TABLE.assign(w="12%").to_csv(index=False), "w is '12%' in row 1, no number"),
    "decimal commas in quotes": (
        TABLE.assign(w="0,5").to_csv(index=False),
        "w is '0,5' in row 1, no number",
    ),
    "one name twice": ("\n".join(["time,v,v", *LINES[1:]]), "two columns are named 'v'"),
    "a comment": ("\n".join(["# by a tool", *LINES]), "'# by a tool'. Remove"),
    "blanks as separators": (
        TABLE.to_csv(index=False, sep=" "),
        "one column was read, 'time v w'",
    ),
    "milliseconds": (
        TABLE.assign(time=TIMES_S * 1000).to_csv(index=False),
        "200 rows begin from 0 to 7960 s, and the recording ends at 8 s. .*`unit: milliseconds`",
    ),
    "the clock of a computer": (
        TABLE.assign(time=TIMES_S + 1.7e9).to_csv(index=False),
        "begin from 1700000000 to 1700000007.96 s",
    ),
    "two clocks": (
        TABLE.assign(time_s=TIMES_S + 3).to_csv(index=False),
        "has times in time_s and time. Name one by `time`",
    ),
    "minutes and seconds": (
        TABLE.assign(time=[f"00:{t:06.3f}" for t in TIMES_S]).to_csv(index=False),
        "time is '00:00.000' in row 1, no time. Give seconds",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_column_is_never_left_out_or_misread_without_a_word(tmp_path, name):
    text, message = FAULTY[name]
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(AvfError, match=message) as caught:
        encoded(tmp_path, "a.csv")
    assert "a.csv" in str(caught.value)


def test_columns_of_words_are_no_features(tmp_path):
    table = TABLE.assign(tool="x", person="012", note=None)
    table.to_parquet(tmp_path / "a.parquet")
    assert encoded(tmp_path, "a.parquet")[0].names == ("v", "w")
    TABLE.assign(w="-", tool="1.2.3 beta").to_csv(tmp_path / "a.csv", index=False)
    assert encoded(tmp_path, "a.csv")[0].names == ("v",)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("a.csv", TABLE.to_csv(index=False).encode("utf-16"), "not UTF-8 .byte 0.. Save it as"),
        ("a.csv.gz", b"\x1f\x8b", "unknown file type; .* Unpack it first"),
    ],
)
def test_other_files_are_named_with_what_to_do(tmp_path, path, content, message):
    (tmp_path / path).write_bytes(content)
    with pytest.raises(AvfError, match=message):
        encoded(tmp_path, path)


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_an_array_of_objects_is_refused_as_a_pickle(tmp_path, ending):
    array = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=object)
    save = np.save if ending == ".npy" else np.savez
    save(tmp_path / f"a{ending}", array)
    with pytest.raises(AvfError, match=r"Python objects as a pickle.*astype\('float32'\)"):
        encoded(tmp_path, f"a{ending}", hop_s=0.04)


def test_exchanged_rows_and_columns_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((12, 200), np.float16))
    with pytest.raises(AvfError, match=r"12 rows of 200 numbers last 0\.48 s, and the recording 8"):
        encoded(tmp_path, "a.npy", hop_s=0.04)
    np.save(tmp_path / "a.npy", np.ones((12, 1024), np.float16))  # the beginning only
    assert np.isfinite(encoded(tmp_path, "a.npy", hop_s=0.04)[1]).any()


def test_a_step_in_milliseconds_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((200, 2)))
    with pytest.raises(AvfError, match=r"from 0 to 7960 s.* or correct `hop_s`"):
        encoded(tmp_path, "a.npy", hop_s=40)


def test_a_file_of_a_recording_may_go_on_after_a_span_of_it(tmp_path):
    TABLE.to_csv(tmp_path / "a.csv", index=False)
    span = replace(source(tmp_path, "a.csv", start_s=1.0, duration_s=0.8), recording_s=8.0)
    rows = Precomputed("mine", "audio").encode(span, np.array([0.4, 0.8]), CLIP_S)
    np.testing.assert_allclose(rows[:, 0], [1.2, 1.6], atol=0.02 + 1e-6)


@pytest.mark.parametrize("content", ["time,v,w\n", np.zeros((0, 2))])
def test_a_file_without_rows_is_nan_and_the_index_says_so(tmp_path, content):
    name = "a.csv" if isinstance(content, str) else "a.npy"
    if isinstance(content, str):
        (tmp_path / name).write_text(content)
    else:
        np.save(tmp_path / name, content)
    encoder, rows = encoded(tmp_path, name, **({} if name == "a.csv" else {"hop_s": 0.04}))
    assert rows.shape == (len(ENDS_S), 2)
    assert np.isnan(rows).all()
    assert encoder.remark(source(tmp_path, name)) == f"no row in {name}; every row is NaN"


def test_times_that_do_not_ascend_are_refused(tmp_path):
    table = pd.DataFrame({"time": [0.0, 0.1, 0.1, 0.2], "a": 1.0})
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(AvfError, match=r"0\.1 s in row 3 follows 0\.1 s \(1 such rows\)"):
        encoded(tmp_path, "a.csv", time="time")


def test_a_pickle_is_refused(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(AvfError, match="a pickle, which can run code"):
        encoded(tmp_path, "a.pkl", hop_s=0.04)


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("of/{video}.csv", "of/day1__anna.csv"),
        ("of/{stem}.csv", "of/anna.csv"),
        ("{path}.csv", "clips/day1/anna.csv"),
    ],
)
def test_a_pattern_names_the_file_of_a_video(tmp_path, path, file):
    record = Source(tmp_path, "day1__anna", "clips/day1/anna.mp4")
    form = Precomputed("mine", "video", path=path).form
    assert record.file(form, "mine", "video") == (file, "{video}" in path)


def test_the_column_of_the_encoder_counts_before_that_of_the_modality(tmp_path):
    record = source(tmp_path, "a.csv", egemaps="b.csv")
    form = Precomputed("egemaps", "audio").form
    assert record.file(form, "egemaps", "audio") == ("b.csv", False)
    assert record.file(form, "other", "audio") == ("a.csv", False)
    assert record.file(form, "other", "video") == ("", False)


def test_every_preset_can_be_named():
    assert set(PRESETS) == {"openface", "pyfeat", "opensmile", "mertools", "audformat"}
    for preset in PRESETS:
        assert Precomputed("mine", "audio", preset=preset).form.preset == preset


def test_an_hdf5_file_cannot_state_more_than_is_read(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name in ("a", "b", "c"):
            file.create_dataset(name, (1000, 1000), "f8", chunks=(1000, 1000))
        file["time_s"], file["small"] = np.arange(3.0), np.ones((3, 2))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(feature_formats, "MOST_ARRAY_BYTES", 8_000_000)
    tracemalloc.start()
    with pytest.raises(CorpusError, match="4 arrays: a, b, c, small"):
        feature_formats.read_table(path)
    assert len(feature_formats.read_table(path, "small").frame) == 3
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
    with pytest.raises(CorpusError, match="unpacks to 8,000,024 bytes"):
        feature_formats.read_table(path, "a")
