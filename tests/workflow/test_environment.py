"""Test that the lock is complete, names no folder, and fits `make env` and the package."""

import os
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet


def entries(path):
    """(requirement, hashes) of every entry of a lock."""
    text = re.sub(r"(?m)^#.*\n?", "", path.read_text())
    parts = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text.replace(" \\\n", " "))
    found = []
    for entry in (entry for entry in parts if entry.strip()):
        words = entry.split("--hash=")
        requirement = Requirement(words[0].split("#")[0].strip())
        found.append((requirement, [w.split()[0] for w in words[1:]]))
    return found


@pytest.fixture
def lock(project):
    """The entries of envs/requirements.txt."""
    return entries(project / "envs/requirements.txt")


def test_every_entry_is_one_version_with_hashes(lock, project):
    assert len(lock) > 100
    for entry, hashes in [*lock, *entries(project / "envs/extras.txt")]:
        assert re.fullmatch(r"==[^,*]+", str(entry.specifier)), entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), entry


def test_the_lock_names_no_place(project):
    for name in ("requirements.txt", "requirements.in", "extras.txt", "extras.in"):
        text = (project / "envs" / name).read_text()
        assert not re.search(r"://|--index|--find-links|--extra|@ ", text), name


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_what_is_needed_is_locked_once_in_a_version_that_is_allowed(lock, project, version):
    stated = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (project / "envs/requirements.in").read_text().splitlines()
    asked = [line.split("#")[0].strip() for line in lines]
    here = {"python_version": version, "python_full_version": f"{version}.0"}
    machine = {"sys_platform": "linux", "platform_machine": "x86_64", **here}
    for needed in (Requirement(text) for text in [*stated, *asked] if text):
        entries = [entry for entry, _ in lock if entry.name == needed.name]
        entries = [e for e in entries if e.marker is None or e.marker.evaluate(machine)]
        assert len(entries) == 1, needed
        locked = str(entries[0].specifier).removeprefix("==")
        assert needed.specifier.contains(locked), needed


def test_extras_are_locked_next_to_the_base_environment(lock, project):
    """Each extra is locked, and no package twice, so that the locks cannot differ."""
    stated = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    extras = [name for names in stated["optional-dependencies"].values() for name in names]
    lines = (project / "envs/extras.in").read_text().splitlines()
    assert sorted(extras) == sorted(n for n in (x.split("#")[0].strip() for x in lines) if n)
    names = [entry.name for entry, _ in entries(project / "envs/extras.txt")]
    assert set(extras) <= set(names)
    assert not set(names) & {entry.name for entry, _ in lock}


def find_python(project, folder, **env):
    words = ["bash", str(project / "envs/python.sh")]
    path = {"PATH": f"{folder}:/usr/bin:/bin", **env}
    return subprocess.run(words, env=path, capture_output=True, text=True, check=False)


def fake_python(folder, name, version, venv):
    """A stand-in interpreter that knows its version and whether it can make environments."""
    code = (
        f'case "$*" in *version_info*) echo {version};; *ensurepip*) exit {0 if venv else 1};; esac'
    )
    (folder / name).write_text(f"#!/bin/sh\n{code}\n")
    (folder / name).chmod(0o755)


def test_the_newest_python_that_fits_is_taken(project, tmp_path):
    fake_python(tmp_path, "python3.12", "3.12", venv=False)
    fake_python(tmp_path, "python3.11", "3.11", venv=True)
    fake_python(tmp_path, "python3", "3.13", venv=True)
    done = find_python(project, tmp_path)
    assert done.stdout.strip() == os.path.join(tmp_path, "python3.11")


def test_without_a_fitting_python_it_says_what_to_install(project, tmp_path):
    fake_python(tmp_path, "python3.12", "3.12", venv=False)
    fake_python(tmp_path, "python3.11", "3.9", venv=True)
    fake_python(tmp_path, "python3", "3.13", venv=True)
    done = find_python(project, tmp_path)
    assert done.returncode == 1
    assert "apt-get install python3.12-venv" in done.stderr
    assert "python3 is 3.13" in done.stderr


def test_make_lists_what_it_can_do(project):
    done = subprocess.run(["make"], cwd=project, capture_output=True, text=True, check=True)
    for target in ("env", "extras", "demo", "test", "lint", "lock", "restore", "clean"):
        assert f"make {target} " in done.stdout


def test_conda_takes_every_version_from_the_lock(project):
    """Nothing but Python and pip is named there, so no version can differ from the lock's."""
    stated = yaml.safe_load((project / "envs/environment.yaml").read_text())["dependencies"]
    python, pip, from_pip = stated
    assert pip == "pip"
    assert from_pip == {"pip": ["-r requirements.txt"]}, "relative to envs/, where the lock lies"
    assert allowed_python(project).contains(python.removeprefix("python="))


def test_the_container_takes_every_version_from_the_lock(project):
    text = (project / "envs/avfusion.def").read_text()
    (image,) = re.findall(r"^From: python:([\d.]+)-slim-\w+$", text, flags=re.M)
    assert allowed_python(project).contains(image)
    assert f"python={image}" in (project / "envs/environment.yaml").read_text(), "one Python"
    installs = re.findall(r"^\s+pip install (.+)$", text, flags=re.M)
    locked, own = (set(words.split()) for words in installs)
    assert {"--require-hashes", "-r", "envs/requirements.txt"} <= locked
    assert {"--no-deps", "--no-index", "."} <= own
    for line in text.split("%files")[1].split("%post")[0].split("\n"):
        assert not line.strip() or (project / line.split()[0]).exists(), line


def allowed_python(project):
    """The versions of Python that avfusion allows."""
    text = (project / "pyproject.toml").read_text()
    return SpecifierSet(tomllib.loads(text)["project"]["requires-python"])
