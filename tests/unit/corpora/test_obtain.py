"""Public files are downloaded in full and verified, also after a break, from listed hosts only."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from avfusion import cli
from avfusion.corpora.download import Download, DownloadError, fetch
from avfusion.registry import corpora

BODY = bytes(range(256)) * 2000


class Server(BaseHTTPRequestHandler):
    """Serves BODY with ranges; `/breaks` stops half-way through, `/away` sends elsewhere."""

    asked = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Range")))
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/whole")
            self.end_headers()
            return
        if self.path == "/gone":
            self.send_error(404)
            return
        begin = int(re.match(r"bytes=(\d+)-", self.headers.get("Range") or "bytes=0-")[1])
        deaf = self.path == "/deaf"
        rest = BODY if deaf else BODY[begin:]
        self.send_response(206 if begin and not deaf else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[:100_000] if self.path == "/breaks" else rest)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def base():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def file(base):
    Server.asked.clear()

    def make(path, body=BODY, **more):
        kinds = {"size": len(body), "digest": f"sha256:{hashlib.sha256(body).hexdigest()}"}
        return Download(f"{base}{path}", "sub/it.zip", **{**kinds, **more})

    return make


def test_a_file_comes_whole(file, tmp_path):
    assert fetch(file("/whole"), tmp_path).read_bytes() == BODY
    assert not list(tmp_path.rglob("*.part"))


def test_a_broken_transfer_goes_on_where_it_stopped(file, tmp_path):
    md5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
    assert fetch(file("/breaks", digest=md5), tmp_path, pause_s=0).read_bytes() == BODY
    begins = [asked[1] for asked in Server.asked]
    assert begins[0] is None
    assert begins[1:3] == ["bytes=100000-", "bytes=200000-"]


def test_a_server_without_ranges_is_read_from_the_start(file, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "it.zip.part").write_bytes(b"other")
    assert fetch(file("/deaf"), tmp_path).read_bytes() == BODY


def test_what_is_not_as_stated_is_not_kept(file, tmp_path):
    with pytest.raises(DownloadError, match="stated"):
        fetch(file("/whole", digest="sha256:" + "0" * 64), tmp_path)
    with pytest.raises(DownloadError, match="more than"):
        fetch(file("/whole", size=1000), tmp_path)
    assert not (tmp_path / "sub" / "it.zip").exists()


def test_a_whole_file_is_checked_and_not_fetched_again(file, tmp_path):
    path = fetch(file("/whole"), tmp_path)
    Server.asked.clear()
    fetch(file("/whole"), tmp_path)
    assert Server.asked == []
    path.write_bytes(b"changed")
    with pytest.raises(DownloadError, match="Move it away"):
        fetch(file("/whole"), tmp_path)
    assert path.read_bytes() == b"changed"


def test_a_host_that_is_not_listed_is_never_asked(file, tmp_path):
    with pytest.raises(DownloadError, match="redirected to localhost"):
        fetch(file("/away"), tmp_path)
    assert [path for path, _ in Server.asked] == ["/away"]
    assert fetch(file("/away", hosts=("localhost",)), tmp_path).read_bytes() == BODY


def test_a_file_that_has_gone_is_told_at_once(file, tmp_path):
    with pytest.raises(DownloadError, match="404"):
        fetch(file("/gone"), tmp_path)
    assert len(Server.asked) == 1


@pytest.mark.parametrize("name", corpora.names())
def test_every_corpus_says_how_it_is_had(name, capsys, monkeypatch, project):
    monkeypatch.chdir(project)
    if corpora.get(name).downloads:
        pytest.skip("would fetch")
    assert cli.main(["obtain", name]) == 0
    output = capsys.readouterr().out
    assert corpora.get(name).licence in output
    assert f"avf verify {name}" in output
