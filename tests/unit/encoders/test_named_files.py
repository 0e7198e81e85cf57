"""Digests of the files that an encoder names: by content, and read once."""

import os

from avfusion.encoders import named_files as named


def test_an_older_file_in_the_place_of_a_newer_one_has_another_digest(tmp_path, monkeypatch):
    file, cache = tmp_path / "a.pt", tmp_path / "results" / "digests.json"
    file.write_bytes(b"one")
    os.utime(file, (2_000, 2_000))
    files = named.named_files({"path": str(file)})
    first = named.digest_of(files, cache)
    read = []
    real = named.file_digest
    monkeypatch.setattr(named, "file_digest", lambda path: read.append(path) or real(path))
    assert named.digest_of(files, cache) == first
    assert not read
    file.write_bytes(b"two")  # as long, and older
    os.utime(file, (1_000, 1_000))
    assert named.digest_of(files, cache) != first
    assert read == [file]
    file.write_bytes(b"one")
    assert named.digest_of(files, cache) == first, "a copy of another time is the same file"


def test_the_files_are_those_of_a_folder_and_of_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "model" / name).write_text(name)
    (tmp_path / "words.txt").write_text("a\n")
    options = {"path": "~/model", "vocabulary": "~/words.txt", "layers": [1]}
    names = [path.name for path in named.named_files(options)]
    assert names == ["config.json", "model.safetensors", "words.txt"]
    assert named.named_files({}) == named.named_files({"path": "absent.pt"}) == []
    assert named.digest_of([], tmp_path / "digests.json") == ""
    (tmp_path / "digests.json").write_text("damaged")
    assert len(named.digest_of(named.named_files(options), tmp_path / "digests.json")) == 16
