"""Linear references on planted rows: an oracle gains, and a gate as far as it sees the cue."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from avfusion.errors import AvfError
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.robustness.known_truth import Rows, read_rows, references
from avfusion.schemas import TRUTH
from support.synthetic_features import Plan, write_inputs

DIM = 12


def planted(cue: float, seed: int = 0, count: int = 6000, spoilt: bool = True) -> Rows:
    """Two targets in both modalities; spoilt rows show something else, and a cue of this size."""
    rng = np.random.default_rng(seed)
    gold = rng.standard_normal((count, 2))
    states = rng.integers(0, 4, count) if spoilt else np.zeros(count, int)
    bad = {"audio": states == 1, "video": states == 2}
    features = {}
    for modality, where in bad.items():
        other = np.where(where[:, None], rng.standard_normal((count, 2)), gold)
        mixed = (other + 0.5 * rng.standard_normal((count, 2))) @ rng.standard_normal((2, DIM))
        quality = cue * where[:, None] + rng.standard_normal((count, 1))
        features[modality] = np.concatenate(
            [mixed + 0.3 * rng.standard_normal((count, DIM)), quality], axis=1
        )
    partition = np.repeat(["train", "validation", "test"], count // 3)
    return Rows(features, gold.astype(np.float32), bad, partition)


def test_the_oracle_gains_and_a_gate_that_sees_the_cue_closes_the_gap():
    scores = references(planted(cue=6))
    assert scores["oracle"] - scores["blind"] > 0.05
    assert scores["closed"] > 0.9
    assert min(scores["audio"], scores["video"]) < scores["blind"]


def test_a_gate_without_a_cue_closes_nothing():
    scores = references(planted(cue=0))
    assert scores["oracle"] - scores["blind"] > 0.05
    assert scores["closed"] < 0.1


def test_the_oracle_gains_nothing_where_its_spans_are_not_those_of_the_input():
    rows = planted(cue=6)
    rng = np.random.default_rng(1)
    moved = {name: rng.permutation(x) for name, x in rows.spoilt.items()}
    moved["video"] &= ~moved["audio"]
    scores = references(dataclasses.replace(rows, spoilt=moved))
    assert scores["oracle"] - scores["blind"] < 0.01


def test_test_gold_changes_no_prediction():
    """Only the score may depend on it: gold of opposite sign gives the opposite score."""
    rows = planted(cue=6)
    sign = np.where(rows.partition == "test", -1, 1)[:, None]
    scores, turned = references(rows), references(dataclasses.replace(rows, gold=rows.gold * sign))
    for name in ("audio", "video", "blind", "oracle", "gate"):
        assert turned[name] == pytest.approx(-scores[name], abs=0.05)


@pytest.fixture
def written(tmp_path):
    layout, plan = Layout(tmp_path), Plan()
    write_inputs(layout, plan)
    video = next(name for name, part in plan.names() if part == "test")
    spans = [(video, 2.0, 6.0, "audio", "noisy"), (video, 10.0, 14.0, "video", "contradicting")]
    write_table(pd.DataFrame(spans, columns=list(TRUTH)), layout.truth(plan.corpus))
    return layout, plan


ENCODERS = {"audio": ["ear"], "video": ["eye"]}


def test_rows_are_read_with_their_spans_and_without_hidden_ones(written):
    layout, plan = written
    rows = read_rows(plan.corpus, ENCODERS, layout, clip_s=0.64)
    every = read_rows(plan.corpus, ENCODERS, layout, clip_s=0.64, hidden=())
    assert rows.spoilt["audio"].sum() * plan.hop_s == pytest.approx(4.0, abs=2 * plan.hop_s)
    assert not rows.spoilt["video"].any()
    assert every.spoilt["video"].sum() * plan.hop_s == pytest.approx(4.0, abs=2 * plan.hop_s)
    assert len(every.gold) - len(rows.gold) >= every.spoilt["video"].sum()
    assert not np.isnan(rows.gold).any()
    for modality, width in (("audio", 12), ("video", 20)):
        x = rows.features[modality]
        train = (rows.partition == "train") & (x[:, -1] == 1)
        assert x.shape[1] == width + 1
        np.testing.assert_allclose(x[train, :-1].std(0), 1, atol=0.05)
        assert not x[x[:, -1] == 0].any()


def test_a_corpus_without_spans_is_refused(written):
    layout, plan = written
    write_table(pd.DataFrame([], columns=list(TRUTH)), layout.truth(plan.corpus))
    with pytest.raises(AvfError, match="no planted spans"):
        read_rows(plan.corpus, ENCODERS, layout, clip_s=0.64)
