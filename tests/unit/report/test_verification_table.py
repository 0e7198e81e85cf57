"""Tables of verification, from the scores of trials: what is compared, reported and named."""

import numpy as np
import pandas as pd
import pytest

from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation.verification_estimates import (
    Errors,
    Key,
    differences,
    draws_of,
    errors,
    estimates,
)
from avfusion.metrics.verification import drawn_people, eer, weights_of
from avfusion.report.tables import verification as tables
from support.synthetic_people import study

DRAWS = StatisticsSettings(draws=200)
SEEDS = {"audio": (0, 1), "video": (0, 1), "concat": (0, 1)}
LISTS = {"validation": "validation", "Vox1-O": "test"}


def trials(
    seeds: dict[str, tuple[int, ...]] = SEEDS,
    lists: dict[str, str] = LISTS,
    good: dict[str, float] | None = None,
) -> pd.DataFrame:
    """trials.parquet of made scores; `good` is how far a fusion parts both kinds."""
    apart = {"audio": 1.0, "video": 0.5, "concat": 2.0} | (good or {})
    first, second = np.triu_indices(24, 1)
    person = np.arange(24) // 3
    frames = []
    for at, (name, partition) in enumerate(lists.items()):
        for fusion, ours in seeds.items():
            for seed in ours:
                rng = np.random.default_rng([at, len(fusion), seed])
                same = person[first] == person[second]
                scores = rng.normal(size=len(first)) + apart[fusion] * same
                frames.append(
                    pd.DataFrame(
                        {
                            "corpus": "met", "fusion": fusion, "seed": seed,
                            "partition": partition, "list": name, "condition": "clean",
                            "first": first, "second": second, "same": same, "cosine": scores,
                            "as_norm": np.nan,
                            "first_person": person[first].astype(str),
                            "second_person": person[second].astype(str),
                        }
                    )
                )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def compared(scored: pd.DataFrame) -> tuple[Study, dict[Key, Errors], pd.DataFrame]:
    found = errors(scored, DRAWS)
    return study(), found, differences("met", ["audio", "video"], found, DRAWS)


def sentences(scored: pd.DataFrame) -> list[str]:
    plan, found, against = compared(scored)
    return tables.findings("met", estimates("met", found, DRAWS), against, plan)


def test_sentences_are_on_test_trials_whatever_the_name_of_their_list():
    assert sentences(trials())[0].startswith("met, Vox1-O: concat has the lowest EER")
    assert sentences(trials(lists={"validation": "validation"})) == []


def test_tables_of_validation_say_that_they_chose_the_epoch():
    names = errors(trials(), DRAWS)
    titles = {name: tables.title(*place) for *place, _ in names for name in place[1:2]}
    assert "which chose the epoch" in titles["validation"]
    assert titles["Vox1-O"].startswith("Vox1-O trials (test), ")


@pytest.mark.parametrize(("apart", "sign"), [(3.0, "−"), (0.0, "+")])
def test_a_sentence_has_the_sign_of_its_number(apart, sign):
    """Also where the best fusion is above a single modality."""
    listed = sentences(trials(good={"concat": apart}))[1]
    assert listed.startswith("EER of concat minus that of a single modality: audio " + sign)
    assert "below" not in listed


def test_the_draws_of_an_eer_are_those_of_weighted_trials():
    """The order of the scores is found once, and each draw is the EER of its weights."""
    scored = trials({"audio": (0,)}, {"Vox1-O": "test"})
    ours = errors(scored, DRAWS)["test", "Vox1-O", "clean", "cosine", "audio"]
    first, second = (scored[f"{side}_person"].astype(int) for side in ("first", "second"))
    weights = weights_of(drawn_people(8, 200, 0), first.to_numpy(), second.to_numpy())
    expected = eer(scored["cosine"].to_numpy(), scored["same"].to_numpy(), weights)
    np.testing.assert_allclose(ours.draws[0, :, 0], expected, atol=1e-12)


def test_a_long_list_has_fewer_draws_and_the_text_says_how_many():
    plan = StatisticsSettings(draws=10_000)
    assert draws_of(2_000, plan) == 10_000
    assert draws_of(37_611, plan) * 37_611 <= 41_000_000
    assert draws_of(10**9, StatisticsSettings(draws=7)) == 7
    _, found, _ = compared(trials())
    table = estimates("met", found, DRAWS)
    assert set(table["draws"]) == {200}
    assert "Intervals are from 200 draws of people." in tables.header(table, study())


def test_only_common_seeds_are_paired():
    """A difference is of seed 1 of both, and its draws too."""
    scored = trials({"audio": (0, 1), "video": (2, 3), "concat": (1, 2)}, {"Vox1-O": "test"})
    _, found, against = compared(scored)
    rows = against[against["measure"] == "eer"].set_index("other")
    ours, theirs = (found["test", "Vox1-O", "clean", "cosine", n] for n in ("concat", "audio"))
    assert rows.loc["audio", "seeds"] == 1
    expected = ours.values[0, 0] - theirs.values[1, 0]
    assert rows.loc["audio", "difference"] == pytest.approx(expected, abs=1e-12)
    assert ours.of([1])[1] == pytest.approx(ours.draws[0])


def test_fusions_without_a_common_seed_are_named_as_not_compared():
    scored = trials({"audio": (0, 1), "concat": (2, 3)}, {"Vox1-O": "test"})
    _, _, against = compared(scored)
    assert set(against["note"]) == {"not compared: no common seed"}
    assert against[["difference", "p", "p_holm"]].isna().all(axis=None)
    assert not against["significant"].any()
    assert "audio not compared: no common seed" in sentences(scored)[1]


def test_fusions_on_other_people_are_named_as_not_compared():
    scored = trials()
    lost = (scored["fusion"] == "audio") & (scored["second_person"] == "7")
    _, _, against = compared(scored[~lost])
    rows = against[against["other"] == "audio"]
    assert rows["note"].str.startswith("not compared: other trials").all()


def test_a_failed_run_is_named_and_its_fusion_has_a_row():
    """The table has no number of it, and the row of a fusion with fewer seeds says so."""
    seeds = {"audio": (0, 1), "concat": (1,)}
    _, found, _ = compared(trials(seeds))
    keys = [{"corpus": "met", "fusion": f, "seed": s} for f in SEEDS for s in (0, 1)]
    why = "failed: the loss is NaN. Run `avf train /home/me/results/x`."
    runs = pd.DataFrame(
        [
            key
            | {"partition": part, "list": name, "condition": "clean", "norm": "cosine"}
            | {"note": "" if key["seed"] in seeds.get(key["fusion"], ()) else why, "missing": 3}
            for key in keys
            for name, part in LISTS.items()
        ]
    )
    table = tables.with_notes(estimates("met", found, DRAWS), runs)
    rows = table[(table["list"] == "Vox1-O") & (table["measure"] == "eer")].set_index("fusion")
    assert rows["seeds"].to_dict() == {"audio": 2, "concat": 1, "video": 0}
    assert rows["missing"].dropna().eq(3).all()
    assert rows.loc["concat", "note"].startswith("seed 0: failed: the loss is NaN.")
    assert "/home/me" not in rows.loc["video", "note"]
    _, lines = tables.cells(table[table["list"] == "Vox1-O"])
    assert [line[:2] for line in lines] == [["concat", "1"], ["audio", "2"], ["video", "0"]]
    whole = tables.with_notes(estimates("met", found, DRAWS), runs[runs["note"] == ""])
    assert set(whole["note"]) == {""}
    none = tables.with_notes(pd.DataFrame(), runs[runs["note"] != ""])
    assert set(none["fusion"]) == {"video", "concat"}
