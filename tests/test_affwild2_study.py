"""The whole way on Aff-Wild2's miniature: from the raw tree to tables and a submission."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from avfusion.layout import Layout
from miniatures import affwild2 as mini

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two fusions on the miniature, run by the workflow."""
    from scratch import Copy

    copy = Copy(tmp_path_factory.mktemp("flow") / "study")
    mini.build(copy.folder / "data" / "affwild2")
    options = {**mini.OPTIONS, "faces": "official"}
    config = {
        "corpora": {"affwild2": {"root": "data/affwild2", "shards": 1, "options": options}},
        "features": {"audio": ["mel_cnn"], "video": ["face_expression"]},
        "encoders": {"mel_cnn": {"epochs": 1}},
        "windows": {"clip_s": 0.32, "hop_s": 0.16, "clips": 4},
        "fusions": {"concat": {}, "ca": {}},
        "seeds": [0],
        "train": {"epochs": 2},
        "protocols": ["abaw", "abaw_published_code"],
        "headline": "abaw",
        "statistics": {"draws": 200},
    }
    (copy.folder / "mini.yaml").write_text(yaml.safe_dump(config))
    copy.snakemake("--cores", "2", "--configfile", "mini.yaml", "--", "all")
    return copy


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
    template = pd.read_csv(study.folder / "data" / "affwild2" / mini.TEMPLATE)
    assert list(written["image_location"]) == list(template["image_location"])
    values = written[["valence", "arousal"]].to_numpy()
    assert np.isfinite(values).all()
    assert (np.abs(values) <= 1).all()
