"""A file is an entry; listing entries and reading their options and code imports none of them."""

import inspect
import shutil
import subprocess
import sys
from importlib import metadata

import pytest
import torch

from avfusion import fingerprint, registry
from avfusion.errors import ConfigError
from avfusion.io import source
from avfusion.registry import Registry, corpora, encoders, fusions, losses

ALL = [(kind, name) for kind in (corpora, encoders, fusions) for name in kind.names()]


def keyword_defaults(cls):
    """Of the constructor, and of those that it passes `**options` on to."""
    defaults = {}
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            defaults = (base.__init__.__kwdefaults__ or {}) | defaults
            kinds = {p.kind for p in inspect.signature(base.__init__).parameters.values()}
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return defaults


@pytest.mark.parametrize(("kind", "name"), ALL, ids=lambda x: x if isinstance(x, str) else x.kind)
def test_what_is_read_from_source_is_what_python_sees(kind, name):
    cls = kind.get(name)
    defaults = keyword_defaults(cls)
    for option, default in kind.options(name).items():
        assert repr(defaults[option]) == default
    assert kind.constant(name, "fitted") == getattr(cls, "fitted", None)
    assert kind.constant(name, "modality") == getattr(cls, "modality", None)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"No fusion named 'jac'\. Did you mean 'jca'\?"):
        fusions.get("jac")


def test_two_definitions_of_one_name_are_refused(tmp_path, monkeypatch):
    package = tmp_path / "things"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py"):
        (package / name).write_text("")
    for name in ("one.py", "inner/two.py"):
        (package / name).write_text('@things.add("same")\nclass Some:\n    pass\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"things\.inner\.two:Some and things\.one:Some"):
        Registry("thing", "things", "things").names()


def test_an_entry_may_lie_in_a_package_and_inherit_its_constructor():
    entry = corpora.entry("recola")
    assert entry.path == "avfusion.corpora.recola.corpus:Recola"
    assert "edition" in corpora.options("affwild2"), "the constructor is that of its base"
    assert corpora.defines("demo", "make")
    assert not corpora.defines("own", "make")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A module of somebody else's, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # importing the module adds its folder
    (tmp_path / "lab_fusions.py").write_text(LAB)
    yield tmp_path
    sys.modules.pop("lab_fusions", None)
    source.module_file.cache_clear()


LAB = """
from avfusion.fusion.concat import Concatenation


class Wide(Concatenation):
    def __init__(self, audio_dim, video_dim, *, steps, width: int = 3):
        super().__init__(audio_dim, video_dim, steps=steps)


def loss(prediction, gold):
    return ((prediction - gold) ** 2).mean()
"""


def test_a_class_outside_the_package_is_named_by_its_module(lab):
    name = "lab_fusions:Wide"
    assert fusions.options(name) == {"width": "3"}
    assert fusions.annotations(name) == {"width": "int"}
    assert fusions.entry(name).outside
    assert "lab_fusions" not in sys.modules, "its options are read without running it"
    assert fusions.get(name).__name__ == "Wide"
    assert losses.get("lab_fusions:loss")(2.0 * torch.ones(1), torch.zeros(1)).item() == 4
    assert fusions.origin(name) == "lab_fusions:Wide lab_fusions.py"


def test_a_class_outside_the_package_that_cannot_be_found_is_refused(lab):
    with pytest.raises(ConfigError, match=r"no module 'lab_fuse'\. Install its package"):
        fusions.entry("lab_fuse:Wide")
    with pytest.raises(ConfigError, match=r"defines no 'Wid'\. Did you mean 'Wide'\?"):
        fusions.entry("lab_fusions:Wid")


def test_code_outside_the_package_is_part_of_the_fingerprint(lab):
    def now():
        fingerprint.fingerprint.cache_clear()
        return fingerprint.fingerprint("lab_fusions:Wide")

    path = lab / "lab_fusions.py"
    before = now()
    path.write_text(LAB.replace("** 2", "** 22"))
    assert now() == before, "the loss is not part of the fusion"
    path.write_text(LAB.replace("width: int = 3", "width: int = 44"))
    assert now() != before
    used = fingerprint.used("lab_fusions:Wide")
    assert ("avfusion.fusion.concat", "Concatenation") in used


def test_checking_a_study_imports_nothing_heavy(project):
    code = (
        "import sys; from avfusion import cli, layout; from avfusion.doctor import machine\n"
        "from avfusion.config.load import load\n"
        "from pathlib import Path; load(Path('config/config.yaml'))\n"
        "print(sorted({'torch', 'cv2', 'av', 'decord', 'mlflow', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_relative_imports_of_a_package_are_followed(lab):
    (lab / "lab_package/inner").mkdir(parents=True)
    files = {
        "lab_package/__init__.py": "",
        "lab_package/layers.py": "WIDTH = 3\n\n\ndef layer():\n    return WIDTH\n",
        "lab_package/inner/__init__.py": "from .fusion import Some\n",
        "lab_package/inner/fusion.py": "from ..layers import layer\n\nclass Some:\n    a = layer\n",
    }
    for name, text in files.items():
        (lab / name).write_text(text)
    names = ["inner.fusion:Some", "inner.fusion:", "layers:layer", "layers:WIDTH", "layers:"]
    expected = {tuple(f"lab_package.{name}".split(":")) for name in names}
    assert fingerprint.used("lab_package.inner.fusion:Some") == expected
    assert fingerprint.used("lab_package.inner:Some") == expected
    assert fingerprint.imported("lab_package.inner") == {
        "lab_package.inner", "lab_package.inner.fusion", "lab_package.layers"
    }  # fmt: skip


USES = {
    "next to it": ("from lab_helpers import scale\n", "scale()"),
    "under try": (
        "try:\n import lab_no\nexcept ImportError:\n from lab_helpers import scale\n",
        "scale()",
    ),
    "in a dotted module": ("import lab_deep.inner\n", "lab_deep.inner.scale()"),
    "in one of two": ("import lab_deep.other\nimport lab_deep.inner\n", "lab_deep.inner.scale()"),
    "by a star": ("from lab_helpers import *\n", "scale()"),
    "defined under if": ("from lab_switch import scale\n", "scale()"),
    "handed on": ("from lab_again import scale\n", "scale()"),
}  # fmt: skip
HELPER = "def scale():\n    return 2\n"


@pytest.mark.parametrize(("head", "call"), USES.values(), ids=USES)
def test_code_of_ones_own_counts_however_it_is_imported(lab, head, call):
    (lab / "lab_deep").mkdir()
    files = {
        "lab_mine.py": f"{head}\n\ndef loss(a, b):\n    return {call}\n",
        "lab_helpers.py": HELPER,
        "lab_deep/__init__.py": "",
        "lab_deep/inner.py": HELPER,
        "lab_deep/other.py": "",
        "lab_switch.py": "import sys\n\nif sys.platform:\n    def scale():\n        return 2\n",
        "lab_again.py": "from lab_helpers import scale\n",
    }
    for name, text in files.items():
        (lab / name).write_text(text)

    def now():
        _forget()
        return fingerprint.fingerprint("lab_mine:loss")

    before = now()
    for name in ("lab_helpers.py", "lab_deep/inner.py", "lab_switch.py"):
        (lab / name).write_text(files[name].replace("return 2", "return 2 + 1"))
    assert now() != before


def test_a_folder_without_init_is_a_package_too(lab):
    (lab / "lab_plain").mkdir()
    (lab / "lab_plain/fusions.py").write_text(LAB)
    assert fusions.options("lab_plain.fusions:Wide") == {"width": "3"}


FITTED = """
from avfusion.encoders import fitting
import avfusion.encoders.fitting as fx
from lab_base import Base

class Alias(fitting.FittedEncoder): ...
class Dotted(fx.FittedEncoder): ...
class Again(Base): ...
class Loose(fitting.FittedEncoder):
    fitted = bool(1)
"""


def test_attributes_are_inherited_however_the_base_is_named(lab):
    (lab / "lab_base.py").write_text(
        "from avfusion.encoders.fitting import FittedEncoder as Base\n"
    )
    (lab / "lab_encoders.py").write_text(FITTED)
    for name in ("Alias", "Dotted", "Again"):
        assert encoders.constant(f"lab_encoders:{name}", "fitted") is True, name
    with pytest.raises(ConfigError, match=r"Loose\.fitted is `bool\(1\)`\. Write a literal"):
        encoders.constant("lab_encoders:Loose", "fitted")


def test_importing_a_copy_of_a_fusion_replaces_nothing(lab):
    text = fusions.source("jca").read_text()
    (lab / "lab_copy.py").write_text(text)
    ours, copy = fusions.get("jca"), fusions.get("lab_copy:JointCrossAttention")
    assert copy.__module__ == "lab_copy"
    assert fusions.get("jca") is ours


def test_entry_points_of_one_name_are_refused(monkeypatch):
    points = [metadata.EntryPoint("mine", v, "avfusion.fusions") for v in ("a.b:C", "d.e:F")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    kind = Registry("fusion", "avfusion.fusion", "fusions")
    with pytest.raises(ConfigError, match=r"'mine': a\.b:C and d\.e:F\. Uninstall"):
        kind.names()


@pytest.fixture
def package(tmp_path, monkeypatch, project):
    """A copy of the package's source to edit; `fingerprint` reads it."""
    monkeypatch.setattr(source, "PACKAGE", tmp_path / "avfusion")
    shutil.copytree(project / "src/avfusion", tmp_path / "avfusion")
    _forget()
    yield tmp_path / "avfusion"
    _forget()


def _forget():
    fingerprint.fingerprint.cache_clear()
    source.module_file.cache_clear()


def test_code_has_another_name_when_it_does_something_else(package):
    def both():
        _forget()
        return [
            fingerprint.fingerprint(
                fusions.code(n), losses.code("pooled"), "avfusion.runs.train:train_run"
            )
            for n in ("jca", "concat")
        ]

    def append(path, text):
        (package / path).write_text((package / path).read_text() + text)

    def edit(path, old, new):
        text = (package / path).read_text()
        assert old in text
        (package / path).write_text(text.replace(old, new, 1))

    before = both()
    append("fusion/jca.py", "\n\n# a comment\n")
    edit("fusion/jca.py", '"""', '"""In other words: ')
    append("fusion/jca.py", "\n\ndef unused():\n    return 1\n")
    edit("training/loop.py", "def deterministic(seed: int)", "def deterministic(seed: float)")
    assert both() == before, "comments, docstrings, annotations and unused functions do not count"
    edit("fusion/jca.py", "def forward(", "X = 1\n\n    def forward(")
    jca, concat = both()
    assert jca != before[0], "an edited fusion is another fusion"
    assert concat == before[1], "and leaves the others as they are"
    edit("training/losses.py", "SAFE = 1e-8", "SAFE = 1e-7")
    assert both()[1] != concat, "what training uses counts, wherever it is defined"
    after = both()
    append("training/losses.py", "\nX = 1\n")
    append("errors.py", "\nX = 1\n")
    append("evaluation/inference.py", "\nX = 1\n")
    assert both() == after, "unused constants, messages and later stages do not"


def test_options_that_a_constructor_passes_on_are_those_of_its_base_too(tmp_path, monkeypatch):
    package = tmp_path / "kinds"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text(
        "class Base:\n    def __init__(self, *, a: int = 1, b: float = 2.0) -> None: ...\n"
    )
    (package / "one.py").write_text(
        "from typing import Any\n\nfrom kinds.base import Base\n\n\n"
        '@kinds.add("open")\nclass Open(Base):\n'
        "    def __init__(self, *, b: int = 3, c: str = 'x', **options: Any) -> None: ...\n\n\n"
        '@kinds.add("closed")\nclass Closed(Base):\n'
        "    def __init__(self, *, c: str = 'x') -> None: ...\n\n\n"
        '@kinds.add("bare")\nclass Bare(Base):\n    pass\n'
    )
    monkeypatch.chdir(tmp_path)
    registry = Registry("kind", "kinds", "kinds")
    assert registry.options("open") == {"b": "3", "c": "'x'", "a": "1"}
    assert registry.annotations("open") == {"b": "int", "c": "str", "a": "int"}
    assert registry.options("closed") == {"c": "'x'"}
    assert registry.options("bare") == {"a": "1", "b": "2.0"}
