"""Aff-Wild2's rows match their frames, faces and sound; malformed files are reported."""

import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.corpora.affwild2 import editions
from avfusion.corpora.affwild2.checks import affwild2_checks
from avfusion.corpora.affwild2.editions import Edition
from avfusion.corpora.affwild2.tree import raw_name, side
from avfusion.corpora.tree.scan import read_tree
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.media.mel import HOP_S, log_mel_of
from avfusion.media.person import Person
from avfusion.media.probe import probe
from avfusion.media.read import read_video
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from avfusion.media.video import Frames
from avfusion.registry import corpora
from support.miniatures import _film, verify
from support.miniatures import affwild2 as mini

SETTINGS = MediaSettings(time_limit_s=60)
NAMES = [trial.name for trial in mini.TRIALS]
TRIALS = {trial.name: trial for trial in mini.TRIALS}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return the verified miniature with the organisers' faces, read once."""
    folder = tmp_path_factory.mktemp("affwild2")
    mini.build(folder / "tree")
    options = {**mini.OPTIONS, "faces": "official"}
    code, _ = verify("affwild2", folder / "tree", options, folder / "results")
    assert code == 0
    layout = Layout(folder / "results")
    settings = MediaJobSettings(root=folder / "tree", media=SETTINGS)
    run_shard("affwild2", (0, 1), settings, layout)
    index = pd.read_parquet(layout.media("affwild2") / "shard-0-of-1.parquet").set_index("video")
    assert (index["status"] == "ok").all(), index["reason"].tolist()
    gold = dict(list(pd.read_parquet(layout.gold("affwild2")).groupby("video")))
    manifest = pd.read_parquet(layout.manifest("affwild2")).set_index("video")
    return SimpleNamespace(
        root=folder / "tree", layout=layout, index=index, gold=gold, manifest=manifest
    )


def record(study, name):
    return MediaRecord.open(study.layout.media("affwild2") / name)


def shown(study, name):
    """Return time and coded value of each frame of a trial's raw video, (2, frames)."""
    path = study.root / study.manifest.loc[name, "path"]
    left = 320 * TRIALS[name].person
    frames = [(time_s, _film.decoded(image, left)) for _, time_s, image in Frames(probe(path))]
    return np.array(frames).T


def rated(name):
    """Return which rows of the annotation file are rated, bool (rows,)."""
    keep = np.ones(mini.rows_of(TRIALS[name]), bool)
    keep[list(mini.UNRATED.get(name, {}))] = False
    return keep


@pytest.mark.parametrize("name", [n for n in NAMES if TRIALS[n].partition != "test"])
def test_every_row_has_the_time_and_the_value_of_its_frame(study, name):
    time_s, value = shown(study, name)
    gold = study.gold[name]
    both = min(len(gold), len(time_s))
    assert len(gold) == mini.rows_of(TRIALS[name])
    np.testing.assert_allclose(gold["time_s"][:both], time_s[:both], atol=1e-3)
    keep = rated(name)[:both]
    valence = gold["valence"].to_numpy()
    np.testing.assert_array_equal(valence[:both][keep], value[:both][keep])
    assert np.isnan(gold[["valence", "arousal"]].to_numpy()[~rated(name)]).all()
    shifted = valence[1:both] == value[: both - 1]
    assert shifted.mean() < 0.05  # so a shift by one frame would be seen


@pytest.mark.parametrize("name", NAMES)
def test_every_official_face_stands_at_the_frame_of_its_row(study, name):
    trial, rec = TRIALS[name], record(study, name)
    frames = mini.RAW[trial.raw].frames
    expected = [row - 1 for row in mini.images_of(trial) if row <= frames]
    assert rec.with_face.tolist() == expected
    values = [_film.decoded(image) for image in rec.crops(expected)]
    np.testing.assert_array_equal(values, mini.ratings(trial)[expected, 0])
    assert study.index.loc[name, "reader"] == "crops"


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_has_the_tone_of_its_row(study, name):
    trial, rec = TRIALS[name], record(study, name)
    raw = mini.RAW[trial.raw]
    assert study.index.loc[name, "audio"] == (raw.late_s is not None)
    if raw.late_s is None:
        assert np.isnan(log_mel_of(rec)).all()
        return
    assert abs(study.index.loc[name, "audio_offset_s"] - raw.late_s) < 0.005
    time_s = rec.frames["time_s"].to_numpy()
    spectra = log_mel_of(rec)
    middle = np.round((time_s + 0.5 / raw.fps) / HOP_S).astype(int).clip(max=len(spectra) - 1)
    mel = spectra[middle].astype(float)
    heard = ~np.isnan(mel[:, 0]) & (time_s > raw.late_s + 0.03) & (time_s < time_s[-1])
    assert heard.sum() > 0.85 * len(time_s)
    level = mini.levels(raw)[: len(time_s)]
    np.testing.assert_array_equal(mel.argmax(1)[heard], _film.tone_band(level)[heard])


def test_sound_before_a_late_start_is_absent_and_not_silence(study):
    late = log_mel_of(record(study, "105_left"))
    assert np.isnan(late[:19]).all()
    assert not np.isnan(late[21:80]).any()


@pytest.mark.parametrize(("person", "low", "high"), [("left", 0, 320), ("right", 320, 640)])
def test_our_own_track_follows_the_person_that_the_trial_names(study, tmp_path, person, low, high):
    path = study.root / "batch2/105.mp4"
    read_video(path, tmp_path / person, SETTINGS, person=Person(face=person))
    frames = MediaRecord.open(tmp_path / person).frames
    middle = frames["x"] + frames["w"] / 2
    assert frames["score"].notna().mean() > 0.9
    assert middle.between(low, high)[frames["score"].notna()].all()


def test_two_tracks_share_file_times_and_sound_and_name_their_sides(study):
    left, right = study.manifest.loc["105_left"], study.manifest.loc["105_right"]
    assert left["path"] == right["path"]
    assert (left["side"], right["side"]) == ("left", "right")
    assert study.manifest.loc["10-60-640x240", "side"] == "left"
    assert pd.isna(study.manifest.loc["video4", "side"])
    for name in ("time_s",):
        a, b = (study.gold[n][name].to_numpy() for n in ("105_left", "105_right"))
        np.testing.assert_array_equal(a, b)


def test_no_raw_video_lies_in_two_partitions(study):
    assert (study.manifest.groupby("subject")["partition"].nunique() == 1).all()
    assert set(study.manifest["subject"]) == {raw_name(name) for name in NAMES}


def test_a_changed_face_is_read_again_and_an_unchanged_one_is_not(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "tree")
    shutil.copytree(study.layout.results, tmp_path / "results")
    layout = Layout(tmp_path / "results")
    folder = tmp_path / "tree" / "cropped_aligned" / "video4"
    shutil.copyfile(folder / "00010.jpg", folder / "00011.jpg")
    stamps = {n: (layout.media("affwild2") / n / "meta.json").stat().st_mtime_ns for n in NAMES}
    options = {**mini.OPTIONS, "faces": "official"}
    assert verify("affwild2", tmp_path / "tree", options, tmp_path / "results")[0] == 0
    settings = MediaJobSettings(root=tmp_path / "tree", media=SETTINGS)
    run_shard("affwild2", (0, 1), settings, layout)
    again = {n: (layout.media("affwild2") / n / "meta.json").stat().st_mtime_ns for n in NAMES}
    assert [name for name in NAMES if again[name] != stamps[name]] == ["video4"]


def test_the_card_pins_edition_split_and_template(study):
    card = json.loads(study.layout.card("affwild2").read_text())
    assert card["edition"] == "abaw6"
    assert card["template"] == mini.TEMPLATE
    assert len(card["split_sha256"]) == 64


@pytest.mark.parametrize("style", ["abaw5", "abaw6"])
def test_templates_of_both_styles_are_read(tmp_path, style):
    from avfusion.corpora.affwild2.tree import read_template

    dummy = {"abaw5": "", "abaw6": "0.5,-0.5"}[style]
    rows = [f"{place},{dummy}\n" for place in ("2-30-640x360/00001.jpg", "video5_2/00002.jpg")]
    (tmp_path / "t.txt").write_text("".join(["image_location,valence,arousal\n", *rows]))
    assert read_template(tmp_path / "t.txt") == [("2-30-640x360", 1), ("video5_2", 2)]


def test_a_lab_that_holds_half_is_told_exactly_what_is_missing(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "tree")
    for path in ("batch1/video4.mp4", "new_vids/451.avi", "batch1/200.avi"):
        (tmp_path / "tree" / path).unlink()
    code, checks = verify("affwild2", tmp_path / "tree", mini.OPTIONS, tmp_path / "results")
    assert code == 1
    absent = Layout(tmp_path / "results").absent("affwild2").read_text().split()
    assert absent == ["200", "451", "451.mp4", "video4", "video4.mp4"]
    assert "video4.mp4" in checks.loc["files", "found"]


def test_wrong_options_are_refused_with_the_nearest_right_one(tmp_path):
    cls = corpora.get("affwild2")
    with pytest.raises(ConfigError, match=r"no edition 'abaw4'.*abaw3"):
        cls(root=tmp_path, edition="abaw4")
    with pytest.raises(ConfigError, match="Did you mean 'train'"):
        cls(root=tmp_path, edition="abaw6", expect={"trian": 3})
    with pytest.raises(ConfigError, match="`own` or `official`"):
        cls(root=tmp_path, edition="abaw6", faces="cropped")


@pytest.mark.parametrize(
    ("trial", "raw", "whose"),
    [
        ("105_left", "105", "left"), ("10-60-1280x720_right", "10-60-1280x720", "right"),
        ("video5_2", "video5_2", None), ("bright", "bright", None),
    ],
)  # fmt: skip
def test_only_a_final_left_or_right_names_a_person(trial, raw, whose):
    assert raw_name(trial) == raw
    assert side(trial, {trial}) == whose


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ({"valid_rows": 1005}, r"expect\.valid_rows: expected a number each"),
        ({"valid_rows": {"trian": 5}}, r"no partition 'trian'\. Did you mean 'train'"),
        ({"train": "many"}, r"expect\.train: expected a number; found 'many'"),
        ({"frames": {"video30": "all"}}, r"expect\.frames: expected a number each"),
    ],
)
def test_counts_that_would_check_nothing_are_refused(tmp_path, expect, message):
    with pytest.raises(ConfigError, match=message):
        corpora.get("affwild2")(root=tmp_path, edition="abaw5", expect=expect)


def counted(study, monkeypatch, edition=None, choices=None, **changed):
    """Return the check of the edition of the miniature, whose counts are those of some edition."""
    counts = {**mini.OPTIONS["expect"], **changed}
    known = {"words": (), "template_rows": None, "images": None, "bare_rows": {}, "frames": {}}
    kept = {key: value for key, value in counts.items() if key not in known}
    made = {name: Edition(name, **{**kept, **known}) for name in ("abaw5", "abaw6")}
    made["abaw6"] = replace(made["abaw6"], valid_rows={"train": 1, "validation": 1})
    monkeypatch.setattr("avfusion.corpora.affwild2.editions.EDITIONS", choices or made)
    corpus = corpora.get("affwild2")(root=study.root, **({"edition": edition} if edition else {}))
    corpus.cache = study.layout.verified("affwild2")
    corpus.tree = read_tree(study.root, study.layout.verified("affwild2") / "digests.bin")
    return next(check for check in affwild2_checks(corpus) if check.name == "edition"), corpus


def test_the_edition_is_the_only_one_with_the_counts_of_the_files(study, monkeypatch):
    check, corpus = counted(study, monkeypatch)
    assert (check.verdict, check.found) == ("PASS", "abaw5, by its counts")
    assert corpus.card()["edition"] == "abaw5"


def test_an_edition_that_is_stated_is_kept_and_the_counts_say_which_one_it_is(study, monkeypatch):
    check, corpus = counted(study, monkeypatch, edition="abaw6")
    assert (check.verdict, check.found) == ("PASS", "abaw6")
    hints = [c.hint for c in affwild2_checks(corpus) if c.name == "rated rows of train"]
    assert "Its counts fit abaw5." in hints[0]
    assert "expect: {train: 5" in hints[0]


def test_counts_of_no_edition_are_an_error_that_lists_all_with_theirs(study, monkeypatch):
    check, corpus = counted(study, monkeypatch, train=6)
    assert (check.verdict, corpus.edition) == ("FAIL", None)
    assert check.found.startswith("none stated; 5 train, 2 validation, 2 test; rated rows: ")
    assert "abaw5 (6 train, 2 validation, 2 test; rated rows: " in check.hint
    assert "abaw6 (6 train, " in check.hint


def test_counts_that_another_edition_may_have_need_an_edition_in_the_config(study, monkeypatch):
    """The rated rows of abaw8 are not published, so those of abaw5 may be its own."""
    counted(study, monkeypatch)
    unknown = {"train": None, "validation": None}
    abaw8 = replace(editions.EDITIONS["abaw5"], name="abaw8", valid_rows=unknown)
    both = {**editions.EDITIONS, "abaw8": abaw8}
    check, corpus = counted(study, monkeypatch, choices=both)
    assert (check.verdict, corpus.edition) == ("FAIL", None)
    assert check.found.endswith("these counts fit abaw5 and abaw8")
    assert "{edition: abaw5} or abaw8." in check.hint
    others = {name: both[name] for name in ("abaw6", "abaw8")}
    check, corpus = counted(study, monkeypatch, choices=others)
    assert (check.verdict, corpus.edition) == ("FAIL", None), "a damaged abaw6 looks the same"


@pytest.mark.parametrize(
    ("name", "fits"), [("abaw3", []), ("abaw5", ["abaw8"]), ("abaw6", ["abaw8"])]
)
def test_the_published_counts_of_an_edition_fit_it_and_those_without(name, fits):
    edition = editions.EDITIONS[name]
    trials = {part: edition.trials(part) for part in ("train", "validation", "test")}
    assert editions.guess(trials, edition.valid_rows) == [name, *fits]
    assert (editions.only(trials, edition.valid_rows) is edition) == (not fits)


def test_a_part_with_other_counts_says_what_to_paste(study, tmp_path):
    options = {**mini.OPTIONS, "faces": "official"}
    counts = {**options["expect"], "valid_rows": {"train": 1, "validation": 1}}
    code, checks = verify("affwild2", study.root, {**options, "expect": counts}, tmp_path)
    hint = checks.loc["rated rows of train", "hint"]
    pasted = yaml.safe_load(re.search(r"expect: {.*}", hint)[0])["expect"]
    code_then, _ = verify(
        "affwild2", study.root, {**options, "expect": {**counts, **pasted}}, tmp_path / "again"
    )
    assert (code, code_then) == (1, 0)
