"""Test that files are complete or absent, damaged ones are refused, and reading runs no code."""

import pytest
import torch

from avfusion.errors import DamagedError, TrainError
from avfusion.io import atomic
from avfusion.training.checkpoint import key, load_state, load_weights, save_state, save_weights

STATE = {"model": {"w": torch.arange(3.0)}, "history": [{"epoch": 1, "loss": 0.5}], "best": 0.25}


def test_state_comes_back(tmp_path):
    path = tmp_path / "new" / "state.pt"
    save_state(path, STATE, "k")
    found = load_state(path, "k")
    torch.testing.assert_close(found["model"], STATE["model"])
    assert {k: found[k] for k in ("history", "best")} == {k: STATE[k] for k in ("history", "best")}


def test_state_of_other_settings_is_refused(tmp_path):
    path = tmp_path / "state.pt"
    save_state(path, STATE, key({"lr": 1}))
    with pytest.raises(TrainError, match=r"other settings.*rm '.*state\.pt'"):
        load_state(path, key({"lr": 2}))


@pytest.mark.parametrize("place", [0, 5, 150, -1])
def test_one_wrong_byte_is_found(tmp_path, place):
    path = tmp_path / "state.pt"
    save_state(path, STATE, "k")
    data = bytearray(path.read_bytes())
    data[place] ^= 0x20
    path.write_bytes(data)
    with pytest.raises(TrainError, match="damaged"):
        load_state(path, "k")


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_cut_file_is_found(tmp_path, kept):
    path = tmp_path / "state.pt"
    save_state(path, STATE, "k")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(TrainError, match="damaged"):
        load_state(path, "k")


def test_a_write_that_dies_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    save_state(path, STATE, "k")
    before = path.read_bytes()

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        save_state(path, STATE | {"best": 0.5}, "k")
    assert path.read_bytes() == before


def test_reading_runs_no_code(tmp_path):
    flag = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return flag.touch, ()

    path = tmp_path / "state.pt"
    save_state(path, {"x": Hostile()}, "k")
    with pytest.raises(DamagedError, match="not a state"):
        load_state(path, "k")
    assert not flag.exists()


def test_weights_carry_their_settings(tmp_path):
    path = tmp_path / "best.safetensors"
    tied = torch.arange(6.0).reshape(2, 3)
    save_weights(path, {"a": tied, "a_again": tied, "turned": tied.mT}, {"lr": 0.1, "seed": 3})
    weights, settings = load_weights(path)
    assert settings == {"lr": 0.1, "seed": 3}
    torch.testing.assert_close(weights["turned"], tied.mT)
    torch.testing.assert_close(weights["a_again"], tied)


def test_equal_weights_are_equal_bytes(tmp_path):
    for name in ("one", "two"):
        weights = {letter: torch.ones(2) for letter in "abcdefgh"}
        save_weights(tmp_path / name, weights, {"b": 1, "a": 2})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("data", [None, b"", b"not safetensors at all"])
def test_no_weights_or_damaged_ones_say_so(tmp_path, data):
    path = tmp_path / "best.safetensors"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(TrainError, match=r"no such weights|damaged"):
        load_weights(path)


def test_key_depends_on_every_value():
    settings = {"train": {"lr": 0.1}, "seed": 0}
    assert key(settings) != key(settings | {"seed": 1})
    assert key(settings) != key(settings | {"train": {"lr": 0.2}})
