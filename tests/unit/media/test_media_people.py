"""People are kept apart: no track mixes two, whatever the cuts; the rule says who is followed."""

import hashlib
import inspect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import FaceEmbedding, MediaSettings
from avfusion.config.study import Study
from avfusion.encoders.faces import thin
from avfusion.errors import ConfigError, MediaError
from avfusion.layout import Layout
from avfusion.media import appearance
from avfusion.media.follow import Seen, switches
from avfusion.media.isolate import Reader, read_apart
from avfusion.media.person import Person
from avfusion.media.read import read_video
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from support import odd_videos, people_videos
from support.miniatures import verify
from support.people_videos import FPS, Shot

SETTINGS = MediaSettings(read_hz=12.5)

SHOTS = [
    Shot(("gauss", "newton"), 40),
    Shot(("mona_lisa",), 35),
    Shot(("painted_8", "gauss"), 40),
    Shot(("newton",), 30, scale=1.0),
]


def read(path, folder, **changes):
    settings = SETTINGS.model_copy(update=changes)
    return MediaRecord.open(folder) if read_video(path, folder, settings) else None


@pytest.fixture(scope="module")
def cast(tmp_path_factory):
    """Four people and three cuts."""
    folder = tmp_path_factory.mktemp("cast")
    images, shot_of = people_videos.images(SHOTS)
    path = odd_videos.write(folder / "four.mp4", images)
    record = read(path, folder / "record")
    people = pd.read_parquet(record.folder / "people.parquet")
    middle = people.x + people.w / 2
    names = [
        people_videos.who(SHOTS[shot_of[f]], m) for f, m in zip(people.frame, middle, strict=True)
    ]
    people = people.assign(name=names)
    return SimpleNamespace(record=record, people=people, path=path, folder=folder)


def test_no_track_mixes_two_people(cast):
    assert cast.people.groupby("person").name.nunique().max() == 1
    assert set(cast.people.name) == {name for shot in SHOTS for name in shot.people}


def test_a_person_who_comes_back_after_a_cut_is_known_again(cast):
    for name in ("gauss", "newton"):
        assert cast.people[cast.people.name == name].person.nunique() == 1


def test_each_cut_begins_a_shot(cast):
    begins = cast.people.groupby("shot").time_s.min().tolist()
    cuts = np.cumsum([0, *(shot.frames for shot in SHOTS[:-1])]) / FPS
    assert cast.record.meta["faces"]["shots"] == len(SHOTS)
    np.testing.assert_allclose(begins, cuts, atol=0.081)


def test_tracks_say_who_is_seen_when_and_where(cast):
    tracks = pd.read_parquet(cast.record.folder / "tracks.parquet")
    assert len(tracks) == sum(len(shot.people) for shot in SHOTS)
    assert (tracks.end_s > tracks.start_s).all()
    assert tracks.frames.sum() == len(cast.people)


def test_changes_of_the_followed_person_are_told_with_their_times(cast):
    text = "; ".join(cast.record.meta["warnings"])
    assert "more than one face" in text
    assert "the followed person may change at 1.6 s (cut), 3.0 s (cut)" in text
    assert len(cast.record.meta["faces"]["switches_s"]) >= 2


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Two people; in the first shot the left one talks, in the second the right one."""
    folder = tmp_path_factory.mktemp("talk")
    shots = [
        Shot(("mona_lisa", "newton"), 60, talks="mona_lisa"),
        Shot(("painted_3", "gauss"), 60, talks="gauss"),
    ]
    images, shot_of = people_videos.images(shots)
    talks = np.abs(np.sin(np.arange(len(images)) % 60 * 2.1)) > 0.3
    sound = odd_videos.tone(len(images) / FPS)
    sound *= np.repeat(talks, odd_videos.AUDIO_HZ // FPS)[: len(sound)]
    path = odd_videos.write(folder / "talk.mp4", images, audio=[(0.0, sound)])
    return SimpleNamespace(path=path, folder=folder, shots=shots, shot_of=shot_of)


def followed_names(talk, record):
    frames = record.frames.loc[record.with_face]
    middle = frames.x + frames.w / 2
    shots = [talk.shot_of[frame] for frame in frames.index]
    return {
        (shot, people_videos.who(talk.shots[shot], m))
        for shot, m in zip(shots, middle, strict=True)
    }


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("speaker", {(0, "mona_lisa"), (1, "gauss")}),
        ("left", {(0, "mona_lisa"), (1, "painted_3")}),
        ("right", {(0, "newton"), (1, "gauss")}),
    ],
)
def test_the_rule_says_who_is_followed_in_each_shot(talk, rule, names):
    record = read(talk.path, talk.folder / rule, face=rule)
    assert followed_names(talk, record) == names
    assert record.meta["faces"]["rule"] == rule


def test_who_moves_the_lips_while_there_is_sound_speaks(talk):
    tracks = read(talk.path, talk.folder / "who", face="left").tracks
    first, second = (tracks[tracks.shot == shot].sort_values("x") for shot in (0, 1))
    assert first.speaking.iloc[0] > 2 * first.speaking.iloc[1]
    assert second.speaking.iloc[1] > 2 * second.speaking.iloc[0]


def test_with_all_each_person_can_be_read_as_if_followed(talk):
    record = read(talk.path, talk.folder / "all", face="all")
    for track in record.tracks.itertuples():
        one = record.of_person(track.person)
        assert len(one.with_face) == track.frames
        middle = one.frames.x[one.with_face] + one.frames.w[one.with_face] / 2
        assert np.abs(middle - (track.x + track.w / 2)).max() < 60
        assert one.crops(one.with_face[:2]).shape == (2, 112, 112, 3)
    with pytest.raises(MediaError, match="no faces of person 99"):
        record.of_person(99)


def test_without_all_only_the_followed_person_is_kept(cast):
    with pytest.raises(MediaError, match="Set `face: all`"):
        cast.record.of_person(1)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One person who moves, searched in every frame, at a rate, and at half of that rate."""
    folder = tmp_path_factory.mktemp("one")
    images, _ = people_videos.images([Shot(("newton",), 75)], width=320)
    path = odd_videos.write(folder / "one.mp4", images)
    rates = {
        "every": {"read_hz": None},
        "rate": {"read_hz": 12.5},
        "between": {"read_hz": 12.5, "face_hz": 6.25},
    }
    return {name: read(path, folder / name, **changes) for name, changes in rates.items()}


POINTS = [f"p{i}{axis}" for i in range(5) for axis in "xy"]


def test_at_a_rate_every_frame_has_a_row_and_the_faces_read_are_the_same(one):
    every, rate = one["every"], one["rate"]
    assert len(rate.frames) == len(every.frames) == 75
    chosen = every.with_face[thin(every.frames.time_s[every.with_face].to_numpy(), 12.5)]
    assert rate.with_face.tolist() == chosen.tolist()
    np.testing.assert_array_equal(rate.frames.loc[chosen], every.frames.loc[chosen])
    np.testing.assert_array_equal(rate.crops(chosen), every.crops(chosen))
    assert rate.frames.faces.notna().sum() == len(chosen)


def test_faces_are_placed_between_two_that_were_found(one):
    rate, between = one["rate"], one["between"]
    assert between.meta["faces"]["looked"] * 2 <= len(rate.with_face) + 1
    assert set(rate.with_face[:-2]) <= set(between.with_face)
    at = between.with_face
    gap = np.abs(between.frames.loc[at, POINTS] - rate.frames.loc[at, POINTS])
    assert gap.to_numpy().mean() < 1.0  # pixels; the detector jitters by as much
    assert gap.max().max() < 8.0
    assert one["between"].frames.faces.notna().sum() == between.meta["faces"]["looked"]


def test_reading_twice_gives_the_same_bytes(cast):
    again = read(cast.path, cast.folder / "again")
    files = sorted(p.name for p in cast.record.folder.iterdir())
    assert files == sorted(p.name for p in again.folder.iterdir())
    for name in files:
        assert (again.folder / name).read_bytes() == (cast.record.folder / name).read_bytes(), name


def field(number, content):
    """A field of a protobuf message, with a text, bytes or a number."""
    if isinstance(content, int):
        return bytes([number << 3]) + varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return bytes([number << 3 | 2]) + varint(len(raw)) + raw


def varint(value):
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])


def flatten_network():
    """An ONNX file whose embedding is the face's pixels."""

    def value(name, *sides):
        shape = b"".join(field(1, field(1, side)) for side in sides)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    node = field(1, "face") + field(2, "vector") + field(4, "Flatten")
    ends = field(11, value("face", 1, 3, 112, 112)) + field(12, value("vector", 1, 3 * 112 * 112))
    graph = field(1, node) + field(2, "g") + ends
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def test_a_network_of_the_user_s_tells_people_apart(talk, tmp_path):
    path = tmp_path / "embedding.onnx"
    path.write_bytes(flatten_network())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    named = FaceEmbedding(path=str(path), sha256=digest, similarity=0.999)
    record = read(talk.path, tmp_path / "record", face_embedding=named)
    assert record.people.groupby("person").shot.nunique().max() == 1
    assert record.meta["faces"]["people"] >= 4


@pytest.mark.parametrize(
    ("content", "digest", "reason"),
    [
        (None, "0" * 64, "no such file"),
        (b"other", "0" * 64, "SHA-256 is d9298a10.* expected 0000"),
        (b"other", hashlib.sha256(b"other").hexdigest(), "not a network that maps a face"),
    ],
)
def test_a_wrong_network_is_refused_before_a_video_is_read(tmp_path, content, digest, reason):
    path = tmp_path / "embedding.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        appearance.of(FaceEmbedding(path=str(path), sha256=digest))


def study(**changes):
    entry = {"root": "x"} | changes.pop("entry", {})
    return Study(**{"corpora": {"demo": entry}, "fusions": {"audio": {}}, **changes})


def test_a_corpus_says_whose_face_is_followed():
    assert study().media_settings("demo").media.face == "largest"
    settings = study(media={"face": "left"}, entry={"face": "speaker"}).media_settings("demo")
    assert settings.media.face == "speaker"


@pytest.mark.parametrize(
    ("video", "changes", "hz"),
    [
        (["face_cnn", "face_expression"], {}, 12.5),
        (["face_cnn", "face_expression"], {"encoders": {"face_cnn": {"frame_hz": 30}}}, 30),
        (["face_cnn"], {"media": {"read_hz": 20}}, 20),
        ([], {}, 12.5),
    ],
)
def test_as_many_faces_are_stored_as_the_encoders_read(video, changes, hz):
    features = {"audio": ["mel_cnn"], "video": video}
    settings = study(features=features, **changes).media_settings("demo")
    assert settings.media.read_hz == hz


@pytest.mark.parametrize("name", ["face_cnn", "face_expression", "face_tuned"])
def test_the_rate_that_an_encoder_states_is_its_default(name):
    default = inspect.signature(encoders.get(name).__init__).parameters["frame_hz"].default
    assert encoders.get(name).read_hz == default


def test_one_process_reads_many_videos_and_a_new_one_follows_a_crash(tmp_path):
    path = odd_videos.write(tmp_path / "a.mp4", odd_videos.pictures(5))
    pids = []
    with Reader() as reader:
        for turn in range(3):
            if turn == 2:
                reader._process.kill()
            folder = tmp_path / str(turn)
            meta, reason = read_apart(path, folder, SETTINGS, "", Person(), reader)
            assert not reason
            assert meta["frames"] == 5
            pids.append(reader._process.pid)
    assert pids[0] == pids[1] != pids[2]


@pytest.mark.parametrize(("glimpse", "times"), [(1, []), (6, []), (7, [4.0, 4.56])])
def test_a_covered_face_that_is_seen_briefly_is_no_change_of_person(glimpse, times):
    """Half a second at 12.5 faces per second is 6.25 faces."""
    who = np.array([0] * 50 + [1] * glimpse + [0] * 50)
    rows = np.zeros(len(who), [("time_s", float), ("before", int)])
    rows["time_s"], rows["before"] = 0.08 * np.arange(len(who)), -1
    seen = Seen(rows, np.zeros(len(who), int), who)
    found = [switch.time_s for switch in switches(seen, np.ones(len(who), bool))]
    assert found == pytest.approx(times)


def test_a_manifest_says_whose_face_is_followed_in_each_video(tmp_path):
    layout = Layout(tmp_path / "results")
    rules = {"a": "right", "b": "left", "c": "", "d": "all"}
    lines = ["video,subject,ratings,face"]
    for name, rule in rules.items():
        image = odd_videos.two_faces(1.0, 0.7)
        odd_videos.write(tmp_path / f"{name}.mp4", odd_videos.pictures(12, image))
        (tmp_path / f"{name}.csv").write_text("time_s,valence,arousal\n0,0.1,0\n0.2,0.4,0.3\n")
        lines.append(f"{name}.mp4,{name},{name}.csv,{rule}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    code, _ = verify("own", tmp_path, {"rating_hz": 5}, layout.results)
    assert code == 0
    run_shard("own", (0, 1), MediaJobSettings(root=tmp_path, media=MediaSettings()), layout)
    sides, people = {}, {}
    for name in rules:
        record = MediaRecord.open(layout.media("own") / name)
        frames = pd.read_parquet(record.folder / "frames.parquet")
        sides[name] = "right" if (frames.x + frames.w / 2).mean() > 320 else "left"
        table = pd.read_parquet(record.folder / "people.parquet")
        people[name] = table.person.nunique()
    assert sides == {"a": "right", "b": "left", "c": "left", "d": "left"}
    assert set(people.values()) == {2}
