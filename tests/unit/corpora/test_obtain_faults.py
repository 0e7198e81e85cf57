"""Servers, disks, options and configs with a fault: a download ends with its name, nothing lost."""

from types import SimpleNamespace

import pytest
import requests

from avfusion import cli
from avfusion.config.load import load
from avfusion.corpora.obtain import answers
from avfusion.corpora.obtain import connection as requests_of
from avfusion.corpora.obtain import run as running
from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.hosts import ZENODO
from avfusion.corpora.obtain.progress import Progress
from avfusion.corpora.obtain.remote import DownloadError
from avfusion.corpora.obtain.unpack import UnpackError, unpack
from avfusion.errors import ConfigError
from support.download_server import Fault, serving, tree, zipped
from support.shelf import BODY, FILES, PLACE, URL, begins, fetch, remote, shelf_of, visible


@pytest.fixture
def site():
    with serving() as it:
        it.bodies[PLACE] = BODY
        yield it


@pytest.fixture
def client(site):
    return Client(ZENODO, site.address, pause_s=0)


@pytest.fixture
def shelf(site, tmp_path):
    """Return a function that obtains a small corpus, and its root."""
    return shelf_of(site, tmp_path / "shelf")


def partial(folder, content):
    """Write what an earlier call has received."""
    (folder / "sub").mkdir()
    (folder / "sub/it.zip.part").write_bytes(content)


@pytest.mark.parametrize(
    "url",
    [
        *("http://zenodo.org/x", "https://zenodo.org.evil.org/x", "https://zenodo.org:444/x"),
        *("file:///x", "https://evil.org\\@zenodo.org/x", "https://a@zenodo.org/x", "//x.org/x"),
        *("https://zenodo.org:abc/", "https://[::1/x", "https://zenodo.org/a b", "https:///x", ""),
        *("https://zenodo.org\t.evil.org/", "https://zenodo.org%2eevil.org/", "https://zenodo.org@e/"),
    ],
)  # fmt: skip
def test_only_https_of_listed_hosts_is_asked(url):
    with pytest.raises(DownloadError, match=r"not https at one of zenodo|not an address"):
        Client(ZENODO).address(url)


def test_a_redirect_that_two_readers_see_differently_takes_no_token_along(site, client, tmp_path):
    site.faults[PLACE] = [Fault(302, {"Location": "https://evil.example\\@zenodo.org/x"})]
    with pytest.raises(DownloadError, match="not an address"):
        fetch(client, remote(headers={"Authorization": "Basic s"}), tmp_path)
    assert len(site.asked) == 1


@pytest.mark.parametrize("value", ["²", "soon", "-5", ""])
def test_a_pause_that_is_none_is_left_to_us(site, client, tmp_path, value):
    site.faults[PLACE] = [Fault(503, {"Retry-After": value})]
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY


def test_a_server_that_starts_over_for_ever_is_left(site, client, tmp_path):
    site.ignores_ranges = True
    site.faults[PLACE] = [Fault(cut=cut) for cut in (1000, 500) * 20]
    with pytest.raises(DownloadError, match="6 times in a row"):
        fetch(client, remote(), tmp_path)
    assert len(site.asked) == 7


def test_a_server_that_sends_next_to_nothing_is_left(site, client, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(requests_of, "TRIES", 3)
    site.faults[PLACE] = [Fault(drip_s=0.02)] * 9
    with pytest.raises(DownloadError, match=r"the server sent \d+ bytes in .* 3 times in a row"):
        fetch(client, remote(), tmp_path)
    assert len(site.asked) == 3


def test_a_part_that_the_server_does_not_have_is_removed(site, client, tmp_path):
    partial(tmp_path, BODY[:700])
    site.faults[PLACE] = [Fault(416)]
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY
    assert begins(site) == ["bytes=700-", None]


def test_a_range_that_was_not_asked_for_is_not_appended(site, client, tmp_path):
    partial(tmp_path, BODY[:700])
    site.faults[PLACE] = [Fault(shifted=100)]
    with pytest.raises(DownloadError, match=r"stated|times in a row"):
        fetch(client, remote(), tmp_path)
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY


def test_a_damaged_part_does_not_stay_when_too_much_arrives(site, client, tmp_path):
    partial(tmp_path, b"x" * 700)
    with pytest.raises(DownloadError, match="more than the stated 1,000 bytes"):
        fetch(client, remote(BODY[:1000]), tmp_path)
    assert not list((tmp_path / "sub").iterdir())


def test_a_certificate_that_is_not_trusted_is_named_at_once(client, tmp_path, monkeypatch):
    tried = []

    def refuse(*_, **__):
        tried.append(1)
        raise requests.exceptions.SSLError("certificate verify failed")

    monkeypatch.setattr(client.session, "request", refuse)
    with pytest.raises(DownloadError, match="certificate verify failed"):
        fetch(client, remote(), tmp_path)
    assert len(tried) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_of_unstated_size_has_a_limit_and_is_counted_once(site, client, tmp_path, chunked):
    """GitHub sends archives in chunks, without a size."""
    site.unsized = {PLACE} if chunked else set()
    site.faults[PLACE] = [Fault(cut=1500), Fault(cut=0), Fault(cut=1005), Fault(cut=1503)]
    with Progress("it", None) as progress:
        path = client.fetch_unstated(URL, tmp_path / "a", progress, most=len(BODY))
    assert path.read_bytes() == BODY
    assert progress.done == len(BODY)
    with Progress("it", None) as progress, pytest.raises(DownloadError, match="more than 1,000"):
        client.fetch_unstated(URL, tmp_path / "b", progress, most=1000)


@pytest.mark.parametrize("keep", [False, True])
def test_the_disk_must_hold_what_is_missing_and_archives_next_to_their_content(
    shelf, site, monkeypatch, keep
):
    get, root = shelf
    monkeypatch.setattr(running, "_SPARE", 0)
    monkeypatch.setattr(running, "_AT_ONCE", 1)
    sizes = {name: len(body) for name, body in FILES.items()}
    archives = [size for name, size in sizes.items() if name.endswith(".zip")]
    half = sizes["one.zip"] // 2
    root.mkdir()
    (root / "one.zip.part").write_bytes(FILES["one.zip"][:half])
    needed = sum(sizes.values()) + (sum(archives) if keep else max(archives)) - half
    disk = SimpleNamespace(free=needed - 1)
    monkeypatch.setattr(running.shutil, "disk_usage", lambda _: disk)
    with pytest.raises(DownloadError, match=r"GB are free and .* are needed"):
        get(keep_archives=keep)
    assert [path for path, _ in site.asked] == ["zenodo.org/api/records/7"]
    assert not (root / "obtained.json").exists()
    disk.free = 10 * needed
    get(keep_archives=keep)


def test_content_larger_than_the_disk_is_not_unpacked(tmp_path, monkeypatch):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped({"zeros.mp4": bytes(10_000_000)}))
    disk = SimpleNamespace(free=9_000_000)
    monkeypatch.setattr(running.shutil, "disk_usage", lambda _: disk)
    with pytest.raises(UnpackError, match=r"its content needs 0\.01 GB"):
        unpack(archive, tmp_path / "in")
    assert set(tree(tmp_path)) == {"a.zip"}


def test_other_bytes_of_the_same_size_are_replaced(shelf):
    get, root = shelf
    get()
    (root / "A/2.mp4").write_bytes(b"TWO")
    get()
    assert visible(root)["A/2.mp4"] == b"two"
    (root / "table.csv").write_bytes(b"a,b\n1,3\n")
    with pytest.raises(DownloadError, match=r"table\.csv: md5 .* Move it away"):
        get()


def test_archives_are_kept_later_and_removed_later(shelf):
    get, root = shelf
    get()
    get(keep_archives=True)
    assert {"one.zip", "two.zip"} <= visible(root).keys()
    get()
    assert not [path for path in visible(root) if path.endswith(".zip")]


def test_an_archive_without_a_file_of_the_corpus_is_kept_and_named(shelf, site):
    get, root = shelf
    site.zenodo(7, {"one.zip": zipped({"leave/x": b"x"})})
    with pytest.raises(DownloadError, match=r"one\.zip: holds no file of the corpus"):
        get()
    assert (root / "one.zip").is_file()
    assert not (root / "obtained.json").exists()


def test_nothing_to_download_is_no_success(shelf, site):
    get, _ = shelf
    site.zenodo(7, {})
    with pytest.raises(DownloadError, match="nothing to download"):
        get()


def test_files_that_are_there_need_no_receipt_and_are_not_downloaded(shelf, site, caplog):
    """As after `git lfs pull` in a clone, or a copy from another machine."""
    caplog.set_level("INFO")
    get, root = shelf
    root.mkdir()
    (root / "table.csv").write_bytes(FILES["table.csv"])
    get()
    assert "2 files, 0.00 GB to download, 1 more here already" in caplog.text
    assert not [path for path, _ in site.asked if "table.csv" in path]
    get()
    assert "3 files, here already. Nothing to download." in caplog.text


def test_a_complete_corpus_keeps_its_receipt_without_a_connection(shelf, site):
    get, _ = shelf
    receipt = get()
    site.bodies.clear()
    with pytest.raises(DownloadError, match="404"):
        get()
    assert receipt.is_file()


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write a study that lists six actors of RAVDESS, and go to its folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ok.yaml"
    entry = "{root: big/ravdess, task: classes, options: {actors: 1-6}}"
    path.write_text(f"corpora: {{ravdess: {entry}}}\nfusions: {{audio: {{}}}}\n")
    return path


def avf(*words):
    return cli.main(["obtain", "ravdess", *map(str, words)])


def test_the_next_command_repeats_every_option(config, capsys):
    words = ("--root", "/elsewhere", "--keep-archives", "--part", "actors=7-9")
    assert avf("--config", config, *words) == 1
    assert (
        "run: avf obtain ravdess --accept-licence --part actors=7-9 --root /elsewhere "
        f"--keep-archives --config {config}"
    ) in capsys.readouterr().err


@pytest.mark.parametrize("part", ["nonsense=1", "root=/x", "fold=2", "actors", "actors="])
def test_only_a_part_of_the_corpus_can_be_chosen(config, capsys, part):
    assert avf("--config", config, "--part", part) == 1
    assert "only actors or channel can be chosen" in capsys.readouterr().err


def test_actors_that_do_not_exist_are_refused_before_the_licence_is_accepted(config, capsys):
    assert avf("--config", config, "--part", "actors=x") == 1
    message = capsys.readouterr().err
    assert "actors" in message
    assert "--accept-licence" not in message


@pytest.mark.parametrize("text", ["seedz: [0]\n", None])
def test_a_config_with_a_fault_downloads_nothing(config, capsys, text, site, monkeypatch):
    monkeypatch.setenv("AVF_MIRROR", site.address)
    if text is None:
        config.unlink()
    else:
        config.write_text(config.read_text() + text)
    assert avf("--accept-licence", "--config", config) == 1
    assert site.asked == []
    assert config.name in capsys.readouterr().err


def test_what_was_chosen_on_the_command_line_is_stated_for_the_study(
    config, capsys, site, monkeypatch
):
    film = "Actor_07/01-01-01-01-01-01-07.mp4"
    site.zenodo(1188976, {"Video_Speech_Actor_07.zip": zipped({film: b"film"})})
    monkeypatch.setenv("AVF_MIRROR", site.address)
    words = ("--accept-licence", "--part", "actors=7", "--root", "there")
    assert avf("--config", config, *words) == 0
    output = capsys.readouterr().out
    assert "    root: there\n    options: {actors: 7}\n" in output
    assert (config.parent / "there" / film).read_bytes() == b"film"


def test_entries_of_one_folder_must_download_the_same_part(config):
    entry = "{{is: ravdess, root: big/ravdess, download: true, options: {{actors: {}, fold: {}}}}}"
    both = f"corpora: {{a: {entry.format('1-6', 1)}, b: {entry.format('1-6', 2)}}}\n"
    config.write_text(both + "fusions: {audio: {}}\n")
    assert len(load(config).corpora) == 2
    config.write_text(both.replace("1-6", "7-9", 1) + "fusions: {audio: {}}\n")
    with pytest.raises(ConfigError, match=r"fill big/ravdess by different options"):
        load(config)


def test_what_cannot_be_downloaded_is_refused_in_the_config(config):
    config.write_text("corpora: {recola: {root: x, download: true}}\nfusions: {audio: {}}\n")
    with pytest.raises(ConfigError, match=r"corpora\.recola\.download: no program can"):
        load(config)


@pytest.mark.parametrize("plant", ["link", "second name"])
def test_a_part_that_somebody_else_planted_is_not_written(site, client, tmp_path, plant):
    """Its name is fixed, so in a shared folder it can lead to another file of this user."""
    other = tmp_path / "thesis.tex"
    other.write_text("mine")
    (tmp_path / "sub").mkdir()
    part = tmp_path / "sub/it.zip.part"
    part.symlink_to(other) if plant == "link" else part.hardlink_to(other)
    with pytest.raises(DownloadError, match=r"it\.zip\.part: not a partial download of this user"):
        fetch(client, remote(), tmp_path)
    assert other.read_text() == "mine"
    part.unlink()
    assert fetch(client, remote(), tmp_path).read_bytes() == BODY
