"""Test fusion gains of models next to those of human raters."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import CorpusSettings
from avfusion.config.study import Study
from avfusion.corpora import base, verify
from avfusion.errors import CorpusError
from avfusion.evaluation.score_classes import RULE
from avfusion.evaluation.scored import Scored
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import class_sums
from avfusion.registry import corpora
from avfusion.report.figures.human_gain import draw_human_gain
from avfusion.report.inputs import CorpusFiles
from avfusion.report.page.human_gain import human_gain
from avfusion.report.page.write import render
from avfusion.report.tables.human_gain import COLUMNS, gains, write_human_gain
from avfusion.report.tables.human_votes import read_votes, restricted
from avfusion.report.tables.part import TableData
from avfusion.schemas import JUDGED, VOTES

NAMES = ("anger", "sad")
SINGLE = ["audio", "video"]
FUSIONS = {"audio": {}, "video": {}, "jca": {}}

# Clip -> actor, emotion, and right responses of 10 from sound, from picture and from both.
CLIPS = {
    "c1": ("ann", "anger", (4, 8, 9)),
    "c2": ("ann", "sad", (5, 3, 6)),
    "c3": ("bob", "anger", (6, 7, 8)),
    "c4": ("bob", "sad", (5, 3, 6)),
    "c5": ("eve", "anger", (1, 6, 7)),
    "c6": ("eve", "sad", (2, 3, 3)),
}
# Fusion -> clips that it predicts correctly, per seed.
RIGHT = {
    "audio": ["c1 c2", "c1 c3"],
    "video": ["c1 c2 c3", "c1 c2 c3"],
    "jca": ["c1 c2 c3 c4 c5 c6", "c1 c2 c3 c5"],
}


def study(draws=400, **changes) -> Study:
    given = {"corpora": {"acts": {"root": "data/acts", "task": "classes"}}, "fusions": FUSIONS}
    return Study(**given | {"seeds": [0, 1], "statistics": {"draws": draws}} | changes)


def votes(clips=CLIPS, asked=10) -> pd.DataFrame:
    rows = [
        (clip, modality, emotion, asked, right, 50.0)
        for clip, (_, emotion, counts) in clips.items()
        for modality, right in zip(JUDGED, counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(VOTES))


def scored(clips=CLIPS, right=RIGHT, corpus="acts", fusions=FUSIONS) -> Scored:
    label = np.array([NAMES.index(emotion) for _, emotion, _ in clips.values()])
    sums: dict = {}
    for fusion in fusions:
        for seed, names in enumerate(right[fusion]):
            hit = np.isin(list(clips), names.split())
            guess = np.where(hit, label, 1 - label)
            sums.setdefault(fusion, {})[seed] = class_sums(label, guess, len(NAMES))
    actors = tuple(actor for actor, _, _ in clips.values())
    return Scored(corpus, RULE, "test", list(clips), [], [], {}, sums, NAMES, actors)


def table(one=None, given=None, plan=None) -> pd.DataFrame:
    sample = restricted(one or scored(), votes() if given is None else given, ["acts"])
    return gains(sample, SINGLE, plan or study()).set_index("emotion")


def written(folder, given: dict[str, pd.DataFrame], plan: Study, parts: list[Scored]) -> Layout:
    layout = Layout(folder)
    layout.tables.mkdir(parents=True)
    for corpus, rows in given.items():
        write_table(rows, layout.votes(corpus))
    every = [SimpleNamespace(scored=part) for part in parts]
    write_human_gain(TableData(plan, layout, every, []))
    return layout


def test_scores_and_gains_are_those_computed_by_hand():
    rows = table()
    assert list(rows.index) == ["anger", "sad", "mean", "pooled"]
    assert set(rows["fusion"]) == {"jca"}
    expected = {
        "human_audio": [11 / 30, 12 / 30, 23 / 60, 23 / 60],
        "human_video": [0.7, 0.3, 0.5, 0.5],
        "human_both": [0.8, 0.5, 0.65, 0.65],
        "human_gain": [0.1, 0.1, 0.15, 0.15],  # sad: over sound, the others: over picture
        "model_audio": [1 / 2, 1 / 6, 1 / 3, 1 / 3],
        "model_video": [2 / 3, 1 / 3, 1 / 2, 1 / 2],
        "model_fusion": [1, 2 / 3, 5 / 6, 5 / 6],
        "model_gain": [1 / 3] * 4,
        "difference": [1 / 3 - 0.1, 1 / 3 - 0.1, 1 / 3 - 0.15, 1 / 3 - 0.15],
        "clips": [3, 3, 6, 6],
        "actors": [3, 3, 3, 3],
    }
    for name, values in expected.items():
        assert rows[name].tolist() == pytest.approx(values), name


def test_mean_over_emotions_and_all_together_differ_if_emotions_have_unequal_counts():
    clips = dict(CLIPS, c7=("eve", "anger", (0, 0, 10)))
    rows = table(scored(clips), votes(clips))
    assert rows.loc["anger", "human_both"] == pytest.approx(34 / 40)
    assert rows.loc["mean", "human_both"] == pytest.approx((34 / 40 + 0.5) / 2)
    assert rows.loc["pooled", "human_both"] == pytest.approx(49 / 70)
    assert rows.loc["mean", "model_fusion"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert rows.loc["pooled", "model_fusion"] == pytest.approx((6 / 7 + 4 / 7) / 2)


def test_raters_and_models_have_the_same_clips():
    """Votes on untested clips, and tested clips without votes on one modality, are left out."""
    more = dict(CLIPS, c8=("fay", "sad", (10, 10, 0)), c9=("fay", "anger", (9, 9, 0)))
    tested = scored({name: clip for name, clip in more.items() if name != "c8"})
    given = votes(more)
    given = given[(given["clip"] != "c9") | (given["modality"] != "video")]
    pd.testing.assert_frame_equal(table(tested, given), table())
    none = votes(more)
    none.loc[(none["clip"] == "c9") & (none["modality"] == "both"), ["responses", "right"]] = 0
    pd.testing.assert_frame_equal(table(tested, none), table())
    assert restricted(tested, none, ["acts"]).unjudged == 1


@pytest.mark.parametrize(("emotion", "better"), [("mean", 1), ("sad", 0)])
def test_intervals_are_those_of_actors_and_trainings_computed_directly(emotion, better):
    """The better modality is fixed: sad voices of eve only are worse than her face."""
    actors = ["ann", "bob", "eve"]

    def scorer(right: list[float]):
        def score(times) -> float:
            each = {name: times[actors.index(CLIPS[name][0])] for name in CLIPS}
            return share(each, right, emotion)

        return score

    raters = [scorer([CLIPS[c][2][m] / 10 for c in CLIPS]) for m in range(3)]
    models = [
        [scorer([float(c in text.split()) for c in CLIPS]) for text in seeds]
        for seeds in RIGHT.values()
    ]

    def human(times):
        return raters[2](times) - raters[better](times)

    single = [lambda times, one=one: one(times) + human(times) for one in models[1]]
    expected = {
        "human_gain": half_width([[human]], 3),
        "model_gain": half_width([models[2], models[1]], 3),
        "difference": half_width([models[2], single], 3),
    }
    row = table(plan=study(draws=20_000)).loc[emotion]
    for name, half in expected.items():
        width = row[f"{name}_high"] - row[f"{name}_low"]
        assert width / 2 == pytest.approx(half, rel=0.05), name


def half_width(fusions: list[list], count: int, draws: int = 20_000) -> float:
    """Half the 95% interval of a score, or of the first fusion minus the second.

    Each training is a function of how often each of `count` units is drawn. Fits are one.
    """
    sign, seeds = (1, -1)[: len(fusions)], len(fusions[0])

    def at(times) -> np.ndarray:
        return np.array([[one(times) for one in runs] for runs in fusions])  # (F, S)

    full, rng = at(np.ones(count)), np.random.default_rng(1)
    times = [tuple(rng.multinomial(count, np.full(count, 1 / count))) for _ in range(draws)]
    of = {each: sign @ at(each).mean(axis=1) for each in set(times)}
    drawn = np.array([of[each] for each in times]) - sign @ full.mean(axis=1)
    without = np.array([at(1 - np.eye(count)[u]) for u in range(count)])  # (U, F, S)
    units = (count - 1) * (without.mean(axis=0) - without)
    people = count / (count - 1) * drawn.var()
    squares = full.var(axis=1, ddof=1).sum() / seeds if seeds > 1 else 0.0
    twice = units.var(axis=2, ddof=1).sum() / seeds / count / (count - 1) if seeds > 1 else 0.0
    trainings = max(squares - twice, 0.0)
    spread = people**2 / (count - 1)
    spread += squares**2 / (len(fusions) * (seeds - 1)) if trainings else 0.0
    freedom = max((people + trainings) ** 2 / spread, 1.0)
    around = np.sqrt(count / (count - 1)) * drawn + np.sqrt(trainings) * rng.normal(size=draws)
    around *= np.sqrt(freedom / rng.chisquare(freedom, size=draws))
    low, high = np.quantile(around, [0.025, 0.975])
    return (high - low) / 2


def test_trainings_that_differ_widen_the_intervals_of_models_only():
    rng = np.random.default_rng(3)
    clips = many(rng, (0.4, 0.5, 0.7))
    plan = study(draws=2000, seeds=list(range(4)))
    names = list(clips)
    kept = {fusion: [" ".join(names[:30])] * 4 for fusion in SINGLE}
    same = {**kept, "jca": [" ".join(names[:45])] * 4}
    apart = {**kept, "jca": [" ".join(names[:n]) for n in (30, 60, 40, 50)]}
    one, other = (
        table(scored(clips, runs), votes(clips), plan).loc["pooled"] for runs in (same, apart)
    )
    for name in ("model_gain", "difference"):
        assert one[name] == pytest.approx(other[name])
        widths = [row[f"{name}_high"] - row[f"{name}_low"] for row in (one, other)]
        assert widths[1] > 1.3 * widths[0]
    human = [f"human_gain{end}" for end in ("", "_low", "_high")]
    assert one[human].tolist() == other[human].tolist()


def share(times: dict[str, float], right: list[float], emotion: str) -> float:
    """Weighted share of right answers for one emotion, or the mean over emotions."""
    shares = []
    for name in NAMES if emotion == "mean" else (emotion,):
        of = [(times[c], r) for c, r in zip(CLIPS, right, strict=True) if CLIPS[c][1] == name]
        shares.append(sum(t * r for t, r in of) / sum(t for t, _ in of))
    return float(np.mean(shares))


def many(rng, chances: tuple[float, float, float]) -> dict[str, tuple]:
    """60 clips of 20 actors with 10 responses; the chances are of sound, picture and both."""
    return {
        f"v{i}": (f"s{i % 20}", NAMES[i // 20 % 2], tuple(rng.binomial(10, chances).tolist()))
        for i in range(60)
    }


def test_equal_gains_have_no_difference_and_unequal_gains_have_one():
    rng = np.random.default_rng(8)
    clips = many(rng, (0.4, 0.5, 0.7))
    # One response per clip, which is right where the model is.
    same = {c: (a, e, tuple(int(r > 5) for r in right)) for c, (a, e, right) in clips.items()}
    exact = {
        fusion: [" ".join(c for c, (_, _, right) in same.items() if right[i])] * 2
        for i, fusion in enumerate(FUSIONS)
    }
    row = table(scored(same, exact), votes(same, asked=1)).loc["mean"]
    assert row["human_gain"] > 0
    assert row["human_gain_low"] < row["human_gain"] < row["human_gain_high"]
    ends = [row[f"difference{end}"] for end in ("", "_low", "_high")]
    assert ends == pytest.approx([0, 0, 0], abs=1e-12)
    alike = table(scored(clips, runs(rng, (0.4, 0.5, 0.7))), votes(clips)).loc["mean"]
    assert alike["difference_low"] < 0 < alike["difference_high"]
    better = table(scored(clips, runs(rng, (0.2, 0.2, 0.95))), votes(clips)).loc["mean"]
    assert better["difference_low"] > 0


def runs(rng, chances) -> dict[str, list[str]]:
    """Clips of `many` that each fusion predicts correctly, for 2 seeds."""
    return {
        fusion: [" ".join(f"v{i}" for i in range(60) if rng.random() < chance) for _ in range(2)]
        for fusion, chance in zip(FUSIONS, chances, strict=True)
    }


def test_a_fusion_without_runs_has_only_the_scores_of_raters():
    plan = study(fusions={**FUSIONS, "ca": {}, "text": {}})
    sample = restricted(scored(), votes(), ["acts"])
    rows = gains(sample, SINGLE, plan)
    assert list(dict.fromkeys(rows["fusion"])) == ["jca", "ca"]  # text has no gain
    lost = rows[rows["fusion"] == "ca"]
    assert lost[["model_audio", "model_gain", "difference", "difference_low"]].isna().all(axis=None)
    assert lost["human_gain"].tolist() == pytest.approx([0.1, 0.1, 0.15, 0.15])


def test_files_and_page_show_the_gains(tmp_path):
    plan = study(fusions={**FUSIONS, "ca": {}})
    layout = written(tmp_path, {"acts": votes()}, plan, [scored()])
    rows = pd.read_csv(layout.tables / "human_gain.csv")
    assert list(rows.columns) == COLUMNS
    assert len(rows) == 2 * 4
    text = (layout.tables / "human_gain.md").read_text()
    assert "the 6 videos of 3 actors that every run predicted and that raters judged" in text
    assert "The better one is chosen once on all videos" in text
    assert re.search(r"\| jca +\| +0\.150 \[.*\] \| +0\.333 \[.*\] \| +0\.183 \[.*\] \|", text)
    assert re.search(r"\| ca +\| +0\.150 \[.*\] \| +not run \|", text)
    assert r"\begin{tabular}" in (layout.tables / "human_gain.tex").read_text()
    (part,) = human_gain(plan, layout)
    assert (part["clips"], part["actors"], part["best"]) == ("6 clips", "3 actors", "jca")
    assert [cell["text"] for cell in part["rows"][0]["cells"]] == ["+0.150", "+0.333", "+0.183"]
    assert [row["name"] for row in part["emotions"]] == ["anger", "sad", "pooled"]
    page = render(plan, layout)
    assert "on the 6 clips of 3 actors that" in page
    assert 'id="human-gain"' in page
    assert 'href="#human-gain"' in page
    assert "+0.183" in page


def test_the_figure_shows_the_best_fusion_next_to_raters(tmp_path):
    plan = study(fusions={**FUSIONS, "ca": {}})
    layout = written(tmp_path, {"acts": votes()}, plan, [scored()])
    layout.card("acts").write_text(json.dumps({"classes": list(NAMES)}))
    files = CorpusFiles("acts", plan.scoped("acts"), layout)
    ((fusion, figure, caption),) = draw_human_gain(files)
    assert fusion == "jca"
    assert "mean over emotions: raters +0.150 [" in caption.alt
    assert "jca +0.333 [" in caption.alt
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["anger", "sad", "UA"]
    points = [line for line in axis.lines if len(line.get_xdata()) == 1]
    gains_drawn = [float(line.get_xdata()[0]) for line in points]
    assert gains_drawn == pytest.approx([0.1, 1 / 3, 0.1, 1 / 3, 0.15, 1 / 3], abs=1e-6)
    (layout.tables / "human_gain.csv").unlink()
    assert list(draw_human_gain(files)) == []


def test_without_votes_or_single_modalities_there_is_no_table(tmp_path):
    plan = study()
    layout = written(tmp_path / "full", {"acts": votes()}, plan, [scored()])
    assert (layout.tables / "human_gain.csv").is_file()
    write_table(votes().iloc[:0], layout.votes("acts"))
    write_human_gain(TableData(plan, layout, [SimpleNamespace(scored=scored())], []))
    assert not list(layout.tables.glob("human_gain.*"))
    assert human_gain(plan, layout) == []
    assert "human-gain" not in render(plan, layout)
    few = study(fusions={"audio": {}, "jca": {}})
    two = scored(fusions=("audio", "jca"))
    assert not list(written(tmp_path / "few", {"acts": votes()}, few, [two]).tables.iterdir())


def test_a_lost_table_of_votes_is_not_taken_for_none(tmp_path):
    layout = written(tmp_path, {"acts": votes()}, study(), [scored()])
    layout.votes("acts").unlink()
    with pytest.raises(CorpusError, match=r"votes\.parquet\. Run: avf verify acts"):
        read_votes("acts", layout)


def test_one_actor_and_one_video_are_in_the_singular(tmp_path):
    clips = {"c1": CLIPS["c1"], "c9": ("ann", "sad", (5, 3, 6))}
    given = votes({"c1": CLIPS["c1"]})
    layout = written(tmp_path, {"acts": given}, study(), [scored(clips)])
    text = (layout.tables / "human_gain.md").read_text()
    assert "the 1 video of 1 actor that every run predicted" in text
    assert "1 other has no votes." in text
    assert "on the 1 clip of 1 actor that" in render(study(), layout)
    layout.card("acts").write_text(json.dumps({"classes": list(NAMES)}))
    files = CorpusFiles("acts", study().scoped("acts"), layout)
    ((_, _, caption),) = draw_human_gain(files)
    assert "the 1 video of 1 actor of acts" in caption.text


def test_labels_other_than_the_intended_emotion_are_not_compared(tmp_path):
    clips = dict(CLIPS, c6=("eve", "anger", (2, 3, 3)))
    layout = written(tmp_path, {"acts": votes()}, study(), [scored(clips)])
    assert list(pd.read_csv(layout.tables / "human_gain.csv").columns) == COLUMNS
    assert not len(pd.read_csv(layout.tables / "human_gain.csv"))
    text = (layout.tables / "human_gain.md").read_text()
    assert "the label of 1 of 6 videos is not the intended emotion" in text


def test_folds_are_pooled_over_their_clips(tmp_path):
    entry = {"is": "acts", "root": "data/acts", "task": "classes", "group": "acts_folds"}
    plan = study(corpora={f"fold{k}": {**entry, "options": {"fold": k}} for k in (1, 2)})
    halves = [dict(list(CLIPS.items())[:4]), dict(list(CLIPS.items())[4:])]
    parts = [scored(half, corpus=f"fold{k}") for k, half in enumerate(halves, start=1)]
    layout = written(tmp_path, {part.corpus: votes() for part in parts}, plan, parts)
    rows = pd.read_csv(layout.tables / "human_gain.csv").set_index(["corpus", "emotion"])
    assert rows.loc[("fold1", "pooled"), "clips"] == 4
    assert rows.loc[("acts_folds", "pooled"), "clips"] == 6
    ours, expected = rows.loc["acts_folds"], table()
    for name in COLUMNS[3:]:
        assert ours[name].tolist() == pytest.approx(expected[name].tolist(), abs=1e-6), name
    assert [part["corpus"] for part in human_gain(plan, layout)] == ["fold1", "fold2", "acts_folds"]


class Acts(base.Corpus):
    """A corpus of CLIPS with votes."""

    name = "acts"
    targets = ()
    rating_hz = 1.0
    licence = "none"
    obtain = "Run `fetch acts`."
    classes = NAMES
    given = votes()

    def videos(self):
        rows = [(c, f"{c}.mp4", part, a, a, None) for (c, (a, _, _)), part in
                zip(CLIPS.items(), ("train", "train", "validation", "validation", "test", "test"),
                    strict=True)]  # fmt: skip
        return pd.DataFrame(
            rows, columns=["video", "path", "partition", "subject", "voice", "transcript"]
        )

    def gold(self):
        return pd.DataFrame({"video": pd.Series(dtype=str), "time_s": pd.Series(dtype=float)})

    def labels(self):
        return pd.DataFrame({"video": list(CLIPS), "label": [e for _, e, _ in CLIPS.values()]})

    def votes(self):
        return self.given


@pytest.fixture
def acts(tmp_path, monkeypatch):
    """Verifies the corpus with some votes; returns the exit code, the layout and the check."""
    monkeypatch.setattr(type(corpora), "get", lambda _, name: {"acts": Acts}[name])
    root = tmp_path / "acts"
    root.mkdir()
    for clip in CLIPS:
        (root / f"{clip}.mp4").write_bytes(clip.encode())

    def verified(given: pd.DataFrame):
        monkeypatch.setattr(Acts, "given", given)
        layout = Layout(tmp_path / "results")
        code = verify.verify("acts", CorpusSettings(class_="acts", root=root), layout)
        checks = pd.read_csv(layout.checks("acts"), keep_default_na=False).set_index("name")
        return code, layout, checks

    return verified


def test_verify_writes_the_votes_of_a_corpus_or_a_table_without_rows(acts):
    code, layout, checks = acts(votes())
    assert code == 0
    assert checks.loc["human votes", "verdict"] == "PASS"
    kept = pd.read_parquet(layout.votes("acts"))
    assert list(kept.columns) == list(VOTES)
    assert sorted(kept.itertuples(index=False, name=None)) == sorted(
        votes().itertuples(index=False, name=None)
    )
    digest = json.loads(layout.card("acts").read_text())["data_hash"]
    code, layout, checks = acts(base.Corpus.votes(Acts(root=layout.results)))
    assert code == 0
    assert "human votes" not in checks.index
    assert list(pd.read_parquet(layout.votes("acts")).columns) == list(VOTES)
    assert not len(read_votes("acts", layout))
    assert json.loads(layout.card("acts").read_text())["data_hash"] == digest  # runs do not read it


@pytest.mark.parametrize(
    ("column", "value"),
    [("right", 11), ("right", -1), ("modality", "smell"), ("emotion", "joy"), ("clip", "c2")],
)
def test_votes_that_cannot_be_counted_fail(acts, column, value):
    acts(votes())
    given = votes()
    given.loc[0, column] = value
    code, layout, checks = acts(given)
    assert code == 1
    assert checks.loc["human votes", "verdict"] == "FAIL"
    assert checks.loc["human votes", "found"] == ("c2" if column == "clip" else "c1")
    assert not layout.votes("acts").is_file()
