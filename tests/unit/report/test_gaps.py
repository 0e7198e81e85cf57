"""The share of the oracle's gain that a gate closes."""

import numpy as np
import pytest

from avfusion.config.study import Study
from avfusion.literature import claims
from avfusion.metrics.sums import video_sums
from avfusion.report.tables.gaps import gap_table, gap_words
from avfusion.report.tables.gates import _answer
from support.scored_sums import scored_sums

STUDY = Study(
    corpora={"toy": {"root": "."}},
    fusions={"jca": {}, "gated": {"is": "dca", "wraps": "jca"}},
    seeds=[0, 1, 2],
    statistics={"draws": 2000},
)


@pytest.fixture
def known(monkeypatch, project):
    monkeypatch.chdir(project)
    return claims.load()


def scored(errors: dict[str, float], seed=0):
    """Fusions with errors of these sizes, on the same gold, noise and people."""
    rng = np.random.default_rng(seed)
    gold, noise = rng.normal(size=(2, 40, 30)), rng.normal(size=(3, 2, 40, 30))
    sums = {
        name: np.array(
            [
                [[video_sums(g + size * e, g) for g, e in zip(*pair, strict=True)]
                 for pair in zip(gold, training, strict=True)]
                for training in noise
            ]
        )
        for name, size in errors.items()
    }  # fmt: skip
    return scored_sums(sums)


def test_a_gate_that_gains_what_the_oracle_gains_closes_the_gap(known):
    table = gap_table(scored({"jca": 0.6, "gated": 0.4, "stack": 0.6, "oracle": 0.4}), STUDY, known)
    (row,) = table.to_dict("records")
    assert (row["fusion"], row["ungated"]) == ("gated", "jca")
    assert row["share"] == pytest.approx(1)
    assert row["low"] < 1 < row["high"]
    assert row["gap_low"] > 0
    assert "Knowing the spoilt spans gains" in gap_words(table, STUDY)[0]


def test_no_share_is_stated_of_a_gap_that_may_be_nothing(known):
    table = gap_table(scored({"jca": 0.6, "gated": 0.4, "stack": 0.5, "oracle": 0.5}), STUDY, known)
    assert table["share"].isna().all()
    assert table["gain"].iloc[0] > 0
    assert "not surely above 0" in gap_words(table, STUDY)[0]


def test_without_an_oracle_there_is_no_row(known):
    table = gap_table(scored({"jca": 0.6, "gated": 0.4, "stack": 0.5}), STUDY, known)
    assert not len(table)
    assert gap_words(table, STUDY) == []


@pytest.mark.parametrize(
    ("ends", "direction", "verdict"),
    [
        ((0.6, 0.9), "higher", "answers"),
        ((0.6, 0.9), "lower", "answers the other way"),
        ((0.4, 0.9), "lower", "undecided"),
        ((0.1, 0.3), "lower", "answers"),
    ],
)
def test_a_gate_answers_in_the_declared_direction_or_not(ends, direction, verdict):
    assert _answer((0.8, 0.7), *ends, direction)["verdict"] == verdict


def test_every_declared_gate_names_maps_that_its_class_states(known):
    """A misspelt gate would never be found."""
    from avfusion.registry import fusions

    for one in known.gates:
        text = " ".join(fusions.docstrings(known.form(one.gated)["is"]))
        for gate in one.answers:
            assert gate in text, (one.gated, gate)
