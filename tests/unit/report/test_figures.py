"""Figures: drawn for any number of fusions, equal for equal numbers, open about what is absent."""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from avfusion.config.baseline import REFERENCES
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, pooled_ccc
from avfusion.report.compared import against
from avfusion.report.figures import style
from avfusion.report.figures.catalogue import figures_of
from avfusion.report.figures.protocols import by_protocol, stamps
from avfusion.report.figures.traces import chosen_fusions
from avfusion.report.figures.write import write_figures
from avfusion.report.format import decimals
from avfusion.report.inputs import CorpusFiles, number
from support.reported import reported

NINE = ("audio", "video", "concat", "late", "lstm", "ca", "jca", "dca", "a_new_one")


def words(layout, stem):
    """All text of a figure, as a reader of the SVG meets it."""
    tree = ElementTree.parse(layout.figures / f"{stem}.svg")
    return [e.text for e in tree.iter("{http://www.w3.org/2000/svg}text") if e.text]


@pytest.fixture(scope="module", params=[2, 9], ids=["two fusions", "nine fusions"])
def drawn(request, tmp_path_factory):
    study, layout = reported(tmp_path_factory.mktemp("results"), NINE[: request.param])
    write_figures(study, layout)
    return study, layout


def test_every_kind_of_figure_is_there_as_svg_and_png(drawn):
    study, layout = drawn
    stems = {f"demo_{name}" for name in figures_of(study, "demo")}
    names = ("ccc", "differences", "protocols", "curves", "traces_1", "traces_2", "traces_3")
    assert stems == {f"demo_{name}" for name in names}
    for stem in stems:
        assert (layout.figures / f"{stem}.svg").stat().st_size > 1000
        assert (layout.figures / f"{stem}.png").read_bytes()[:4] == b"\x89PNG"
    assert set(json.loads((layout.figures / "captions.json").read_text())) == stems
    assert not list(layout.figures.glob(".*"))


def test_every_fusion_is_named_and_its_score_written(drawn):
    study, layout = drawn
    shown = words(layout, "demo_ccc")
    scores = pd.read_csv(layout.tables / "scores.csv")
    scores = scores[scores["protocol"] == study.headline]
    assert set(study.fusions) <= set(shown)
    for _, rows in scores.groupby("target"):
        digits = decimals(list(rows["mean"]))
        assert {number(*pair) for pair in zip(rows["mean"], digits, strict=True)} <= set(shown)


def test_a_difference_has_the_sign_of_its_order(drawn):
    study, layout = drawn
    pairs = [CorpusFiles("demo", study, layout).headline("comparisons")]
    first = pairs[0].iloc[0]
    there = against(pairs, first["fusion"], first["other"], first["target"])
    back = against(pairs, first["other"], first["fusion"], first["target"])
    assert back["difference"] == -there["difference"]
    assert (back["low"], back["high"]) == (-there["high"], -there["low"])


def test_the_figure_of_differences_has_the_numbers_and_signs_of_the_table(drawn):
    study, layout = drawn
    pairs = CorpusFiles("demo", study, layout).headline("comparisons")
    pairs = pairs[pairs["exploratory"]]
    best = pairs["fusion"].iloc[0]
    shown = words(layout, "demo_differences")
    for row in pairs[(pairs["fusion"] == best) & pairs["target"].eq("mean")].itertuples():
        assert number(row.difference, sign=True) in shown
    assert f"CCC of {best} minus that of the row" in shown


def test_videos_over_time_are_the_best_the_median_and_the_worst(drawn):
    study, layout = drawn
    files = CorpusFiles("demo", study, layout)
    best = chosen_fusions(files, list(study.fusions))[0]
    sums = pd.read_parquet(layout.scores("demo") / "sums.parquet")
    sums = sums[(sums["partition"] == "test") & (sums["protocol"] == study.headline)]
    sums = sums[sums["fusion"] == best]
    sums["ccc"] = pooled_ccc(sums[list(SUMS)].to_numpy())
    ranked = sums.groupby("video")["ccc"].mean().sort_values(ascending=False)
    captions = json.loads((layout.figures / "captions.json").read_text())
    places = {1: ("best", 0), 2: ("median", (len(ranked) - 1) // 2), 3: ("worst", -1)}
    for copy, (place, at) in places.items():
        caption = captions[f"demo_traces_{copy}"]
        assert caption["title"].endswith(f"{place} video ({ranked.index[at]})")
        assert f"the {place} of {len(ranked)} test videos" in caption["text"]
        assert number(ranked.iloc[at]) in caption["text"]


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    study, layout = reported(tmp_path, NINE[:2])
    write_figures(study, layout)
    first = {path.name: path.read_bytes() for path in layout.figures.iterdir()}
    shutil.rmtree(layout.figures)
    write_figures(study, layout)
    assert {path.name: path.read_bytes() for path in layout.figures.iterdir()} == first


def test_what_was_not_run_is_said_not_left_out(tmp_path):
    lost = [("video", 0), ("video", 1), ("concat", 1)]
    study, layout = reported(tmp_path, NINE[:3], corpora=("demo", "recola"), lost=lost)
    write_figures(study, layout)
    captions = json.loads((layout.figures / "captions.json").read_text())
    assert words(layout, "demo_ccc").count("not run") == 3  # video, once a panel
    assert "Not run: video seed 0, video seed 1, concat seed 1." in captions["demo_ccc"]["text"]
    assert "3 of 6 runs" in captions["demo_curves"]["text"]
    for kind in figures_of(study, "recola"):
        assert "not run" in captions[f"recola_{kind}"]["text"]
        assert words(layout, f"recola_{kind}") == ["recola: not run"]


def test_a_second_study_leaves_its_own_figures_alone(tmp_path):
    study, layout = reported(tmp_path, NINE[:2])
    layout.figures.mkdir()
    for name in ("demo_gates_dca.png", "demo_gates_dca.svg", "other_ccc.png", "demo_notes.txt"):
        (layout.figures / name).write_text("of another study")
    files = CorpusFiles("demo", study, layout)
    first, *_others = sorted(files.traces()["video"].unique())
    for path in (layout.results / "runs").rglob("traces.parquet"):
        pd.read_parquet(path).query("video not in @_others").to_parquet(path)
    write_figures(study, layout)
    left = {path.name for path in layout.figures.iterdir()}
    assert {"other_ccc.png", "demo_notes.txt"} <= left
    assert not [name for name in left if name.startswith("demo_gates")]
    captions = json.loads((layout.figures / "captions.json").read_text())
    assert first in captions["demo_traces_1"]["title"]
    for copy in (2, 3):
        assert f"demo_traces_{copy}.png" in left
        assert "no further video" in captions[f"demo_traces_{copy}"]["text"]


def test_gold_is_drawn_at_the_time_of_the_stimulus(drawn):
    study, layout = drawn
    files = CorpusFiles("demo", study, layout)
    card = json.loads(layout.card("demo").read_text())
    assert files.delay_s("arousal") == card["delay_s"]["arousal"] > 0
    gold, traces = files.gold(), files.traces()
    best = chosen_fusions(files, list(study.fusions))[0]
    one = traces[
        (traces["fusion"] == best) & (traces["video"] == "test_00") & (traces["seed"] == 0)
    ]
    rows = gold[gold["video"] == "test_00"].dropna()
    gaps = [
        np.abs(np.interp(one["time_s"] + shift, rows["time_s"], rows["arousal"]) - one["arousal"])
        for shift in (0.0, files.delay_s("arousal"))
    ]
    assert gaps[1].mean() < gaps[0].mean()


def test_a_video_figure_names_the_planted_spans(drawn):
    _, layout = drawn
    sentence = words(layout, "demo_traces_1")
    captions = json.loads((layout.figures / "captions.json").read_text())
    video = re.search(r"\((.*)\)$", captions["demo_traces_1"]["title"])[1]
    truth = pd.read_parquet(layout.truth("demo"))
    truth = truth[truth["video"] == video]
    assert {f"{row.kind} ({row.modality})" for row in truth.itertuples()} <= set(sentence)


def test_a_protocol_that_leaks_says_so_in_the_figure(tmp_path):
    layout = Layout(tmp_path)
    rows = [
        {"corpus": "demo", "protocol": rule, "leaks": leaks, "fusion": "jca", "target": "mean",
         "mean": value}
        for rule, leaks, value in (("pooled", False, 0.4), ("gold_rescaled", True, 0.7))
    ]  # fmt: skip
    layout.tables.mkdir()
    pd.DataFrame(rows).to_csv(layout.tables / "scores.csv", index=False)
    study = Study(
        corpora={"demo": {"root": "demo"}},
        fusions={"jca": {}},
        protocols=["pooled", "gold_rescaled"],
    )
    files = CorpusFiles("demo", study, layout)
    assert list(by_protocol(files).columns) == ["pooled", "gold_rescaled"]
    assert stamps(files, ["pooled", "gold_rescaled"])[0] == "pooled"
    assert "LEAKS GOLD" in stamps(files, ["pooled", "gold_rescaled"])[1]


def test_a_fusion_looks_the_same_in_every_study():
    alone, among = style.looks(["jca"]), style.looks(NINE)
    assert alone["jca"] == among["jca"] == style.look("jca")
    assert style.looks(reversed(NINE)) == among
    named = [among[name] for name in NINE]
    assert len({look.colour for look in named}) == len({look.marker for look in named}) == len(NINE)
    assert {among[name].colour for name in REFERENCES} == {style.SOFT}


def test_every_colour_stands_out_in_light_and_in_dark():
    ground = {"light": style.PAPER, "dark": style.DARK[style.PAPER]}
    for light, dark in style.DARK.items():
        if light not in (style.PAPER, style.WASH, style.RULE):
            assert contrast(light, ground["light"]) >= 3
            assert contrast(dark, ground["dark"]) >= 3
    for text in (style.INK, style.SOFT):
        assert contrast(text, style.WASH) >= 4.5
        assert contrast(style.DARK[text], style.DARK[style.WASH]) >= 4.5


def contrast(a, b):
    """WCAG 2 contrast ratio of two hex colours."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
