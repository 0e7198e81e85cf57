"""RAVDESS: names, folds, gold and labels of its miniature, and what a download plans."""

import shutil
import zipfile
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.corpora.acted import INSTANTS
from avfusion.corpora.obtain.remote import DownloadError, RemoteFile
from avfusion.corpora.obtain.source import Item
from avfusion.corpora.obtain.unpack import unpack
from avfusion.corpora.ravdess.corpus import Ravdess
from avfusion.corpora.ravdess.expected import release_clips
from avfusion.corpora.ravdess.release import PUBLISHED
from avfusion.corpora.ravdess.source import RavdessSource
from avfusion.corpora.ravdess.tree import ACTORS, EMOTIONS, read_name
from avfusion.corpora.tree.scan import read_tree
from avfusion.errors import ConfigError, CorpusError
from avfusion.layout import Layout
from avfusion.media.mel import log_mel_of
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from support.miniatures import _film, alarms, ravdess, verify
from support.miniatures._ravdess_faults import rated

FOLDS = range(1, 6)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Return the root of the miniature, its tree and the layout of fold 1."""
    folder = tmp_path_factory.mktemp("ravdess")
    ravdess.build(folder / "tree")
    code, _ = verify("ravdess", folder / "tree", ravdess.OPTIONS, folder / "results")
    assert code == 0
    tree = read_tree(folder / "tree", folder / "digests")
    return folder / "tree", tree, Layout(folder / "results")


def opened(release, **options):
    corpus = Ravdess(root=release[0], **ravdess.OPTIONS | options)
    corpus.tree, corpus.cache = release[1], release[2].verified("ravdess")
    return corpus


def test_the_published_folds_are_those_of_the_paper():
    assert PUBLISHED == (
        (2, 5, 14, 15, 16),
        (3, 6, 7, 13, 18),
        (10, 11, 12, 19, 20),
        (8, 17, 21, 23, 24),
        (1, 4, 9, 22),
    )
    assert sorted(n for fold in PUBLISHED for n in fold) == list(ACTORS)


@pytest.mark.parametrize("fold", FOLDS)
def test_the_published_folds_are_used_as_they_are(tmp_path, fold):
    parts = Ravdess(root=tmp_path, fold=fold).partition
    assert tuple(n for n in parts if parts[n] == "test") == PUBLISHED[fold - 1]
    assert tuple(n for n in parts if parts[n] == "validation") == PUBLISHED[fold % 5]
    assert Counter(parts.values()).total() == 24


@pytest.mark.parametrize("options", [{}, {"folds": "even", "seed": 3}, {"channel": "song"}])
def test_folds_share_no_actor_and_test_each_clip_once(release, options):
    tested = []
    for fold in FOLDS:
        table = opened(release, fold=fold, **options).videos()
        sides = table.groupby("subject")["partition"].nunique()
        assert set(sides) == {1}
        assert (table["voice"] == table["subject"]).all()
        assert set(table["partition"]) == {"train", "validation", "test"}
        tested += table["video"][table["partition"] == "test"].tolist()
    assert sorted(tested) == sorted(table["video"])
    assert len(table) == (10 if options.get("channel") == "song" else 18)


def test_seeds_draw_other_even_folds(tmp_path):
    drawn = {Ravdess(root=tmp_path, folds="even", seed=seed).folds for seed in range(4)}
    assert len(drawn) == 4
    assert PUBLISHED not in drawn


def test_a_clip_has_the_emotion_intensity_and_actor_of_its_name(release):
    corpus = opened(release)
    table = corpus.videos().set_index("video")
    labels = corpus.labels().set_index("video")["label"]
    gold = corpus.gold()
    assert set(table.index) == {
        ravdess.name(1, 1, *kind, actor) for actor in ravdess.ACTORS for kind in ravdess.SPEECH
    }
    for actor in ravdess.ACTORS:
        for emotion, intensity in ravdess.SPEECH:
            name = ravdess.name(1, 1, emotion, intensity, actor)
            assert labels[name] == {1: "neutral", 5: "angry"}[emotion]
            assert table.loc[name, "subject"] == f"Actor_{actor:02d}"
            assert table.loc[name, "path"].endswith(f"Actor_{actor:02d}/{name}.mp4")
            rows = gold[gold["video"] == name]
            assert rows["intensity"].tolist() == [intensity] * INSTANTS
            ends = rows["time_s"].iloc[[0, -1]].tolist()
            assert ends == pytest.approx([0, ravdess.END_S], abs=1e-3)


def test_a_clip_is_seen_and_heard_from_its_start_to_its_end(release, tmp_path):
    """The tone is that of the clip, and one face is in every picture."""
    root, _, made = release
    layout, settings = Layout(tmp_path), MediaJobSettings(root=root, media=MediaSettings())
    table = pd.read_parquet(made.manifest("ravdess"))
    takes = {ravdess.name(1, 1, *ravdess.SPEECH[at], 10): at for at in (0, 2)}
    layout.manifest("ravdess").parent.mkdir(parents=True)
    table[table["video"].isin(takes)].to_parquet(layout.manifest("ravdess"))
    run_shard("ravdess", (0, 1), settings, layout)
    for name, at in takes.items():
        record = MediaRecord.open(layout.media("ravdess") / name)
        assert record.meta["face_share"] == 1, name
        assert record.meta["frames"] == ravdess.FRAMES
        assert record.duration_s == pytest.approx(ravdess.END_S, abs=1e-3)
        heard = log_mel_of(record)[5:55].astype(float).argmax(1)
        assert set(heard) == {_film.tone_band(ravdess.number(10, at) % _film.TONES)}


def test_twins_and_sound_files_are_never_listed(release):
    files = [path for folder in release[1].folders.values() for path in folder.paths]
    assert sum("/02-" in path for path in files) == 28
    assert sum("/03-" in path for path in files) == 3
    for channel, count in (("speech", 18), ("song", 10), ("both", 28)):
        videos = opened(release, channel=channel).videos()
        assert len(videos) == count
        assert videos["video"].str.startswith("01-").all()
        assert videos["path"].str.contains("/01-").all()


def test_actor_18_has_no_song_and_no_alarm(release, tmp_path):
    code, checks = verify("ravdess", release[0], {**ravdess.OPTIONS, "channel": "both"}, tmp_path)
    assert code == 0
    assert alarms(checks).empty
    assert "Actor_18" not in set(opened(release, channel="song").videos()["subject"])
    assert Ravdess(root=tmp_path, channel="song").classes == EMOTIONS[:6]
    assert Ravdess(root=tmp_path, channel="both").classes == EMOTIONS


def test_a_part_of_the_actors_is_a_study_of_its_own(release, tmp_path):
    options = {**ravdess.OPTIONS, "actors": "1-3"}
    code, checks = verify("ravdess", release[0], options, tmp_path)
    assert code == 0
    assert alarms(checks).empty
    assert "even folds with seed 0" in checks.loc["split", "found"]
    with pytest.raises(CorpusError, match="at least 3"):
        opened(release, actors="1,2").videos()


def test_the_card_states_the_split_and_the_source_of_intensities(release):
    card = opened(release).card()
    assert card["intensity"] == "acted level, 1 or 2"
    assert card["range"] == [1.0, 2.0]
    assert card["classes"] == ["neutral", "angry"]
    assert card["split"].startswith("fold 1 of 5, published folds, Luna")
    other = opened(release, fold=2).card()
    assert card["split_sha256"] != other["split_sha256"]


def test_the_statement_of_a_clip_is_its_transcript_if_it_was_written(release, tmp_path):
    corpus = opened(release)
    assert set(corpus.videos()["transcript"]) == {"sentences/01.sentence"}
    shutil.copytree(release[0], tmp_path / "tree")
    shutil.rmtree(tmp_path / "tree/sentences")  # unpacked by hand
    bare = Ravdess(root=tmp_path / "tree", **ravdess.OPTIONS)
    bare.tree = read_tree(tmp_path / "tree", tmp_path / "digests")
    assert bare.videos()["transcript"].isna().all()


def test_mean_ratings_replace_acted_levels(release, tmp_path):
    root = tmp_path / "tree"
    shutil.copytree(release[0], root)
    rated()(root)
    options = {**ravdess.OPTIONS, "ratings": "ratings.csv"}
    code, checks = verify("ravdess", root, options, tmp_path / "results")
    assert code == 0
    assert alarms(checks).empty
    gold = pd.read_parquet(Layout(tmp_path / "results").gold("ravdess"))
    assert gold["intensity"].max() == 4.5
    corpus = Ravdess(root=root, **options)
    assert corpus.value_range == (1.0, 5.0)
    corpus.tree = read_tree(root, tmp_path / "digests")
    assert corpus.card()["intensity"] == "mean ratings of ratings.csv, 1 to 5"


def test_missing_clips_are_those_of_the_release(release):
    corpus = opened(release, expect={})
    assert len(corpus.missing()) == 6 * 60 - 18
    assert "Actor_18/01-01-08-02-02-02-18.mp4" in corpus.missing()
    assert opened(release).missing() == []


def test_the_release_has_its_published_counts():
    every = [clip for actor in ACTORS for clip in release_clips(actor)]
    assert Counter(clip.channel for clip in every) == {1: 1440, 2: 1012}
    spoken = Counter(clip.label for clip in every if clip.channel == 1 and clip.actor == 18)
    assert spoken == {"neutral": 4, **dict.fromkeys(EMOTIONS[1:], 8)}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"channel": "noise"}, "`speech`, `song` or `both`"), ({"fold": 6}, "1 … 5"),
     ({"folds": "random"}, "`published` or `even`"), ({"actors": "1-25"}, "from 1 to 24"),
     ({"ratings": "../ratings.csv"}, "no path below"),
     ({"expect": {"turns": 1}}, "'turns'; expected only picture_px, song, speech, stereo"),
     ({"expect": {"song": {"joy": 1}}}, "expect.song has 'joy'")],
)  # fmt: skip
def test_unknown_options_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        Ravdess(root=tmp_path, **options)


def test_a_folder_without_a_clip_says_how_to_download(tmp_path):
    corpus = Ravdess(root=tmp_path)
    corpus.tree = read_tree(tmp_path, tmp_path / "digests")
    with pytest.raises(CorpusError, match="avf obtain ravdess --accept-licence"):
        corpus.videos()


@given(st.lists(st.integers(0, 30), min_size=6, max_size=8))
def test_a_name_is_read_as_written_or_refused_with_a_reason(numbers):
    stem = "-".join(f"{n:02d}" for n in numbers)
    clip, fault = read_name(stem)
    assert (clip is None) == bool(fault)
    if clip is not None:
        assert clip.name == stem
        assert clip.label == EMOTIONS[numbers[2] - 1]


@given(st.text("0123-4567 89a٣", max_size=22))
def test_any_text_is_a_name_or_refused(stem):
    clip, fault = read_name(stem)
    assert (clip is None) == bool(fault)
    assert clip is None or clip.name == stem


class Record:
    """A client that knows the metadata of one record."""

    def __init__(self, names):
        self.names, self.asked = names, []

    def json(self, url):
        self.asked.append(url)
        link = "https://zenodo.org/api/records/1188976/files/{}/content"
        files = [
            {"key": n, "size": k, "checksum": f"md5:{k}", "links": {"self": link.format(n)}}
            for k, n in enumerate(self.names)
        ]
        return {"files": files}


def archives():
    """Return the names of all files of the record."""
    speech = [f"Video_Speech_Actor_{n:02d}.zip" for n in ACTORS]
    song = [f"Video_Song_Actor_{n:02d}.zip" for n in ACTORS if n != 18]
    return ["Audio_Song_Actors_01-24.zip", "Audio_Speech_Actors_01-24.zip", *song, *speech]


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 24), ({"channel": "song"}, 23), ({"channel": "both"}, 47), ({"actors": "1-6"}, 6),
     ({"actors": "17,18", "channel": "both"}, 3)],
)  # fmt: skip
def test_a_download_is_the_video_archives_of_the_chosen_actors(tmp_path, options, count):
    client = Record(archives())
    plan = Ravdess(root=tmp_path, **options).source().plan(client, tmp_path)
    names = [item.file.path for item in plan.items]
    said = {path.name: path.read_text() for path in (tmp_path / "sentences").iterdir()}
    assert said == {
        "01.sentence": ravdess.SENTENCE,
        "02.sentence": "Dogs are sitting by the door\n",
    }
    assert client.asked == ["https://zenodo.org/api/records/1188976"]
    assert len(names) == len(set(names)) == count
    assert all(item.archive for item in plan.items)
    assert all(name.startswith("Video_") for name in names)
    chosen = Ravdess(root=tmp_path, **options).chosen
    assert {int(name[-6:-4]) for name in names} <= set(chosen)


def test_a_record_without_an_archive_is_refused(tmp_path):
    source = RavdessSource((1, 2), "speech")
    with pytest.raises(
        DownloadError, match=r"lists no Video_Speech_Actor_02.zip among its 1 files"
    ):
        source.plan(Record(["Video_Speech_Actor_01.zip"]), tmp_path)


@pytest.mark.parametrize("folder", ["", "Video_Speech_Actor_01/"])
def test_unpacking_keeps_clips_with_sound_only(tmp_path, folder):
    kept = "Actor_01/01-01-06-01-02-01-01.mp4"
    members = [
        kept, kept.replace("/01-", "/02-"), "Actor_01/readme.txt", "01-01-06-01-02-01-01.mp4",
        "Actor_01/01-01-06-01-02-01.mp4", "Actor_1/01-01-06-01-02-01-01.mp4",
    ]  # fmt: skip
    archive = tmp_path / "Video_Speech_Actor_01.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for member in members:
            packed.writestr(f"{folder}{member}", member)
    source = RavdessSource((1,), "speech")
    item = Item(RemoteFile("https://zenodo.org/x", archive.name, 1, "md5:0"), archive=True)
    assert list(unpack(archive, tmp_path / "out", lambda m: source.path_of(item, m))) == [kept]
    assert [p.name for p in (tmp_path / "out").rglob("*.*")] == [kept.partition("/")[2]]


def test_archives_that_are_kept_do_not_alarm(release, tmp_path):
    root = tmp_path / "tree"
    shutil.copytree(release[0], root)
    (root / "Video_Speech_Actor_03.zip").write_bytes(b"PK")
    code, checks = verify("ravdess", root, ravdess.OPTIONS, tmp_path / "results")
    assert code == 0
    assert alarms(checks).empty


@pytest.mark.parametrize(
    ("fault", "name"),
    [("a clip cut off", "pictures readable"), ("a clip of a moment", "duration"),
     ("a clip without sound", "sound")],
)  # fmt: skip
def test_a_damaged_clip_is_to_be_deleted_first(release, tmp_path, fault, name):
    root = tmp_path / "tree"
    shutil.copytree(release[0], root)
    ravdess.FAULTS[fault].plant(root)
    _, checks = verify("ravdess", root, ravdess.OPTIONS, tmp_path / "results")
    assert "Delete it, then run: avf obtain ravdess" in checks.loc[name, "hint"]


def test_the_instructions_state_licence_size_and_commands():
    assert "CC BY-NC-SA 4.0" in Ravdess.licence
    assert "0.5 GB per actor" in Ravdess.access
    assert "avf obtain ravdess --accept-licence --part actors=1-6" in Ravdess.access
