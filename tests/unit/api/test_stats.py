"""Statistics on plain tables and arrays: they are those of the report, and bad input is named."""

import json

import numpy as np
import pandas as pd
import pytest

import avfusion
from avfusion import stats
from avfusion.errors import AvfError, ConfigError
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.protocols import protocol
from avfusion.report.tables.write import write_tables
from support.scratch import ROOT
from support.synthetic_results import DIMENSIONS, Plan, write_results

ERRORS = {"audio": 0.35, "video": 0.30, "concat": 0.15}
NUMBERS = ["difference", "low", "high", "p", "p_holm", "p_equivalent", "p_better"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with subjects who are in two videos each, and its results."""
    layout = Layout(tmp_path_factory.mktemp("results"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        study = write_results(layout, Plan(errors=ERRORS, seeds=(0, 1), failed=()))
        manifest = pd.read_parquet(layout.manifest("demo"))
        manifest["subject"] = [f"s{i // 2}" for i in range(len(manifest))]
        manifest.to_parquet(layout.manifest("demo"))
        statistics = study.statistics.model_copy(update={"draws": 1000})
        study = study.model_copy(update={"statistics": statistics})
        score_corpus("demo", study.score_settings("demo"), layout)
        write_tables(study, layout)
        yield avfusion.load_study(layout.results)


@pytest.fixture(scope="module")
def frames(study):
    """The same predictions as a table of frames, aligned as the protocol of the study does."""
    layout, rule = study.layout, protocol.load("pooled")
    card = json.loads(layout.card("demo").read_text())
    gold = dict(list(pd.read_parquet(layout.gold("demo")).groupby("video")))
    subject = pd.read_parquet(layout.manifest("demo")).set_index("video")["subject"]
    names = {f"predicted_{name}": name for name in DIMENSIONS}
    traces = study.traces(gold=False).rename(columns=names)
    parts = []
    for (fusion, seed, video), trace in traces.groupby(["fusion", "seed", "video"]):
        pairs = protocol.apply(rule, trace, gold[video], card["delay_s"])
        for target, (predicted, of_gold) in pairs.items():
            part = pd.DataFrame({"predicted": predicted, "gold": of_gold})
            place = {"fusion": fusion, "seed": seed, "video": video, "target": target}
            parts.append(part.assign(**place, subject=subject[video]))
    return pd.concat(parts, ignore_index=True)


def test_comparisons_are_those_of_the_study(study, frames):
    expected = study.comparisons().query("family == 'pairs'").reset_index(drop=True)
    pairs = [*dict.fromkeys(zip(expected["fusion"], expected["other"], strict=True))]
    ours = stats.comparisons(frames, pairs, draws=1000)
    assert set(ours["family"]) == {"declared"}
    assert not ours["exploratory"].any()
    keys = ["fusion", "other", "target"]
    ours, expected = ours.set_index(keys), expected.set_index(keys).loc[ours.set_index(keys).index]
    np.testing.assert_allclose(
        ours[NUMBERS].astype(float), expected[NUMBERS].astype(float), atol=1e-9
    )
    assert list(ours["verdict"]) == list(expected["verdict"])
    assert set(stats.comparisons(frames, draws=1000)["family"]) == {"pairs"}


def test_scores_are_those_of_the_study(study, frames):
    expected = study.estimates().set_index(["fusion", "target"])
    ours = stats.scores(frames, draws=1000).set_index(["fusion", "target"])
    expected = expected.loc[ours.index]
    for name in ("mean", "sd", "low", "high"):
        np.testing.assert_allclose(ours[name], expected[name], atol=1e-9)
    assert set(ours["unit"]) == {"subject"}
    assert set(ours["units"]) == {6}


def test_one_comparison_is_not_corrected(frames):
    one = stats.compare(frames, "concat", "audio", target="valence", draws=1000)
    other = stats.compare(frames, "audio", "concat", target="valence", draws=1000)
    assert one.p == one.p_holm == pytest.approx(other.p)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.decision, other.decision) == ("better", "worse")
    assert str(one).startswith("concat beats audio by")


def test_a_table_with_the_least_columns(frames):
    small = frames.query("target == 'valence' and seed == 0")[
        ["fusion", "video", "predicted", "gold"]
    ]
    ours = stats.scores(small, draws=200)
    assert list(ours["target"]) == ["mean"] * 3
    assert set(ours["unit"]) == {"video"}, "no subjects are named"
    for row in ours.itertuples():
        rows = small[small["fusion"] == row.fusion]
        pooled = avfusion.metrics.ccc(rows["predicted"], rows["gold"])
        assert row.mean == pytest.approx(pooled, abs=1e-12)
    mean = stats.scores(small, draws=200, pooling="per_video_mean").set_index("fusion")["mean"]
    each = small.query("fusion == 'video'").groupby("video")
    assert mean["video"] == pytest.approx(
        np.mean([avfusion.metrics.ccc(rows["predicted"], rows["gold"]) for _, rows in each])
    )


def test_arrays_give_the_numbers_of_the_table(frames):
    of_target = frames.query("target == 'arousal'").sort_values("video", kind="stable")
    arrays = {}
    for fusion, rows in of_target.groupby("fusion"):
        runs = []
        for _, run in rows.groupby("seed"):
            videos = [video for _, video in run.groupby("video")]
            runs.append(stats.sums([v["predicted"] for v in videos], [v["gold"] for v in videos]))
        arrays[fusion] = np.stack(runs)  # (S, V, 6)
    subjects = of_target.drop_duplicates("video")["subject"].to_list()
    pair = arrays["concat"], arrays["video"]
    expected = stats.compare(of_target, "concat", "video")
    estimate = stats.bootstrap(*pair, subjects=subjects)
    assert (estimate.value[-1], estimate.low[-1], estimate.high[-1]) == pytest.approx(
        (expected.difference, expected.low, expected.high)
    )
    p = stats.exchange_test(*pair, subjects=subjects)
    assert p[0] == p[1] == pytest.approx(expected.p)
    people = stats.bootstrap(pair[0], subjects=subjects)
    videos = stats.bootstrap(pair[0])
    assert people.value == pytest.approx(videos.value)
    assert people.low[0] != videos.low[0]
    assert stats.bootstrap(pair[0][:, :1]).low == pytest.approx(np.nan, nan_ok=True)


def change(frames, at, **values):
    return frames.assign(**{k: frames[k].mask(frames.index == at, v) for k, v in values.items()})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.drop(columns="gold"), r"no column 'gold'. It has: predicted, fusion"),
        (lambda t: t[:0], r"no rows"),
        (lambda t: change(t, 0, fusion=None).dropna(subset="fusion"), r"differs between"),
        (lambda t: change(t, 0, predicted=np.nan), r"1 frames are rated and have no prediction"),
        (lambda t: t.assign(time_s=0.0), r"frames occur twice, first in video"),
        (lambda t: t.query("fusion != 'video' or video != 'test_03'"), r"video seed 0 has no rows"),
        (lambda t: change(t, 0, subject="other"), r"video \w+ has several values of `subject`"),
        (lambda t: t.assign(fit=np.arange(len(t))), r"seed 0 has several values of `fit`"),
        (lambda t: change(t.assign(fit=0.0), 0, fit=np.nan), r"rows without 'fit'"),
    ],
)
def test_a_bad_table_is_refused(frames, edit, message):
    with pytest.raises(AvfError, match=message):
        stats.comparisons(edit(frames), draws=10)


def test_unknown_names_and_bad_arrays_are_refused(frames):
    with pytest.raises(AvfError, match=r"no fusion 'concta'. Did you mean 'concat'"):
        stats.compare(frames, "concta", "audio", draws=10)
    with pytest.raises(AvfError, match=r"no target 'mood'.*valence"):
        stats.compare(frames, "concat", "audio", target="mood", draws=10)
    with pytest.raises(ConfigError, match=r"alpha.*less than 0.5"):
        stats.scores(frames, alpha=0.7)
    with pytest.raises(ConfigError, match=r"no option 'marign'. Did you mean 'margin'"):
        stats.scores(frames, marign=0.7)
    with pytest.raises(ConfigError, match=r"pooling is 'mean'; set one of pooled, per_video_mean"):
        stats.scores(frames, pooling="mean")
    with pytest.raises(ValueError, match=r"video 1: predictions \(2,\), gold \(1,\)"):
        stats.sums([[1.0], [1.0, 2.0]], [[1.0], [1.0]])
    with pytest.raises(ValueError, match=r"1 of 2 frames are rated and have no prediction"):
        stats.sums([[1.0, np.nan]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"predictions of 1 videos, gold of 0"):
        stats.sums([[1.0]], [])
    good = np.ones((1, 4, 6))
    with pytest.raises(ValueError, match=r"\(S, V, 6\)"):
        stats.bootstrap(np.ones((4, 6)))
    with pytest.raises(ValueError, match=r"must be equal"):
        stats.exchange_test(good, good[:, :3])
    with pytest.raises(ValueError, match=r"2 subjects for 4 videos"):
        stats.bootstrap(good, subjects=["a", "b"])
