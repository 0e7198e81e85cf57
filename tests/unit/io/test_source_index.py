"""Indexes of modules are kept between processes and are never those of other code."""

import os

import pytest

from avfusion.io import source_index

CODE = """
from math import pi
import numpy as np

SCALE = 2.0


def area(r: float) -> float:
    '''Return the area.'''
    return SCALE * pi * np.square(r)


area(1)
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Begin as a new process does, with its cache below the test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def forget():
        source_index.index.cache_clear()
        source_index._kept.cache_clear()

    yield forget
    forget()


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "lab_area.py"
    path.write_text(CODE)
    return path


def kept(module):
    """Return the index of the module, and write it as the end of a process does."""
    found = source_index.index("lab_area", module, module.stat().st_mtime_ns)
    source_index._kept().write()
    return found


def never(*args):
    raise AssertionError("it was kept")


def test_the_next_process_reads_the_same_index_without_parsing(start, module, monkeypatch):
    start()
    first = kept(module)
    assert first.names == {("area", None)}
    assert first.imports == {"pi": {("math", "pi")}, "np": {("numpy", None)}}
    assert ("np", "square") in first.definitions["area"]
    assert "Return the area" not in first.texts["area"]
    start()
    monkeypatch.setattr(source_index, "_indexed", never)
    assert kept(module) == first


def test_an_edit_is_noticed_even_if_date_and_size_stay(start, module):
    start()
    first = kept(module)
    state = module.stat()
    module.write_text(CODE.replace("2.0", "3.0"))
    os.utime(module, ns=(state.st_atime_ns, state.st_mtime_ns))
    start()
    second = kept(module)
    assert first.texts["SCALE"] == "SCALE = 2.0"
    assert second.texts["SCALE"] == "SCALE = 3.0"


def test_other_code_or_another_python_makes_every_index_new(start, module, monkeypatch):
    start()
    kept(module)
    start()
    monkeypatch.setattr(source_index, "_maker", lambda: "another")
    monkeypatch.setattr(source_index, "_indexed", never)
    with pytest.raises(AssertionError, match="it was kept"):
        kept(module)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"of": 1}', b"\x00\xff", b"null"])
def test_a_damaged_cache_is_made_again(start, module, content):
    start()
    first = kept(module)
    source_index._file().write_bytes(content)
    start()
    assert kept(module) == first
    start()
    assert "lab_area" in source_index._kept().entries


def test_a_cache_that_cannot_be_written_costs_time_only(start, module, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    start()
    assert kept(module).names == {("area", None)}


def test_caches_of_removed_checkouts_are_swept(start, module):
    start()
    kept(module)
    old = source_index._file().with_name("0123.cpython-311.json")
    old.write_text("{}")
    os.utime(old, (0, 0))
    module.write_text(CODE.replace("2.0", "4.0"))
    start()
    kept(module)
    assert not old.exists()
    assert source_index._file().exists()
