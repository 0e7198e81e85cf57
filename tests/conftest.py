"""What several tests start from: the project's folder, and a copy of it to work in."""

import pytest
from hypothesis import settings

from scratch import ROOT, Copy

settings.register_profile("steady", deadline=None)  # a busy machine is no wrong answer
settings.load_profile("steady")


@pytest.fixture
def project():
    return ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of workflow, config and source, without results; what runs in it imports from it."""
    return Copy(tmp_path / "study")
