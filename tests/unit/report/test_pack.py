"""What `avf pack` puts into an archive, and what it leaves out per corpus."""

import json
import zipfile

import pandas as pd
import pytest

from avfusion.config.sections import CorpusEntry, StatisticsSettings
from avfusion.errors import AvfError
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.report.figures.write import write_figures
from avfusion.report.pack import _without_videos, pack, write
from avfusion.report.page.write import write_page
from avfusion.report.tables.write import write_tables
from avfusion.report.videos import Names
from support.scratch import ROOT
from support.synthetic_results import Plan, write_results

PLAN = Plan(errors={"audio": 0.5, "concat": 0.2}, seeds=(0, 1))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A scored study with tables, figures and page, and the paths of its results."""
    layout = Layout(tmp_path_factory.mktemp("pack") / "results")
    study = write_results(layout, PLAN).model_copy(
        update={"protocols": ["pooled"], "statistics": StatisticsSettings(draws=200)}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        score_corpus("demo", study.score_settings("demo"), layout)
        write_tables(study, layout)
        write_figures(study, layout)
        write_page(study, layout)
        yield study, layout


def of_class(study, name):
    """The same study as if its corpus were of another class."""
    return study.model_copy(update={"corpora": {"demo": CorpusEntry(root="data/demo", **name)}})


def texts(result):
    return {name: raw.decode("utf-8", errors="replace") for name, raw in result.files.items()}


def test_a_licensed_corpus_is_packed_without_names_and_ratings_of_its_videos(made):
    study, layout = made
    result = pack(of_class(study, {"is": "recola"}), layout)
    names = pd.read_parquet(layout.manifest("demo"))["video"]
    for name, text in texts(result).items():
        assert not [video for video in names if video in text], name
    assert {"report.html", "tables/scores.csv", "tables/provenance.json"} <= set(result.files)
    assert "figures/demo_ccc.svg" in result.files
    assert not [name for name in result.files if "traces" in name]
    assert "ratings of single videos" in result.left_out["figures/demo_traces_1.png"]
    page = texts(result)["report.html"]
    assert "no video stream" in page, "what is missing is still said"
    assert layout.page.read_text() != page, "the page of the study is not changed"


def test_a_free_corpus_is_packed_with_them(made):
    study, layout = made
    result = pack(study, layout)
    assert "figures/demo_traces_1.png" in result.files
    assert result.files["report.html"] == layout.page.read_bytes()


def test_no_weights_ratings_or_predictions_are_packed_of_any_corpus(made):
    study, layout = made
    weights = layout.run("demo", "concat", 0) / "best.safetensors"
    weights.write_bytes(b"weights")
    (layout.results / "face.png").write_bytes(b"face")
    (layout.figures / "face.png").write_bytes(b"face")
    result = pack(study, layout)
    kinds = {name.rpartition(".")[2] for name in result.files}
    assert kinds <= {"csv", "md", "tex", "json", "yaml", "html", "svg", "png"}
    assert b"face" not in result.files.values()
    assert result.left_out["face.png"] == "not known to be free of personal data"
    assert "runs/" in result.left_out
    assert "manifest/" in result.left_out


def test_by_the_owners_word_names_are_packed_and_against_the_terms_they_are_not(made):
    study, layout = made
    own = pack(of_class(study, {"is": "own"}), layout, ["demo"])
    assert "figures/demo_traces_1.png" in own.files
    with pytest.raises(AvfError, match="terms do not allow"):
        pack(of_class(study, {"is": "recola"}), layout, ["demo"])


def test_equal_results_have_equal_bytes_and_a_digest_of_each_file(made, tmp_path):
    study, layout = made
    for name in ("a.zip", "b.zip"):
        write(pack(of_class(study, {"is": "recola"}), layout), tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        listed = json.loads(archive.read("contents.json"))
        assert set(listed["files"]) == set(archive.namelist()) - {"contents.json"}


def test_an_edited_table_is_refused(made):
    study, layout = made
    path = layout.tables / "scores.csv"
    before = path.read_bytes()
    path.write_bytes(before + b"x\n")
    try:
        with pytest.raises(AvfError, match="does not match") as caught:
            pack(study, layout)
        assert f"avf report --only tables --results {layout.results} (add" in str(caught.value)
    finally:
        path.write_bytes(before)


def test_a_closed_corpus_without_a_manifest_is_refused(tmp_path):
    layout = Layout(tmp_path / "results")
    layout.run("recola", "concat", 0).mkdir(parents=True)
    with pytest.raises(AvfError, match="Run: avf verify recola"):
        Names.of(["recola"], layout)
    assert Names.of(["absent"], layout).named_in("anything") == ""


def test_names_that_are_numbers_are_found_where_videos_are_listed(tmp_path):
    layout = Layout(tmp_path / "results")
    rows = {"video": ["270", "7-left"], "path": [None, "a/7-left.mp4"], "subject": ["5", None]}
    layout.manifest("wild").parent.mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(layout.manifest("wild"))
    names = Names.of(["wild"], layout)
    for text in ("fusion,video\nca,270\n", '{"missing": ["270"]}', '{"subject": "5"}'):
        assert names.named_in(text) == "wild"
    for text in ("fusion,videos_scored\nca,270\n", '{"videos_scored": 270}'):
        assert names.named_in(text) == ""
    assert names.replaced("270 clips, 1 missing (270)") == "270 clips, 1 missing (video)"
    assert names.named_in("7-left") == "wild", "a video whose neighbour has no path is known too"


def test_settings_of_runs_are_packed_without_the_videos_that_they_left_out():
    raw = json.dumps({"lr": 0.1, "missing": ["P16"], "set_aside": ["P17"], "seal": "x"}).encode()
    packed = json.loads(_without_videos(raw))
    assert set(packed) == {"lr", "seal"}
