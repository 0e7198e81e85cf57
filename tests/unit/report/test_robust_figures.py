"""Figures of corrupted input and of gates: there for a study that asks, and true to its tables."""

import json

import pandas as pd
import pytest

from avfusion.layout import Layout
from avfusion.report.figures.gates import draw_gate_auroc
from avfusion.report.figures.over_time import draw_over_time
from avfusion.report.figures.robustness import draw_robust, named_fusions
from avfusion.report.figures.style import drawing, look
from avfusion.report.figures.write import write_figures
from avfusion.report.inputs import CorpusFiles
from avfusion.report.page.robustness import gates, robustness
from support import robust_study


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> CorpusFiles:
    layout = Layout(tmp_path_factory.mktemp("figures"))
    study = robust_study.make(layout, ["video", "concat", "dca", "dca_random"], seeds=[0])
    robust_study.corrupt(study, layout)
    return CorpusFiles("toy", study, layout)


def test_curves_are_those_of_the_table(files):
    with drawing():
        figure, caption = draw_robust(files)
    table = files.table("robustness")
    rows = table[(table["fusion"] == "concat") & (table["corruption"] == "audio_missing")]
    rows = rows[rows["target"] == "valence"].sort_values("level")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines["concat"].get_ydata()) == list(rows["mean"])
    assert list(lines["concat"].get_xdata()) == [0.0, 0.3, 0.9]
    assert lines["video"].get_color() == look("video").colour
    assert "robustness.csv" in caption.text  # the control is grey
    assert len(figure.axes) == 2 * len(robust_study.LEVELS)


def test_a_control_is_not_named_beside_what_it_controls(files):
    assert set(named_fusions(files, files.table("robustness"))) == {"video", "concat", "dca"}


def test_every_gate_has_a_row_and_a_figure(files):
    with drawing():
        figure, caption = draw_gate_auroc(files)
        drawn = {fusion: (shown, sentence) for fusion, shown, sentence in draw_over_time(files)}
    words = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert words == ["dca: audio", "dca: video", "dca_random: audio", "dca_random: video"]
    assert "0.5: no response" in caption.text
    assert set(drawn) == {"dca", "dca_random"}
    weights = pd.read_parquet(files.layout.run("toy", "dca", 0) / "gates.parquet")
    assert [len(a.collections) for a in drawn["dca"][0].axes[1:3]] == [2, 2]  # a map, a window each
    dots = drawn["dca"][0].axes[3].lines[0]  # below the tiers of spans and two maps
    assert list(dots.get_ydata()) == list(
        weights.loc[weights["video"] == "test_00", "gate_audio"].astype(float)
    )


@pytest.mark.slow
def test_figures_are_written_where_they_are_asked_for(files, tmp_path):
    write_figures(files.study, files.layout)
    stems = set(json.loads((files.layout.figures / "captions.json").read_text()))
    asked = {"toy_robust", "toy_gates", "toy_gates_dca", "toy_gates_dca_random"}
    assert asked <= stems
    assert all((files.layout.figures / f"{stem}.svg").is_file() for stem in stems)
    write_figures(files.study.model_copy(update={"robustness": {}}), files.layout)
    left = set(json.loads((files.layout.figures / "captions.json").read_text()))
    assert not asked & left


def test_without_numbers_the_figure_says_so(files, tmp_path):
    layout = Layout(tmp_path)
    write_figures(files.study, layout)
    sentence = json.loads((layout.figures / "captions.json").read_text())
    assert "not run" in sentence["toy_robust"]["text"]
    assert "not run" in sentence["toy_gates"]["text"]


def test_the_page_says_what_the_tables_say(files):
    results, losses = robustness(files), files.table("losses")
    assert [kind["name"] for kind in results["names"]] == list(robust_study.LEVELS)
    assert {row["fusion"] for row in results["rows"]} == set(files.study.fusions)
    complete = [row["clean"]["value"] for row in results["rows"]]
    assert complete == sorted(complete, reverse=True)
    mean = losses[losses["target"] == "mean"].set_index(["fusion", "corruption"])["loss"]
    for row in results["rows"]:
        for kind, cell in zip(results["names"], row["cells"], strict=True):
            assert cell["value"] == mean[row["fusion"], kind["name"]]
    assert len(results["pairs"]) == len(results["curves"]) == len(robust_study.LEVELS)
    assert results["curves"][0]["head"] == ["clean", "30%", "90%"]
    shown = {(row["fusion"], row["modality"]) for row in gates(files) if row["kind"] == "any"}
    assert shown == {(f, m) for f in ("dca", "dca_random") for m in ("audio", "video")}


def test_a_study_without_corruption_has_nothing_of_it_in_the_page(files):
    plain = CorpusFiles("toy", files.study.model_copy(update={"robustness": {}}), files.layout)
    assert robustness(plain) == {}
    assert gates(plain) == []
