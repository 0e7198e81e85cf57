"""Suggested commands can be run as printed: with their arguments, for the study that was named."""

import ast
import errno
from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from avfusion import cli
from avfusion.commands import messages
from avfusion.config.load import load
from avfusion.corpora.formats.table import read_sheet
from avfusion.corpora.own.ratings import read_ratings
from avfusion.errors import AvfError, CorpusError
from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from avfusion.registry import corpora
from support.scratch import ROOT

DEFAULT = Path("config/config.yaml")


def named(**options) -> Namespace:
    given = {"command": "train", "config": DEFAULT, "settings": None, "results": None}
    return Namespace(**{**given, **options})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No file. Run: avf verify demo", "No file. Run: avf verify demo --config a b.yaml"),
        (
            "Run `avf encode demo ear` and `avf index r/demo/ear --shards 1`.",
            "Run `avf encode demo ear --config a b.yaml` and `avf index r/demo/ear --shards 1`.",
        ),
        ("Run `avf report --only tables`.", "Run `avf report --only tables --config a b.yaml`."),
        ("Run: avf report", "Run: avf report --config a b.yaml"),
        ("Run: snakemake all", "Run: snakemake all --configfile a b.yaml"),
        ("memory  ->  snakemake all", "memory  ->  snakemake all --configfile a b.yaml"),
        ("Run: snakemake all (it does).", "Run: snakemake all --configfile a b.yaml (it does)."),
        ("Run: avf verify a. Then wait.", "Run: avf verify a --config a b.yaml. Then wait."),
        ("Run `avf verify a --config x.yaml`.", "Run `avf verify a --config x.yaml`."),
        ("See `avf encode`; run: avf delay -h", "See `avf encode`; run: avf delay -h"),
        ("avf train: no command here", "avf train: no command here"),
    ],
)  # fmt: skip
def test_a_suggested_command_repeats_the_config(text, expected):
    quoted = expected.replace("a b.yaml", "'a b.yaml'")
    assert messages.with_study(text, named(config=Path("a b.yaml"))) == quoted
    assert messages.with_study(text, named()) == text


def test_a_suggested_command_repeats_the_results_that_were_named():
    args = named(results=Path("out"))
    assert messages.with_study("Run: avf score demo", args) == "Run: avf score demo --results out"
    assert messages.with_study("Run: snakemake all", args) == "Run: snakemake all"
    text = "back: avf record demo --results out"
    assert messages.with_study(text, args) == text


@pytest.mark.parametrize("end", ["", ". Then wait.", " (it does)."])
def test_quoted_parts_of_a_suggested_command_are_kept_whole(end):
    command = "avf record demo --results 'my results, 2. (b)'"
    for before, after in (("Run: ", end), ("Run `", f"`{end}")):
        text = messages.with_study(f"{before}{command}{after}", named(config=Path("b.yaml")))
        assert text == f"{before}{command} --config b.yaml{after}"
    text = messages.with_study("Run: avf score demo of today's run", named(config=Path("b.yaml")))
    assert text == "Run: avf score demo of today's run --config b.yaml"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([str(DEFAULT)], "Run `snakemake all` again, or `avf record demo`."),
        (
            ["my b.yaml", str(DEFAULT)],
            "Run `snakemake all --configfile 'my b.yaml'` again, or `avf record demo --config "
            "'my b.yaml'`.",
        ),
        (
            ["a.yaml", "b.yaml", str(DEFAULT)],
            "add --configfile a.yaml b.yaml to snakemake; add --config FILE",
        ),
    ],
)
def test_a_command_of_the_workflow_names_its_config_files(files, expected):
    text = messages.of_files("Run `snakemake all` again, or `avf record demo`.", files)
    assert expected in text


def test_settings_are_repeated_by_the_same_command_only():
    """They hold one job; the workflow also names the results of each job."""
    args = named(settings=Path("run.json"), results=Path("out"))
    assert messages.with_study("Run `avf train a b`.", args) == (
        "Run `avf train a b --settings run.json --results out`."
    )
    assert messages.with_study("Run `avf encode a b`.", args) == "Run `avf encode a b`."


def test_log_lines_are_mended_too(capsys, monkeypatch, tmp_path):
    import logging

    record = logging.LogRecord("x", logging.INFO, "", 1, "Run: avf score %s", ("a",), None)
    formatter = messages.Formatter(named(config=Path("b.yaml")))
    assert formatter.format(record).endswith("Run: avf score a --config b.yaml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train demo ca", "Run: avf verify demo --config other.yaml"),
        ("fit-encoder demo mel_cnn", "Run: avf verify demo --config other.yaml"),
        ("media demo", "Run: avf verify demo --config other.yaml"),
        ("score demo", "Run: avf verify demo --config other.yaml"),
        ("encode demo mel_cnn", "`avf media demo --config other.yaml`"),
    ],
)
def test_a_command_run_too_early_names_the_stage_before(
    words, message, project, monkeypatch, tmp_path, capsys
):
    here(tmp_path, project, monkeypatch)
    assert cli.main([*words.split(), "--config", "other.yaml"]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def here(folder: Path, project: Path, monkeypatch) -> None:
    """A project folder without results, with a second study other.yaml."""
    for name in ("config", "workflow"):
        (folder / name).symlink_to(project / name)
    (folder / "other.yaml").write_text((project / DEFAULT).read_text() + "\nresults: out\n")
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("manifest/demo/gold.parquet", "Run: avf verify demo"),
        ("media/demo/index.parquet", "`avf media demo` and `avf index r/media/demo --shards 1`"),
        ("encoders/demo/ear/best.safetensors", "Run: avf fit-encoder demo ear"),
        ("runs/demo/ca/seed3/settings.json", "Run: avf train demo ca --seed 3"),
        ("tables/scores.csv", "Run: avf report --only tables"),
    ],
)
def test_a_missing_file_of_the_results_names_the_command_that_writes_it(path, command):
    file = f"r/{path}"
    for error in (FileNotFoundError(errno.ENOENT, "no", file), FileNotFoundError(file)):
        assert messages.absent(error, Path("r")).startswith(f"File not found: {file}. ")
        assert messages.absent(error, Path("r")).endswith(command)


def test_another_missing_file_is_not_explained(tmp_path, project, monkeypatch):
    for path in ("elsewhere/a", "r/unknown/a/b", "r/manifest"):
        assert not messages.absent(FileNotFoundError(errno.ENOENT, "no", path), Path("r"))
    assert not messages.absent(PermissionError(errno.EACCES, "no", "r/manifest/a/b"), Path("r"))
    here(tmp_path, project, monkeypatch)

    def fail(args):
        raise FileNotFoundError(errno.ENOENT, "no", "elsewhere")

    monkeypatch.setattr("avfusion.commands.score.run", fail)
    with pytest.raises(FileNotFoundError):
        cli.main(["score", "demo"])


def test_every_suggested_command_in_the_source_has_its_arguments():
    """A command in an error message without its arguments cannot be run as printed."""
    bare = []
    for path in (ROOT / "src/avfusion").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise | ast.Call):
                bare += [f"{path.name}:{node.lineno}: {text}" for text in suggestions(node)]
    assert not bare, "\n".join(bare)


def suggestions(node: ast.AST) -> list[str]:
    """Commands after "Run" without arguments, of commands that need some."""
    import re

    text = "".join(
        part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
        for part in ast.walk(node)
        if isinstance(part, ast.Constant)
    )
    found = re.findall(r"[Rr]un:? `?avf ([a-z-]+)(?:`|\"|\.|$)", text)
    return [name for name in found if name not in messages.NO_ARGUMENTS]


# A file that overrides keys of the default study


def test_a_file_without_fusions_overrides_the_default_study(tmp_path, project, monkeypatch):
    """As `snakemake --configfile` does: sections are merged, lists and values are replaced."""
    here(tmp_path, project, monkeypatch)
    Path("mine.yaml").write_text("seeds: [7]\nwindows: {clips: 8}\n")
    study, base = load(Path("mine.yaml")), load(DEFAULT)
    assert (study.seeds, study.windows.clips) == ([7], 8)
    assert study.windows.hop_s == base.windows.hop_s
    assert study.fusions == base.fusions
    assert study.corpora == base.corpora


def test_an_overlay_is_what_snakemake_makes_of_it(tmp_path, project, monkeypatch):
    from snakemake.utils import update_config

    here(tmp_path, project, monkeypatch)
    text = "seeds: [7]\nwindows: {clips: 8}\ncorpora: {demo: {options: {videos: 8}}}\n"
    Path("mine.yaml").write_text(text)
    merged = yaml.safe_load(DEFAULT.read_text())
    update_config(merged, yaml.safe_load(text))
    assert load(Path("mine.yaml")) == load(merged)


def test_a_file_with_fusions_is_a_complete_study(tmp_path, project, monkeypatch):
    here(tmp_path, project, monkeypatch)
    Path("mine.yaml").write_text("corpora: {demo: {root: data/demo}}\nfusions: {ca: {}}\n")
    assert [name for name in load(Path("mine.yaml")).fusions if name != "ridge"] == ["ca"]


def test_the_doctor_examines_an_overlay(tmp_path, project, monkeypatch, capsys):
    here(tmp_path, project, monkeypatch)
    Path("mine.yaml").write_text("seeds: [7]\n")
    cli.main(["doctor", "--config", "mine.yaml"])
    output = capsys.readouterr().out
    assert "mine.yaml changes keys of config/config.yaml" in output
    assert "MISSING config" not in output
    Path("mine.yaml").write_text("sedes: [7]\n")
    cli.main(["doctor", "--config", "mine.yaml"])
    assert "unknown setting 'sedes'. Did you mean 'seeds'?" in capsys.readouterr().out


# Messages of single commands


def test_a_missing_index_names_the_corpus_and_the_encoder(tmp_path):
    layout = Layout(tmp_path)
    folder = layout.features("demo", "ear")
    again = f"`avf encode demo ear` and `avf index {folder} --shards 1`"
    with pytest.raises(AvfError, match="no such index") as caught:
        FeatureStore.open(folder / "index.parquet")
    assert again in str(caught.value)
    folder = layout.corrupted("demo", "audio_noise_db", -5.0, "ear")
    with pytest.raises(AvfError, match="avf corrupt demo audio_noise_db -5 ear"):
        FeatureStore.open(folder / "index.parquet")


def test_a_store_without_the_video_names_the_command(tmp_path):
    folder = Layout(tmp_path).features("demo", "ear")
    index = pd.DataFrame({"video": ["a"], "status": ["ok"]})
    with pytest.raises(AvfError, match=r"no video 'b'. Run `avf encode demo ear`"):
        FeatureStore(folder / "index.parquet", index).load("b")


@pytest.mark.parametrize("column", ["time", "Time", "times", "t", "frame"])
def test_a_rating_file_with_another_time_column_is_told_name_and_unit(tmp_path, column):
    path = tmp_path / "r.csv"
    path.write_text(f"{column},valence\n0,0.1\n")
    (fault,) = read_ratings(path, "r.csv", ("valence",), 25.0).faults
    assert f"r.csv:1: no column 'time_s', only: {column}, valence." in fault
    assert "`time_s`, the time in seconds from the start of the video" in fault
    close = column not in ("t", "frame")
    assert (f"If '{column}' is meant, rename it to 'time_s'." in fault) == close


def test_a_column_with_a_near_name_is_to_be_renamed(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("vidoe,subject\n")
    with pytest.raises(CorpusError, match=r"If 'vidoe' is meant, rename it to 'video'. See docs"):
        read_sheet(path, "m.csv", ("video",), "See docs.")


def test_recording_without_a_finished_run_names_the_next_command(
    tmp_path, project, monkeypatch, caplog
):
    here(tmp_path, project, monkeypatch)
    assert cli.main(["record", "demo"]) == 0, "a study does not fail if its records do"
    assert "no finished run below results/runs/demo. Run: snakemake all" in caplog.text
    assert "When the store is back" not in caplog.text


def test_tracing_before_a_study_names_the_next_command(tmp_path, project, monkeypatch, capsys):
    here(tmp_path, project, monkeypatch)
    assert cli.main(["trace", "results/tables/scores.csv", "--row", "1"]) == 1
    assert "no study has written tables there yet. Run: snakemake all" in capsys.readouterr().err
    tables = Path("results/tables")
    tables.mkdir(parents=True)
    (tables / "seeds.csv").write_text("a\n1\n")
    assert cli.main(["trace", "results/tables/scores.csv", "--row", "1"]) == 1
    error = capsys.readouterr().err
    assert "scores.csv: no such table. Tables in" in error
    again = f"avf report --only tables --results {tables.resolve().parent}"
    assert f"seeds.csv. To write them again, run `{again}`" in error


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("demo", ["Nothing is to download", "make demo", "avf make-corpus demo"]),
        ("own", ["Nothing is to download", "Put the videos below one folder", "is: own"]),
    ],
)
def test_obtaining_what_is_not_downloaded_says_what_to_do(
    name, parts, tmp_path, project, monkeypatch, capsys
):
    here(tmp_path, project, monkeypatch)
    assert cli.main(["obtain", name]) == 0
    output = capsys.readouterr().out
    assert all(part in output for part in parts)
    assert "can be downloaded by a program" not in output
    assert f"Then: avf verify {name}" in output


def test_an_unknown_corpus_is_answered_with_entries_and_classes(
    tmp_path, project, monkeypatch, capsys
):
    here(tmp_path, project, monkeypatch)
    assert cli.main(["obtain", "afwild2"]) == 1
    error = capsys.readouterr().err
    assert "lists no corpus 'afwild2', only: demo." in error
    assert f"Classes of corpora: {', '.join(corpora.names())}." in error
    assert "Did you mean 'affwild2'?" in error
