"""Examples of the page on Python and the notebook run on a finished study."""

import json
import re
import shutil

import pandas as pd
import pytest

from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.report.tables.write import write_tables
from support.scratch import ROOT
from support.synthetic_results import Plan, write_results

PAGE = ROOT / "docs" / "how-to" / "python.md"
NOTEBOOK = ROOT / "docs" / "tutorials" / "study.ipynb"
EXAMPLES = re.findall(r'^```python title="(.+?)"\n(.*?)^```', PAGE.read_text(), re.DOTALL | re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the results of a small study in results/."""
    folder = tmp_path_factory.mktemp("study")
    layout = Layout(folder / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        study = write_results(layout, Plan(errors={"audio": 0.4, "video": 0.3, "concat": 0.2}))
        statistics = study.statistics.model_copy(update={"draws": 500})
        study = study.model_copy(update={"statistics": statistics})
        score_corpus("demo", study.score_settings("demo"), layout)
        write_tables(study, layout)
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_of_the_page_runs(example, folder, monkeypatch):
    title, text = example
    monkeypatch.chdir(folder)
    exec(compile(text, title, "exec"), {})


def test_the_page_has_the_examples():
    assert len(EXAMPLES) == 6


def test_the_notebook_is_stored_without_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 4
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    lines = [line for cell in cells for line in "".join(cell["source"]).splitlines()]
    assert [line for line in lines if len(line) > 100] == []


@pytest.mark.slow
def test_the_notebook_runs_on_the_results_two_folders_above(folder):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    place = folder / "docs" / "tutorials"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(NOTEBOOK, place)
    notebook = nbformat.read(place / NOTEBOOK.name, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(place)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert not [out for out in outputs if out["output_type"] == "error"]
    assert sum("image/png" in out.get("data", {}) for out in outputs) == 2
    tables = folder / "results" / "tables"
    scores = pd.read_csv(tables / "scores.csv").query("target == 'mean' and protocol == 'pooled'")
    best, second = [name for name in scores["fusion"] if name in ("audio", "video", "concat")][:2]
    compared = pd.read_csv(tables / "comparisons.csv").query("target == 'mean'")
    row = compared[(compared["fusion"] == best) & (compared["other"] == second)].iloc[0]
    printed = "".join(out.get("text", "") for out in outputs)
    assert row["verdict"] in printed
    assert f"difference {row['difference']:.3f} [" in printed
