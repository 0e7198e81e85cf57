"""CREMA-D's miniature: films and sounds, labels, ratings, folds of actors, and votes."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.corpora.crema_d.corpus import CremaD
from avfusion.corpora.crema_d.release import UNUSABLE
from avfusion.corpora.crema_d.tree import find_parts
from avfusion.corpora.crema_d.votes import clip_of, human_recognition, read_votes
from avfusion.corpora.tree.scan import read_tree
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.media.mel import log_mel_of
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from support.download_server import pointer
from support.miniatures import _film, crema_d, verify

VOTES = "processedResults/tabulatedVotes.csv"
USED = [clip for clip in crema_d.clips() if clip not in crema_d.SPOILT]
WORDS = {"audio": "1", "video": "2", "both": "3"}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Return the root of the miniature, its tree and the layout of fold 1."""
    folder = tmp_path_factory.mktemp("crema_d")
    crema_d.build(folder / "tree")
    code, _ = verify("crema_d", folder / "tree", crema_d.OPTIONS, folder / "results")
    assert code == 0
    return (
        folder / "tree",
        read_tree(folder / "tree", folder / "digests"),
        Layout(folder / "results"),
    )


def opened(release, **options):
    corpus = CremaD(root=release[0], **crema_d.OPTIONS | options)
    corpus.tree = release[1]
    return corpus


def raw_rows(root: Path) -> list[dict[str, str]]:
    with (root / VOTES).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_clip_shows_its_film_and_sounds_like_its_wav(release, tmp_path):
    root, _, made = release
    clip = crema_d.SHORT_NAME
    layout = Layout(tmp_path)
    table = pd.read_parquet(made.manifest("crema_d")).set_index("video", drop=False)
    wav = root / "AudioWAV/1004_TIE_SAD_X.wav"
    assert table.loc[clip, "sound_sha256"] == hashlib.sha256(wav.read_bytes()).hexdigest()
    layout.manifest("crema_d").parent.mkdir(parents=True)
    table[table["video"] == clip].to_parquet(layout.manifest("crema_d"))
    settings = MediaJobSettings(root=root, media=MediaSettings())
    run_shard("crema_d", (0, 1), settings, layout)
    record = MediaRecord.open(layout.media("crema_d") / clip)
    assert record.meta["frames"] == crema_d.FRAMES
    assert record.meta["face_share"] == 1
    heard = log_mel_of(record)[5:70].astype(float).argmax(1)
    assert set(heard) == {_film.tone_band(crema_d.tone(clip))}


def test_the_sentence_of_a_clip_is_its_transcript(release):
    table = opened(release).videos()
    words = [(release[0] / path).read_text() for path in table["transcript"]]
    assert words == [crema_d.SENTENCES[video[5:8]] for video in table["video"]]


def test_spoilt_clips_are_in_the_votes_and_not_in_the_study(release):
    corpus = opened(release)
    assert set(crema_d.SPOILT) <= set(UNUSABLE)
    assert corpus.videos()["video"].tolist() == sorted(USED)
    assert set(pd.read_parquet(release[2].gold("crema_d"))["video"]) == set(USED)
    assert set(corpus.votes()["clip"]) == set(crema_d.clips())


def test_the_intended_label_is_the_one_of_the_name(release):
    labels = dict(opened(release).labels().itertuples(index=False))
    assert labels == {clip: crema_d.CLASSES[clip[9:12]] for clip in USED}
    assert set(labels.values()) == set(CremaD.classes)


def test_the_voted_label_has_most_votes_and_a_tie_has_none(release):
    labels = dict(opened(release, labels="voted").labels().itertuples(index=False))
    names = {name[0].upper(): name for name in crema_d.CLASSES.values()}
    ties = 0
    for row in raw_rows(release[0]):
        if row[""][0] != "3" or row["fileName"] in crema_d.SPOILT:
            continue
        counts = Counter({names[x]: int(row[x]) for x in crema_d.LETTERS})
        (first, most), (_, second) = counts.most_common(2)
        ties += most == second
        assert labels[row["fileName"]] == (None if most == second else first)
    assert labels[crema_d.TIE] is None
    assert ties == sum(label is None for label in labels.values())
    assert Counter(labels.values()) != Counter(opened(release).labels()["label"]), (
        "intended and voted labels are the same, so this test shows nothing"
    )


def test_the_rating_is_the_mean_level_from_start_to_end(release):
    gold = pd.read_parquet(release[2].gold("crema_d"))
    levels = {
        r["fileName"]: float(r["meanEmoResp"]) for r in raw_rows(release[0]) if r[""][0] == "3"
    }
    for clip, rows in gold.groupby("video"):
        assert len(rows) == 10
        assert set(rows["intensity"]) == {levels[clip]}
        assert rows["time_s"].iloc[[0, -1]].tolist() == pytest.approx([0, crema_d.END_S])
    assert gold["video"].nunique() == len(USED)


def test_each_actor_is_tested_once_and_is_in_one_partition(release):
    tested = []
    for fold in range(1, 6):
        table = opened(release, fold=fold).videos()
        assert table.groupby("subject")["partition"].nunique().eq(1).all()
        assert (table["subject"] == table["voice"]).all()
        assert (table["subject"] == table["video"].str[:4]).all()
        assert set(table["partition"]) == {"train", "validation", "test"}
        tested += table["video"][table["partition"] == "test"].tolist()
    assert sorted(tested) == sorted(USED)


def test_folds_of_all_actors_are_even_and_follow_the_seed(tmp_path):
    tests = []
    for fold in range(1, 6):
        partition = CremaD(root=tmp_path, fold=fold).partition
        sizes = Counter(partition.values())
        assert len(partition) == 91
        assert sizes["test"] in (18, 19)
        assert sizes["validation"] in (18, 19)
        tests += [actor for actor, part in partition.items() if part == "test"]
    assert sorted(tests) == list(range(1001, 1092))
    assert CremaD(root=tmp_path, seed=1).partition != CremaD(root=tmp_path).partition


def test_pointers_are_those_that_a_download_reads(tmp_path):
    texts = {"1001_IEO_HAP_HI": pointer(b"film"), "1001_IEO_SAD_LO": pointer(b"film") + b"more"}
    (tmp_path / "VideoFlash").mkdir()
    for clip, text in texts.items():
        (tmp_path / f"VideoFlash/{clip}.flv").write_bytes(text)
    (tmp_path / "processedResults").mkdir()
    crema_d.tables(tmp_path)
    corpus = CremaD(root=tmp_path, **crema_d.OPTIONS)
    corpus.tree = read_tree(tmp_path, tmp_path / "digests")
    assert corpus.pointers == ["VideoFlash/1001_IEO_HAP_HI.flv"]


def test_votes_are_those_of_the_table(release):
    votes = opened(release).votes().set_index(["clip", "modality"])
    assert len(votes) == 3 * len(crema_d.clips())
    for row in raw_rows(release[0]):
        kind = next(word for word, digit in WORDS.items() if digit == row[""][0])
        mine = votes.loc[(row["fileName"], kind)]
        intended = crema_d.CLASSES[row["fileName"][9:12]]
        assert mine["emotion"] == intended
        assert mine["right"] == int(row[intended[0].upper()])
        assert mine["responses"] == int(row["numResponses"])
        level = float(row["meanEmoResp"])
        assert np.isnan(mine["level"]) if level == -1 else mine["level"] == level
    assert np.isnan(votes.loc[(crema_d.NO_VOICE, "audio"), "level"])


@pytest.mark.parametrize("kind", WORDS)
def test_human_recognition_is_the_share_of_right_responses(release, kind):
    shares = human_recognition(opened(release).votes(), kind)
    right, every = Counter(), Counter()
    for row in raw_rows(release[0]):
        if row[""][0] == WORDS[kind]:
            emotion = crema_d.CLASSES[row["fileName"][9:12]]
            for name in (emotion, "all"):
                right[name] += int(row[emotion[0].upper()])
                every[name] += sum(int(row[x]) for x in crema_d.LETTERS)
    assert shares == pytest.approx({name: right[name] / every[name] for name in every})
    assert len(shares) == 7
    assert np.isnan(human_recognition(opened(release).votes().iloc[:0], kind)["all"])


def test_shares_of_a_clip_sum_to_one(release):
    table = opened(release).voted.table
    sums = table[list(CremaD.classes)].sum(axis=1, skipna=False)
    assert sums[table["responses"] > 0].to_numpy() == pytest.approx(1)
    assert sums[table["responses"] == 0].isna().all()


def test_a_clone_in_a_folder_and_a_part_of_the_actors(release, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/CREMA-D-master").symlink_to(release[0])
    corpus = CremaD(root=tmp_path / "root", actors=[1, 1002, 64])
    corpus.tree, corpus.cache = read_tree(corpus.root, tmp_path / "d", outside=True), tmp_path
    table = corpus.videos()
    assert set(table["subject"]) == {"1001", "1002", "1064"}
    assert set(table["path"].str.rpartition("/")[0]) == {"CREMA-D-master/VideoFlash"}
    assert table["sound_sha256"].notna().all()
    assert set(table["partition"]) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("actors", "expected"),
    [("1-3", (1001, 1002, 1003)), ("1001-1003", (1001, 1002, 1003)), (91, (1091,)),
     ("5, 1007", (1005, 1007)), ([1091, 2], (1002, 1091)), (None, tuple(range(1001, 1092)))],
)  # fmt: skip
def test_actors_have_two_kinds_of_numbers(tmp_path, actors, expected):
    assert CremaD(root=tmp_path, actors=actors).actors == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [({"actors": "92"}, "crema_d: actors"), ({"actors": "all"}, "crema_d: actors"),
     ({"labels": "both"}, "`intended` or `voted`"), ({"folds": 2}, "3 … 91"),
     ({"fold": 6}, "1 … 5"), ({"expect": {"votes": 1}}, "'votes'; expected only actors, clips")],
)  # fmt: skip
def test_unknown_options_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        CremaD(root=tmp_path, **options)


@pytest.mark.parametrize(
    "name",
    ["1001_IEO_HAP", "1001_IEO_HAP_XXX", "101_IEO_HAP_LO", "1001_ieo_HAP_LO", "1001_IEO_LOW_LO"],
)
def test_another_name_is_no_clip(name):
    assert clip_of(name) is None


HEAD = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote","meanEmoResp"'
LINE = '"300014",0,0,0,6,3,0,"1002_IEO_HAP_HI",9,0.667,"H",57.3'


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    return tmp_path_factory.mktemp("votes") / "votes.csv"


@given(st.text(st.sampled_from("0123456789.,:-eEN A_DIX"), max_size=12), st.integers(0, len(LINE)))
def test_any_near_miss_of_a_row_is_read_or_reported(table_file, text, at):
    table_file.write_text(f"{HEAD}\n{LINE[:at]}{text}{LINE[at:]}\n")
    votes = read_votes(table_file, "votes.csv")
    assert len(votes.table) + len(votes.faults) == 1
    assert all(fault.startswith("votes.csv:2: ") for fault in votes.faults)
    for row in votes.table.itertuples():
        assert 0 <= row.right <= row.responses
        assert not np.isinf(row.level)


def test_a_second_name_of_a_folder_is_no_second_copy(release, tmp_path):
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    for folder, ending in (("VideoFlash", "flv"), ("AudioWAV", "wav")):
        (root / "real" / folder).mkdir()
        (root / "real" / folder / f"1001_DFA_ANG_XX.{ending}").touch()
    (root / "latest").symlink_to(root / "real", target_is_directory=True)
    parts = find_parts(read_tree(root, tmp_path / "d"))
    assert parts.twice == []
    assert list(parts.films.values()) == ["real/VideoFlash/1001_DFA_ANG_XX.flv"]
    assert list(parts.wavs.values()) == ["real/AudioWAV/1001_DFA_ANG_XX.wav"]
