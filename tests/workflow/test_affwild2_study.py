"""Test a study of Aff-Wild2's miniature from the raw files to tables and a submission."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from avfusion.layout import Layout
from support.corpus_studies import tree
from support.miniatures import affwild2 as mini

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(finished):
    """The study of tests/support/corpus_studies.py: two fusions, the organisers' faces."""
    return finished("affwild2")


def scores(study):
    return pd.read_parquet(Layout(study.folder / "results").scores("affwild2") / "scores.parquet")


def test_the_tables_speak_of_validation_and_of_every_rated_row(study):
    table = scores(study)
    own = table[(table["partition"] == "validation") & (table["protocol"] == "abaw")]
    assert own["ccc"].notna().all()
    assert set(own["frames"]) == {mini.OPTIONS["expect"]["valid_rows"]["validation"]}
    published = table.query("partition == 'validation' and protocol == 'abaw_published_code'")
    rows = [mini.rows_of(t) for t in mini.TRIALS if t.partition == "validation"]
    assert set(published["frames"]) == {sum(rows)}
    assert (study.folder / "results" / "report.html").is_file()


def test_a_partition_without_ratings_is_said_to_have_none(study):
    test = scores(study).query("partition == 'test'")
    assert test["ccc"].isna().all()
    assert set(test["note"]) == {"no gold"}


def test_a_submission_has_every_template_row_in_order_and_in_range(study):
    done = subprocess.run(
        [sys.executable, "-m", "avfusion.cli", "submit", "affwild2", "ca", "--config", "mini.yaml"],
        cwd=study.folder, env=study.env, text=True, capture_output=True, check=True,
    )  # fmt: skip
    written = pd.read_csv(study.folder / done.stdout.strip())
    template = pd.read_csv(tree("affwild2", study.folder) / mini.TEMPLATE)
    assert list(written["image_location"]) == list(template["image_location"])
    values = written[["valence", "arousal"]].to_numpy()
    assert np.isfinite(values).all()
    assert (np.abs(values) <= 1).all()
