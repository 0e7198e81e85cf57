"""What pairs share equals the plain formula: exchanges, estimates, losses and areas."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from avfusion.config.corruptions import CLEAN
from avfusion.config.sections import CorpusEntry, StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation import crossed, exchanged, inference
from avfusion.evaluation.decisions import Decision, decide
from avfusion.evaluation.estimates import decided
from avfusion.evaluation.families import Comparison, Family
from avfusion.evaluation.samples import Samples, contrast
from avfusion.evaluation.significance import holm
from avfusion.protocols.protocol import Protocol
from avfusion.robustness import curve_estimates
from avfusion.robustness.curves import Curves, loss_shares, shares
from support import plain_statistics
from support.plain_statistics import swap_p
from support.scored_sums import scored_sums
from support.simulated_corpora import Plan, simulate

CLOSE = {"rel": 1e-12, "abs": 1e-12, "nan_ok": True}
SEVERAL = Plan(videos=12, each=2, deviation=0.05, gains=(0.6, 0.6, 0.7))
"""People with two videos each, and three fusions with 3 x 3 trainings."""


def drawn(plan: Plan = SEVERAL, trainings: tuple[int, int] = (3, 3), seed: int = 0):
    """Sums (E, S, K, V, 6) of three fusions."""
    every = simulate(plan, np.random.default_rng(seed), targets=2)
    fits, seeds = trainings
    return [one[:fits, :seeds] for one in every]


def samples(sums, unit=None, draws=500):
    weight = inference.draw(sums[0].shape[-2], draws, 0, unit)
    return [crossed.sample(one, weight, "pooled", unit) for one in sums]


@pytest.mark.parametrize("draws", [15, 400, 12_000])
@pytest.mark.parametrize("trainings", [(3, 3), (1, 3), (1, 1)])
def test_p_of_each_pair_and_target_is_that_of_exchanges_of_its_own(draws, trainings):
    """12,000 draws are two chunks: the second depends on the pair."""
    some = samples(drawn(trainings=trainings), SEVERAL.unit)
    for one, other in combinations(some, 2):
        estimate = crossed.difference(one, other, 0.05, 3)
        plain = [swap_p(one, other, estimate, k, draws, 3) for k in range(3)]
        assert exchanged.swap_test(one, other, estimate, draws, 3) == pytest.approx(plain, **CLOSE)


def test_p_without_units_of_a_target_and_of_equal_fusions():
    """A target without rated frames is NaN; a fusion and its copy differ in no unit."""
    sums = [one.copy() for one in drawn()[:2]]
    for one in sums:
        one[:, :, 0] = 0.0
    first, second = samples(sums, SEVERAL.unit)
    for pair in ((first, second), (first, first)):
        estimate = crossed.difference(*pair, 0.05, 0)
        plain = [swap_p(*pair, estimate, k, 400, 0) for k in range(3)]
        assert exchanged.swap_test(*pair, estimate, 400, 0) == pytest.approx(plain, **CLOSE)
        assert np.isnan(plain[0])
    assert plain[1] == 1


@pytest.mark.parametrize("trainings", [(3, 3), (1, 3), (1, 1)])
def test_estimates_that_are_made_together_are_those_that_each_makes_alone(trainings):
    """One target has no frames, two fusions are equal, and one table of trainings is smaller."""
    sums = [one.copy() for one in drawn(trainings=trainings)]
    sums[1][:, :, 0] = 0.0
    some = samples(sums, SEVERAL.unit)
    fewer = samples([one[:, :1] for one in sums], SEVERAL.unit)
    pairs = [(some[0], some[2]), (some[2], some[0]), *combinations(fewer, 2), (some[0], some[0]),
             *combinations(some, 2)]  # fmt: skip
    each = [*zip(pairs, crossed.differences(pairs, 0.1, 3), strict=True)]
    each += [
        ((one, None), made) for one, made in zip(some, crossed.scores(some, 0.1, 3), strict=True)
    ]
    for pair, made in each:
        plain = plain_statistics.estimate(*pair, 0.1, 3)
        for name in ("value", "low", "high", "samples"):
            assert getattr(made, name) == pytest.approx(getattr(plain, name), **CLOSE)
        assert vars(made.variance) == {
            name: pytest.approx(x, **CLOSE) for name, x in vars(plain.variance).items()
        }


def test_exchanges_of_other_seeds_units_and_draws_do_not_stay():
    few, many = samples(drawn(), SEVERAL.unit), samples(drawn())
    for (one, other, _), draws, seed in [
        *((few, 400, 0), (many, 400, 0), (few, 300, 0), (few, 400, 1), (few, 400, 0)),
    ]:
        estimate = crossed.difference(one, other, 0.05, seed)
        plain = swap_p(one, other, estimate, 1, draws, seed)
        (found,) = exchanged.p_values([(one, other, estimate, 1)], draws, seed)
        assert found == pytest.approx(plain, **CLOSE)


@pytest.mark.parametrize("exploratory", [True, False])
def test_targets_that_are_decided_together_are_those_that_are_decided_alone(exploratory):
    """Fusion b lacks a training, so its pairs have another table of trainings."""
    sums = [one.reshape(9, *one.shape[2:]) for one in drawn()]
    scored = scored_sums(dict(zip("abc", sums, strict=True)), SEVERAL.unit)
    del scored.sums["b"][8]
    kept = Samples(scored, StatisticsSettings(draws=500))
    pairs = [*combinations("abc", 2), ("a", "absent")]
    family = Family("pairs", tuple(Comparison(*pair) for pair in pairs), exploratory)
    table = decided(kept, family)
    assert table["seeds"].tolist() == [8] * 3 + [9] * 3 + [8] * 3 + [0] * 3
    draws = exchanged.LEAST if exploratory else exchanged.draws_for(4, 0.05)
    for k, target in enumerate(("t0", "t1", "mean")):
        rows = table[table["target"] == target]
        alone = [pair for pair in (kept.pair(*names) for names in pairs) if pair]
        estimates = [crossed.difference(*pair, 0.05, 0) for pair in alone]
        p = [swap_p(*x, e, k, draws, 0) for x, e in zip(alone, estimates, strict=True)]
        assert rows["p"].tolist() == pytest.approx([*p, np.nan], **CLOSE)
        assert rows["p_holm"].tolist() == pytest.approx([*holm(np.array(p)), np.nan], **CLOSE)
        for name in ("value", "low", "high"):
            column = "difference" if name == "value" else name
            plain = [getattr(e, name)[k] for e in estimates]
            assert rows[column].tolist() == pytest.approx([*plain, np.nan], **CLOSE)
        every = tuple(Comparison(*pair, target) for pair in pairs)
        results = decide(Family("", every, exploratory), kept.pair, scored.targets, Decision())
        assert rows["p_equivalent"].tolist()[:3] == [one.p_equivalent for one in results[:3]]
        needed = [None if pd.isna(n) else n for n in rows["units_needed"]]
        assert needed[:3] == [one.units_needed for one in results[:3]]
    assert set(table[table["other"] == "absent"]["decision"]) == {"not compared"}


def test_losses_and_areas_of_pairs_are_those_that_each_pair_computes_alone():
    levels, unit = np.array([0.0, 0.5, 0.9]), SEVERAL.unit
    cases = [CLEAN, ("audio_missing", 0.5), ("audio_missing", 0.9)]
    by_case = {case: drawn(seed=i) for i, case in enumerate(cases)}
    sums = {
        name: {
            seed: {case: by_case[case][i][0, seed] for case in cases}
            for seed in range(3 - (i == 1))
        }
        for i, name in enumerate("abc")
    }
    rule = Protocol(name="pooled", description="", pooling="pooled", delay="none")
    absent = {name: dict.fromkeys(cases, 0.0) for name in ("audio", "video")}
    videos = [f"v{i:02d}" for i in range(12)]
    curves = Curves("toy", rule, "test", videos, {"audio_missing": levels}, absent, sums, unit=unit)
    study = Study(
        corpora={"toy": CorpusEntry(root="data/toy")},
        fusions={"audio": {}},
        statistics=StatisticsSettings(draws=500),
    )
    shared = curve_estimates.CurveSamples(curves, study.statistics)
    curve_estimates.estimates(curves, study, shared)
    table = curve_estimates.comparisons(curves, study, shared)
    for pair in combinations("abc", 2):
        seeds = min(len(sums[name]) for name in pair)
        lost, area = [], []
        for name in pair:
            each = [np.stack([sums[name][s][case] for s in range(seeds)])[None] for case in cases]
            of_level = samples(each, unit)
            lost.append(contrast(of_level, loss_shares(levels)))
            area.append(contrast(of_level, shares(levels)))
        gap = crossed.difference(lost[1], lost[0], 0.05, 0)
        above = crossed.difference(*area, 0.05, 0)
        rows = table[(table["fusion"] == pair[0]) & (table["other"] == pair[1])]
        p = [swap_p(lost[1], lost[0], gap, k, exchanged.LEAST, 0) for k in range(3)]
        plain = [gap.value, gap.low, gap.high, p, above.value, above.low, above.high]
        names = ["difference", "low", "high", "p", "area", "area_low", "area_high"]
        for name, values in zip(names, plain, strict=True):
            assert rows[name].to_numpy() == pytest.approx(np.array(values), **CLOSE)
