"""Parts of the app that need no model: ranges, names, processes, folders, and who may ask."""

import asyncio
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from starlette.responses import PlainTextResponse

from avfusion.errors import AvfError, ConfigError, MediaError
from avfusion.prediction.app.apart import Apart
from avfusion.prediction.app.clips import Clips, FullError, NoClipError, clip_name
from avfusion.prediction.app.folder import PREFIX, temporary
from avfusion.prediction.app.guard import Guard
from avfusion.prediction.app.options import Options
from avfusion.prediction.app.predictor import Predictor
from avfusion.prediction.app.results import ranges_of, without
from avfusion.prediction.app.upload import save
from avfusion.prediction.prediction import Prediction
from avfusion.prediction.request import Request
from support.app_work import working

HOME = "http://127.0.0.1:8765"


@pytest.fixture
def apart(tmp_path):
    process = Apart(working, temporary=tmp_path)
    yield process
    process.stop()


def test_a_crash_is_an_error_and_the_next_job_is_done(apart):
    heard = []
    assert apart.do("a", lambda *at: heard.append(at))[0] == "a"
    assert heard == [("reading", 0.5)]
    for job, words in {"bad": "a.mp4: bad.", "odd": "ValueError: odd", "crash": "SIGSEGV"}.items():
        with pytest.raises(AvfError, match=words):
            apart.do(job, lambda *at: None)
        assert apart.do("b", lambda *at: None)[0] == "b"


def test_a_job_that_takes_too_long_is_stopped(apart):
    apart.do("a", lambda *at: None)
    with pytest.raises(MediaError, match="not done within 1 s"):
        apart.do("long", lambda *at: None, limit_s=1)
    assert apart.do("b", lambda *at: None)[0] == "b"


def test_the_path_of_the_temporary_folder_may_be_long(tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    process = Apart(working, temporary=folder)
    try:
        assert process.do("reader", lambda *at: None) == ({"meta": {}}, str(folder))
    finally:
        process.stop()


def test_what_a_process_started_ends_with_it(apart):
    child = apart.do("child", lambda *at: None)
    os.kill(child, 0)
    apart.stop()
    end = time.monotonic() + 30
    while running(child):
        assert time.monotonic() < end
        time.sleep(0.05)


def running(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("text", ["1", "2-1", "a-b", "-1-2", "1-inf", "nan-1", "1-2-3"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(AvfError, match="START-END"):
        ranges_of(text)


def test_rows_that_touch_a_range_are_left_out_and_reported():
    table = pd.DataFrame({"time_s": np.arange(1, 9) * 0.5, "track_id": 0})
    every = Prediction(table, (), 0.5, 0.95, {"name": "a.mp4"}, {}, {})
    part = without(every, ranges_of("0.6-1.0,3-3.2"))
    assert part.table["time_s"].tolist() == [0.5, 1.5, 2.0, 2.5, 3.0, 4.0]
    assert part.options == {"left_out_s": [[0.6, 1.0], [3.0, 3.2]]}
    assert "2 of 8 rows" in part.remarks[-1]
    assert len(every.table) == 8
    assert every.remarks == []
    assert without(every, []) is every


@pytest.mark.parametrize(
    "name", ["../../etc/x.mp4", "a/b.mp4", "\x00.mp4", ".mp4", "x" * 400, "-rf"]
)
def test_a_name_stays_in_its_folder(name, tmp_path):
    stored = clip_name(name)
    assert (tmp_path / stored).resolve().parent == tmp_path.resolve()
    assert not stored.startswith((".", "-"))
    (tmp_path / stored).write_bytes(b"1")


def test_a_killed_server_leaves_nothing_for_long(tmp_path):
    """The next start removes its folder, and neither that of a running server nor a link."""
    code = (
        "import sys, time, pathlib; from avfusion.prediction.app.folder import temporary\n"
        "with temporary(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'face.jpg').touch(); print(folder, flush=True); time.sleep(600)"
    )
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    killed = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    folder = killed.stdout.readline().strip()
    with temporary(tmp_path) as mine:
        assert os.path.exists(folder), "in use"
        killed.kill()
        killed.wait()
        with temporary(tmp_path):
            assert not os.path.exists(folder)
            assert mine.exists()
        assert mine.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{PREFIX}link", "other"]


@pytest.fixture
def clips(tmp_path):
    """The clips of a server that predicts nothing: everything waits."""
    predictor = Predictor([], lambda clip, predicted: None)
    yield Clips(tmp_path, Options(tmp_path, most_mb=1, idle_s=60, most_clips=2), predictor)
    predictor.close()


def test_a_clip_belongs_to_its_owner(clips):
    clip = clips.add("ann", "a.mp4", 10, Request())
    assert clips.get(clip.id, "ann") is clip
    for number, owner in ((clip.id, "bob"), (clip.id, ""), ("x", "ann")):
        with pytest.raises(NoClipError):
            clips.get(number, owner)
    assert len(clip.id) >= 32
    assert clips.of("bob") == []


def test_limits_name_what_they_are_and_the_place_in_the_queue_moves_up(clips):
    with pytest.raises(AvfError, match="empty"):
        clips.add("ann", "a.mp4", 0, Request())
    with pytest.raises(AvfError, match=r"a.mp4: 2 MB or more, and this server takes 1 MB"):
        clips.add("ann", "a.mp4", 2_000_000, Request())
    first, second = (clips.add("ann", f"{n}.mp4", 10, Request()) for n in "ab")
    with pytest.raises(FullError, match="2 clips"):
        clips.add("ann", "c.mp4", 10, Request())
    other = clips.add("bob", "c.mp4", 10, Request())
    for clip in (first, second, other):
        clips.predict(clip)
    assert [clips.state(c)["place"] for c in (first, second, other)] == [1, 2, 3]
    clips.remove(second)
    assert [clips.state(c)["place"] for c in (first, other)] == [1, 2]
    assert not second.folder.exists()


def test_a_clip_that_is_not_used_is_removed(clips):
    clip, other = (clips.add("ann", f"{n}.mp4", 10, Request()) for n in "ab")
    clip.used_s -= 61
    clips.remove_unused()
    assert clips.of("ann") == [other]
    assert not clip.folder.exists()
    other.used_s -= 61
    assert clips.of("ann") == [other], "the page asks for the list"
    clips.remove_unused()
    assert clips.of("ann") == [other]


@pytest.mark.parametrize("phase", ["checking", "waiting", "reading", "encoding"])
def test_a_clip_that_waits_or_is_predicted_is_not_removed(clips, phase):
    clip = clips.add("ann", "a.mp4", 10, Request())
    clip.report(phase, 0.5)
    clip.used_s -= 10_000
    clips.remove_unused()
    assert clip.folder.exists()
    clip.report("done", 1.0)
    clip.used_s -= 10_000
    clips.remove_unused()
    assert not clip.folder.exists()


def test_the_disk_must_hold_what_is_announced(clips, monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=int(200e6) + 1500)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    first = clips.add("ann", "a.mp4", 1000, Request())
    with pytest.raises(FullError, match="disk"):
        clips.add("bob", "b.mp4", 1000, Request())
    first.report("checking", 0.0)  # now it is on the disk
    clips.add("bob", "b.mp4", 1000, Request())


def test_an_upload_has_no_more_bytes_than_were_announced(clips):
    clip = clips.add("ann", "a.mp4", 10, Request())

    async def pieces():
        yield b"12345"
        yield b"678901"

    with pytest.raises(AvfError, match="more than the 10 bytes"):
        asyncio.run(save(clip, pieces()))


def test_a_clip_may_have_any_name(clips):
    clip = clips.add("ann", "work", 10, Request())
    assert clip.order.work != clip.path
    assert clip_name(".work") != ".work"


def test_messages_do_not_name_the_folder_of_the_server(clips):
    clip = clips.add("ann", "a.mp4", 10, Request())
    clip.fail(f"{clip.path}: bad, see /home/ann/x/y.txt.")
    assert clip.message == "a.mp4: bad, see …/y.txt."
    assert not clip.folder.exists()


def test_another_host_needs_a_token(tmp_path):
    assert Options(tmp_path).token is None
    assert Options(tmp_path, host="127.0.0.2").token is None
    assert len(Options(tmp_path, host="0.0.0.0").token) >= 32
    assert Options(tmp_path, host="0.0.0.0").token != Options(tmp_path, host="0.0.0.0").token
    with pytest.raises(ConfigError, match="AVF_TOKEN"):
        Options(tmp_path, token="short")
    with pytest.raises(ConfigError, match="--most-mb 0"):
        Options(tmp_path, most_mb=0)


def ask(options, method="GET", path="/", query="", **headers):
    """Status, headers and body of the answer that the guard lets through or gives itself."""
    sent = []

    async def app(scope, receive, send):
        await PlainTextResponse(scope["state"]["owner"])(scope, receive, send)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    named = {"host": "127.0.0.1:8765", **headers}
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in named.items()], "scheme": "http",
    }  # fmt: skip
    asyncio.run(Guard(app, options, 8765)(scope, receive, send))
    lines = [(k.decode(), v.decode()) for k, v in sent[0]["headers"]]
    return sent[0]["status"], lines, sent[1]["body"].decode()


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765"])
def test_this_machine_may_ask(tmp_path, host):
    assert ask(Options(tmp_path), host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "a@b:1"])
def test_a_name_that_another_site_gave_this_address_is_refused(tmp_path, host):
    assert ask(Options(tmp_path), host=host)[0] == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [(HOME, 200), ("https://127.0.0.1:8765", 200), ("http://127.0.0.1:1", 403), ("null", 403),
     ("http://evil.example", 403), (None, 403), ("http://127.0.0.1:8765.evil.example", 403)],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_only_pages_of_the_server_change_something(tmp_path, origin, status, method):
    headers = {} if origin is None else {"origin": origin}
    assert ask(Options(tmp_path), method, "/clips", **headers)[0] == status


def test_every_answer_forbids_other_hosts_and_frames(tmp_path):
    for host in ("127.0.0.1", "evil.example"):
        headers = dict(ask(Options(tmp_path), host=host)[1])
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_an_owner_is_made_once_and_scripts_cannot_read_it(tmp_path):
    _, lines, owner = ask(Options(tmp_path))
    cookie = dict(lines)["set-cookie"]
    assert owner in cookie
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    _, lines, again = ask(Options(tmp_path), cookie=f"other=1; avf-owner-8765={owner}")
    assert again == owner
    assert "set-cookie" not in dict(lines)
    assert ask(Options(tmp_path))[2] != owner


def test_a_token_is_asked_for_and_kept_in_a_cookie(tmp_path):
    options = Options(tmp_path, host="0.0.0.0")
    for given in ({}, {"query": "token=wrong"}, {"cookie": "avf-token-8765=x"}):
        assert ask(options, host="lab.example", **given)[0] == 401
    assert ask(options, path="/clips", query=f"token={options.token}", host="lab.example")[0] == 401
    status, lines, _ = ask(options, query=f"token={options.token}", host="lab.example")
    cookie = dict(lines)["set-cookie"]
    assert status == 200
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    cookie = cookie.partition(";")[0]
    assert ask(options, host="lab.example", cookie=cookie)[0] == 200
    bearer = f"Bearer {options.token}"
    assert ask(options, host="lab.example", authorization=bearer)[0] == 200
    assert ask(options, host="lab.example", authorization="Bearer é")[0] == 401


def test_behind_a_proxy_the_token_stands_for_the_name(tmp_path):
    options = Options(tmp_path, token="0123456789abcdef")
    known = {"host": "avf.lab.example", "authorization": f"Bearer {options.token}"}
    assert ask(options, **known)[0] == 200
    assert ask(options, "POST", **known, origin="https://avf.lab.example")[0] == 200
    assert ask(options, "POST", **known, origin="https://evil.example")[0] == 403
    assert ask(options, host="avf.lab.example")[0] == 401
