"""CREMA-D is obtained from the archive of its repository, Git LFS of GitHub, or a mirror."""

import hashlib
import threading
import zipfile
from pathlib import Path

import pytest

from avfusion.corpora.crema_d.source import ARCHIVE, ASKED_LATER, SERVERS, CremaDSource
from avfusion.corpora.obtain.remote import DownloadError, RemoteFile
from avfusion.corpora.obtain.source import Item
from support.download_server import pointer
from support.miniatures import crema_d

VOTES = "processedResults/tabulatedVotes.csv"
NOTES = ("LICENSE.txt", "README.md")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Return the root of the miniature."""
    folder = tmp_path_factory.mktemp("crema_d")
    crema_d.build(folder / "tree")
    return folder / "tree"


def archive(tree: Path, path: Path, direct: tuple[str, ...] = ()) -> None:
    """Write the archive of a repository: pointers instead of films and sounds, unless `direct`."""
    with zipfile.ZipFile(path, "w") as out:
        for file in sorted(tree.rglob("*")):
            name = str(file.relative_to(tree))
            if file.is_file() and not file.name.startswith("."):
                raw = file.read_bytes()
                large = file.suffix in (".flv", ".wav", ".mp3") and name not in direct
                out.writestr(f"CREMA-D-master/{name}", pointer(raw) if large else raw)
        out.writestr("CREMA-D-master/LICENSE.txt", "Open Database License")
        out.writestr("CREMA-D-master/README.md", "CREMA-D")
        out.writestr("CREMA-D-master/finishedResponses.csv", "localid")


class FakeClient:
    """Answers from a file and a table instead of hosts; servers in `full` have no quota left."""

    def __init__(self, archive: Path | None = None, full: tuple[str, ...] = ()) -> None:
        self.archive, self.full, self.asked = archive, full, []
        self.stopped = threading.Event()

    def fetch_unstated(self, url, path, progress, most):
        self.asked.append(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.archive.read_bytes())
        return path

    def json(self, url, body, kind):
        self.asked.append((url, len(body["objects"])))
        if url.startswith(self.full):
            raise DownloadError(f"{url}: 403 over its data quota.")
        base = url.partition(".git/")[0]
        objects = [
            {**one, "actions": {"download": {"href": f"{base}/{one['oid']}", "header": {"A": "b"}}}}
            for one in body["objects"]
        ]
        return {"objects": objects}


@pytest.fixture(scope="module")
def zipped(release, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "master.zip"
    archive(release, path, direct=("VideoFlash/1002_IEO_NEU_XX.flv",))
    return path


def test_the_plan_lists_the_files_of_the_chosen_actors(release, zipped, tmp_path):
    client = FakeClient(zipped)
    plan = CremaDSource([1001, 1002]).plan(client, tmp_path)
    assert client.asked == [ARCHIVE]
    names = [clip for clip in crema_d.clips() if clip < "1003"]
    written = {VOTES, "processedResults/summaryTable.csv", "VideoDemographics.csv", *NOTES}
    assert {item.file.path for item in plan.items} == {
        *(f"VideoFlash/{clip}.flv" for clip in names),
        *(f"AudioWAV/{clip}.wav" for clip in names),
        *written,
    }
    for item in plan.items:
        folder = tmp_path if item.file.path in NOTES else release
        raw = (folder / item.file.path).read_bytes()
        assert item.file.digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
        assert item.file.size == len(raw)
        assert not item.archive
    for name in (VOTES, "processedResults/summaryTable.csv", "VideoDemographics.csv"):
        assert (tmp_path / name).read_bytes() == (release / name).read_bytes()
    for code, text in crema_d.SENTENCES.items():
        assert (tmp_path / f"sentences/{code}.sentence").read_text() == text
    assert len(list((tmp_path / "sentences").iterdir())) == 12
    assert (tmp_path / "LICENSE.txt").exists()
    assert (tmp_path / "README.md").exists()
    assert not (tmp_path / "finishedResponses.csv").exists()
    direct = "VideoFlash/1002_IEO_NEU_XX.flv"
    assert (tmp_path / direct).read_bytes() == (release / direct).read_bytes()
    later = {item.file.path for item in plan.items if item.file.url == ASKED_LATER}
    assert {item.file.path for item in plan.items} - later == {direct, *written}


def test_a_table_that_git_lfs_stores_is_downloaded_as_a_film_is(release, tmp_path):
    raw = (release / VOTES).read_bytes()
    film = f"VideoFlash/{crema_d.clips()[0]}.flv"
    with zipfile.ZipFile(tmp_path / "master.zip", "w") as out:
        out.writestr(f"CREMA-D-master/{VOTES}", pointer(raw))
        out.writestr(f"CREMA-D-master/{film}", pointer(b"film"))
    root = tmp_path / "root"
    (root / VOTES).parent.mkdir(parents=True)
    (root / VOTES).write_bytes(pointer(raw))  # of a clone without Git LFS
    plan = CremaDSource([1001]).plan(FakeClient(tmp_path / "master.zip"), root)
    (item,) = [item for item in plan.items if item.file.path == VOTES]
    assert item.file.url == ASKED_LATER
    assert (item.file.digest, item.file.size) == (
        f"sha256:{hashlib.sha256(raw).hexdigest()}",
        len(raw),
    )
    assert not (root / VOTES).exists()


def test_the_archive_is_downloaded_by_every_call_and_never_kept(zipped, tmp_path):
    client = FakeClient(zipped)
    kept = tmp_path / ".obtained/repository.zip"
    first = CremaDSource([1001]).plan(client, tmp_path)
    assert not kept.exists()
    assert CremaDSource([1001]).plan(client, tmp_path) == first
    assert client.asked == [ARCHIVE, ARCHIVE]
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(b"PK")
    with pytest.raises(DownloadError, match=r"It was removed\. Run the same command again"):
        CremaDSource([1001]).plan(FakeClient(damaged), tmp_path)
    assert not kept.exists()


@pytest.mark.parametrize(
    ("actors", "message"),
    [([1050], r"actor 1050 \(1 of 1 "), ([1001, 1050, 1002, 1049], r"1049, 1050 \(2 of 4 ")],
)
def test_a_repository_without_a_chosen_actor_is_refused(zipped, tmp_path, actors, message):
    with pytest.raises(DownloadError, match=message):
        CremaDSource(actors).plan(FakeClient(zipped), tmp_path)
    assert not (tmp_path / ".obtained/repository.zip").exists()


def test_only_the_pointer_of_the_same_file_is_removed(release, zipped, tmp_path):
    films = [f"VideoFlash/1001_IEO_{name}" for name in ("NEU_XX.flv", "HAP_HI.flv", "SAD_LO.flv")]
    (tmp_path / "VideoFlash").mkdir()
    (tmp_path / films[0]).write_bytes(pointer((release / films[0]).read_bytes()))
    (tmp_path / films[1]).write_bytes(pointer(b"another film"))
    (tmp_path / films[2]).write_bytes((release / films[2]).read_bytes())
    CremaDSource([1001]).plan(FakeClient(zipped), tmp_path)
    assert [(tmp_path / film).exists() for film in films] == [False, True, True]


def items(count: int) -> tuple[Item, ...]:
    named = (f"AudioWAV/{number}.wav" for number in range(count))
    return tuple(
        Item(
            RemoteFile(ASKED_LATER, path, 5, f"sha256:{hashlib.sha256(path.encode()).hexdigest()}")
        )
        for path in named
    )


def test_addresses_are_asked_for_a_hundred_at_a_time():
    client = FakeClient()
    direct = Item(RemoteFile("https://github.com/x/raw/a.wav", "AudioWAV/a.wav", 1, "sha256:0"))
    given_items = (*items(250), direct)
    answers = list(CremaDSource([1001]).located(client, given_items))
    url = f"{SERVERS[0]}/info/lfs/objects/batch"
    assert client.asked == [(url, 100), (url, 100), (url, 50)]
    assert {item.file.path for item in answers} == {item.file.path for item in given_items}
    base = SERVERS[0].removesuffix(".git")
    for item in answers:
        if item != direct:
            assert item.file.url == f"{base}/{item.file.digest.removeprefix('sha256:')}"
            assert item.file.headers == {"A": "b"}


def test_the_mirror_is_asked_if_github_refuses(caplog):
    client = FakeClient(full=("https://github.com",))
    answers = list(CremaDSource([1001]).located(client, items(150)))
    urls = [f"{server}/info/lfs/objects/batch" for server in SERVERS]
    assert client.asked == [(urls[0], 100), (urls[1], 100), (urls[1], 50)]
    assert all(item.file.url.startswith("https://gitlab.com/") for item in answers)
    assert len(answers) == 150
    lines = [line for line in caplog.messages if "mirror" in line]
    assert len(lines) == 1
    assert "over its data quota" in lines[0]
    assert SERVERS[1] in lines[0]


def test_two_servers_that_refuse_are_an_error():
    client = FakeClient(full=("https://",))
    with pytest.raises(DownloadError, match=r"gitlab\.com.*quota"):
        list(CremaDSource([1001]).located(client, items(1)))


def test_a_download_that_was_stopped_asks_no_mirror():
    client = FakeClient(full=("https://",))
    client.stopped.set()
    with pytest.raises(DownloadError, match=r"github\.com"):
        list(CremaDSource([1001]).located(client, items(1)))
    assert len(client.asked) == 1


def test_one_file_that_github_refuses_is_located_at_the_mirror():
    client = FakeClient()
    source = CremaDSource([1001])
    first, *others = source.located(client, items(3))
    client.asked.clear()
    other = source.again(client, first)
    assert client.asked == [(f"{SERVERS[1]}/info/lfs/objects/batch", 1)]
    assert other.file.url.startswith("https://gitlab.com/")
    assert (other.file.path, other.file.digest) == (first.file.path, first.file.digest)
    assert source.again(client, other) is None
    assert all(item.file.url.startswith("https://github.com/") for item in others)


def test_a_mirror_that_was_asked_before_is_not_asked_again():
    client = FakeClient(full=("https://github.com",))
    source = CremaDSource([1001])
    (item,) = source.located(client, items(1))
    assert source.again(client, item) is None
    direct = Item(RemoteFile("https://github.com/x/raw/a.wav", "AudioWAV/a.wav", 1, "sha256:0"))
    assert source.again(client, direct) is None


def test_a_mirror_that_refuses_too_is_an_error():
    client = FakeClient(full=("https://gitlab.com",))
    source = CremaDSource([1001])
    (item,) = source.located(client, items(1))
    with pytest.raises(DownloadError, match=r"gitlab\.com.*quota"):
        source.again(client, item)
