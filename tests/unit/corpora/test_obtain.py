"""Files are downloaded in full and checked, also after a break, from listed hosts only."""

import hashlib
import zipfile
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

from avfusion import cli
from avfusion.corpora.obtain import client as requests_of
from avfusion.corpora.obtain import unpack as unpacking
from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.hosts import GITHUB, GITLAB, ZENODO
from avfusion.corpora.obtain.lfs import Pointer, located, read_pointer
from avfusion.corpora.obtain.remote import DownloadError
from avfusion.corpora.obtain.unpack import UnpackError, unpack
from avfusion.corpora.obtain.zenodo import record_files
from avfusion.registry import corpora
from support.download_server import FORMS, Fault, pointer, serving, tree, zipped
from support.shelf import (
    BODY,
    EXPECTED,
    FILES,
    PLACE,
    URL,
    begins,
    fetch,
    remote,
    shelf_of,
    visible,
)


@pytest.fixture
def site():
    with serving() as it:
        it.bodies[PLACE] = BODY
        yield it


@pytest.fixture
def client(site):
    return Client(ZENODO, site.address, pause_s=0)


def test_a_file_is_downloaded_and_nothing_but_the_request_is_sent(site, client, tmp_path):
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY
    assert not list(tmp_path.rglob("*.part"))
    sent = {name.lower() for name in site.headers[0]}
    assert sent <= {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_no_cookie_goes_back_to_a_server_that_sets_one(site, client, tmp_path):
    site.faults[PLACE] = [Fault(503), Fault(cut=1000), Fault(302, {"Location": URL})]
    fetch(client, remote(), tmp_path)
    assert len(site.headers) == 4
    assert not [name for sent in site.headers for name in sent if name.lower() == "cookie"]


def test_no_password_of_a_file_is_sent(site, client, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fetch(client, remote(), tmp_path)
    assert "Authorization" not in site.headers[0]


@pytest.mark.parametrize("cuts", [[100_000], [0, 300_000], [1, 1, 1, 1, 1, 1, 1, 1]])
def test_a_broken_transfer_goes_on_where_it_stopped(site, client, tmp_path, cuts):
    site.faults[PLACE] = [Fault(cut=cut) for cut in cuts]
    md5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
    assert fetch(client, remote(digest=md5), tmp_path).read_bytes() == BODY
    starts, at = [], 0
    for cut in [*cuts, 0]:
        starts.append(f"bytes={at}-" if at else None)
        at += cut
    assert begins(site) == starts


def test_a_killed_download_is_resumed_by_the_next_call(site, client, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/it.zip.part").write_bytes(BODY[:123_456])
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY
    assert begins(site) == ["bytes=123456-"]


def test_a_server_that_ignores_ranges_is_read_from_the_start(site, client, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/it.zip.part").write_bytes(b"other")
    site.ignores_ranges = True
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY


def test_a_partial_file_larger_than_the_whole_is_discarded(site, client, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/it.zip.part").write_bytes(BODY + b"more")
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY


def test_what_differs_from_what_is_stated_is_not_kept(site, client, tmp_path):
    with pytest.raises(DownloadError, match="stated 0000000000000000"):
        fetch(client, remote(digest="sha256:" + "0" * 64), tmp_path)
    with pytest.raises(DownloadError, match="more than the stated 1,000 bytes"):
        fetch(client, remote(size=1000), tmp_path)
    assert not (tmp_path / "sub/it.zip").exists()


def test_a_whole_file_is_checked_and_not_downloaded_again(site, client, tmp_path):
    path = fetch(client, remote(), tmp_path)
    site.asked.clear()
    fetch(client, remote(), tmp_path)
    assert site.asked == []
    path.write_bytes(b"changed")
    with pytest.raises(DownloadError, match="Move it away"):
        fetch(client, remote(), tmp_path)
    assert path.read_bytes() == b"changed"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(site, client, tmp_path, status):
    site.faults[PLACE] = [Fault(status), Fault(status, {"Retry-After": "0"})]
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY
    assert len(site.asked) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_pause_that_a_server_asks_for_is_kept(site, client, tmp_path, monkeypatch, form):
    waited = []
    monkeypatch.setattr(client.stopped, "wait", waited.append)
    value = "7" if form == "seconds" else formatdate(time() + 7, usegmt=True)
    site.faults[PLACE] = [Fault(503, {"Retry-After": value})]
    fetch(client, remote(), tmp_path)
    assert waited == [pytest.approx(7, abs=1.5)]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, {"X-RateLimit-Reset": 9}, 9),
        (429, {"X-RateLimit-Reset": 9, "Retry-After": "5"}, 5),
        (429, {"X-RateLimit-Reset": -9}, 2),  # the own pause
        (429, {"X-RateLimit-Reset": "soon"}, 2),
        (429, {"Retry-After": "0"}, 2),
        (503, {"X-RateLimit-Reset": 99}, 2),  # the server is busy, not we
    ],
)
def test_too_many_requests_wait_until_the_limit_is_reset(
    site, tmp_path, monkeypatch, status, headers, expected
):
    client, waited = Client(ZENODO, site.address), []
    monkeypatch.setattr(client.stopped, "wait", waited.append)
    texts = {
        name: str(int(time()) + value) if isinstance(value, int) else value
        for name, value in headers.items()
    }
    site.faults[PLACE] = [Fault(status, texts)]
    fetch(client, remote(), tmp_path)
    assert waited == [pytest.approx(expected, abs=1.5)]


def test_a_very_long_pause_ends_the_download_with_its_length(site, client, tmp_path):
    site.faults[PLACE] = [Fault(429, {"Retry-After": "7200"})]
    with pytest.raises(DownloadError, match="a pause of 120 minutes"):
        fetch(client, remote(), tmp_path)


def test_pauses_grow_and_the_download_ends(site, client, tmp_path, monkeypatch):
    waited = []
    client.pause_s = 1.0
    monkeypatch.setattr(client.stopped, "wait", waited.append)
    site.faults[PLACE] = [Fault(503)] * 50
    with pytest.raises(DownloadError, match=r"503.*6 times in a row.*same command again"):
        fetch(client, remote(), tmp_path)
    assert waited == [2, 4, 8, 16, 32]


def test_a_server_that_is_off_is_named(tmp_path):
    with serving() as it:
        address = it.address
    with pytest.raises(DownloadError, match=rf"broke or was refused.*to the mirror {address} "):
        fetch(Client(ZENODO, address, pause_s=0), remote(), tmp_path)


def test_a_file_that_has_moved_is_reported_at_once(site, client, tmp_path):
    del site.bodies[PLACE]
    with pytest.raises(DownloadError, match=rf"404.*The mirror {site.address} was asked"):
        fetch(client, remote(), tmp_path)
    assert len(site.asked) == 1


def test_a_redirect_is_followed_to_listed_hosts_only(site, tmp_path):
    site.faults[PLACE] = [Fault(302, {"Location": "https://elsewhere.org/it.zip"})]
    with pytest.raises(DownloadError, match=r"elsewhere\.org.*Nothing was sent"):
        fetch(Client(ZENODO, site.address), remote(), tmp_path)
    assert [path for path, _ in site.asked] == [PLACE]
    site.faults[PLACE] = [Fault(302, {"Location": "https://gitlab.com/it.zip"})]
    site.bodies["gitlab.com/it.zip"] = BODY
    both = Client(ZENODO | GITLAB, site.address)
    assert fetch(both, remote(headers={"X-Token": "t"}), tmp_path).read_bytes() == BODY
    assert "X-Token" in site.headers[-2]
    assert "X-Token" not in site.headers[-1], "a token is of one host"


def test_a_redirect_to_plain_http_is_refused(site, client, tmp_path):
    site.faults[PLACE] = [Fault(302, {"Location": "http://zenodo.org/it.zip"})]
    with pytest.raises(DownloadError, match="not https"):
        fetch(client, remote(), tmp_path)


def test_redirects_in_a_circle_end(site, client, tmp_path):
    site.faults[PLACE] = [Fault(302, {"Location": URL})] * 20
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        fetch(client, remote(), tmp_path)


def test_a_mirror_is_https_unless_it_is_on_this_machine():
    with pytest.raises(DownloadError, match="must be https"):
        Client(ZENODO, "http://mirror.lab.org")
    assert Client(ZENODO, "https://mirror.lab.org/x/").address("https://zenodo.org/a?b=c") == (
        "https://mirror.lab.org/x/zenodo.org/a?b=c"
    )
    assert Client(ZENODO).address("https://zenodo.org/a") == "https://zenodo.org/a"


@pytest.mark.parametrize("form", FORMS)
def test_a_record_of_zenodo_lists_name_size_and_checksum(site, client, tmp_path, form):
    site.zenodo(7, {"a.zip": b"a", "b.zip": BODY}, form)
    files = record_files(client, 7)
    assert list(files) == ["a.zip", "b.zip"]
    assert fetch(client, files["b.zip"], tmp_path).read_bytes() == BODY
    assert files["b.zip"].size == len(BODY)
    assert files["b.zip"].digest == f"md5:{hashlib.md5(BODY).hexdigest()}"


@pytest.mark.parametrize(
    "answer",
    [
        *(b"<html>down</html>", b"[]", b'{"files": [{"key": "a"}]}', b'{"files": null}'),
        *(b'{"files": {}}', b'{"files": {"entries": [7]}}', b'{"files": {"entries": {"a": null}}}'),
        b'{"files": [{"key": "a", "size": 1, "checksum": "md5:0", "links": "https://zenodo.org"}]}',
    ],
)
def test_metadata_that_is_none_is_named(site, client, answer):
    site.bodies["zenodo.org/api/records/7"] = answer
    with pytest.raises(DownloadError, match=r"records/7: (the answer is not JSON|its `files`)"):
        record_files(client, 7)


def test_pointers_are_told_from_files():
    assert read_pointer(pointer(BODY)) == Pointer(hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert read_pointer(BODY) is None
    assert read_pointer(pointer(BODY) + b"more") is None
    assert read_pointer(pointer(BODY).replace(b"size", b"length")) is None


def test_lfs_files_are_located_a_hundred_at_a_time(site):
    contents = {f"f{i}.wav": b"%d" % i for i in range(230)}
    place = "github.com/CheyneyComputerScience/CREMA-D"
    oids = {hashlib.sha256(body).hexdigest(): body for body in contents.values()}
    site.objects = {place: oids}
    asked = Client(GITHUB, site.address)
    pointers = {name: read_pointer(pointer(body)) for name, body in contents.items()}
    files = located(asked, f"https://{place}.git", pointers)
    assert list(files) == list(contents)
    assert len(site.asked) == 3
    del oids[pointers["f100.wav"].sha256]
    with pytest.raises(DownloadError, match=r"does not give f100\.wav: Object does not exist"):
        located(asked, f"https://{place}.git", pointers)


@pytest.fixture
def shelf(site, tmp_path):
    """Return a function that obtains a small corpus, and its root."""
    return shelf_of(site, tmp_path / "shelf")


def test_a_corpus_is_downloaded_unpacked_and_listed(shelf, site):
    get, root = shelf
    receipt = get()
    assert visible(root) == EXPECTED | {"obtained.json": receipt.read_bytes()}
    first = receipt.read_bytes()
    site.asked.clear()
    get()
    assert [path for path, _ in site.asked] == ["zenodo.org/api/records/7"], "nothing again"
    assert receipt.read_bytes() == first


def test_archives_are_kept_if_asked(shelf):
    get, root = shelf
    get(keep_archives=True)
    assert visible(root)["one.zip"] == FILES["one.zip"]


def test_a_file_that_was_removed_is_downloaded_again(shelf):
    get, root = shelf
    get()
    (root / "A/2.mp4").unlink()
    get()
    assert visible(root)["A/2.mp4"] == b"two"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["wrong checksum", "cut for ever", "gone", "elsewhere"])
def test_nothing_counts_as_whole_after_a_failure(shelf, site, name, kind):
    get, root = shelf
    path = f"zenodo.org/api/records/7/files/{name}/content"
    site.faults[path] = {
        "wrong checksum": [Fault(body=b"x" * len(FILES[name]))],
        "cut for ever": [Fault(cut=0)] * 50,
        "gone": [Fault(410)],
        "elsewhere": [Fault(301, {"Location": "https://example.org/"})],
    }[kind]
    with pytest.raises(DownloadError, match=r"zenodo|stated|example"):
        get()
    assert not (root / "obtained.json").exists()
    written = visible(root)
    assert all(written[path] == EXPECTED[path] for path in written if path in EXPECTED)
    assert not [path for path in written if path not in EXPECTED and not path.endswith(".part")
                and path not in FILES]  # fmt: skip
    site.faults.clear()
    get()
    assert {path: visible(root)[path] for path in EXPECTED} == EXPECTED


@pytest.mark.parametrize("place", [requests_of, unpacking], ids=["download", "unpack"])
def test_a_disk_that_fills_up_keeps_what_was_received(shelf, monkeypatch, place):
    """The kernel refuses each byte that is written to /dev/full."""
    get, root = shelf

    def full(path, append=False):
        return Path("/dev/full").open("wb")

    with monkeypatch.context() as at:
        at.setattr(place, "open_part", full)
        with pytest.raises(DownloadError, match=r"No space left on device\. What was received"):
            get()
    assert not (root / "obtained.json").exists()
    assert not set(visible(root)) & {path for path in EXPECTED if path.endswith(".mp4")}
    get()
    assert {path: visible(root)[path] for path in EXPECTED} == EXPECTED


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../out.mp4", "lies outside"),
        ("/etc/out", "lies outside"),
        ("a/../../out", "lies outside"),
        ("C:out", "lies outside"),
        ("a\\..\\out", "lies outside"),
    ],
)
def test_an_archive_cannot_write_outside_its_folder(tmp_path, name, reason):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped({"fine.mp4": b"1", name: b"2"}))
    with pytest.raises(UnpackError, match=reason):
        unpack(archive, tmp_path / "in")
    assert set(tree(tmp_path)) == {"a.zip"}


def test_links_and_names_that_differ_by_case_are_refused(tmp_path):
    archive = tmp_path / "a.zip"
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(UnpackError, match="is a link"):
        unpack(archive, tmp_path / "in")
    archive.write_bytes(zipped({"A.mp4": b"1", "a.mp4": b"2"}))
    with pytest.raises(UnpackError, match="listed twice"):
        unpack(archive, tmp_path / "in")
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize("names", [("A", "A/1.mp4"), ("a/1.mp4/x", "A/1.mp4"), ("x/y/z", "x")])
def test_a_file_that_is_also_a_folder_is_refused(tmp_path, names):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped(dict.fromkeys(names, b"1")))
    with pytest.raises(UnpackError, match="is a file and a folder"):
        unpack(archive, tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_two_members_with_one_path_are_refused(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped({"a/1.mp4": b"1", "b/1.mp4": b"2", "c": b"3", "d": b"4"}))

    def path_of(name):
        return name.rpartition("/")[2] if "/" in name else None

    with pytest.raises(UnpackError, match=r"a/1\.mp4 and b/1\.mp4 are both 1\.mp4"):
        unpack(archive, tmp_path / "in", path_of)
    assert not (tmp_path / "in").exists()


def test_a_damaged_member_is_named_and_leaves_no_file(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.mp4", BODY)
    raw = bytearray(archive.read_bytes())
    raw[1000] ^= 1
    archive.write_bytes(raw)
    with pytest.raises(UnpackError, match=r"a\.mp4 is damaged"):
        unpack(archive, tmp_path / "in")
    assert not list((tmp_path / "in").glob("*"))
    archive.write_bytes(raw[:2000])
    with pytest.raises(UnpackError, match="not a ZIP archive"):
        unpack(archive, tmp_path / "in")


@pytest.mark.parametrize("name", corpora.names())
def test_every_corpus_says_how_it_is_obtained(name, capsys, monkeypatch, project):
    monkeypatch.chdir(project)
    public = corpora.defines(name, "source")
    assert cli.main(["obtain", name]) == (1 if public else 0)
    output = capsys.readouterr()
    assert corpora.get(name).licence in output.out
    if public:
        assert f"run: avf obtain {name} --accept-licence" in output.err
    else:
        assert f"avf verify {name}" in output.out
