"""What several tests start from: the project's folder, a copy of it, and finished studies."""

import fcntl
import os
import shutil

import pytest
from hypothesis import settings

from support.scratch import ROOT, Copy

# Scripts below tests/support that run in a process of their own.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
if "PYTEST_XDIST_WORKER" in os.environ:
    # With more threads than cores, each operation of a small model waits for a thread without a
    # core, which takes most of the time.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# A busy machine is no wrong answer, and the same commit has the same result on each machine.
settings.register_profile("steady", deadline=None, derandomize=True)
# New examples: pytest -m "not slow" --hypothesis-profile search
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("steady")


@pytest.fixture
def project():
    return ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of workflow, config and source, without results; what runs in it imports from it."""
    return Copy(tmp_path / "study")


def pytest_collection_modifyitems(items):
    """Mark tests that need a finished study, and those that CI leaves out, as slow."""
    for item in items:
        if {"finished", "tiny"} & set(item.fixturenames) or item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def tiny(finished, tmp_path):
    """A copy of one's own of the finished tiny study, one of whose videos cannot be read."""
    shutil.copytree(finished("tiny").folder, tmp_path / "study", symlinks=True)
    return Copy(tmp_path / "study")


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Make a folder once, however many processes test: (name, function of the folder) -> folder."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "studies"
    shared.mkdir(exist_ok=True)

    def folder(name, make):
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = shared / f"{name}.done"
            if not done.exists():
                shutil.rmtree(shared / name, ignore_errors=True)
                make(shared / name)
                done.touch()
        return shared / name

    return folder


@pytest.fixture(scope="session")
def finished(once):
    """Name of a miniature -> its finished study."""
    from support import corpus_studies

    return lambda name: Copy(once(name, lambda folder: corpus_studies.run(name, folder)))


@pytest.fixture(scope="session")
def small_bundle(once):
    """The folder of a bundle of a tiny study; see `support.tiny_bundle`, which has clips too."""
    from support.tiny_bundle import tiny_bundle

    return once("tiny_bundle", tiny_bundle) / "bundle"
