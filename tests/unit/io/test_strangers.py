"""Test files and folders that strangers or killed processes left: nothing is followed or filled."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from avfusion.corpora.formats.table import name_fault
from avfusion.errors import AvfError, ConfigError, CorpusError, DamagedError
from avfusion.io import halves
from avfusion.io.atomic import link_or_copy, locked, replacing, write_text
from avfusion.io.bounded import refuse_large_parquet, refuse_large_zip
from avfusion.io.cells import safe_csv, visible
from avfusion.io.private import private, private_folder
from avfusion.io.shards import read_table
from avfusion.io.yaml import read_mapping
from avfusion.media.new_record import new_record
from support.halves import left_half


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.write_text("a colleague's")
    monkeypatch.setattr(halves.secrets, "token_hex", lambda count: "0" * 2 * count)
    path = tmp_path / "table.csv"
    path.with_name(halves.half_name(".table", ".csv")).symlink_to(other)
    with pytest.raises(FileExistsError):
        write_text(path, "mine")
    assert other.read_text() == "a colleague's"


def test_a_half_that_is_exchanged_for_a_link_is_not_renamed(tmp_path):
    other, path = tmp_path / "other", tmp_path / "a.txt"
    other.write_text("a colleague's")

    def write():
        with replacing(path) as half:
            half.unlink()
            half.symlink_to(other)

    with pytest.raises(OSError, match="symbolic links"):
        write()
    assert not path.exists()
    assert other.read_text() == "a colleague's"


@pytest.mark.parametrize("part", ["", "shard"])
def test_a_link_in_place_of_a_lock_is_refused_and_its_target_kept(tmp_path, part):
    other = tmp_path / "other"
    other.write_text("a colleague's")
    (tmp_path / (f".{part}.lock" if part else ".lock")).symlink_to(other)
    with pytest.raises(AvfError, match="a link, not a lock file"), locked(tmp_path, part):
        pass
    assert other.read_text() == "a colleague's"


def test_two_writers_of_one_process_have_different_names(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_copy_replaces_a_link_and_leaves_its_target(tmp_path):
    other, new, name = (tmp_path / part for part in ("other", "new", "name"))
    other.write_text("other")
    new.write_text("new")
    name.symlink_to(other)
    link_or_copy(new, name)
    assert (other.read_text(), name.read_text()) == ("other", "new")


def test_what_dead_writers_left_is_removed_and_what_live_ones_write_stays(tmp_path):
    mine = tmp_path / halves.half_name("video")
    dead, table = left_half("video"), left_half(".table", ".csv")
    elsewhere = f"video.half999999999-{'0' * 16}abcdef"
    for folder in (mine, tmp_path / dead, tmp_path / elsewhere):
        folder.mkdir()
        (folder / "faces.zip").write_bytes(b"faces")
    (tmp_path / table).write_text("old")
    (tmp_path / "halftime.csv").write_text("no half")
    assert set(halves.remove_left(tmp_path)) == {dead, table}
    os.utime(tmp_path / elsewhere, (0, 0))
    assert halves.remove_left(tmp_path) == []  # a file in it is new
    os.utime(tmp_path / elsewhere / "faces.zip", (0, 0))
    assert halves.remove_left(tmp_path) == [elsewhere]
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, "halftime.csv"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces of Linux")
def test_a_process_of_another_container_is_not_taken_for_a_dead_one(tmp_path):
    mine = tmp_path / halves.half_name("video")
    mine.mkdir()
    code = "import sys; from avfusion.io.halves import remove_left; print(remove_left(sys.argv[1]))"
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    words = [sys.executable, "-c", code, str(tmp_path)]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    done = subprocess.run([*apart, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert mine.is_dir()


@pytest.mark.parametrize("name", ["interview.half2.cam1", "clip.half999999999", "a.half-face"])
def test_records_with_ordinary_names_are_kept(tmp_path, name):
    assert name_fault(name) == ""
    (tmp_path / name).mkdir()
    assert halves.remove_left(tmp_path) == []
    assert name_fault(halves.half_name("a"))


def test_what_cannot_be_removed_is_no_fault_and_not_listed(tmp_path, monkeypatch):
    (tmp_path / left_half("a")).touch()

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(halves.Path, "unlink", refuse)
    assert halves.remove_left(tmp_path) == []


def test_a_record_whose_folder_was_removed_is_no_fault_of_the_recording(tmp_path):
    with (
        pytest.raises(ConfigError, match="The recording is not at fault"),
        new_record(tmp_path / "a") as writer,
    ):
        shutil.rmtree(writer.folder)


def test_the_longest_names_can_be_written(tmp_path):
    path = tmp_path / ("\u00fc" * 115 + ".times.npy")
    write_text(path, "x")
    assert path.read_text() == "x"
    assert len(os.fsencode(halves.half_name(path.name * 2, ".npy"))) <= 255


def test_a_link_named_like_a_half_is_removed_without_its_target(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    link = tmp_path / left_half("a")
    link.symlink_to(tmp_path / "kept")
    halves.remove_left(tmp_path)
    assert (tmp_path / "kept" / "file").exists()
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"name: M\xfcller", "not UTF-8"),
        (b"a: " + 5000 * b"[" + 5000 * b"]", "nested too deeply"),
        (b"a: " + 5000 * b"9", "a value cannot be read"),
        (b"a: 2024-99-99", "a value cannot be read"),
        (b"a: &a [*a]", "a value holds itself"),
        (b"a: \x07", "not YAML"),
    ],
)
def test_a_config_that_cannot_be_read_is_one_line(tmp_path, text, reason):
    (tmp_path / "c.yaml").write_bytes(text)
    with pytest.raises(ConfigError, match=reason):
        read_mapping(tmp_path / "c.yaml")


@pytest.mark.parametrize("merge", [True, False])
def test_aliases_cannot_stand_for_more_than_memory_holds(tmp_path, merge):
    lines = ["a0: &a0 {k0: 1, k1: 2, k2: 3}"]
    for level in range(1, 16):
        inner = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} " + (f"{{<<: [{inner}]}}" if merge else f"[{inner}]"))
    (tmp_path / "c.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="aliases stand for more than"):
        read_mapping(tmp_path / "c.yaml")


def test_aliases_of_a_usual_config_are_read(tmp_path):
    (tmp_path / "c.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n")
    assert read_mapping(tmp_path / "c.yaml")["b"] == {"x": 1, "y": 2}


def test_a_small_table_with_many_equal_rows_or_a_huge_cell_is_refused(tmp_path):
    rows, cell = tmp_path / "rows.parquet", tmp_path / "cell.parquet"
    column = pa.DictionaryArray.from_arrays(np.zeros(6_000_000, np.int8), ["a"])
    pq.write_table(pa.table({"a": column, "b": column}), rows)
    assert rows.stat().st_size < 100_000
    pq.write_table(pa.table({"a": ["x" * (300 << 20)]}), cell, compression="zstd")
    for path in (rows, cell):
        with pytest.raises(ValueError, match="are read; split it"):
            refuse_large_parquet(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1 << 20))
    refuse_large_zip(path)
    with pytest.raises(ValueError, match="unpacks to 1,048,576 bytes"):
        refuse_large_zip(path, 1 << 19)


def test_metadata_that_pandas_did_not_write_is_a_damaged_table(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"a": [1]}).replace_schema_metadata({"pandas": '{"index_columns": 5}'})
    pq.write_table(table, path)
    with pytest.raises(DamagedError, match="damaged"):
        read_table(path)


def test_cells_are_text_for_a_spreadsheet_and_numbers_stay():
    table = pd.DataFrame({"name": ["=cmd|' /C calc'!A0", "@a", "b\x1b[31m"], "value": [-1.5, 2, 3]})
    lines = safe_csv(table).splitlines()
    assert lines[1:] == ["'=cmd|' /C calc'!A0,-1.5", "'@a,2.0", "b\\x1b[31m,3.0"]


def test_text_that_moves_the_cursor_or_turns_around_is_escaped():
    assert visible("a\rb\x9b2J\u202e") == "a\\rb\\x9b2J\\u202e"
    assert visible("zwölf 音\n\tx") == "zwölf 音\n\tx"


@pytest.mark.parametrize(("mask", "expected"), [("", 0o600), ("027", 0o640)])
def test_what_shows_people_is_for_its_owner_or_as_chosen(tmp_path, monkeypatch, mask, expected):
    monkeypatch.setenv("AVF_UMASK", mask)
    before = os.umask(0o022)
    try:
        with private():
            write_text(tmp_path / "deep" / "faces", "x")
            private_folder(tmp_path / "media")
        write_text(tmp_path / "table", "x")
    finally:
        os.umask(before)
    folder = expected | 0o100 | (0o010 if mask else 0)
    assert (tmp_path / "deep" / "faces").stat().st_mode & 0o777 == expected
    assert (tmp_path / "deep").stat().st_mode & 0o777 == folder
    assert (tmp_path / "media").stat().st_mode & 0o777 == folder
    assert (tmp_path / "table").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("mask", "before", "after"),
    [
        ("", 0o2755, 0o2700),
        ("027", 0o2775, 0o2770),
        ("027", 0o755, 0o750),
        ("027", 0o700, 0o750),
        ("007", 0o3755, 0o3770),
        ("022", 0o777, 0o777),
    ],
)
def test_a_folder_keeps_its_group_and_what_its_owner_opened(
    tmp_path, monkeypatch, mask, before, after
):
    monkeypatch.setenv("AVF_UMASK", mask)
    tmp_path.chmod(before)
    private_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o7777 == after


def test_a_file_system_without_permissions_is_no_fault(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.chmod", refuse)
    private_folder(tmp_path / "media")
    assert (tmp_path / "media").is_dir()


def test_a_umask_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("AVF_UMASK", "u=rwx")
    with pytest.raises(ConfigError, match="expected an octal number"), private():
        pass


SOCKET = """
import multiprocessing, sys
from avfusion.io.sockets import use_short_sockets
def work(pipe): pipe.send(1)
if __name__ == "__main__":
    use_short_sockets()
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    print(ours.recv())
    process.join()
"""


def test_processes_start_below_a_long_temporary_folder(tmp_path):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    (tmp_path / "start.py").write_text(SOCKET)
    done = subprocess.run(
        [sys.executable, tmp_path / "start.py"],
        env={**os.environ, "TMPDIR": str(long)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_pickle_takes_no_more_memory_than_its_file(tmp_path):
    from avfusion.media.arrays import read_words

    far = b"\xff\xff\xff\x7f."
    for raw in (b"\x80\x02}r" + far, b"X" + far, b"\x8a\x04" + far):
        (tmp_path / "dic.pkl").write_bytes(raw)
        if raw.startswith(b"\x80"):
            assert read_words(tmp_path / "dic.pkl") == {}
        else:
            with pytest.raises(CorpusError):
                read_words(tmp_path / "dic.pkl")


def test_vectors_that_announce_more_than_they_hold_are_refused(tmp_path):
    from avfusion.encoders.vectors import Vectors

    for head in ("0 999999999", "999999999 300", "3 100001"):
        (tmp_path / "a.vec").write_text(head)
        with pytest.raises(AvfError, match="announces"):
            Vectors(tmp_path / "a.vec")


def test_an_array_whose_header_promises_more_than_the_file_is_refused(tmp_path):
    from avfusion.media.feature_formats import read_table as read_features

    raw = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        raw, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 4)}
    )
    (tmp_path / "a.npy").write_bytes(raw.getvalue())
    with pytest.raises(CorpusError, match="cannot be read"):
        read_features(tmp_path / "a.npy")


def test_annotations_at_a_high_rate_are_counted_before_they_are_made():
    from avfusion.corpora.formats.spans import Span, held

    with pytest.raises(CorpusError, match="instants; at most"):
        held({"valence": [Span(0, 99_999, 1.0)]}, 1e6)


@pytest.mark.parametrize(
    "uri",
    [
        "https://ann:hush-1@host:5000",
        "https://ann:hu/sh-1@host:5000",
        "https://hush-1@host/sub",
        "https://host/?token=hush-1",
        "https://host/hush-1/api",
        "https://host#hush-1",
        "postgresql://ann:hush-1@db/mlflow",
        "https://ann:hush-1]@host",
    ],
)
def test_no_form_of_a_secret_in_an_address_is_written(uri):
    from avfusion.tracking.addresses import shown, without_secrets

    assert "hush" not in shown(uri)
    assert "sh-1" not in shown(uri)
    assert "sh-1" not in without_secrets(f"Max retries exceeded with url: {uri} (refused)", uri)


def test_a_secret_of_the_environment_is_not_quoted(monkeypatch):
    from avfusion.tracking.addresses import without_secrets

    for name in ("MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_USERNAME"):
        with monkeypatch.context() as place:
            place.setenv(name, "hush-234")
            assert without_secrets("bearer hush-234 refused") == "bearer … refused"


def test_what_is_no_secret_stays_in_a_message(monkeypatch):
    from avfusion.tracking.addresses import without_secrets

    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "verbosely")
    monkeypatch.setenv("USERNAME", "maximilian")
    monkeypatch.setenv("DB_PASSWORD", "test")
    text = "test of maximilian: verbosely false"
    assert without_secrets(text) == text


def test_a_foreign_state_is_damaged_and_no_traceback(tmp_path):
    import hashlib

    from avfusion.training.checkpoint import load_state

    for body in (b"not torch", b"\x80\x04cos\nsystem\n."):
        head = {"key": "k", "sha256": hashlib.sha256(body).hexdigest()}
        (tmp_path / "state.pt").write_bytes(json.dumps(head).encode() + b"\n" + body)
        with pytest.raises(DamagedError, match="not a state"):
            load_state(tmp_path / "state.pt", "k")


def test_a_record_does_not_name_the_machine(monkeypatch):
    from avfusion import provenance

    monkeypatch.setattr(provenance.platform, "node", lambda: "node17.lab.example.org")
    assert "node17" not in json.dumps(provenance.machine_state())
