"""Data files that the code of a corpus reads count like the code."""

import pytest

from avfusion.config import assets


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A corpus outside avfusion with a data file next to its module."""
    (tmp_path / "lab_tree.py").write_text(
        "from avfusion.corpora.base import Corpus\n\n\n"
        "class Base(Corpus):\n    pass\n\n\nclass Lab(Base):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_changed_or_renamed_asset_changes_the_digest_and_a_readme_does_not(lab):
    assert assets.digest("lab_tree:Lab") == ""
    folder = lab / "assets"
    folder.mkdir()
    (folder / "faces.json").write_text("1")
    first = assets.digest("lab_tree:Lab")
    assert len(first) == 16
    (folder / "README.md").write_text("Sources of the files.")
    assert assets.digest("lab_tree:Lab") == first
    (folder / "faces.json").write_text("2")
    second = assets.digest("lab_tree:Lab")
    (folder / "faces.json").rename(folder / "heads.json")
    assert len({first, second, assets.digest("lab_tree:Lab")}) == 3


def test_corpora_of_avfusion_have_the_assets_of_their_package():
    assert assets.digest("demo") != assets.digest("affwild2") != ""
    assert assets.digest("recola") == ""
