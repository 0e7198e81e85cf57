"""What another machine gives is stated for the measured study only, and with the right verdict."""

import json

import pandas as pd
import pytest

from avfusion.config.load import BASE, load
from avfusion.errors import DamagedError
from avfusion.report import elsewhere as module
from avfusion.report.elsewhere import elsewhere, write_elsewhere

SCORES = {"fast": {"ca": 0.71, "jca": 0.75}, "narrow": {"ca": 0.71, "jca": 0.75}}
TABLE = pd.DataFrame(
    [
        ("jca", "mean", 0.74, 0.70, 0.78),
        ("jca", "valence", 0.99, 0.98, 1.0),
        ("ca", "mean", 0.72, 0.69, 0.73),
        ("late", "mean", 0.5, 0.4, 0.6),
    ],
    columns=["fusion", "target", "mean", "low", "high"],
)


@pytest.fixture
def study(project, monkeypatch):
    monkeypatch.chdir(project)
    return load(BASE)


def test_scores_stand_in_the_order_of_the_table_and_equal_kinds_together(study, tmp_path):
    path = tmp_path / "elsewhere.json"
    write_elsewhere(study, SCORES, path)
    assert elsewhere(study, "demo", TABLE, path) == [
        "Another machine gives jca 0.750, ca 0.710 (processor arithmetic: fast and narrow), each "
        "inside the interval of this one."
    ]


def test_a_score_outside_its_interval_is_named(study, tmp_path):
    path = tmp_path / "elsewhere.json"
    write_elsewhere(study, {**SCORES, "narrow": {"ca": 0.71, "jca": 0.79}}, path)
    (text,) = elsewhere(study, "demo", TABLE, path)
    assert "jca 0.790, ca 0.710 (processor arithmetic: narrow), jca outside the interval" in text


def test_nothing_is_stated_for_other_settings_and_an_edited_file_is_refused(study, tmp_path):
    path = tmp_path / "elsewhere.json"
    assert elsewhere(study, "demo", TABLE, path) == []
    write_elsewhere(study, SCORES, path)
    other = study.model_copy(update={"seeds": [0]})
    assert elsewhere(other, "demo", TABLE, path) == []
    document = json.loads(path.read_text())
    document["scores"]["fast"]["ca"] = 0.9
    path.write_text(json.dumps(document))
    with pytest.raises(DamagedError, match="other_machine"):
        elsewhere(study, "demo", TABLE, path)


def test_the_file_of_the_project_is_of_the_study_of_make_demo(study):
    """Else the README would say nothing of other machines."""
    rows = TABLE.assign(fusion=["jca", "jca", "ca", "concat"])
    assert elsewhere(study, "demo", rows, module.FILE)
