"""`avf` refuses in one plain line, with exit code 1 and no traceback."""

import json
import logging
import subprocess
import sys

import pytest

from avfusion import cli
from avfusion.commands import options
from avfusion.config.grid import at_point
from avfusion.config.jobs import SCHEMA_VERSION as NOW
from avfusion.config.study import Study


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "demo", "jca", "--settings", "LICENSE"], "--settings LICENSE: not JSON"),
        (["train", "demo", "jca", "--settings", "no.json"], "--settings no.json: no such file"),
        (["train", "demo", "jca", "--settings", "src"], "--settings src: no such file"),
        (["train", "demo", "jca", "--config", "no.yaml"], "no.yaml: no such file"),
        (["media", "demo", "--shard", "2"], "--shard '2': expected i/n, such as 0/2"),
        (["adopt", "--results", "a"], "Set `results` in config/config.yaml"),
        (["digests", "--write", "--config", "b.yaml"], "--write writes the digests of the study"),
        (["media", "demo", "--shard", "2/2"], "i must lie in 0"),
        (["verify", "dmeo"], "lists no corpus 'dmeo', only: demo"),
        (["media", "dmeo"], "lists no corpus 'dmeo', only: demo. Did you mean 'demo'?"),
        (["train", "dmeo", "jca"], "lists no corpus 'dmeo', only: demo"),
        (["train", "demo", "jac"], "lists no fusion 'jac', only: "),
        (["choose", "demo", "jac"], "lists no fusion 'jac', only: "),
        (["robust", "dmeo"], "lists no corpus 'dmeo', only: demo"),
        (["submit", "demo", "jac"], "lists no fusion 'jac', only: "),
        (["robust", "demo", "--results", "nowhere"], "manifest.parquet. Run: avf verify demo"),
        (["index", "nowhere"], "no complete set of shards"),
        (["infer", "x"], "x: not the folder of a run. Name one such as results/runs/demo"),
        (["infer", "results/runs/demo/ca/seed0"], "seed0: not the folder of a run"),
        (["repeat", "results"], "results: not the folder of a run"),
    ],
)
def test_a_wrong_word_is_answered_in_one_line(words, said, capsys, monkeypatch, project):
    monkeypatch.chdir(project)
    assert cli.main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"avf {words[0]}: ")
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, f"schema version None, but this avfusion reads {NOW}. Run: snakemake all"),
        ([], "schema version None"),
        ({"schema_version": 1}, "schema version 1, but"),
        ({"schema_version": NOW, "root": "x"}, "media: Field required"),
        ({"schema_version": NOW, "root": "x", "media": {"fps": 3}}, "media.fps: Extra inputs"),
    ],
)
def test_settings_of_another_version_or_kind_are_refused(document, said, tmp_path, capsys):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(document))
    words = ["media", "demo", "--results", str(tmp_path), "--settings", str(file)]
    assert cli.main(words) == 1
    assert capsys.readouterr().err.startswith(f"avf media: --settings {file}: ")
    assert cli.main(words) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train dmeo ca", "settings of corpus 'demo', but the command names 'dmeo'"),
        ("train demo jca", "settings of fusion 'ca', but the command names 'jca'"),
        ("train demo ca --seed 5", "settings of seed 3, but the command names 5. Name 3, or run"),
        ("train demo ca --seed 0", "settings of seed 3, but the command names 0"),
        ("choose demo jca", "settings of fusion 'ca', but the command names 'jca'"),
        ("encode demo face_cnn", "settings of encoder 'mel_cnn', but the command names 'face_cnn'"),
        ("corrupt demo audio_noise_db 10 face_cnn", "settings of encoder 'mel_cnn', but"),
    ],
)
def test_settings_of_another_job_than_the_command_names_are_refused(
    words, message, tmp_path, capsys
):
    study = Study(
        corpora={"demo": {"root": "data/demo"}}, fusions={"ca": {"grid": {"stages": [1, 2]}}}
    )
    settings = {
        "train": study.run_settings("demo", "ca", 3),
        "choose": study.grid_settings("demo", "ca"),
        "encode": study.encoder_settings("mel_cnn"),
        "corrupt": study.signal_settings("mel_cnn"),
    }
    command = words.split()
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings[command[0]].document()))
    rest = ["--results", str(tmp_path), "--settings", str(file)]
    assert cli.main([*command, *rest]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"avf {command[0]}: --settings {file}: ")
    assert message in error


def test_the_seed_of_a_file_holds_if_the_command_names_none(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr("avfusion.runs.several.train_run", lambda run, *_: trained.append(run))
    study = Study(
        corpora={"demo": {"root": "data/demo"}}, fusions={"ca": {"grid": {"stages": [1, 2]}}}
    )
    run = at_point(study.run_settings("demo", "ca", 3), "stages=2")
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(run.document()))
    words = ["train", "demo", "ca", "--results", str(tmp_path), "--settings", str(file)]
    for more in ([], ["--seed", "3"], ["--point", "stages=2"]):
        assert cli.main([*words, *more]) == 0
    assert cli.main([*words, "--point", "stages=1"]) == 1
    assert trained == [run] * 3


def test_a_file_may_hold_the_runs_of_several_seeds(tmp_path, monkeypatch, capsys):
    trained = []
    monkeypatch.setattr("avfusion.runs.several.train_run", lambda run, *_: trained.append(run))
    study = Study(corpora={"demo": {"root": "data/demo"}}, fusions={"ca": {}})
    job = study.runs_settings("demo", "ca", [3, 4])
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(job.document()))
    words = ["train", "demo", "ca", "--results", str(tmp_path), "--settings", str(file)]
    assert cli.main(words) == 0
    assert cli.main([*words, "--seed", "4", "3"]) == 0
    assert trained == job.runs * 2
    assert cli.main([*words, "--seed", "3"]) == 1
    assert "settings of seed 3 4, but the command names 3" in capsys.readouterr().err


def test_settings_are_read_from_a_pipe(tmp_path):
    """As in the commands that `avf trace` prints."""
    line = f"{sys.executable} -m avfusion.cli train demo ca --results {tmp_path} --settings"
    done = subprocess.run(
        ["bash", "-c", f"{line} /dev/stdin <<< '{{\"schema_version\": 1}}'"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "--settings /dev/stdin: schema version 1" in done.stderr


def test_code_from_outside_the_package_is_logged(caplog):
    caplog.set_level(logging.INFO)
    options.log_outside({"fusion mine": "lab.fusions:Wide 1.2"})
    expected = "Uses code from outside avfusion: fusion mine = lab.fusions:Wide 1.2"
    assert caplog.messages == [expected]


def test_ctrl_c_says_that_the_same_command_goes_on(capsys, monkeypatch):
    def stop(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("avfusion.commands.schema.run", stop)
    assert cli.main(["schema"]) == 130
    assert "run it again to continue" in capsys.readouterr().err


def test_every_command_explains_itself(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    listed = capsys.readouterr().out
    for name in ("doctor", "verify", "media", "encode", "train", "score", "report", "record"):
        assert f"    {name} " in listed


def test_help_loads_no_large_library():
    code = (
        "import sys\n"
        "from avfusion.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'pandas', 'torch', 'pydantic'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, check=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == "[]"
