"""Test that the command line answers odd places, names and settings in one line."""

import errno
import io
import itertools
import json
import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

from avfusion import cli
from avfusion.commands.messages import say
from avfusion.config.load import checked
from avfusion.corpora.formats.table import name_fault
from avfusion.corpora.own.corpus import Own
from avfusion.corpora.tree.scan import read_tree
from avfusion.errors import ConfigError, CorpusError, DamagedError
from avfusion.io.yaml import read_mapping
from avfusion.report.page.figures import refuse_active
from support.halves import left_half
from support.miniatures import own


def unread(project, *words):
    """Run a command whose reader has left already; return its exit status and errors."""
    read, write = os.pipe()
    os.close(read)
    program = [sys.executable, "-m", "avfusion.cli", *words]
    done = subprocess.run(program, cwd=project, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [["schema"], ["--help"], ["verify", "--help"]])
def test_a_reader_that_left_ends_the_command_quietly(project, words):
    assert unread(project, *words) == (cli.READER_LEFT, b"")


@pytest.mark.parametrize("command", [c.__name__.rpartition(".")[2] for c in cli._commands()])
def test_the_help_of_every_command_can_be_cut_short(command, monkeypatch):
    """As above, without a process each."""
    read, write = os.pipe()
    os.close(read)
    closed = os.fdopen(write, "w")
    monkeypatch.setattr(os, "dup2", lambda *numbers: None)
    with monkeypatch.context() as place:
        place.setattr(sys, "stdout", closed)
        status = cli.main([command.replace("_", "-"), "--help"])
    with suppress(BrokenPipeError):
        closed.close()
    assert status == cli.READER_LEFT


def test_a_broken_pipe_that_is_not_the_output_is_an_error(monkeypatch):
    def fail(args):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("avfusion.commands.schema.run", fail)
    with pytest.raises(BrokenPipeError):
        cli.main(["schema"])


def test_the_tables_of_verify_are_written_before_its_checks_are_printed(
    project, tmp_path, monkeypatch
):
    monkeypatch.chdir(project)
    root, results = tmp_path / "corpus", tmp_path / "results"
    own.build(root)
    entry = {"is": "own", "root": str(root), "options": own.OPTIONS}
    (tmp_path / "c.yaml").write_text(json.dumps({"corpora": {"mine": entry}}))

    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        def fileno(self):
            return os.open(os.devnull, os.O_WRONLY)

    with monkeypatch.context() as place:
        place.setattr(sys, "stdout", Closed())
        words = ["verify", "mine", "--config", str(tmp_path / "c.yaml"), "--results", str(results)]
        with suppress(BrokenPipeError):  # raised if the output is not a pipe without a reader
            assert cli.main(words) == 141
    assert (results / "manifest" / "mine" / "corpus.json").is_file()


def test_results_that_may_not_be_read_name_the_umask(monkeypatch, capsys):
    def fail(args):
        raise PermissionError(errno.EACCES, "Permission denied", "results/media/a/index.parquet")

    monkeypatch.setattr("avfusion.commands.schema.run", fail)
    assert cli.main(["schema"]) == 1
    printed = capsys.readouterr().err
    assert "results/media/a/index.parquet" in printed
    assert "AVF_UMASK=027" in printed


def test_names_that_a_command_prints_cannot_move_the_cursor(capsys):
    say("a\x1b[2Jb")
    say("c\rd", error=True)
    assert capsys.readouterr() == ("a\\x1b[2Jb\n", "c\\rd\n")


def test_a_locale_without_unicode_is_no_fault(project, tmp_path):
    (tmp_path / "b\u00fc.yaml").write_text("a: [")
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    words = ["doctor", "--config", str(tmp_path / "b\u00fc.yaml")]
    done = subprocess.run(
        [sys.executable, "-m", "avfusion.cli", *words],
        cwd=project,
        env={**os.environ, **ascii_only},
        capture_output=True,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert b"not YAML" in printed
    assert b"Traceback" not in printed


def test_obtain_lists_every_corpus(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["obtain", "nosuch"]) == 1
    errors = capsys.readouterr().err
    for name in ("affwild2", "recola", "ravdess", "own", "demo"):
        assert name in errors


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"media": {"face_px": 1_000_000}}, "face_px"),
        ({"train": {"epochs": 10**20}}, "epochs"),
        ({"train": {"limit": float("inf")}}, "limit"),
        ({"windows": {"clip_s": float("nan")}}, "clip_s"),
        ({"statistics": {"draws": 10**12}}, "draws"),
    ],
)
def test_settings_that_mean_nothing_are_refused(project, monkeypatch, changes, name):
    monkeypatch.chdir(project)
    raw = read_mapping(project / "config" / "config.yaml")
    for section, values in changes.items():
        raw[section] = {**raw.get(section, {}), **values}
    study, messages = checked(raw)
    assert study is None
    assert name in messages[0]


@pytest.mark.parametrize(
    "options",
    [
        {"value_range": [-np.inf, np.inf]},
        {"manifest": "/etc/passwd"},
        {"manifest": "../other.csv"},
        {"targets": ["=cmd()"]},
        {"targets": ["a$b"]},
        {"classes": ["calm\x1b[2J"]},
        {"rating_hz": 1e9},
    ],
)
def test_options_of_your_own_recordings_stay_inside(tmp_path, options):
    with pytest.raises(ConfigError, match=r"^own: "):
        Own(root=tmp_path, **options)


@pytest.mark.parametrize("name", ["=1+1", "a\rb", "a\x1b[2Jb", "a\u202eb", "a\x9bb"])
def test_names_that_tables_or_terminals_would_obey_are_refused(name):
    assert name_fault(name)


@pytest.mark.parametrize(
    "name",
    ["-3g5yACwYnA", "-3g5yACwYnA (1)", "@ann_take1", "+1 session", "clip.half-face", 
     "M\u00fcller 1", "a=b", "s_01.take-2"],
)  # fmt: skip
def test_usual_names_are_kept(name):
    assert name_fault(name) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8_is_named_and_the_others_are_read(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "a.txt").write_text("a")
    (root / os.fsdecode(b"M\xfcller.txt")).write_text("b")
    tree = read_tree(root, tmp_path / "digests")
    assert tree.find("a.txt")
    assert list(tree.unread.values()) == ["its name is not UTF-8"]


def test_links_that_lead_out_are_refused_and_named(tmp_path):
    root, secret = tmp_path / "corpus", tmp_path / "secret"
    for folder in (root, secret):
        folder.mkdir()
    (secret / "a.txt").write_text("secret")
    (root / "ratings.csv").symlink_to(secret / "a.txt")
    (root / "folder").symlink_to(secret)
    tree = read_tree(root, tmp_path / "digests")
    assert set(tree.outside) == {"ratings.csv", "folder"}
    assert len(tree) == 0
    tree = read_tree(root, tmp_path / "digests", outside=True)
    assert not tree.outside
    assert tree.find("folder/a.txt") == tree.find("ratings.csv")


def test_a_web_of_links_ends(tmp_path):
    root = tmp_path / "corpus"
    folders = [root / str(level) for level in range(12)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(folder.name)
    for one, other in itertools.pairwise(folders):
        for number in range(20):
            (one / f"link{number}").symlink_to(other)
    with pytest.raises(CorpusError, match="more than 10,000 links to folders"):
        read_tree(root, tmp_path / "digests")


def test_a_web_of_links_outside_ends(tmp_path):
    root, outside = tmp_path / "corpus", tmp_path / "outside"
    folders = [outside / str(level) for level in range(8)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(folder.name)
    for one, other in itertools.pairwise(folders):
        for number in range(20):
            (one / f"link{number}").symlink_to(other)
    root.mkdir()
    (root / "in").symlink_to(outside)
    with pytest.raises(CorpusError, match="more than 10,000 links to folders"):
        read_tree(root, tmp_path / "digests", outside=True)


DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'
)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<g onload="alert(1)"/>',
        '<foreignObject><b xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>',
        '<a xlink:href="https://example.org"><text>x</text></a>',
        '<use xlink:href="https://example.org/a.svg#b"/>',
        '<rect style="fill: url(https://example.org/a)"/>',
        "<g>",
    ],
)
def test_a_drawing_that_acts_is_refused(inside):
    with pytest.raises(DamagedError, match="not a drawing of this study"):
        refuse_active(DRAWING.format(inside), "a")


def test_a_drawing_of_matplotlib_is_accepted():
    from io import StringIO

    from matplotlib.figure import Figure

    figure, out = Figure(), StringIO()
    figure.subplots().plot([0, 1], [1, 0], marker="o", label="a")
    figure.legend()
    figure.savefig(out, format="svg")
    refuse_active(out.getvalue(), "a")


def test_the_media_stage_before_verification_names_the_command(
    project, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(project)
    assert cli.main(["media", "demo", "--results", str(tmp_path)]) == 1
    assert "avf verify demo" in capsys.readouterr().err


def test_the_stages_remove_faces_of_killed_ones(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    left = tmp_path / "media" / "demo" / left_half("withdrawn")
    left.mkdir(parents=True)
    (left / "faces.zip").write_bytes(b"faces")
    cli.main(["report", "--only", "tables", "--results", str(tmp_path)])
    assert left.exists()  # this command writes no faces
    cli.main(["verify", "demo", "--results", str(tmp_path)])
    assert not left.exists()


def test_checks_are_the_output_of_verify(project, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(project)
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "out").symlink_to("/etc")
    (tmp_path / "c.yaml").write_text(f"corpora: {{mine: {{is: own, root: {root}}}}}\n")
    words = ["--config", str(tmp_path / "c.yaml"), "--results", str(tmp_path / "results")]
    assert cli.main(["verify", "mine", *words]) == 1
    assert "FAIL  links: out" in capsys.readouterr().out
    checks = pd.read_csv(tmp_path / "results" / "manifest" / "mine" / "checks.csv")
    assert checks.loc[checks["name"] == "links", "verdict"].tolist() == ["FAIL"]
