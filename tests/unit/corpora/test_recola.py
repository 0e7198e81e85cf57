"""RECOLA's miniature end to end: gold from raters, the planted delay, and the partitions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.corpora.formats.ratings import read_arff, read_bare, read_raters
from avfusion.corpora.recola.corpus import Recola
from avfusion.corpora.recola.tree import RELEASES, Parts, detect, find_parts
from avfusion.corpora.tree.scan import read_tree
from avfusion.corpora.tree.tree import Tree
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.media.mel import HOP_S, log_mel_of
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from support.miniatures import recola, verify

OFFICIAL = {**recola.OPTIONS, "split": "official"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two train recordings and one of dev; enough to look at time."""
    root = tmp_path_factory.mktemp("recola")
    recola.build(root, ("train_1", "train_2", "dev_1"))
    return root


def opened(tree, tmp_path, **more):
    options = {**recola.OPTIONS, "recordings": 3, **more}
    code, checks = verify("recola", tree, options, tmp_path)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    return Layout(tmp_path)


def test_another_number_of_rows_names_the_option_to_set(tree, tmp_path):
    options = {**recola.OPTIONS, "recordings": 3, "rows": recola.OPTIONS["rows"] + 7}
    code, checks = verify("recola", tree, options, tmp_path)
    row = checks.loc["rows"]
    assert (code, row["verdict"]) == (1, "FAIL")
    assert "set corpora.recola.options.rows to it" in row["hint"]


@pytest.mark.slow
def test_tone_and_rating_agree_at_the_planted_delay_and_at_no_other_frame(tree, tmp_path):
    layout = opened(tree, tmp_path)
    settings = MediaJobSettings(root=tree, media=MediaSettings())
    run_shard("recola", (0, 1), settings, layout)
    gold = pd.read_parquet(layout.gold("recola"))
    heard = log_mel_of(MediaRecord.open(layout.media("recola") / "train_1"))  # (N, bands)
    rated = gold[gold["video"] == "train_1"]
    middle_s = rated["time_s"].to_numpy() + 0.5 / recola.HZ
    rows = heard[np.round(middle_s / HOP_S).astype(int)].astype(float)
    tone = np.nan_to_num(rows, nan=-99).argmax(1)
    given = rated["arousal"].to_numpy()
    agreement = [np.corrcoef(given[lag:], tone[: len(tone) - lag])[0, 1] for lag in range(120)]
    assert np.argmax(agreement) == recola.LATE
    assert agreement[recola.LATE] > 0.95


def test_recomputed_gold_equals_the_released_one(tree, tmp_path):
    given = pd.read_parquet(opened(tree, tmp_path / "a").gold("recola"))
    made = pd.read_parquet(opened(tree, tmp_path / "b", gold="recomputed").gold("recola"))
    pd.testing.assert_frame_equal(given, made, atol=1e-5)


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        ("dev_as_test", {"train_1": "train", "train_2": "validation", "dev_1": "test"}),
        ("official", {"train_1": "train", "train_2": "train", "dev_1": "validation"}),
    ],
)
def test_each_split_says_where_a_recording_belongs(tree, split, parts):
    corpus = Recola(root=tree, **recola.OPTIONS, split=split, release="avec2016")
    corpus.parts = Parts(video={name: f"recordings_video/{name}.mp4" for name in parts})
    corpus.tree = Tree(tree, {})
    assert corpus.videos().set_index("video")["partition"].to_dict() == parts


def test_the_last_row_belongs_to_no_picture(tree, tmp_path):
    gold = pd.read_parquet(opened(tree, tmp_path).gold("recola"))
    assert gold.groupby("video")["time_s"].max().eq((recola.ROWS - 2) / recola.HZ).all()
    assert gold.groupby("video").size().eq(recola.ROWS - 1).all()


def test_an_unknown_delay_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="one of praveen, avec2018, none"):
        Recola(root=tmp_path, delay="long")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_told_with_file_and_line(raw):
    for table in (read_arff(raw, "f.x"), read_raters(raw, "f.x"), read_bare(raw, "f.x", 0.04)):
        assert all(fault.startswith("f.x:") for fault in table.faults)
        assert table.faults or len(table.time_s)
        assert len(table.time_s) == len(table.values)


@given(st.text(st.sampled_from("0123456789.,;-?\n time@dataFM"), max_size=200))
def test_any_near_miss_is_read_or_told(text):
    lines = ["time;FM1;FM2", *text.split("\n")]
    table = read_raters("\n".join(lines).encode(), "f.csv")
    rows = sum(bool(line.strip()) for line in lines[1:])
    assert len(table.time_s) + len([f for f in table.faults if ": no row" not in f]) == rows


def test_folders_behind_links_of_the_corpus_are_found(tmp_path):
    real = tmp_path / "download_v1" / "ratings_individual" / "arousal"
    real.mkdir(parents=True)
    (real / "train_1.csv").write_text("time;FM1\n0;0\n")
    (tmp_path / "ratings_individual").symlink_to(real.parent, target_is_directory=True)
    release_of = detect(files := read_tree(tmp_path, tmp_path / "digests.bin"))
    assert release_of == "avec2016"
    raters = find_parts(files, RELEASES[release_of]).raters["arousal"]
    assert raters == {"train_1": "ratings_individual/arousal/train_1.csv"}
