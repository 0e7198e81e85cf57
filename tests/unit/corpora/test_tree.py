"""A corpus' files are all listed and read once, whatever stops the reading; nothing is invented."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest

from avfusion.corpora.check import RECOLLECTION, Check, check
from avfusion.corpora.tree import digest, links, scan
from avfusion.corpora.tree.compare import compare
from avfusion.errors import CorpusError


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "corpus"
    for path, text in (
        ("a/1.txt", "one"), ("a/2.txt", ""), ("a/b c/ö.txt", "three"), ("top.txt", "four"),
        ("a/.DS_Store", "junk"), (".hidden/5.txt", "junk"), ("empty/x", "x"),
    ):  # fmt: skip
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def read(root, **more):
    return scan.read_tree(root, root.parent / "digests.bin", **more)


def counted(monkeypatch):
    """Paths that were really opened, in the order in which they were."""
    opened, real = [], digest._sha256
    monkeypatch.setattr(digest, "_sha256", lambda path: opened.append(path.name) or real(path))
    return opened


def test_every_file_that_is_not_hidden_has_its_own_size_and_sha256(root, tmp_path):
    tree = read(root)
    tree.write(tmp_path / "f.parquet")
    table = pd.read_parquet(tmp_path / "f.parquet")
    files = {row.path: (row.bytes, row.sha256) for row in table.itertuples()}
    raw = {p: (root / p).read_bytes() for p in ("a/1.txt", "a/2.txt", "a/b c/ö.txt", "top.txt")}
    raw["empty/x"] = b"x"
    assert files == {p: (len(b), hashlib.sha256(b).hexdigest()) for p, b in raw.items()}
    assert tree.hidden == 2
    assert tree.find("a/b c/ö.txt") == files["a/b c/ö.txt"]
    assert tree.find("a/3.txt") is None


def test_what_was_read_is_not_read_again_until_it_changes(root, monkeypatch):
    opened = counted(monkeypatch)
    first = read(root)
    assert sorted(opened) == ["1.txt", "top.txt", "x", "ö.txt"]  # an empty file need not be opened
    opened.clear()
    assert read(root).find("top.txt") == first.find("top.txt")
    assert opened == []
    (root / "top.txt").write_text("five")
    os.utime(root / "top.txt", ns=(1, 1))
    assert read(root).find("top.txt")[1] == hashlib.sha256(b"five").hexdigest()
    assert opened == ["top.txt"]


def test_a_stopped_run_goes_on_where_it_was(root, monkeypatch):
    for number in range(50):
        (root / f"{number}.bin").write_bytes(bytes([number]))
    monkeypatch.setattr(digest, "_BATCH_FILES", 5)
    monkeypatch.setattr(digest, "workers", lambda: 1)
    opened, real = counted(monkeypatch), scan._keep
    kept = []

    def killed(*args):
        real(*args)
        kept.append(args)
        if len(kept) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(scan, "_keep", killed)
    with pytest.raises(KeyboardInterrupt):
        read(root)
    with (root.parent / "digests.bin").open("ab") as file:
        file.write(b"half a record")
    monkeypatch.setattr(scan, "_keep", real)
    opened.clear()
    tree = read(root)
    done = sum(len(args[4]) for args in kept)
    assert done > 0
    assert len(opened) == 54 - done
    assert all(tree.find(f"{n}.bin")[1] == hashlib.sha256(bytes([n])).hexdigest() for n in (0, 49))


def test_a_link_in_a_circle_ends_and_a_link_to_nowhere_is_told(root):
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "gone.mp4").symlink_to(root / "nothing")
    tree = read(root)
    assert "gone.mp4" in tree.unread
    assert len(tree) < 12


def test_the_fingerprint_of_a_tree_follows_names_and_contents_alone(root, tmp_path):
    def tree_digest():
        return read(root).write(tmp_path / "f.parquet")

    first = tree_digest()
    os.utime(root / "top.txt", ns=(5, 5))
    assert tree_digest() == first
    (root / "top.txt").rename(root / "pot.txt")
    second = tree_digest()
    (root / "pot.txt").write_text("FOUR")
    assert len({first, second, tree_digest()}) == 3


def test_a_folder_that_is_not_wanted_is_listed_and_not_read(root, monkeypatch):
    opened = counted(monkeypatch)
    tree = read(root, wanted=lambda folder: not folder.startswith("a"))
    assert sorted(opened) == ["top.txt", "x"]
    assert tree.find("a/1.txt") == (3, None)


def test_batches_cover_every_file_once():
    sizes = np.array([1, 1 << 30, 5, 0, 7] * 200)
    rows = [row for part in digest.batches(sizes) for row in range(len(sizes))[part]]
    assert rows == list(range(len(sizes)))


def test_what_is_only_recollected_warns_and_cannot_fail():
    line = check("count", False, "18", 17, "Look again.", certainty=RECOLLECTION, verdict="WARN")
    assert line.verdict == "WARN"
    assert check("count", False, "18", 17, "", certainty=RECOLLECTION).verdict == "WARN"
    with pytest.raises(ValueError, match="recollection"):
        Check("count", "FAIL", "18", "17", certainty=RECOLLECTION)
    with pytest.raises(ValueError, match="certainty"):
        Check("count", "PASS", "18", "18", certainty="somebody said so")


def test_two_trees_are_compared_without_their_files(root, tmp_path):
    read(root).write(tmp_path / "here.parquet")
    (root / "top.txt").write_text("FOUR")
    (root / "a" / "1.txt").unlink()
    (root / "new.txt").write_text("new")
    read(root).write(tmp_path / "there.parquet")
    lines = list(compare(tmp_path / "here.parquet", tmp_path / "there.parquet"))
    assert lines == [
        "3 files are the same.",
        "1 differ: top.txt",
        "1 are only here: a/1.txt",
        "1 are only there: new.txt",
    ]
    with pytest.raises(CorpusError, match=r"not a fingerprints\.parquet"):
        list(compare(tmp_path / "here.parquet", root / "top.txt"))


def test_files_that_were_listed_by_size_alone_are_compared_by_size(root, tmp_path):
    def listed(name):
        read(root, wanted=lambda folder: folder != "a").write(tmp_path / name)
        return tmp_path / name

    here = listed("here.parquet")
    (root / "a" / "1.txt").write_text("ONE")  # of the same size
    assert list(compare(here, listed("same.parquet")))[:2] == [
        "5 files are the same (2 of them compared by size only).",
        "0 differ.",
    ]
    (root / "a" / "1.txt").write_text("longer")
    assert "1 differ: a/1.txt" in compare(here, listed("other.parquet"))


def test_two_links_to_one_folder_are_two_folders_whichever_is_listed_first(root, tmp_path):
    (tmp_path / "there" / "deep").mkdir(parents=True)
    (tmp_path / "there" / "deep" / "7.txt").write_text("seven")
    for name in ("one", "other"):
        (root / name).symlink_to(tmp_path / "there", target_is_directory=True)
    tree = read(root, outside=True)
    assert tree.find("one/deep/7.txt") is not None
    assert tree.find("one/deep/7.txt") == tree.find("other/deep/7.txt")


def test_a_link_back_up_adds_no_file(root):
    before = len(read(root))
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "a" / "self").symlink_to(root / "a", target_is_directory=True)
    assert len(read(root)) == before


def test_a_link_to_a_folder_of_the_corpus_is_another_name_of_it(root, tmp_path):
    before = read(root)
    (root / "again").symlink_to(root / "a", target_is_directory=True)
    tree = read(root, wanted=lambda folder: folder.startswith("again"))
    for name in ("1.txt", "b c/ö.txt"):
        assert tree.find(f"again/{name}") == before.find(f"a/{name}")
        assert f"again/{name}" in [path for f in tree.folders.values() for path in f.paths]
    assert tree.folders["again/b c"].digest() == before.folders["a/b c"].digest()
    assert (len(tree), tree.bytes, tree.unread) == (len(before), before.bytes, {})
    assert read(root).write(tmp_path / "f") == before.write(tmp_path / "g")


def test_links_behind_links_end_and_lose_nothing(root):
    (root / "a" / "other").symlink_to(root / "empty", target_is_directory=True)
    (root / "empty" / "back").symlink_to(root / "a", target_is_directory=True)
    folders = read(root).folders
    assert sorted(folders) == [
        "", "a", "a/b c", "a/other", "empty", "empty/back", "empty/back/b c",
    ]  # fmt: skip
    assert folders["a/other"].names == ["x"]


def test_a_link_to_a_hidden_folder_of_the_corpus_is_read(root):
    (root / "videos").symlink_to(root / ".hidden", target_is_directory=True)
    tree = read(root)
    assert tree.find("videos/5.txt") == (4, hashlib.sha256(b"junk").hexdigest())
    assert "videos/5.txt" in tree.folders["videos"].paths


def test_many_links_to_one_folder_outside_are_all_read(root, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "7.txt").write_text("seven")
    for number in range(12):
        (root / f"s{number}").mkdir()
        (root / f"s{number}" / "face").symlink_to(tmp_path / "there", target_is_directory=True)
    tree = read(root, outside=True)
    assert all(tree.find(f"s{number}/face/7.txt") for number in range(12))


def test_folders_that_link_to_each_other_are_refused_by_name(root, tmp_path, monkeypatch):
    monkeypatch.setattr(links, "MOST_LINKS", 100)
    for outside in (tmp_path / "there", root / "there"):
        for number in range(8):
            (outside / str(number)).mkdir(parents=True)
        for number in range(7):
            for name in ("l", "r"):
                (outside / str(number) / name).symlink_to(outside / str(number + 1))
    with pytest.raises(CorpusError, match=r"there.*more than 100 links"):
        read(root)
    (root / "out").symlink_to(tmp_path / "there", target_is_directory=True)
    with pytest.raises(CorpusError, match="more than 100 links"):
        read(root, outside=True)
