"""What the tests on a real SLURM start from: one whole study, and copies of it before training."""

import fcntl
import os
from pathlib import Path

import pytest

from support.slurm_clone import Clone


@pytest.fixture(scope="session")
def lab() -> Path:
    if "AVF_LAB" not in os.environ:
        pytest.skip("needs a SLURM of its own: make test-slurm")
    return Path(os.environ["AVF_LAB"])


@pytest.fixture(scope="session")
def undisturbed(lab) -> Clone:
    """A study that ran from nothing to its end; made once, whichever worker comes first."""
    clone = Clone(lab / "undisturbed", lab)
    with (lab / "undisturbed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (lab / "undisturbed.done").exists():
            assert not clone.folder.exists(), "the undisturbed study failed in another worker"
            clone.folder.mkdir()
            clone.fill()
            clone.finish(clone.head())
            (lab / "undisturbed.done").touch()
    return clone


@pytest.fixture
def clone(undisturbed, lab, request) -> Clone:
    """The undisturbed study before training, in a folder of its own."""
    return undisturbed.untrained(lab / request.node.name)
