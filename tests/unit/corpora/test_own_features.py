"""A corpus of features: its files are checked, its rows last, and ratings of another time fail."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import CorpusSettings, EncoderSettings, MediaJobSettings
from avfusion.config.sections import ClipSettings, MediaSettings, SignalSettings
from avfusion.corpora import verify as stage
from avfusion.encoders.stage import encode_shard
from avfusion.errors import AvfError
from avfusion.features.store import FeatureStore
from avfusion.io.shards import join
from avfusion.layout import Layout
from avfusion.media.stage import run_shard
from support import own_features as made

LLD = {"modality": "audio", "preset": "opensmile"}
AUS = {"modality": "video", "preset": "openface"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("features")
    made.build(root)
    return root


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "copy")


def verify(root, results, features=None, **options):
    settings = CorpusSettings(
        class_="own",
        root=root,
        options={"rating_hz": 5, **options},
        features={"lld": LLD, "aus": AUS} if features is None else features,
    )
    layout = Layout(results)
    code = stage.verify("mine", settings, layout)
    return code, pd.read_csv(layout.checks("mine"), keep_default_na=False).set_index("name")


def encoded(root, results, entry, shown):
    """Run the media and the encode stage of one entry, and return its features."""
    layout = Layout(results)
    run_shard("mine", (0, 1), MediaJobSettings(root=root, media=MediaSettings()), layout)
    join(layout.media("mine"))
    modality, options = shown["modality"], {k: v for k, v in shown.items() if k != "modality"}
    settings = EncoderSettings(
        encoder=entry,
        class_="precomputed",
        modality=modality,
        options=options,
        windows=ClipSettings(clip_s=0.4, hop_s=0.2),
        media=SignalSettings(),
        root=root,
        code="",
    )
    encode_shard("mine", (0, 1), settings, layout)
    join(layout.features("mine", entry))
    return FeatureStore.open(layout.features("mine", entry) / "index.parquet")


def edited(root, name, **columns):
    table = pd.read_csv(root / "manifest.csv", dtype=str, keep_default_na=False)
    table.assign(**columns).to_csv(root / "manifest.csv", index=False)
    return table


def test_a_corpus_of_features_passes_and_says_how_long_it_is(tree, tmp_path):
    code, checks = verify(tree, tmp_path)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    assert set(checks["verdict"]) == {"PASS"}
    assert checks.loc["lengths", "found"] == "8 rows, 192.0 s"
    lost = sum(round((b - a) / made.FRAME_S) for a, b in made.LOST) * 8
    assert checks.loc["failed rows of aus", "found"] == f"{lost} of 4,800 ({lost / 4800:.1%})"
    manifest = pd.read_parquet(Layout(tmp_path).manifest("mine")).set_index("video")
    assert manifest.loc["anna", ["start_s", "end_s"]].tolist() == [0, 24]
    named = json.loads(manifest.loc["anna", "features"])
    assert named["lld"] == named["audio_features"] == "opensmile/anna.csv"
    assert manifest["features_sha256"].nunique() == 8


def test_a_changed_file_changes_the_manifest_and_the_features(copy, tmp_path):
    verify(copy, tmp_path)
    before = pd.read_parquet(Layout(tmp_path).manifest("mine"))
    first = encoded(copy, tmp_path, "aus", AUS).index["sha256"]
    table = pd.read_csv(copy / "openface/ben.csv", skipinitialspace=True)
    table["AU12_r"] += 1
    table.to_csv(copy / "openface/ben.csv", index=False)
    verify(copy, tmp_path)
    after = pd.read_parquet(Layout(tmp_path).manifest("mine"))
    changed = before["video"][before["features_sha256"] != after["features_sha256"]]
    assert changed.tolist() == ["ben"]
    second = encoded(copy, tmp_path, "aus", AUS).index["sha256"]
    assert first.index[first != second].tolist() == ["ben"]


def test_media_and_encoding_need_no_recording(tree, tmp_path):
    verify(tree, tmp_path)
    store = encoded(tree, tmp_path, "lld", LLD)
    media = pd.read_parquet(Layout(tmp_path).media("mine") / "index.parquet")
    assert set(media["status"]) == {"ok"}
    assert set(media["reader"]) == {"features, no media"}
    assert store.dim == len(made.LLD)
    rows = store.load("dan").rows
    raw = pd.read_csv(tree / "opensmile/dan.csv", sep=";")
    for row, end in ((rows[9], 200), (rows[-1], 2400)):  # clips that end at 2 s and at 24 s
        expected = raw[list(made.LLD)].to_numpy()[end - 40 : end].mean(0)
        np.testing.assert_allclose(row, expected, atol=2e-3)


def test_a_row_that_loses_its_recording_keeps_no_face(tree, tmp_path):
    verify(tree, tmp_path)
    record = Layout(tmp_path).media("mine") / "dan"
    record.mkdir(parents=True)
    for name in ("faces.zip", "frames.parquet", "meta.json"):
        (record / name).write_text("{}")
    encoded(tree, tmp_path, "lld", LLD)
    assert [path.name for path in record.iterdir()] == ["meta.json"]


def test_held_ratings_of_features_last_to_their_end(copy, tmp_path):
    (copy / "ratings/dan.csv").write_text("time_s,valence,arousal\n0,0.1,0.2\n10,0.3,0.4\n")
    edited(copy, "", duration_s="24")
    code, checks = verify(copy, tmp_path, ratings="held")
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    gold = pd.read_parquet(Layout(tmp_path).gold("mine"))
    gold = gold[gold["video"] == "dan"].set_index("time_s")["valence"]
    assert gold.index.max() == pytest.approx(24, abs=0.2)
    assert gold[gold.index > 10].eq(0.3).all()


def test_ratings_in_frames_need_a_video(copy, tmp_path):
    edited(copy, "", duration_s="24")
    code, checks = verify(copy, tmp_path, ratings={"unit": "frames"})
    assert code == 1
    assert "frames cannot be read" in "; ".join(checks["found"])


def test_ratings_and_features_that_do_not_overlap_fail_with_numbers(copy, tmp_path):
    path = copy / "ratings/eve.csv"
    table = pd.read_csv(path)
    table.assign(time_s=table["time_s"] + 100).to_csv(path, index=False)
    code, checks = verify(copy, tmp_path)
    assert code == 1
    assert checks.loc["time of aus", "verdict"] == "FAIL"
    text = "eve: ratings from 100 to 123.8 s, features from 0 to 24 s"
    assert checks.loc["time of aus", "found"] == text


def test_times_in_milliseconds_fail_against_ratings_in_seconds(copy, tmp_path):
    path = copy / "opensmile/finn.csv"
    table = pd.read_csv(path, sep=";")
    table.assign(frameTime=table["frameTime"] * 1000).to_csv(path, index=False, sep=";")
    code, checks = verify(copy, tmp_path / "a")
    assert code == 1
    assert (
        "finn: ratings from 0 to 23.8 s, features from 0 to " in checks.loc["time of lld", "found"]
    )
    edited(copy, "", duration_s="24")
    code, checks = verify(copy, tmp_path / "b")
    assert code == 1
    assert "Are the times in milliseconds?" in checks.loc["rows of lld", "found"]


def test_a_file_without_rows_is_named_and_gives_no_columns(copy, tmp_path):
    path = copy / "opensmile/anna.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    code, checks = verify(copy, tmp_path)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    assert checks.loc["features of lld", "found"] == "none for 1: anna (no row)"
    store = encoded(copy, tmp_path, "lld", LLD)
    assert store.dim == len(made.LLD)
    assert np.isnan(store.load("anna").rows).all()


FAULTS = {
    "times that do not ascend": ("rows of aus", "follows"),
    "another width": ("columns of aus", "finn: 9 columns, lacks AU12_r"),
    "no file": ("features of aus", "none for 1: openface/finn.csv"),
    "half a file": ("coverage of aus", "from 0 to 4 s, 17% of the ratings have features"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_file_is_named(copy, tmp_path, name):
    path = copy / "openface/finn.csv"
    table = pd.read_csv(path, skipinitialspace=True)
    if name == "times that do not ascend":
        table.loc[5, "timestamp"] = 0.0
    elif name == "another width":
        table = table.drop(columns="AU12_r")
    elif name == "half a file":
        table = table[table["timestamp"] < 4]
    table.to_csv(path, index=False)
    if name == "no file":
        path.unlink()
    _, checks = verify(copy, tmp_path)
    check, text = FAULTS[name]
    assert checks.loc[check, "verdict"] != "PASS"
    assert text in checks.loc[check, "found"]


@pytest.mark.parametrize(("lost", "verdict"), [(1.0, "WARN"), (0.7, "WARN"), (0.3, "PASS")])
def test_failed_rows_of_one_file_are_named_and_are_no_coverage(copy, tmp_path, lost, verdict):
    """The other seven files are whole, so that few of all rows failed."""
    path = copy / "openface/finn.csv"
    table = pd.read_csv(path, skipinitialspace=True)
    table["success"] = np.where(np.arange(len(table)) < lost * len(table), 0, table["success"])
    table.to_csv(path, index=False)
    code, checks = verify(copy, tmp_path)
    assert code == 0
    for name in ("failed rows of aus", "coverage of aus"):
        assert checks.loc[name, "verdict"] == verdict
        assert ("finn" in checks.loc[name, "found"]) == (verdict == "WARN")


def test_a_row_without_a_file_is_nan_and_the_index_names_it(copy, tmp_path):
    table = edited(copy, "manifest.csv")
    edited(copy, "", video_features=table["video_features"].where(table["id"] != "anna", ""))
    code, checks = verify(copy, tmp_path)
    assert code == 0
    assert checks.loc["features of aus", "verdict"] == "WARN"
    store = encoded(copy, tmp_path, "aus", AUS)
    assert store.dim == 10  # of the first file that exists
    assert np.isnan(store.load("anna").rows).all()
    assert store.index.loc["anna", "reason"] == "no file; every row is NaN"


def test_patterns_need_no_column_for_files(copy, tmp_path):
    table = edited(copy, "")
    table.drop(columns=["audio_features", "video_features"]).to_csv(
        copy / "manifest.csv", index=False
    )
    given = {"lld": {**LLD, "path": "opensmile/{video}.csv"}}
    code, checks = verify(copy, tmp_path, given)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    assert encoded(copy, tmp_path, "lld", given["lld"]).load("dan").rows.shape == (120, 4)


def test_a_vector_per_file_with_a_class_needs_only_a_length(copy, tmp_path):
    labels = ["joy", "anger"] * 4
    for k, name in enumerate(made.PEOPLE):
        (copy / "vectors").mkdir(exist_ok=True)
        np.save(copy / f"vectors/{name}.npy", np.array([k, -k, 0.5]))
    table = edited(copy, "")[["id", "subject", "partition"]]
    table["audio_features"] = [f"vectors/{name}.npy" for name in made.PEOPLE]
    bare = table.assign(label=labels)
    bare.to_csv(copy / "manifest.csv", index=False)
    given, options = {"vec": {"modality": "audio"}}, {"classes": ["joy", "anger"]}
    code, checks = verify(copy, tmp_path / "a", given, **options)
    assert code == 1
    assert checks.loc["lengths", "found"].startswith("none for: anna, ben")
    bare.assign(duration_s="0.4").to_csv(copy / "manifest.csv", index=False)
    code, checks = verify(copy, tmp_path / "b", given, **options)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    layout = Layout(tmp_path / "b")
    found = pd.read_parquet(layout.labels("mine")).set_index("video")["label"]
    assert found.to_dict() == dict(zip(made.PEOPLE, labels, strict=True))
    rows = encoded(copy, tmp_path / "b", "vec", given["vec"]).load("dan").rows
    np.testing.assert_array_equal(rows, [[3, -3, 0.5]] * 2)


def test_one_person_is_split_over_time_and_each_piece_reads_its_own_part(copy, tmp_path):
    table = edited(copy, "")
    table[:1].drop(columns="partition").to_csv(copy / "manifest.csv", index=False)
    code, checks = verify(copy, tmp_path)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    store = encoded(copy, tmp_path, "lld", LLD)
    assert store.videos == ["anna__test", "anna__train", "anna__validation"]
    raw = pd.read_csv(copy / "opensmile/anna.csv", sep=";")
    manifest = pd.read_parquet(Layout(tmp_path).manifest("mine")).set_index("video")
    start = round(manifest.loc["anna__test", "start_s"] * 100)
    expected = raw[list(made.LLD)].to_numpy()[start + 160 : start + 200].mean(0)
    np.testing.assert_allclose(store.load("anna__test").rows[9], expected, atol=2e-3)


def test_an_encoder_of_recordings_says_that_there_is_none(tree, tmp_path):
    verify(tree, tmp_path)
    encoded(tree, tmp_path, "lld", LLD)
    layout = Layout(tmp_path)
    settings = EncoderSettings(
        encoder="face_expression", class_="face_expression", media=SignalSettings(), code="",
        windows=ClipSettings(clip_s=0.4, hop_s=0.2),
    )  # fmt: skip
    encode_shard("mine", (0, 1), settings, layout)
    with pytest.raises(
        AvfError, match=r"all 8 videos failed\. The first: .* no recording\. Choose"
    ):
        join(layout.features("mine", "face_expression"))
