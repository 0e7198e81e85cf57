"""What records open with, where there are no ratings, and which store holds them."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation.run_scores import Run
from avfusion.layout import Layout
from avfusion.tracking.headline import read_headline
from avfusion.tracking.place import experiment_name, store_folder


def run_of(fusion: str) -> Run:
    """A run of verification with its rows of scores.parquet, and nothing on disk."""
    row = {"partition": "test", "list": "all", "condition": "clean", "note": "", "trials": 9}
    scores = pd.DataFrame([row | {"norm": "as_norm", "eer": 0.1, "min_dcf_0.05": 0.4}])
    return Run(Path(), SimpleNamespace(fusion=fusion, seed=0), scores, pd.DataFrame(), {}, {})


def test_verification_opens_with_its_eer_and_the_lowest_is_the_first(tmp_path):
    layout = Layout(tmp_path)
    layout.tables.mkdir()
    place = {"corpus": "people", "partition": "test", "list": "all", "condition": "clean"}
    rows = [
        {**place, "norm": norm, "fusion": fusion, "measure": measure, "mean": mean, "low": 0.05,
         "high": 0.3, "seeds": 2}
        for fusion, mean in (("audio", 0.2), ("concat", 0.1), ("average", 0.01))
        for norm in ("cosine", "as_norm") for measure in ("eer", "min_dcf_0.05")
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(layout.tables / "verification.csv", index=False)
    runs = [run_of("audio"), run_of("concat")]
    headline = read_headline("people", "verification", layout, runs)
    assert headline.what == "EER (as_norm) of the list all on test; lower is better"
    assert {name: values["4 rank"] for name, values in headline.fusions.items()} == {
        "audio": 2,
        "concat": 1,
    }
    assert headline.fusions["audio"]["1 score"] == 0.2
    final = runs[0].final(StatisticsSettings())
    assert final == {"test/all/clean/as_norm/eer": 0.1, "test/all/clean/as_norm/min_dcf_0.05": 0.4}
    assert headline.of_run(final) == {"1 score": 0.1}


@pytest.mark.parametrize(
    ("results", "folder", "name"),
    [
        ("results", "results", "demo"),
        ("results/experiments/fg2021_ca", "results", "experiments/fg2021_ca/demo"),
        ("/lab/results/mine", "/lab/results/mine", "demo"),
        ("elsewhere/mine", "elsewhere/mine", "demo"),
    ],
)
def test_studies_below_results_share_one_store(results, folder, name):
    layout = Layout(Path(results))
    assert store_folder(layout) == Path(folder)
    assert experiment_name("demo", layout) == name
