"""A person who opens the saved view in MLflow sees the fusions by rank, with their scores."""

import json
import re
import sys

import pandas as pd
import pytest

from avfusion.layout import Layout
from avfusion.tracking.record import record_corpus
from support.mlflow_server import free_port, server
from support.recorded_study import write_study


@pytest.fixture
def pages(project, monkeypatch):
    """The module that opens pages in a browser."""
    monkeypatch.syspath_prepend(str(project / "docs"))
    import mlflow_screenshot

    if mlflow_screenshot.browser() is None:
        pytest.skip("no chromium here: apt-get install chromium")
    yield mlflow_screenshot
    sys.modules.pop("mlflow_screenshot", None)


@pytest.mark.slow
def test_the_saved_view_lists_the_fusions_by_rank(pages, tmp_path, monkeypatch, project):
    monkeypatch.chdir(project)
    layout = Layout(tmp_path / "results")
    study = write_study(layout, seeds=[0], protocols=["pooled"])
    with server(tmp_path / "server", free_port()) as address:
        record_corpus("toy", study.record_settings(), layout, address)
        view = json.loads((layout.results / "mlflow.toy.json").read_text())["view"]
        assert view.startswith(f"{address}/#/experiments/")
        page = pages.browse(view, "--dump-dom")
    scores = pd.read_parquet(layout.scores("toy") / "scores.parquet")
    scores = scores.query("partition == 'test' and target == 'mean'").set_index("fusion")["ccc"]
    assert "2 matching runs" in re.sub(r"<[^>]+>", "", page)
    rows = [page.index(f">{name}</span>") for name in scores.sort_values(ascending=False).index]
    assert rows == sorted(rows)
    for value in scores:
        assert f"{value:.5f}"[:5] in page
    for column in ("1 score", "4 rank"):
        assert f">{column}</span>" in page
    assert "seed0" not in page
