"""Weights from the disk of the user: read without running code, and refused with the setting."""

import argparse
import hashlib
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from avfusion.encoders.weights_file import WeightsFile
from avfusion.errors import AvfError

SETTING = "encoders.faces.path"


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def opened(path, **options) -> WeightsFile:
    return WeightsFile(path, entry="faces", **options)


FORMS = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "best": 0.5},
    "model": lambda state: {"model": state},
    "twice": lambda state: {"model": {"state_dict": state}},
    "parallel": lambda state: {"state_dict": {f"module.{n}": x for n, x in state.items()}},
    "old": lambda state: {n: x for n, x in state.items() if not n.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("form", FORMS)
def test_checkpoints_are_opened(form, tmp_path):
    state = {n: torch.randn_like(x) if x.is_floating_point() else x + 7
             for n, x in net().state_dict().items()}  # fmt: skip
    torch.save(FORMS[form](state), tmp_path / "a.pth")
    found = net()
    opened(tmp_path / "a.pth").load_into(found)
    for name, x in found.state_dict().items():
        counter = form == "old" and name.endswith("num_batches_tracked")
        assert torch.equal(x, torch.tensor(0) if counter else state[name])


def test_safetensors_are_read_and_described(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(net().state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = opened(path, sha256=digest.upper(), licence="CC BY 4.0")
    file.load_into(net())
    assert file.note() == {"file": "a.safetensors", "sha256": digest, "licence": "CC BY 4.0"}
    assert opened(path).note() == {"file": "a.safetensors", "sha256": digest}


def test_names_are_changed_and_left_out_by_rule(tmp_path):
    state = {f"net.{n}": x for n, x in net().state_dict().items()} | {"head.bias": torch.ones(2)}
    torch.save(state, tmp_path / "a.pt")

    def renamed(tensors):
        return {name.removeprefix("net."): x for name, x in tensors.items()}

    opened(tmp_path / "a.pt").load_into(net(), renamed, ("head.",))
    with pytest.raises(AvfError, match=r"head\.bias are not of this network"):
        opened(tmp_path / "a.pt").load_into(net(), renamed)


def test_a_flipped_byte_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(net().state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(AvfError) as error:
        opened(path, sha256=digest).load_into(net())
    found = hashlib.sha256(data).hexdigest()
    assert f"its SHA-256 is {found}, not {digest}" in str(error.value)
    assert "encoders.faces.sha256" in str(error.value)
    assert SETTING in str(error.value)


class Harmful:
    """A pickle that makes a folder when it is loaded without `weights_only`."""

    def __init__(self, place) -> None:
        self.place = place

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.place),)


def code(path) -> None:
    torch.save({"a": torch.ones(1), "b": Harmful(path.with_name("ran"))}, path)


def numpy_scalar(path) -> None:
    torch.save({"state_dict": net().state_dict(), "best": np.float64(0.5)}, path)


def namespace(path) -> None:
    torch.save({"state_dict": net().state_dict(), "args": argparse.Namespace(lr=1)}, path)


@pytest.mark.parametrize(
    ("write", "name"),
    [(code, "mkdir"), (numpy_scalar, "multiarray.scalar"), (namespace, "argparse.Namespace")],
)
def test_files_that_hold_code_are_refused_with_the_name(write, name, tmp_path):
    path = tmp_path / "a.pth"
    write(path)
    with pytest.raises(AvfError) as error:
        opened(path).load_into(net())
    message = str(error.value)
    assert "holds code or objects besides tensors" in message
    assert name in message
    assert "torch.save(model.state_dict(), 'weights.pt')" in message
    assert SETTING in message
    assert not (tmp_path / "ran").exists()


def changed(**changes):
    state = net().state_dict()
    for name, x in changes.items():
        state[name.replace("__", ".")] = x
    return {name: x for name, x in state.items() if x is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(**{"0__weight": None}), "0.weight are missing"),
        (changed(extra=torch.ones(1)), "extra are not of this network"),
        (changed(**{"0__weight": None, "0__bias": None, "1__weight": None, "1__bias": None}),
         "0.weight, 0.bias, 1.weight and 1 others are missing"),
        (changed(**{"0__weight": torch.ones(3, 4)}),
         "0.weight has the shape (3, 4), expected (3, 2)"),
        (changed(**{"0__bias": torch.tensor([0.0, torch.nan, 0.0])}),
         "0.bias has values that are not finite"),
        ([torch.ones(1)], "holds a list, not names with tensors"),
        ({}, "holds a mapping with the keys none"),
        ({"epoch": 3, "lr": 0.1}, "holds a mapping with the keys epoch, lr"),
    ],
)  # fmt: skip
def test_other_weights_are_refused(content, message, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(AvfError) as error:
        opened(tmp_path / "a.pth").load_into(net())
    assert message in str(error.value)
    assert SETTING in str(error.value)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("data", [b"", b"\x00\x01", b"word 0.1 0.2\n", pickle.dumps([1, 2])])
def test_files_that_hold_no_weights_are_refused(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AvfError) as error:
        opened(tmp_path / name).load_into(net())
    assert str(tmp_path / name) in str(error.value)
    assert SETTING in str(error.value)


def test_a_torchscript_archive_is_refused(tmp_path):
    torch.jit.trace(nn.Linear(2, 3), torch.ones(1, 2)).save(str(tmp_path / "a.pt"))
    with pytest.raises(AvfError, match=SETTING):
        opened(tmp_path / "a.pt").load_into(net())


def test_a_missing_file_or_setting_is_named(tmp_path):
    with pytest.raises(AvfError, match=f"file not found. .* correct {SETTING}"):
        opened(tmp_path / "none.pth").tensors()
    with pytest.raises(AvfError, match=f"holds neither model.safe.* correct {SETTING}"):
        opened(tmp_path).tensors()
    with pytest.raises(AvfError, match=f"no file of weights is given. Set {SETTING}"):
        opened("").tensors()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_the_folder_of_a_model_stands_for_its_file(name, tmp_path):
    state = net().state_dict()
    if name.endswith("bin"):
        torch.save(state, tmp_path / name)
    else:
        save_file(state, tmp_path / name)
    file = opened(tmp_path)
    file.load_into(net())
    assert file.note()["file"] == name


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    for place in ("a.safetensors", "model/model.safetensors"):
        save_file(net().state_dict(), tmp_path / place)
    assert opened("~/a.safetensors").path == tmp_path / "a.safetensors"
    assert opened("~/model").path == tmp_path / "model" / "model.safetensors"
    opened("~/model").load_into(net())
    with pytest.raises(AvfError, match=rf"{tmp_path}/none\.pt: file not found"):
        opened("~/none.pt").tensors()
    with pytest.raises(AvfError, match=r"~nobody_of_this_name/a\.pt: file not found"):
        opened("~nobody_of_this_name/a.pt").tensors()
