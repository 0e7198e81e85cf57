"""The app as a script uses it: a real server, uploads, refusals, results and its end."""

import io
import signal
import subprocess
import time

import av
import numpy as np
import pandas as pd
import pytest

from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import predict_clip
from support.app_server import User, left, serving
from support.tiny_bundle import tiny_clip

TOKEN = "a-token-for-tests"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def address(small_bundle, temporary):
    words = ["--jobs", "1", "--most-mb", "1", "--most-minutes", "0.1"]
    with serving(small_bundle, temporary, *words) as (address, _):
        yield address


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("clips") / "a talk.mp4")


@pytest.fixture
def user(address):
    return User(address)


@pytest.fixture(scope="module")
def done(address, clip):
    """A user with a clip that was predicted, and its ID."""
    ann = User(address)
    number = ann.upload(clip)
    state = ann.ended(number)
    assert state["phase"] == "done", state
    return ann, number


def rows(user, number, **given):
    answer = user.ask("GET", f"/clips/{number}/rows.csv", params=given)
    assert answer.ok, answer.text
    return pd.read_csv(io.StringIO(answer.text))


def test_a_clip_has_the_predictions_of_the_command(done, clip, small_bundle):
    user, number = done
    expected = predict_clip(clip, Bundle.open(small_bundle)).table
    table = rows(user, number)
    assert list(table.columns) == list(expected.columns)
    for name in ("time_s", "valence", "valence_low", "arousal", "unlike_training"):
        np.testing.assert_allclose(table[name], expected[name].to_numpy(float), atol=1e-4)


def test_parts_that_are_left_out_are_in_no_download(done):
    user, number = done
    every, part = rows(user, number), rows(user, number, out="0.5-1,2-2.2")
    out = every["time_s"].between(0.501, 1.159) | every["time_s"].between(2.001, 2.359)
    assert part["time_s"].tolist() == every["time_s"][~out].tolist()
    assert 0 < len(part) < len(every)
    document = user.ask("GET", f"/clips/{number}/rows.json?out=0.5-1,2-2.2").json()
    assert document["options"]["left_out_s"] == [[0.5, 1.0], [2.0, 2.2]]
    assert [row["time_s"] for row in document["table"]] == pytest.approx(part["time_s"].tolist())
    page = user.ask("GET", f"/clips/{number}/rows.html?out=0.5-1").text
    assert "Left out by the user" in page
    assert 'src="a%20talk.mp4"' in page
    assert user.ask("GET", f"/clips/{number}/rows.csv?out=2-1").status_code == 422
    assert user.ask("GET", f"/clips/{number}/rows.exe").status_code == 404


def test_nothing_names_a_folder_of_the_server(done, temporary, small_bundle):
    user, number = done
    for path in ("page", "rows.json", "rows.html", ""):
        text = user.ask("GET", f"/clips/{number}/{path}".rstrip("/")).text
        assert "talk" in text
        assert str(temporary) not in text
        assert str(small_bundle.parent) not in text


def test_the_video_is_served_in_parts_to_its_owner_only(done, clip, address):
    user, number = done
    answer = user.ask("GET", f"/clips/{number}/file", headers={"Range": "bytes=5-9"})
    assert answer.status_code == 206
    assert answer.content == clip.read_bytes()[5:10]
    assert answer.headers["content-type"] == "video/mp4"
    other = User(address)
    for path in ("", "/page", "/file", "/rows.csv", "/rows.json", "/rows.html"):
        assert other.ask("GET", f"/clips/{number}{path}").status_code == 404
    assert other.ask("DELETE", f"/clips/{number}").status_code == 404
    assert other.send(number, b"x").status_code == 404
    assert other.ask("GET", "/clips").json() == []
    assert user.state(number)["phase"] == "done"


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory):
    """Name -> a file that is refused, and words of the reason."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "notes.mp4").write_text("no film at all, only a text\n" * 50)
    (folder / "bytes.mp4").write_bytes(np.random.default_rng(1).bytes(5000))
    (folder / "page.html").write_text("<html></html>")
    words = folder / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n\n")
    with (
        av.open(str(words)) as source,
        av.open(str(folder / "words.mkv"), "w", format="matroska") as target,
    ):
        track = target.add_stream_from_template(source.streams.subtitles[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    tiny_clip(folder / "long.mp4", 7.0)
    return folder


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notes.mp4", "not a media file but a t"),
        ("bytes.mp4", "cannot be opened"),
        ("page.html", "not a media file but a text (XML, HTML or JSON)"),
        ("words.mkv", "no picture"),
        ("long.mp4", "lasts 0.1 minutes or more, and this server takes 0.1"),
    ],
)
def test_a_file_that_is_no_clip_is_refused_with_the_reason(user, odd_files, name, reason):
    number = user.upload(odd_files / name)
    state = user.ended(number)
    assert state["phase"] == "failed"
    assert reason in state["message"]
    assert state["message"].startswith(name)
    assert "/" not in state["message"].replace("/min", "")
    assert user.ask("GET", f"/clips/{number}/page").status_code == 404


def test_size_is_checked_when_announced_and_while_it_arrives(user, temporary):
    assert "2 MB or more, and this server takes 1 MB" in user.announce("a.mp4", 2_000_000).text
    assert "empty" in user.announce("a.mp4", 0).text
    number = user.announce("a.mp4", 10).json()["id"]
    answer = user.send(number, b"\0" * 1_500_000)
    assert answer.json()["phase"] == "failed"
    assert "more than the 10 bytes" in answer.json()["message"]
    number = user.announce("a.mp4", 10).json()["id"]
    assert "empty" in user.send(number, b"").json()["message"]
    assert user.send(number, b"again").status_code == 422
    assert not list(temporary.glob("avf-serve-*/*/a.mp4"))


def test_options_are_checked(user, clip):
    for options in ({"start_s": 2, "end_s": 1}, {"face": "nose"}, {"start_s": -1}):
        assert user.announce("a.mp4", 10, **options).status_code == 422
    number = user.upload(clip, start_s=1.0, end_s=2.0)
    assert user.ended(number)["phase"] == "done"
    assert rows(user, number)["time_s"].between(1.0, 2.001).all()


def test_a_cancelled_clip_is_gone_and_the_next_one_is_predicted(address, clip, temporary):
    ann, bob = User(address), User(address)
    first, second = ann.upload(clip), bob.upload(clip)
    waiting = bob.state(second)
    assert waiting["phase"] == "waiting"
    assert waiting["place"] == 1
    assert ann.ask("DELETE", f"/clips/{first}").status_code == 204
    assert ann.ask("GET", f"/clips/{first}").status_code == 404
    assert not list(temporary.glob(f"avf-serve-*/{first}"))
    assert bob.ended(second)["phase"] == "done"
    assert bob.ask("DELETE", f"/clips/{second}").status_code == 204
    assert not list(temporary.glob(f"avf-serve-*/{second}"))


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGKILL]
)
def test_the_end_of_the_server_is_the_end_of_its_files(
    number, small_bundle, clip, tmp_path_factory
):
    """Also of its processes; results are kept where the user says so."""
    tmp_path = tmp_path_factory.mktemp("end")  # a short one: sockets are made below
    temporary, kept = tmp_path / "tmp", tmp_path / "kept"
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    words = ["--jobs", "1", "--token-file", str(secret), "--keep", str(kept)]
    with serving(small_bundle, temporary, *words) as (address, server):
        assert address.endswith(f"/?token={TOKEN}")
        user = User(address)
        state = user.ended(user.upload(clip))
        assert state["phase"] == "done", state["message"]
        user.upload(clip)
        children = subprocess.run(
            ["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        assert left(temporary)
        server.send_signal(number)
        server.wait(60)
        ended(children)
        assert bool(left(temporary)) == (number == signal.SIGKILL)
    if number == signal.SIGKILL:
        with serving(small_bundle, temporary, "--jobs", "1"):
            assert len(left(temporary)) == 1
        assert left(temporary) == []
    folder = next(kept.iterdir())  # the second clip may have been done as well
    names = ["a talk.csv", "a talk.html", "a talk.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert folder.stat().st_mode & 0o077 == 0


def ended(processes):
    """Wait until none of some processes runs."""
    end = time.monotonic() + 30
    while (
        subprocess.run(["ps", "-o", "pid=", "-p", ",".join(processes)], check=False).returncode == 0
    ):
        assert time.monotonic() < end
        time.sleep(0.1)
