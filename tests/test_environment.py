"""The lock is whole, names no place, and is what `make env` and the package ask for."""

import os
import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement


@pytest.fixture
def lock(project):
    """(requirement, hashes) of every entry of envs/requirements.txt."""
    text = (project / "envs/requirements.txt").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text.replace(" \\\n", " "))
    found = []
    for entry in (entry for entry in entries if entry.strip()):
        words = entry.split("--hash=")
        requirement = Requirement(words[0].split("#")[0].strip())
        found.append((requirement, [w.split()[0] for w in words[1:]]))
    return found


def test_every_entry_is_one_version_with_hashes(lock):
    assert len(lock) > 100
    for entry, hashes in lock:
        assert re.fullmatch(r"==[^,*]+", str(entry.specifier)), entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), entry


def test_the_lock_names_no_place(project):
    for name in ("requirements.txt", "requirements.in"):
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
    for target in ("env", "demo", "test", "lint", "lock", "restore", "clean"):
        assert f"make {target} " in done.stdout
