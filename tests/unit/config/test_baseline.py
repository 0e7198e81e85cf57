"""Every study has the linear baseline, once, after the single modalities."""

import pytest

from avfusion.config.load import load
from avfusion.errors import ConfigError
from avfusion.registry import fusions
from avfusion.report.fusions import source, title
from avfusion.report.tables.grids import budget, more_tries

CORPORA = {"corpora": {"demo": {"root": "data/demo"}}}


def study(entries: dict, **more):
    return load({**CORPORA, "fusions": entries, **more})


def test_ridge_comes_after_the_single_modalities():
    assert list(study({"audio": {}, "video": {}, "concat": {}, "jca": {}}).fusions) == [
        *("audio", "video", "ridge", "concat", "jca"),
    ]
    assert list(study({"jca": {}}).fusions) == ["ridge", "jca"]
    assert list(study({"audio": {}}).fusions) == ["audio", "ridge"]


@pytest.mark.parametrize("entry", [{"ridge": {}}, {"mine": {"is": "ridge"}}])
def test_a_study_with_its_own_ridge_keeps_it_as_it_is(entry):
    entries = {"concat": {}, **entry}
    assert study(entries).fusions == entries


def test_loading_a_loaded_study_adds_nothing():
    first = study({"concat": {}})
    assert load(first.model_dump(mode="json")) == first


def test_ridge_reads_text_if_all_fusions_of_several_modalities_do():
    every = ["audio", "video", "text"]
    features = {"features": {"text": ["words"]}}
    three = {"concat": {"modalities": every}, "text": {}}
    assert study(three, **features).fusions["ridge"] == {"modalities": every}
    assert study({**three, "jca": {}}, **features).fusions["ridge"] == {}


def test_the_name_of_the_baseline_is_refused_for_another_class():
    with pytest.raises(ConfigError, match=r"fusions\.ridge is of class 'jca'.*another name"):
        study({"ridge": {"is": "jca"}})


def test_a_class_from_outside_that_is_solved_in_closed_form_takes_its_place(tmp_path, monkeypatch):
    text = "from avfusion.fusion.ridge import RidgeRegression\n\n\nclass Mine(RidgeRegression):\n"
    (tmp_path / "closed_lab.py").write_text(text + '    """Mine."""\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    own = load({**CORPORA, "fusions": {"ridge": {"is": "closed_lab:Mine"}, "concat": {}}})
    assert list(own.fusions) == ["ridge", "concat"]
    assert own.closed_form("ridge")


def test_the_grid_of_the_study_is_not_that_of_ridge():
    own = study({"concat": {}, "ca": {}}, grid={"train.lr": [0.1, 0.01]})
    assert own.grid_of("ridge") == {}
    assert own.grid_of("concat")
    assert more_tries(own) == []
    assert budget(own) == []


def test_ridge_has_a_full_name_and_a_source():
    assert "Ridge regression" in title("ridge")
    assert "Hoerl, Kennard" in source("ridge")
    assert fusions.constant("ridge", "closed_form") is True
