"""Processes fit what one does, over Gloo on the CPU; a fit that was killed goes on where it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from avfusion.encoders.stage import fit
from avfusion.training.checkpoint import load_weights
from support import synthetic_media as media
from support import tiny_models
from support.scratch import ROOT

SMALL = ROOT / "tests/support/small_ranks.py"
NAMES = ("face_cnn", "mel_cnn", "face_tuned")
FIRST = [NAMES[0], *(pytest.param(name, marks=pytest.mark.long) for name in NAMES[1:])]
"""In CI only the first is fitted; they share the loop."""
LONG = ["--double", "--epochs", "6"]
CPU = {**os.environ, "AVF_DEVICE": "cpu"}


def small(folder: Path, name: str, processes: int, *how: str) -> int:
    """Exit status of a fit of 77 examples in batches of 19: parts of unequal size, dropout on."""
    words = [sys.executable, SMALL, folder, name, str(processes), *how]
    return subprocess.run(words, env=CPU, check=False).returncode


def assert_close(one: Path, other: Path, within: float = 1e-5, leave_out: str = "\n") -> None:
    """The weights are equal to rounding; names that end with `leave_out` are not compared.

    AdamW divides a gradient by its own size. In float32, rounding turns a gradient near zero, and
    with it the weight's step: one weight in a thousand may differ, by two steps at most.
    """
    expected, result = (load_weights(folder / "best.safetensors")[0] for folder in (one, other))
    assert expected.keys() == result.keys()
    spare, step = (0, within) if within < 1e-6 else (1e-3, 2e-3)
    for key, tensor in expected.items():
        if key.endswith(leave_out):
            continue
        gap = (result[key].double() - tensor.double()).abs()
        beyond = gap > within * (1 + tensor.abs())
        assert beyond.double().mean() <= spare, key
        assert not beyond.any() or gap.max() <= step, key


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize(
    ("how", "within"),
    [(["--epochs", "1"], 1e-5), pytest.param(LONG, 1e-9, marks=pytest.mark.long)],
)
def test_two_and_three_processes_fit_what_one_does(name, how, within, tmp_path):
    """In float64 over many steps: no step differs. In float32 over a few: see `ranks`."""
    for processes in (1, 2, 3):
        assert small(tmp_path / str(processes), name, processes, *how) == 0
    for processes in (2, 3):
        assert_close(tmp_path / "1", tmp_path / str(processes), within)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ir50_tcn", pytest.param("r2plus1d_two_stream", marks=pytest.mark.long)]
)
def test_normalisation_and_dropout_of_clips_and_rows_are_those_of_the_whole_batch(name, tmp_path):
    """In float64: a bias before a normalisation has no gradient, which AdamW would amplify."""
    for processes in (1, 2):
        assert small(tmp_path / str(processes), name, processes, "--double", "--epochs", "2") == 0
    assert_close(tmp_path / "1", tmp_path / "2", 1e-9)


@pytest.mark.long
def test_a_killed_pair_goes_on_to_the_same_bits_and_one_process_can_take_over(tmp_path):
    whole, killed, alone = (tmp_path / name for name in ("whole", "killed", "alone"))
    assert small(whole, "face_cnn", 2, "--double") == 0
    for folder, processes in ((killed, 2), (alone, 1)):
        assert small(folder, "face_cnn", 2, "--double", "--stop", "1") == 9
        assert not (folder / "best.safetensors").exists()
        epochs = (folder / "epochs.csv").read_text().splitlines()
        assert len(epochs) == 2, "one epoch was done before the kill"
        assert small(folder, "face_cnn", processes, "--double") == 0
    for name in ("best.safetensors", "epochs.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert_close(whole, alone, 1e-9)


@pytest.mark.slow
@pytest.mark.long
def test_processes_lower_the_rate_in_the_same_epoch_and_a_kill_changes_nothing(tmp_path):
    """The rate depends on the score, which each process computes from sums over all of them."""
    how = ["--double", "--plateau", "--epochs", "6"]
    one, two, killed = (tmp_path / name for name in ("one", "two", "killed"))
    assert small(one, "face_cnn", 1, *how) == 0
    assert small(two, "face_cnn", 2, *how) == 0
    assert small(killed, "face_cnn", 2, *how, "--stop", "4") == 9
    assert small(killed, "face_cnn", 2, *how) == 0
    rates = [pd.read_csv(folder / "epochs.csv")["lr"].tolist() for folder in (one, two)]
    assert len(set(rates[0])) > 1, "the rate fell"
    assert rates[0] == rates[1]
    assert_close(one, two, 1e-9)
    for name in ("best.safetensors", "epochs.csv"):
        assert (killed / name).read_bytes() == (two / name).read_bytes()


RELEASED = {"epochs": 3, "release": 2, "release_when": "epochs", "release_after": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("face_cnn", {}),
        pytest.param("mel_cnn", {}, marks=pytest.mark.long),
        pytest.param("face_tuned", {}, marks=pytest.mark.long),
        pytest.param("face_tuned", RELEASED, marks=pytest.mark.long),
    ],
)
def test_the_command_fits_in_two_processes_what_it_fits_in_one(name, more, tmp_path):
    lr = 1e-4 if name == "face_tuned" else 1e-3
    settings = media.settings(name, **{"epochs": 1, "batch": 37, "lr": lr, **more})
    partitions = {"train": 2, "validation": 1}
    one, two = (media.make_corpus(tmp_path / n, partitions, seconds=3) for n in ("1", "2"))
    fit("tiny", settings, one)
    job = tmp_path / "job.json"
    job.write_text(json.dumps(settings.document()))
    words = ["fit-encoder", "tiny", name, "--results", two.results, "--processes", "2"]
    command = [sys.executable, "-m", "avfusion.cli", *words, "--settings", job]
    subprocess.run(command, env=CPU, check=True)
    assert_close(one.encoder("tiny", name), two.encoder("tiny", name))
    said = json.loads((two.encoder("tiny", name) / "settings.json").read_text())
    assert said["machine"]["processes"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "modality"),
    [
        pytest.param("wav2vec2", "audio", marks=pytest.mark.long),
        pytest.param("dinov2", "video", marks=pytest.mark.long),
        pytest.param("bert", "text", marks=pytest.mark.long),
    ],
)
def test_two_processes_fit_a_model_of_transformers_as_one(kind, modality, tmp_path):
    """Weights without an effect, such as a pooler, would stop processes that wait for them.

    The bias of keys has no gradient, because it is the same for all places. AdamW amplifies its
    rounding.
    """
    pytest.importorskip("transformers")
    options = tiny_models.options("transformers", modality, tmp_path / "model")
    layers = {"blocks": 4, "epochs": 3, "batch": 5, "lr": 1e-4, **RELEASED}
    partitions = {"train": 2, "validation": 1}
    one, two = (media.make_corpus(tmp_path / n, partitions, seconds=3) for n in ("1", "2"))
    settings = media.settings("transformers", **options, **layers)
    settings = settings.updated(modality=modality, encoder=kind)
    job = tmp_path / "job.json"
    for layout, processes in ((one, 1), (two, 2)):
        given = settings.updated(root=layout.results)
        job.write_text(json.dumps(given.document()))
        words = ["fit-encoder", "tiny", kind, "--results", layout.results]
        words += ["--processes", str(processes), "--settings", job]
        subprocess.run([sys.executable, "-m", "avfusion.cli", *words], env=CPU, check=True)
    bias = "key.bias" if kind != "wav2vec2" else "k_proj.bias"
    assert_close(one.encoder("tiny", kind), two.encoder("tiny", kind), leave_out=bias)
