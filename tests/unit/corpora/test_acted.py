"""Actors, folds and ratings of corpora of acted clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.corpora import acted
from avfusion.corpora.tree.scan import read_tree
from avfusion.errors import ConfigError, CorpusError
from avfusion.schemas import PARTITIONS

KNOWN = range(1, 25)
SOME = st.sets(st.sampled_from(KNOWN), min_size=3)


@pytest.mark.parametrize(
    ("text", "actors"),
    [("1-6", (1, 2, 3, 4, 5, 6)), ("1,3,5", (1, 3, 5)), ("7, 1-3", (1, 2, 3, 7)), (5, (5,)),
     ([2, 1, 2], (1, 2)), ("3-3", (3,)), (None, tuple(KNOWN))],
)  # fmt: skip
def test_numbers_lists_and_spans_are_read(text, actors):
    assert acted.parse_actors(text, KNOWN, "ravdess") == actors


@pytest.mark.parametrize(
    "text",
    ["", "1-", "-3", "6-1", "0", "25", "1-25", "1-2-3", "1,,2", "a", "٣", 0, 25, True, 1.0, [],
     ["1"], [1, 99], "1-99999999999999"],
)  # fmt: skip
def test_other_options_are_refused_with_what_is_allowed(text):
    with pytest.raises(ConfigError) as refused:
        acted.parse_actors(text, KNOWN, "ravdess")
    assert str(refused.value).startswith(f"ravdess: actors is {text!r}; expected numbers from 1 to")
    assert "`1-6`" in str(refused.value)


@given(SOME)
def test_a_list_and_its_text_are_the_same_actors(actors):
    """Also as spans, whatever their order."""
    expected = tuple(sorted(actors))
    assert acted.parse_actors([*actors], KNOWN, "x") == expected
    assert acted.parse_actors(",".join(map(str, actors)), KNOWN, "x") == expected
    spans = [[n, n] for n in expected if n - 1 not in actors]
    for span in spans:
        while span[1] + 1 in actors:
            span[1] += 1
    text = " , ".join(f"{a}-{b}" for a, b in reversed(spans))
    assert acted.parse_actors(text, KNOWN, "x") == expected


@given(st.text("0123456789-, x", max_size=12))
def test_any_text_is_read_as_known_actors_or_refused(text):
    try:
        actors = acted.parse_actors(text, KNOWN, "x")
    except ConfigError:
        return
    assert actors
    assert set(actors) <= set(KNOWN)
    assert list(actors) == sorted(set(actors))
    assert any(str(actors[0]) in piece for piece in text.split(","))


@given(SOME, st.integers(1, 5), st.integers(0, 9))
def test_even_folds_hold_each_actor_once_in_equal_shares(actors, count, seed):
    folds = acted.even_folds([*actors], count, seed)
    assert len(folds) == count
    assert sorted(n for fold in folds for n in fold) == sorted(actors)
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    assert folds == acted.even_folds(sorted(actors, reverse=True), count, seed)


def test_a_seed_makes_other_folds():
    assert len({acted.even_folds(KNOWN, 5, seed) for seed in range(5)}) == 5


@given(SOME, st.integers(0, 9))
def test_each_actor_is_tested_and_validated_once_and_is_in_one_partition(actors, seed):
    """Of any part of the corpus, whether its folds are used or replaced."""
    folds = acted.even_folds(KNOWN, 5, seed)
    used = acted.used_folds(folds, [*actors])
    every = [acted.partitions(folds, k + 1, [*actors], "x") for k in range(len(used))]
    for part in ("test", "validation"):
        seen = [n for parts in every for n, of in parts.items() if of == part]
        assert sorted(seen) == sorted(actors)
    for parts in every:
        assert set(parts.values()) == set(PARTITIONS)
        assert list(parts) == sorted(actors)


def test_a_fold_is_tested_and_the_next_one_validated():
    folds = ((1, 2), (3,), (4, 5))
    assert acted.partitions(folds, 3, range(1, 6), "x") == {
        1: "validation", 2: "validation", 3: "train", 4: "test", 5: "test"
    }  # fmt: skip


def test_a_part_that_leaves_a_fold_empty_gets_even_folds():
    """For every test fold, although the first one alone would have its three partitions."""
    folds = ((1, 2), (3, 4), (5, 6), (7, 8))
    part = (1, 3, 5)
    assert len(acted.used_folds(folds, part)) == 3
    assert acted.used_folds(folds, part) == acted.even_folds(part, 3, 0)
    text = acted.rule(folds, 1, part, "x", "folds of a paper")
    assert text.startswith("fold 1 of 3, even folds with seed 0")
    assert "paper" not in text
    whole = acted.rule(folds, 1, range(1, 9), "x", "folds of a paper")
    assert whole == (
        "fold 1 of 4, folds of a paper; train: actors 5, 6, 7, 8; validation: actors 3, 4; "
        "test: actors 1, 2"
    )


def test_too_few_actors_and_other_folds_are_refused():
    folds = acted.even_folds(KNOWN, 5, 0)
    with pytest.raises(CorpusError, match=r"x: 2 actors; at least 3 are needed.*avf obtain x"):
        acted.partitions(folds, 1, [1, 2], "x")
    with pytest.raises(ConfigError, match=r"fold is 4; 3 actors make folds 1 … 3"):
        acted.partitions(folds, 4, [1, 2, 3], "x")
    with pytest.raises(ConfigError, match="fold is 0"):
        acted.partitions(folds, 0, KNOWN, "x")
    with pytest.raises(ConfigError, match="actor 9 is in no fold"):
        acted.partitions(((1,), (2,), (3,)), 1, [1, 2, 3, 9], "x")


def test_gold_repeats_a_rating_from_0_to_the_end_of_its_clip():
    values = {"a": {"intensity": 2.0}, "c": {"intensity": 1.0}}
    gold = acted.clip_gold(values, {"a": 3.6, "b": 0.9, "d": 0.0, "e": np.nan}, ("intensity",))
    assert list(gold.columns) == ["video", "time_s", "intensity"]
    assert gold["video"].tolist() == ["a"] * acted.INSTANTS + ["b"] * acted.INSTANTS
    times_s = gold["time_s"][gold["video"] == "a"]
    np.testing.assert_allclose(times_s, np.linspace(0, 3.6, 10))
    assert (gold["intensity"][gold["video"] == "a"] == 2).all()
    assert gold["intensity"][gold["video"] == "b"].isna().all()


def test_sentences_are_written_once_and_found(tmp_path):
    sentences = {"a": "It's late", "b": "No"}
    acted.write_sentences(tmp_path, sentences)
    (tmp_path / "sentences/b.sentence").write_text("corrected by hand")
    acted.write_sentences(tmp_path, sentences)
    tree = read_tree(tmp_path, tmp_path / "digests")
    paths = [acted.sentence_of(tree, code) for code in ("a", "b", "c")]
    assert paths == ["sentences/a.sentence", "sentences/b.sentence", None]
    assert (tmp_path / paths[1]).read_text() == "corrected by hand"


def test_gold_without_a_clip_has_its_columns():
    gold = acted.clip_gold({}, {}, ("intensity",))
    assert list(gold.columns) == ["video", "time_s", "intensity"]
    assert gold.empty
