"""IEMOCAP's shared arrays as a corpus: names, labels, lengths, and rows copied to clips."""

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.load import load
from avfusion.config.sections import MediaSettings
from avfusion.corpora.iemocap_arrays.corpus import IemocapArrays
from avfusion.encoders.arrays import spread
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.media.arrays import Utterance
from avfusion.media.clips import clip_ends
from avfusion.media.stage import run_shard
from avfusion.registry import encoders
from support.miniatures import iemocap_arrays as mini
from support.miniatures import verify

NAMES = ("arrays_mfcc", "arrays_prosody", "arrays_video", "arrays_words")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arrays")
    mini.build(folder)
    return folder


def corpus(root, **options):
    return IemocapArrays(root=root, **{**mini.OPTIONS, **options})


def test_an_utterance_has_one_name_and_one_class_in_every_fold(root):
    codes = {f"utterance_{number:05d}": code for number, code in enumerate(mini.codes())}
    tested = []
    for fold in range(1, 6):
        release = corpus(root, fold=fold)
        table, labels = release.videos(), release.labels()
        assert table["video"].is_unique
        assert dict(zip(labels["video"], labels["label"], strict=True)) == codes
        tested += [table["video"][table["partition"] == "test"]]
    assert pd.concat(tested).is_unique


def test_a_row_of_the_manifest_is_the_utterance_of_its_name(root):
    codes = mini.codes()
    for row in corpus(root, fold=4).videos().sample(20, random_state=0).itertuples():
        number = int(row.video.rpartition("_")[2])
        expected = mini.utterance(number, codes[number])
        utterance = Utterance(root, row.path, row.row, row.end_s)
        steps = int(expected["audio_seqN"])
        assert row.end_s == pytest.approx(steps * 0.01)
        np.testing.assert_array_equal(utterance.mfcc, expected["audio_mfcc"][:steps])
        np.testing.assert_array_equal(utterance.prosody[0], expected["audio_prosody"])
        assert len(utterance.pictures) == expected["video_seqN"]
        rows = expected["nlp_trans"][:3]
        np.testing.assert_array_equal(utterance.words, np.load(root / "W_embedding.npy")[rows])


def test_folds_of_another_rule_have_names_of_their_own(root, tmp_path):
    """One utterance moved from train to dev: its rows can no longer be identified."""
    folder = tmp_path / "folds" / "fold01"
    folder.mkdir(parents=True)
    for path in (root / "folds" / "fold01").glob("*.npy"):
        split, _, name = path.stem.partition("_")
        parts = {s: np.load(path.with_name(f"{s}_{name}.npy")) for s in ("train", "dev", "test")}
        moved = {**parts, "train": parts["train"][1:]}
        moved["dev"] = np.concatenate([parts["train"][:1], parts["dev"]])
        np.save(folder / path.name, moved[split])
    for name in ("W_embedding.npy", "dic.pkl"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    code, checks = verify("iemocap_arrays", tmp_path, mini.OPTIONS, tmp_path / "results")
    assert code == 0
    assert checks.loc["random fold", "verdict"] == "WARN"
    assert set(corpus(tmp_path).videos()["video"].str[:6]) == {"fold1_"}


def test_nothing_is_decoded_and_what_is_damaged_fails_alone(root, tmp_path):
    layout, settings = Layout(tmp_path), MediaJobSettings(root=root, media=MediaSettings())
    verify("iemocap_arrays", root, mini.OPTIONS, tmp_path)
    table = pd.read_parquet(layout.manifest("iemocap_arrays")).head(3)
    table.loc[1, "row"] = 10_000
    table.to_parquet(layout.manifest("iemocap_arrays"))
    run_shard("iemocap_arrays", (0, 1), settings, layout)
    index = pd.read_parquet(layout.media("iemocap_arrays") / "shard-0-of-1.parquet")
    assert list(index["status"]) == ["ok", "failed", "ok"]
    assert index["key"].dropna().nunique() == 2
    assert "avf verify" in index["reason"][1]
    left = {path.name for path in layout.media("iemocap_arrays").rglob("*") if path.is_file()}
    assert left == {"meta.json", "shard-0-of-1.parquet"}


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_of_arrays_gives_a_row_a_clip_and_nothing_outside_the_arrays(root, name):
    row = corpus(root).videos().iloc[0]
    record = Utterance(root, row["path"], row["row"], row["end_s"])
    encoder = encoders.get(name)()
    ends_s = clip_ends(record.duration_s, 0.1)
    rows = encoder.encode(record, ends_s, 0.2)
    steps = encoder.steps(record)
    assert rows.shape == (len(ends_s), encoder.dim) == (len(ends_s), steps.shape[1])
    assert rows.dtype == np.float32
    assert (rows <= steps.max(0) + 1e-6).all()
    assert (rows >= steps.min(0) - 1e-6).all()


def test_the_mean_over_adjoining_clips_is_the_mean_of_the_steps():
    """However many steps fall on a clip, none is lost and none counts twice."""
    steps = np.random.default_rng(0).normal(size=(7, 3))
    for clips in (1, 2, 5, 7, 11):
        ends_s = np.arange(1, clips + 1) * (2.1 / clips)
        rows = spread(steps, 2.1, ends_s, 2.1 / clips)
        np.testing.assert_allclose(rows.mean(0), steps.mean(0), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 6}, "fold is 6"),
        ({"mfcc_hop_s": 0}, "mfcc_hop_s is 0"),
        ({"expect": {"sizes": 1}}, "expect has 'sizes'"),
        ({"expect": {"counts": {"ang": 1, "sad": 1}}}, "two of expect.counts are equal"),
    ],
)
def test_an_option_that_cannot_be_is_refused(root, options, message):
    with pytest.raises(ConfigError, match=message):
        corpus(root, **options)


ARRAYS = {"corpora": {"fold1": {"is": "iemocap_arrays", "root": "x", "task": "classes"}}}
MEDIA = {"corpora": {"demo": {"root": "x"}}}


@pytest.mark.parametrize(
    ("study", "features", "message"),
    [
        (ARRAYS, {}, "features lists 'mel_cnn', but corpora.fold1"),
        (MEDIA, {"audio": ["arrays_mfcc"], "video": ["arrays_video"]}, "'arrays_mfcc', but"),
        (ARRAYS, {"audio": ["arrays_words"]}, "encodes text. Move it there"),
    ],
)
def test_encoders_of_recordings_and_of_arrays_are_not_confused(study, features, message):
    with pytest.raises(ConfigError, match=message):
        load({**study, "features": features, "fusions": {"concat": {}}})


def test_a_vector_that_the_baseline_would_take_off_whole_is_refused():
    features = {"audio": ["arrays_mfcc", "arrays_prosody"], "video": ["arrays_video"]}
    study = {**ARRAYS, "features": features, "fusions": {"concat": {}}}
    with pytest.raises(ConfigError, match="subtracts all of it"):
        load(study)
    load({**study, "train": {"baseline": "none"}})
    entry = {**ARRAYS["corpora"]["fold1"], "train": {"baseline": "none"}}
    load({**study, "corpora": {"fold1": entry}})


def test_arrays_are_asked_for_classes():
    bare = {"corpora": {"fold1": {"is": "iemocap_arrays", "root": "x"}}}
    features = {"audio": ["arrays_mfcc"], "video": ["arrays_video"]}
    load({**ARRAYS, "features": features, "fusions": {"concat": {}}})
    with pytest.raises(ConfigError, match="Add `task: classes`"):
        load({**bare, "features": features, "fusions": {"concat": {}}})
