"""RECOLA's other forms in small: AVEC 2018, the general release, and gold without a header."""

import numpy as np
import pandas as pd
import pytest

from avfusion.corpora.goldstandard import gold_standard
from avfusion.layout import Layout
from support.miniatures import _film, alarms, verify

HZ, ROWS, FRAMES = 25, 51, 55  # 2 s, and films a little longer
DIMENSIONS = ("valence", "arousal")
BASE = {"rows": ROWS, "delay": "avec2018"}
WHO = ("P16", "P17", "P19", "P21", "P23", "P25")


def ratings(name, dimension, rows=ROWS):
    """Six raters (rows, 6) who follow one curve, each with a bias."""
    rng = np.random.default_rng([12, len(dimension), *name.encode()])
    curve = 0.4 * np.sin(np.arange(rows) / rng.uniform(3, 9))
    return np.round(curve[:, None] + rng.uniform(-0.1, 0.1, 6), 2)


def film(path, number):
    """Two seconds of one face and one tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times_s = np.arange(FRAMES) / HZ
    image = _film.coded(_film.picture(1), number / 10)
    samples = _film.sound(np.full(FRAMES, 2 * number), times_s, FRAMES / HZ, 0.0)
    _film.write(path, [image] * FRAMES, (40 * np.arange(FRAMES)).tolist(), (0.0, samples), HZ)


def raters_file(path, name, dimension, header, rows=ROWS):
    """A `;` table of six raters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = ratings(name, dimension, rows)
    lines = [f"{k / HZ:.2f};" + ";".join(f"{x:.2f}" for x in row) for k, row in enumerate(table)]
    path.write_text("\n".join([header, *lines]) + "\n")


def gold_file(path, name, dimension, bare=False):
    """Gold as ARFF, or one number a line without a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gold = gold_standard(ratings(name, dimension)).gold
    if bare:
        path.write_text("".join(f"{x:.6f},0\n" for x in gold))
        return
    head = ["@relation GOLDSTANDARD", "", "@attribute Instance_name string", "@data"]
    rows = [f"{name},{k / HZ:.2f},{x:.6f}" for k, x in enumerate(gold)]
    path.write_text("\n".join([*head, *rows]) + "\n")


def general(root):
    """Six speakers; blanks behind raters' names, three rows beyond what is used, notes in the
    metadata."""
    for number, name in enumerate(WHO):
        film(root / f"RECOLA-Video-recordings/{name}.mp4", number)
        for dimension in DIMENSIONS:
            path = root / f"RECOLA-Annotation/emotional_behaviour/{dimension}/{name}.csv"
            raters_file(path, name, dimension, "time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3", ROWS + 3)
    users = [f"{k};{name};f;fr" for k, name in enumerate(WHO)]
    notes = ["* mother tongue;;;", "** not shared;;;", "see the paper;;;"]
    path = root / "RECOLA-Metadata/recola_user_info.csv"
    path.parent.mkdir()
    path.write_text("\n".join(["Group_id;User;Gender;Language", *users, *notes]) + "\n")


def avec(root, gold, raters, bare=False):
    """Three recordings of train, one of dev, in the folders of an AVEC release."""
    for number, name in enumerate(("train_1", "train_2", "train_3", "dev_1")):
        film(root / f"recordings_video/{name}.mp4", number)
        for d in DIMENSIONS:
            gold_file(root / gold.format(d) / f"{name}.{'csv' if bare else 'arff'}", name, d, bare)
            path = root / raters.format(d) / f"{name}.csv"
            raters_file(path, name, d, "time;FM1;FM2;FM3;FF1;FF2;FF3")


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    root = tmp_path_factory.mktemp("releases")
    general(root / "general")
    avec(root / "avec2018", "labels/gs_1/{}", "labels/individual/{}")
    avec(root / "bare", "ratings_gold_standard/{}", "ratings_individual/{}", bare=True)
    return root


def opened(root, results, recordings, quiet=("sound files",), **more):
    options = {**BASE, "recordings": recordings, **more}
    code, checks = verify("recola", root, options, results)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    assert set(alarms(checks).index) <= set(quiet)
    layout = Layout(results)
    return pd.read_parquet(layout.manifest("recola")), pd.read_parquet(layout.gold("recola"))


def test_the_general_release_has_its_gold_made_of_raters_and_a_split_of_speakers(trees, tmp_path):
    manifest, gold = opened(trees / "general", tmp_path, len(WHO))
    assert sorted(manifest["video"]) == sorted(WHO)
    assert manifest["partition"].value_counts().to_dict() == {
        "train": 4,
        "validation": 1,
        "test": 1,
    }
    for name in WHO:
        rows = gold[gold["video"] == name]
        assert len(rows) == ROWS - 1
        assert rows["time_s"].max() == pytest.approx((ROWS - 2) / HZ)
        made = gold_standard(ratings(name, "arousal", ROWS + 3)).gold[: ROWS - 1]
        assert rows["arousal"].to_numpy() == pytest.approx(made)


def test_blanks_behind_raters_names_do_not_hide_who_is_left_out(trees, tmp_path):
    _, gold = opened(trees / "general", tmp_path, len(WHO), raters=["FF3"], quiet=("sound files",))
    made = gold_standard(ratings("P16", "valence", ROWS + 3)[:, :5]).gold[: ROWS - 1]
    assert gold.loc[gold["video"] == "P16", "valence"].to_numpy() == pytest.approx(made)


def test_avec_2018_is_known_by_its_folders_and_read_like_2016(trees, tmp_path):
    manifest, gold = opened(trees / "avec2018", tmp_path, 4)
    assert dict(manifest[["video", "partition"]].itertuples(index=False)) == {
        "train_1": "train", "train_2": "train", "train_3": "validation", "dev_1": "test",
    }  # fmt: skip
    made = gold_standard(ratings("dev_1", "valence")).gold[: ROWS - 1]
    assert gold.loc[gold["video"] == "dev_1", "valence"].to_numpy() == pytest.approx(made, abs=1e-6)


def test_gold_without_header_has_its_times_from_the_row(trees, tmp_path):
    _, gold = opened(trees / "bare", tmp_path, 4)
    rows = gold[gold["video"] == "train_2"]
    assert rows["time_s"].to_numpy() == pytest.approx(np.arange(ROWS - 1) / HZ)
    made = gold_standard(ratings("train_2", "arousal")).gold[: ROWS - 1]
    assert rows["arousal"].to_numpy() == pytest.approx(made, abs=1e-6)
