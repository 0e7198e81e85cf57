"""A person who opens MLflow's page sees two runs side by side, with the scores that were made."""

import re
import sys

import pandas as pd
import pytest

from avfusion.layout import Layout
from avfusion.tracking.record import record_corpus
from support.mlflow_server import free_port, server
from support.recorded_study import write_study

CELL = re.compile(r'style="[^"]*top: (\d+)px[^"]*">(.*?)</div>', re.S)


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
def test_the_page_compares_two_runs_and_shows_their_scores(pages, tmp_path, monkeypatch, project):
    monkeypatch.chdir(project)
    layout, pair = Layout(tmp_path / "results"), ("audio/seed0", "concat/seed0")
    study = write_study(layout, seeds=[0], protocols=["pooled"])
    with server(tmp_path / "server", free_port()) as address:
        record_corpus("toy", study.record_settings(), layout, address)
        page = pages.browse(pages.comparison(address, "toy", pair), "--dump-dom")
    assert "Comparing 2 Runs" in page
    assert all(name in page for name in pair)
    table = metrics(page)
    scores = pd.read_parquet(layout.scores("toy") / "scores.parquet")
    scores = scores.query("partition == 'test' and target == 'mean'").set_index("fusion")["ccc"]
    shown = table["test/pooled/ccc_mean"]
    assert shown == pytest.approx([scores["audio"], scores["concat"]], abs=6e-4), "three digits"
    assert {"test/pooled/ccc_mean_low", "test/pooled/ccc_mean_high"} <= set(table)


def metrics(page: str) -> dict[str, list[float]]:
    """Metric -> its values, a run each, of the last table of the page, whose cells lie by row."""
    rows: dict[str, list[str]] = {}
    for top, cell in CELL.findall(page[page.index('title="Plot chart"') - 400 :]):
        rows.setdefault(top, []).append(re.sub(r"<[^>]+>", "", cell).strip())
    number = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
    return {
        row[0]: [float(cell) for cell in row[1:] if number.fullmatch(cell)] for row in rows.values()
    }
