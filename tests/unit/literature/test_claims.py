"""Claims: what was planted is found, what was not is not, and what is undecided is reported so."""

import re

import numpy as np
import pandas as pd
import pytest

from avfusion.errors import ConfigError
from avfusion.literature import claims
from avfusion.literature.check_claims import verdict
from avfusion.literature.findings import Finding
from support.planted_claims import AREAS, ROOT, checked, is_better, planted


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield planted(tmp_path_factory.mktemp("claims"))


def test_a_planted_difference_is_supported_and_its_reverse_contradicted(part):
    table = checked(part, is_better("ca", "audio"), is_better("audio", "ca"))
    assert list(table["verdict"]) == ["supported", "contradicted"]
    assert table["effect"].sum() == pytest.approx(0)
    assert table.loc[0, "low"] > 0 > table.loc[1, "high"]


def test_a_difference_within_the_noise_cannot_be_told(part):
    (row,) = checked(part, is_better("concat", "jca")).itertuples()
    assert row.verdict == "undecided"
    assert row.low < 0 < row.high


def test_better_than_both_needs_both(part):
    both, one = checked(part, is_better("jca", "audio", "concat"), is_better("jca", "audio")).iloc
    assert (both.verdict, one.verdict) == ("undecided", "supported")
    assert both.quantity == "jca − concat"
    assert both.p >= one.p


def test_worse_than_either_contradicts_better_than_both(part):
    (row,) = checked(part, is_better("concat", "audio", "ca")).itertuples()
    assert row.verdict == "contradicted"
    assert row.quantity == "concat − ca"


def test_equality_is_shown_not_assumed(part):
    """Equal traces are equal; a wide interval around 0 is no equality; a gap beyond is unequal."""
    pairs = [["ca", "late"], ["concat", "jca"], ["ca", "audio"]]
    table = checked(part, *({"kind": "equivalent", "pair": pair} for pair in pairs))
    assert list(table["verdict"]) == ["supported", "undecided", "contradicted"]


def test_a_wider_margin_makes_equal_what_a_narrow_one_cannot_tell(part):
    pair = {"kind": "equivalent", "pair": ["concat", "jca"]}
    narrow, wide = checked(part, {**pair, "margin": 0.001}, {**pair, "margin": 0.5}).iloc
    assert (narrow.verdict, wide.verdict) == ("undecided", "supported")


def test_a_trend_is_found_with_each_step(part):
    up = {"kind": "trend", "along": ["rjca_1", "rjca_2", "rjca_3"]}
    down = {"kind": "trend", "along": ["rjca_3", "rjca_2", "rjca_1"]}
    first, second = checked(part, up, down).iloc
    assert (first.verdict, second.verdict) == ("supported", "contradicted")
    assert first.effect == pytest.approx(-second.effect)
    assert first.detail.startswith("each step adds up to thrice")
    assert second.detail.startswith("no first step that surely adds")


def test_robustness_reads_the_area_of_either_order(part):
    claim = {"kind": "robust", "better": "ca", "worse": "jca", "corruption": "audio_missing"}
    area = ["demo", "audio_missing", "mean", "jca", "ca", -0.1, -0.15, -0.05, 0.01]
    area += [-0.2, -0.3, -0.1]
    (row,) = checked(part, claim, areas=pd.DataFrame([area], columns=AREAS)).itertuples()
    assert (row.verdict, row.effect, row.low, row.high) == ("supported", 0.1, 0.05, 0.15)
    assert row.detail == "mean over the levels, ca − jca: 0.200 [0.100, 0.300]"
    (absent,) = checked(part, claim).itertuples()
    assert absent.verdict == "not run"
    assert "no area of ca and jca" in absent.missing


@pytest.mark.parametrize(
    ("loss", "area", "expected"),
    [
        ((0.1, 0.05, 0.15), (0.0, -0.1, 0.1), "supported"),
        ((0.1, 0.05, 0.15), (-0.01, -0.1, 0.1), "undecided"),
        ((0.1, 0.05, 0.15), (-0.2, -0.3, -0.1), "undecided"),
        ((0.1, -0.05, 0.15), (0.2, 0.1, 0.3), "undecided"),
        ((-0.1, -0.15, -0.05), (0.2, 0.1, 0.3), "contradicted"),
    ],
)
def test_a_robust_fusion_loses_less_and_does_not_score_lower(part, loss, area, expected):
    """A fusion that ignores audio loses nothing without it, but may score lower throughout."""
    claim = {"kind": "robust", "better": "ca", "worse": "jca", "corruption": "audio_missing"}
    values = ["demo", "audio_missing", "mean", "ca", "jca", *loss, 0.001, *area]
    (row,) = checked(part, claim, areas=pd.DataFrame([values], columns=AREAS)).itertuples()
    assert row.verdict == expected
    assert ("it is lower, so" in row.detail) == (area[0] < 0)


def test_an_absent_fusion_is_not_run_and_says_what_to_add(part):
    table = checked(
        part,
        is_better("rjca_4", "rjca_1"),
        is_better("later", "ca"),
        forms={"rjca_4": {"is": "rjca", "recursions": 4}, "later": {"is": "not_yet"}}
        | {"rjca_1": {"is": "rjca", "recursions": 1}},
    )
    assert set(table["verdict"]) == {"not run"}
    assert table.loc[0, "missing"] == "no entry `rjca_4: {is: rjca, recursions: 4}` under fusions"
    assert table.loc[1, "missing"] == "this version has no fusion 'not_yet'"
    assert table["p_holm"].isna().all()


def test_holm_counts_the_claims_that_were_checked(part):
    alone = checked(part, is_better("ca", "audio"))
    among = checked(part, *[is_better("ca", "audio")] * 4, is_better("grjca", "audio"))
    assert among.loc[0, "p_holm"] == pytest.approx(4 * alone.loc[0, "p"])


def test_claims_and_comparisons_agree(part):
    """The same pair has the same difference, interval and p in both tables."""
    (row,) = checked(part, is_better("ca", "concat")).itertuples()
    pairs = part[0].mean_pairs.set_index(["fusion", "other"])
    pair = pairs.loc[("ca", "concat")]
    theirs = list(pair[["difference", "low", "high", "p"]])
    assert [row.effect, row.low, row.high, row.p] == pytest.approx(theirs)


def test_p_and_interval_must_agree():
    sure = Finding(p=0.01, sure_for=True)
    assert verdict(sure, 0.04, np.nan, 0.05) == "supported"
    assert verdict(sure, 0.06, np.nan, 0.05) == "undecided"
    assert verdict(sure, 0.06, 0.01, 0.05) == "smaller than published"
    assert verdict(Finding(p=0.01), 0.01, np.nan, 0.05) == "undecided"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: trend", "kind: slope", "'slope'"),
        ("worse: [concat]", "worse: [conact]", "Did you mean 'concat'"),
        ("gate: random", "gates: random", "dca has no option 'gates'"),
        ("name: ca_over_concat", "name: jca_over_ca", "two claims are named 'jca_over_ca'"),
        ("pair: [self_transformer, cross_transformer]", "pair: [self_transformer]", "pair"),
    ],
)
def test_a_wrong_claims_file_is_refused(tmp_path, old, new, message):
    text = (ROOT / "config" / "claims.yaml").read_text()
    assert old in text
    (tmp_path / "claims.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=re.escape(message)):
        claims.load(tmp_path / "claims.yaml")
