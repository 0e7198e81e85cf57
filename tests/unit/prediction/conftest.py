"""One tiny bundle and one clip for all tests of predictions."""

import pytest

from support.tiny_bundle import LIVE, tiny_bundle, tiny_clip


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Folder of the bundle and of its study."""
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="session")
def bundle(place):
    return tiny_bundle(place)


@pytest.fixture(scope="session")
def clip(tmp_path_factory, bundle):
    return tiny_clip(tmp_path_factory.mktemp("clips") / 'person\'s "clip".mp4')


@pytest.fixture(scope="session")
def live_bundle(tmp_path_factory):
    """A bundle that does not need the complete clip."""
    return tiny_bundle(tmp_path_factory.mktemp("live"), **LIVE)
