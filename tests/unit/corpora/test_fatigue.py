"""Fatigue's miniature: constant levels of segments, and splits by subject."""

import json

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.corpora.formats.spans import Span, gaps, held
from avfusion.corpora.splits import holdout, leave_one_out
from avfusion.errors import ConfigError, CorpusError
from avfusion.layout import Layout
from avfusion.media.mel import HOP_S, log_mel_of
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from support.miniatures import _film, fatigue, verify


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("fatigue")
    fatigue.build(root)
    return root


def opened(tree, results, **more):
    code, checks = verify("fatigue", tree, {**fatigue.OPTIONS, **more}, results)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    return Layout(results)


def test_the_level_of_every_instant_is_the_one_seen_and_heard_then(tree, tmp_path):
    layout = opened(tree, tmp_path)
    settings = MediaJobSettings(root=tree, media=MediaSettings())
    run_shard("fatigue", (0, 1), settings, layout)
    gold = pd.read_parquet(layout.gold("fatigue"))
    for video in ("s01_v1", "s01_v2", "s04_v2"):
        heard = log_mel_of(MediaRecord.open(layout.media("fatigue") / video))
        rated = gold[(gold["video"] == video)].dropna()
        at = np.round(rated["time_s"].to_numpy() / HOP_S).astype(int)
        band = np.asarray(heard[at], float).argmax(1)
        assert band.tolist() == _film.tone_band(2 * rated["fatigue"].to_numpy()).tolist()


def test_what_no_segment_covers_and_where_levels_meet_is_unrated(tree, tmp_path):
    gold = pd.read_parquet(opened(tree, tmp_path).gold("fatigue")).set_index(["video", "time_s"])
    level = gold["fatigue"]
    assert level["s01_v1"].isna().sum() == 1
    assert np.isnan(level["s01_v1", 5.0])
    assert level["s01_v2"].loc[2.6:4.9].isna().all()
    assert level["s04_v1"].loc[5.1:].isna().all()
    assert level["late__s02_v1"].eq(10).all()
    assert level["s01_v2", 0.25] == 4.5


@pytest.mark.parametrize("more", [{}, {"seed": 5}, {"split": "loso", "fold": 2}])
def test_no_subject_is_in_two_partitions_and_the_split_is_named(tree, tmp_path, more):
    layout = opened(tree, tmp_path, **more)
    manifest = pd.read_parquet(layout.manifest("fatigue"))
    assert manifest.groupby("subject")["partition"].nunique().eq(1).all()
    assert set(manifest["partition"]) == {"train", "validation", "test"}
    card = json.loads(layout.card("fatigue").read_text())
    assert len(card["split_sha256"]) == 64
    assert card["targets"] == ["fatigue"]
    assert card["range"] == [0.0, 10.0]
    split = pd.read_csv(layout.checks("fatigue")).set_index("name").loc["split", "found"]
    assert card["split_sha256"][:16] in split


def test_each_subject_tests_in_exactly_one_fold(tree, tmp_path):
    tested = []
    for fold in (1, 2, 3, 4):
        manifest = opened(tree, tmp_path / f"{fold}", split="loso", fold=fold).manifest("fatigue")
        table = pd.read_parquet(manifest)
        tested += sorted(set(table["subject"][table["partition"] == "test"]))
    assert tested == ["s01", "s02", "s03", "s04"]


def test_a_fold_or_a_split_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="fold is 5; 4 subjects make folds 1 … 4"):
        leave_one_out("abcd", 5, 0, "x")
    with pytest.raises(CorpusError, match="2 subjects"):
        holdout("ab", 0, "x")
    with pytest.raises(ConfigError, match="`holdout` or `loso`"):
        fatigue_of(tmp_path, split="half")


def fatigue_of(root, **more):
    from avfusion.corpora.fatigue.corpus import Fatigue

    return Fatigue(root=root, **more)


def test_a_split_depends_on_names_and_seed_alone():
    names = [f"s{k:02d}" for k in range(18)]
    assert holdout(names, 3, "x") == holdout(reversed(names * 2), 3, "x")
    assert holdout(names, 3, "x") != holdout(names, 4, "x")
    counts = pd.Series(holdout(names, 0, "x")).value_counts()
    assert counts.to_dict() == {"train": 11, "test": 4, "validation": 3}


def test_spans_of_two_targets_share_one_time_line():
    table = held({"a": [Span(0, 2, 1), Span(2, 4, 5)], "b": [Span(1, 4, 7)]}, 1)
    assert table["time_s"].tolist() == [0.5, 1.5, 2.0, 2.5, 3.5]
    assert table["a"].fillna(-1).tolist() == [1, 1, -1, 5, 5]
    assert table["b"].fillna(-1).tolist() == [-1, 7, 7, 7, 7]
    unrated = Span(2, 3, float("nan"))
    assert gaps([Span(0, 2, 1), unrated, Span(4, 5, 1)], 6) == [(2, 4), (5, 6)]
