"""The demo corpus repeats, resumes and keeps its partitions apart; its planted faults are real."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import CorpusSettings
from avfusion.corpora import base, verify
from avfusion.corpora.demo import mesh, release, voice
from avfusion.corpora.demo.actor import play, portrait
from avfusion.corpora.demo.corpus import Demo
from avfusion.corpora.demo.puppet import Pose, Puppet
from avfusion.corpora.demo.raters import rate
from avfusion.corpora.demo.scene import DIMENSIONS, KINDS, SIGNAL_HZ, Span, scene, within
from avfusion.corpora.demo.voice import perform
from avfusion.corpora.goldstandard import gold_standard
from avfusion.fingerprint import used
from avfusion.layout import Layout

SMALL = {"videos": 4, "seconds": 6.0, "width": 160, "height": 120}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    Demo(root=root, **SMALL).make()
    return root


@pytest.fixture
def tree(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "demo"))


def bytes_of(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


def verdicts(root, **options):
    layout = Layout(root.parent / "results")
    settings = CorpusSettings(class_="demo", root=root, options={**SMALL, **options})
    code = verify.verify("demo", settings, layout)
    table = pd.read_csv(layout.checks("demo"), keep_default_na=False).set_index("name")
    return code, table[table["verdict"] != "PASS"]


def test_what_was_lost_is_made_again_byte_by_byte_and_nothing_else(tree):
    before = bytes_of(tree)
    times = {p: p.stat().st_mtime_ns for p in tree.glob("videos/*")}
    (tree / "videos" / "demo001.mp4").unlink()
    with (tree / "gold" / "demo002.csv").open("a") as file:
        file.write("half a li")
    Demo(root=tree, **SMALL).make()
    assert bytes_of(tree) == before
    kept = [p for p in times if p.stat().st_mtime_ns == times[p]]
    assert sorted(p.stem for p in kept) == ["demo000", "demo003"]


def test_videos_are_made_again_when_the_code_that_makes_them_changes(tree, monkeypatch):
    reached = used("avfusion.corpora.demo.make:make_video")
    parts = {item.module.rpartition(".")[2] for item in reached}
    assert parts >= {"actor", "brush", "espeak", "film", "goldstandard", "mesh", "portraits"}
    assert parts >= {"puppet", "raters", "scene", "script", "voice"}
    before = Demo(root=tree, **SMALL).recipes()
    assert before == Demo(root=tree, **SMALL).recipes()
    monkeypatch.setattr(release, "fingerprint", lambda root: f"other code of {root}")
    after = Demo(root=tree, **SMALL).recipes()
    assert all(old.digest != new.digest for old, new in zip(before, after, strict=True))


def test_a_clean_tree_raises_no_alarm_but_its_size(tree):
    code, alarms = verdicts(tree)
    assert code == 0
    assert list(alarms.index) == ["faults in test"]  # one test video cannot hold six faults


def test_edited_gold_is_found_by_recomputing_it(tree):
    path = tree / "gold" / "demo003.csv"
    gold = pd.read_csv(path)
    gold.loc[40:60, "valence"] += 1e-3
    gold.to_csv(path, index=False, float_format="%.6f")
    code, alarms = verdicts(tree)
    assert code == 1
    assert "demo003" in alarms.loc["gold standard", "found"]
    assert "make-corpus demo" in alarms.loc["gold standard", "hint"]


def damaged(tree, damage):
    """The names of the checks that fail after the damage."""
    damage(tree)
    code, alarms = verdicts(tree)
    assert code == 1
    return list(alarms[alarms["verdict"] == "FAIL"].index)


def edit(path, change):
    change(table := pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)
    assert len(table)


def exchange(tree):
    """Exchange the ratings and the gold of two videos, so that the gold standard still holds."""
    for folder in ("ratings/valence", "ratings/arousal", "gold"):
        one, other, aside = (tree / folder / name for name in ("demo000.csv", "demo001.csv", "x"))
        one.rename(aside)
        other.rename(one)
        aside.rename(other)


def shorten(table):
    table.loc[0, "end_s"] = table.loc[0, "start_s"] + 0.2
    return table


def rename(table):
    table.loc[table["kind"] == "muted", "kind"] = "noisy"
    return table


DAMAGES = {
    "signals": (exchange, ["signals"]),
    "a span shortened": (lambda t: edit(t / "truth.csv", shorten), ["spans", "spoilt share"]),
    "a span lost": (
        lambda t: edit(t / "truth.csv", lambda x: x.drop(index=1)),
        ["spans", "spoilt share"],
    ),
    "a span of another kind": (lambda t: edit(t / "truth.csv", rename), ["spans"]),
    "another seed": (
        lambda t: (t / "corpus.json").write_text(
            (t / "corpus.json").read_text().replace('"seed": 7', '"seed": 8')
        ),
        ["signals", "spans"],
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_edited_truth_is_found_by_making_the_plan_again(tree, name):
    damage, failed = DAMAGES[name]
    assert damaged(tree, damage) == failed


def test_a_tree_of_other_settings_is_noticed(tree):
    _, alarms = verdicts(tree, seed=8)
    assert alarms.loc["recipe", "verdict"] == "WARN"
    assert "4 missing" in alarms.loc["recipe", "found"]


def test_a_missing_video_is_named_with_the_command(tree):
    (tree / "videos" / "demo002.mp4").unlink()
    code, alarms = verdicts(tree)
    assert code == 1
    assert "demo002.mp4" in alarms.loc["files", "found"]
    assert "avf make-corpus demo" in alarms.loc["files", "hint"]


def test_a_broken_video_is_left_to_the_media_stage(tree):
    path = tree / "videos" / "demo002.mp4"
    path.write_bytes(path.read_bytes()[:2000])
    assert verdicts(tree)[0] == 0


def test_the_gold_is_late_by_the_delay_that_the_corpus_states():
    lags = np.arange(0, 100)
    for dimension in ("valence", "arousal"):
        best = []
        for index in range(6):
            plan = scene(index, 60.0, 3)
            signal = getattr(plan, dimension)
            gold = gold_standard(rate(signal, dimension, plan.rng(4))).gold
            fits = [np.corrcoef(gold[100:], signal[100 - n : len(signal) - n])[0, 1] for n in lags]
            best.append(np.argmax(fits) / 25)
        assert np.mean(best) == pytest.approx(Demo.delay_s[dimension], abs=0.12)


def plans(count, seconds=24.0, seed=7):
    return [scene(index, seconds, seed) for index in range(count)]


@pytest.mark.parametrize("count", [4, 16, 61, 400])
def test_partitions_share_no_face_and_no_voice_and_each_video_has_its_own_person(count):
    seen = {"train": set(), "validation": set(), "test": set()}
    people = plans(count, seconds=4.0)
    for plan in people:
        seen[plan.partition] |= {plan.subject, plan.voice}
    assert all(seen.values())
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]
    assert len({plan.subject for plan in people}) == count


@pytest.mark.parametrize(("count", "least"), [(160, (80, 20, 60)), (400, (200, 40, 140))])
def test_both_forms_have_enough_people(count, least):
    partitions = [plan.partition for plan in plans(count, seconds=4.0)]
    counts = [partitions.count(name) for name in ("train", "validation", "test")]
    assert all(actual >= bound for actual, bound in zip(counts, least, strict=True))


def test_more_videos_change_none_of_the_earlier_ones():
    first, again = plans(3), plans(5)[:3]
    for one, other in zip(first, again, strict=True):
        assert one.spans == other.spans
        np.testing.assert_array_equal(one.valence, other.valence)


def test_every_fault_occurs_in_test_and_lies_within_its_video():
    spans = [(p, s) for p in plans(16, seconds=8.0) for s in p.spans]
    tested = {s.kind for p, s in spans if p.partition == "test"}
    assert tested == {kind for kinds in KINDS.values() for kind in kinds}
    assert all(s.kind in KINDS[s.modality] for _, s in spans)
    assert all(0 <= s.start_s < s.end_s <= p.seconds for p, s in spans)


@pytest.mark.parametrize("seconds", [4.0, 8.0, 18.0, 60.0])
def test_a_quarter_of_each_modality_is_spoilt_and_never_both_at_once(seconds):
    time_s = np.arange(0, seconds, 0.01)
    for plan in plans(12, seconds):
        spoilt = {
            name: np.sum([within(s, time_s) > 0 for s in plan.spans if s.modality == name], axis=0)
            for name in KINDS
        }
        for name in KINDS:
            assert 0.2 <= spoilt[name].mean() <= 0.3
        assert max(spoilt["audio"] + spoilt["video"]) == 1


def test_signals_are_spread_and_unrelated():
    valence = np.concatenate([p.valence for p in plans(60)])
    arousal = np.concatenate([p.arousal for p in plans(60)])
    assert valence.std() > 0.35
    assert arousal.std() > 0.35
    assert abs(np.corrcoef(valence, arousal)[0, 1]) < 0.2
    assert max(abs(valence).max(), abs(arousal).max()) <= 1


def test_a_video_of_eight_seconds_goes_up_and_down():
    signals = [getattr(p, name) for p in plans(60, seconds=8.0) for name in DIMENSIONS]
    turns = [np.count_nonzero(np.diff(np.sign(np.diff(signal)))) for signal in signals]
    assert np.mean(turns) > 3
    assert min(np.ptp(signal) for signal in signals) > 1


def shown(name):
    """True and shown signals of both modalities (N,), and where video and audio are intact."""
    parts = {key: [] for key in ("true", "video", "audio", "intact_video", "intact_audio")}
    for plan in plans(96, seconds=8.0):
        time_s = np.arange(len(plan.valence)) / SIGNAL_HZ
        parts["true"].append(getattr(plan, name))
        parts["video"].append(plan.face[name])
        parts["audio"].append(plan.speech[name])
        for modality in KINDS:
            spans = [s for s in plan.spans if s.modality == modality]
            if any(s.kind == "contradicting" for s in spans):
                parts[f"intact_{modality}"].append(np.full(len(time_s), np.nan))
                continue
            inside = np.max([within(s, time_s) for s in spans], axis=0)
            parts[f"intact_{modality}"].append(np.where(inside % 1 > 0, np.nan, 1 - inside))
    return {key: np.concatenate(values) for key, values in parts.items()}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_both_modalities_carry_both_targets_with_nuisances_of_their_own(name):
    parts = shown(name)
    for modality in KINDS:
        intact = parts[f"intact_{modality}"]
        clean, spoilt = (
            np.corrcoef(parts["true"][intact == state], parts[modality][intact == state])[0, 1]
            for state in (1, 0)
        )
        assert clean > 0.6
        assert abs(spoilt) < 0.2
    both = (parts["intact_video"] == 1) & (parts["intact_audio"] == 1)
    errors = [(parts[modality] - parts["true"])[both] for modality in KINDS]
    assert abs(np.corrcoef(*errors)[0, 1]) < 0.2


@pytest.fixture(scope="module")
def faulty():
    """Five seconds with every span of interest from 2.0 to 4.0 s, one kind at a time."""

    def plant(modality, kind):
        return dataclasses.replace(scene(0, 5.0, 7), spans=(Span(2.0, 4.0, modality, kind),))

    return plant


def level(sound, rate_hz, start_s, end_s):
    return np.sqrt(np.mean(sound[int(start_s * rate_hz) : int(end_s * rate_hz)] ** 2))


def test_a_muted_voice_has_no_energy_and_a_noisy_one_no_pauses(faulty):
    muted, rate_hz, mouth, _ = perform(faulty("audio", "muted"))
    assert level(muted, rate_hz, 2.1, 3.9) == 0
    assert level(muted, rate_hz, 0.5, 2.0) > 0.01
    assert mouth[55:95].max() > 0.3  # the lips go on
    noisy, rate_hz, _, _ = perform(faulty("audio", "noisy"))
    parts = [level(noisy, rate_hz, t, t + 0.05) for t in np.arange(2.1, 3.85, 0.05)]
    assert min(parts) > 0.025


def test_a_contradicting_voice_turns_the_signals_round():
    parts = {True: [], False: []}
    for plan in plans(120, seconds=8.0):
        for span in (s for s in plan.spans if s.kind == "contradicting"):
            share = within(span, np.arange(len(plan.arousal)) / SIGNAL_HZ)
            for inside in parts:
                parts[inside].append(
                    np.mean((plan.speech["arousal"] * plan.arousal)[share == inside])
                )
    assert len(parts[True]) > 10
    assert np.mean(parts[True]) < -0.1
    assert np.mean(parts[False]) > 0.1


def test_a_voice_with_other_formants_has_all_frequencies_shifted():
    wave = np.sin(2 * np.pi * 200 * np.arange(22050) / 22050)
    shifted, words = voice._shifted(wave, [("one", 0.2, 0.6)], 1.1)
    spectrum = np.abs(np.fft.rfft(shifted))
    assert np.argmax(spectrum) * 22050 / len(shifted) == pytest.approx(220, abs=2)
    assert words == [("one", pytest.approx(0.2 / 1.1), pytest.approx(0.6 / 1.1))]


@pytest.fixture(scope="module")
def detect():
    weights = Path(base.__file__).parents[1] / "media" / "weights"
    model = str(weights / "face_detection_yunet_2023mar.onnx")
    yunet = cv2.FaceDetectorYN.create(model, "", (320, 240), 0.6, 0.3, 5000)

    def count(image):
        yunet.setInputSize(image.shape[1::-1])
        faces = yunet.detect(image)[1]
        return 0 if faces is None else len(faces)

    return count


def test_clean_frames_hold_exactly_one_face_and_spoilt_ones_none(faulty, detect):
    mouth = np.full(125, 0.3)
    clean = list(
        play(dataclasses.replace(faulty("video", "covered"), spans=()), mouth, (320, 240), 5)
    )
    assert [detect(image) for image in clean] == [1] * 25
    for kind in ("covered", "turned"):
        frames = list(play(faulty("video", kind), mouth, (320, 240), 5))
        assert [detect(image) for image in frames[12:18]] == [0] * 6
        assert [detect(image) for image in frames[:10]] == [1] * 10


def test_a_blurred_face_loses_its_detail(faulty):
    frames = list(play(faulty("video", "blurred"), np.full(125, 0.3), (320, 240), 5))
    smoothed = [cv2.GaussianBlur(image, (0, 0), 1.5) for image in frames]  # without the grain
    sharp = [cv2.Laplacian(image, cv2.CV_64F).var() for image in smoothed]
    assert max(sharp[12:18]) < 0.5 * min(sharp[:10])


def test_a_dark_face_has_less_light_and_more_grain(faulty):
    frames = np.stack(list(play(faulty("video", "dark"), np.full(125, 0.3), (320, 240), 5)))
    assert frames[12:18].mean() < 0.6 * frames[:10].mean()
    corner = frames[:, :30, :30].astype(float)  # only background
    grain = (np.diff(corner, axis=1) / corner.mean((1, 2, 3), keepdims=True)[:, :1]).std((1, 2, 3))
    assert min(grain[12:18]) > 2 * max(grain[:10])


@pytest.mark.parametrize("size", [(160, 120), (320, 240)])
def test_a_face_is_found_in_the_clean_frames_of_every_person(detect, size):
    found = []
    for index in range(24):
        clean = dataclasses.replace(scene(index, 4.0, 7), spans=())
        found += [detect(image) for image in play(clean, np.full(100, 0.3), size, 2)]
    assert np.mean(np.array(found) == 1) >= 0.98


@pytest.mark.parametrize("index", [0, 5])  # a painted face and a painting
def test_a_smile_lifts_the_corners_of_the_mouth(index):
    face = portrait(scene(index, 4.0, 7))
    puppet = Puppet(face, (480, 360))
    heights = []
    for smile in (-1.0, 0.0, 1.0):
        moved = puppet._moved(Pose(smile=smile))
        left, right = (moved[puppet_row(i)][1] for i in (61, 291))
        heights.append((left + right) / 2)
    assert heights[0] > heights[1] + 5 > heights[2] + 10
    assert (
        np.abs(puppet.frame(Pose(smile=1)) - puppet.frame(Pose(smile=-1)).astype(float)).max() > 20
    )


def puppet_row(landmark):
    return mesh.CONTROLS.index(landmark)
