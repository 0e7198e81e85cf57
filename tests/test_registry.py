"""A file is an entry; listing entries and reading their options and code imports none of them."""

import shutil
import subprocess
import sys

import pytest

from avfusion import source
from avfusion.errors import ConfigError
from avfusion.registry import Registry, corpora, encoders, fusions

ALL = [(kind, name) for kind in (corpora, encoders, fusions) for name in kind.names()]


@pytest.mark.parametrize(("kind", "name"), ALL, ids=lambda x: x if isinstance(x, str) else x.kind)
def test_what_is_read_from_source_is_what_python_sees(kind, name):
    cls = kind.get(name)
    for option, default in kind.options(name).items():
        assert option in cls.__init__.__kwdefaults__
        assert repr(cls.__init__.__kwdefaults__[option]) == default
    assert kind.constant(name, "fitted") == getattr(cls, "fitted", None)
    assert kind.constant(name, "modality") == getattr(cls, "modality", None)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"No fusion named 'jac'\. Did you mean 'jca'\?"):
        fusions.get("jac")


def test_a_class_must_live_in_the_file_of_its_name():
    with pytest.raises(ConfigError, match=r"must live in a file called other\.py"):
        fusions.add("other")(type("Some", (), {}))


def test_a_file_that_registers_nothing_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "things"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "empty.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    kind = Registry("thing", "things")
    kind._folder = package
    with pytest.raises(ConfigError, match="registers no thing called 'empty'"):
        kind.get("empty")


def test_checking_a_study_imports_nothing_heavy(project):
    code = (
        "import sys; from avfusion import cli, layout, doctor; from avfusion.settings import load\n"
        "from pathlib import Path; load(Path('config/config.yaml'))\n"
        "print(sorted({'torch', 'cv2', 'av', 'decord', 'mlflow', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def package(tmp_path, monkeypatch, project):
    """A copy of the package's source to edit; `fingerprint` reads it."""
    monkeypatch.setattr(source, "PACKAGE", tmp_path / "avfusion")
    shutil.copytree(project / "src/avfusion", tmp_path / "avfusion")
    source.fingerprint.cache_clear()
    yield tmp_path / "avfusion"
    source.fingerprint.cache_clear()


def test_code_has_another_name_when_it_does_something_else(package):
    def both():
        source.fingerprint.cache_clear()
        return [source.fingerprint(fusions.module(n), "avfusion.train") for n in ("jca", "concat")]

    def append(path, text):
        (package / path).write_text((package / path).read_text() + text)

    before = both()
    append("fusion/jca.py", "\n\n# a comment\n")
    assert both() == before, "a comment changes nothing"
    path = package / "fusion/jca.py"
    path.write_text(path.read_text().replace('"""', '"""In other words: ', 1))
    assert both() == before, "a docstring changes nothing"
    append("fusion/jca.py", "\nX = 1\n")
    jca, concat = both()
    assert jca != before[0], "an edited fusion is another fusion"
    assert concat == before[1], "and leaves the others as they are"
    append("losses.py", "\nX = 1\n")
    assert both()[1] != concat, "what training imports counts, wherever it lies"
    after = both()
    append("errors.py", "\nX = 1\n")
    append("report/tables.py", "\nX = 1\n")
    assert both() == after, "messages and later stages do not"
