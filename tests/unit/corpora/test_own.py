"""Your own recordings: every form of ratings, a drawn split, audformat in and out."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from avfusion import cli
from avfusion.corpora.formats.elan import read_eaf
from avfusion.corpora.formats.table import read_sheet
from avfusion.corpora.own.corpus import Own
from avfusion.corpora.own.ratings import read_ratings
from avfusion.errors import ConfigError, CorpusError
from avfusion.layout import Layout
from support.miniatures import own, verify

TARGETS = ("valence", "arousal")
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tutorials" / "own-clips.md"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    own.build(root)
    return root


def opened(tree, results, **more):
    code, checks = verify("own", tree, {**own.OPTIONS, **more}, results)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    return Layout(results)


def gold_of(layout, video):
    table = pd.read_parquet(layout.gold("own"))
    return table[table["video"] == video].drop(columns="video").reset_index(drop=True)


def test_each_form_gives_the_ratings_that_were_written(tree, tmp_path):
    layout = opened(tree, tmp_path)
    for video in ("ben", "dan", "eve"):
        expected = own.rated(f"clips/{video}.mp4")
        pd.testing.assert_frame_equal(gold_of(layout, f"clips__{video}"), expected)
    anna = own.rated("clips/anna 1.mp4")
    anna.loc[3, "valence"] = np.nan
    pd.testing.assert_frame_equal(gold_of(layout, "clips__anna 1"), anna)
    cleo = gold_of(layout, "clips__cleo").set_index("time_s")
    assert cleo["valence"].loc[0.05:1.45].eq(0.5).all()
    assert np.isnan(cleo["valence"][1.5])
    assert cleo["valence"].loc[1.55:].eq(-0.25).all()
    assert cleo["arousal"].loc[0.55:0.75].eq(0.16).all()
    assert cleo["arousal"].loc[0.85:3.25].eq(0.08).all()
    assert cleo["arousal"].loc[3.55:].isna().all()


def test_a_manifest_in_parquet_is_the_same_corpus(tree, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    table = pd.read_csv(copy / "manifest.csv", dtype=str)
    table.to_parquet(copy / "manifest.parquet")
    first = opened(tree, tmp_path / "a")
    second = opened(copy, tmp_path / "b", manifest="manifest.parquet")
    for name in ("manifest", "gold"):
        given, made = (pd.read_parquet(getattr(lay, name)("own")) for lay in (first, second))
        pd.testing.assert_frame_equal(given, made)


def test_without_partitions_subjects_are_split_by_the_seed_and_the_split_is_told(tree, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    table = pd.read_csv(copy / "manifest.csv", dtype=str).drop(columns="partition")
    table.to_csv(copy / "manifest.csv", index=False)
    layout = Layout(tmp_path / "r")
    _, checks = verify("own", copy, {**own.OPTIONS, "seed": 4}, layout.results)
    message = checks.loc["split", "found"]
    people = {"anna", "ben", "cleo", "dan", "eve"}
    assert set(re.findall("anna|ben|cleo|dan|eve", message)) == people
    corpus = Own(root=copy, **own.OPTIONS, seed=4)
    assert sorted(corpus.partition.values()) == ["test", "train", "train", "train", "validation"]


def test_what_is_exported_to_audformat_is_read_back_the_same(tree, tmp_path):
    layout = opened(tree, tmp_path / "a")
    words = ["export", "own", "--audformat", str(tmp_path / "db"), "--results", str(tmp_path / "a")]
    assert cli.main(words) == 0
    again = opened(tree, tmp_path / "b", audformat=str(tmp_path / "db"))
    before, after = (pd.read_parquet(lay.gold("own")) for lay in (layout, again))
    pd.testing.assert_frame_equal(before, after)
    columns = ["video", "path", "partition", "subject"]
    before, after = (pd.read_parquet(lay.manifest("own")) for lay in (layout, again))
    pd.testing.assert_frame_equal(before[columns], after[columns])
    header = yaml.safe_load((tmp_path / "db/db.yaml").read_text())
    assert header["tables"]["ratings"]["type"] == "segmented"
    first = pd.read_csv(tmp_path / "db/db.ratings.csv").iloc[1]
    assert first["start"] == "0 days 00:00:00.100000"


def test_a_foreign_database_with_splits_and_long_segments_is_read(tree, tmp_path):
    files = list(own.ROWS)
    split = {"train": files[:2], "dev": files[2:3], "test": files[3:]}
    tables = {}
    for part, names in split.items():
        columns = {"mood": {"scheme_id": "valence"}, "speaker": {"scheme_id": "speaker"}}
        tables[part] = {"type": "segmented", "split_id": part, "columns": columns}
        rows = [(f, "0 days", "0 days 00:00:02", 0.5, f"p{files.index(f)}") for f in names]
        table = pd.DataFrame(rows, columns=["file", "start", "end", "mood", "speaker"])
        table.to_csv(tmp_path / f"db.{part}.csv", index=False)
    header = {"name": "x", "splits": {p: {"type": p} for p in split}, "tables": tables}
    (tmp_path / "db.yaml").write_text(yaml.safe_dump(header))
    more = {"audformat": str(tmp_path), "targets": ["valence"], "delay_s": {}}
    layout = opened(tree, tmp_path / "r", **more)
    manifest = pd.read_parquet(layout.manifest("own"))
    assert manifest["partition"].value_counts().to_dict() == {
        "train": 2,
        "test": 2,
        "validation": 1,
    }
    gold = gold_of(layout, "clips__ben")
    assert gold["valence"].eq(0.5).all()
    assert gold["time_s"].tolist() == pytest.approx(np.arange(0.05, 2, 0.1))


ESCAPES = [
    ("id", "..", "the name '..' begins with a dot"),
    ("id", "../other", "the name '../other' begins with a dot"),
    ("id", "a/b", "the name 'a/b' holds /"),
    ("id", "ben.times", "the name 'ben.times' ends in .times"),
    ("id", "index.parquet", "the name 'index.parquet' ends in .parquet"),
    ("sound", "../elsewhere.wav", "'../elsewhere.wav' is no path below"),
    ("transcript", "/etc/hosts", "'/etc/hosts' is no path below"),
]


@pytest.mark.parametrize(("column", "cell", "message"), ESCAPES)
def test_no_cell_of_a_manifest_leads_out_of_the_folders(tmp_path, column, cell, message):
    (tmp_path / "manifest.csv").write_text(
        f"video,subject,ratings,{column}\nben.mp4,ben,ben.csv,\neve.mp4,eve,eve.csv,{cell}\n"
    )
    sheet = Own(root=tmp_path).sheet
    assert [row["subject"] for _, row in sheet.rows] == ["ben"]
    assert len(sheet.faults) == 1
    assert sheet.faults[0].startswith("manifest.csv:3: ")
    assert message in sheet.faults[0]


def test_a_listed_sound_that_is_not_there_fails(tree, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    table = pd.read_csv(copy / "manifest.csv", dtype=str).assign(sound=None)
    table.loc[1, "sound"] = "clips/ben.wav"
    table.to_csv(copy / "manifest.csv", index=False)
    code, checks = verify("own", copy, own.OPTIONS, tmp_path / "r")
    assert code == 1
    assert checks.loc["sounds", "verdict"] == "FAIL"
    assert "clips/ben.wav" in checks.loc["sounds", "found"]


def test_a_row_with_a_fault_does_not_make_its_video_unlisted(tree, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    table = pd.read_csv(copy / "manifest.csv", dtype=str).assign(face=None)
    table.loc[1, "face"] = "biggest"
    table.to_csv(copy / "manifest.csv", index=False)
    shutil.copy(copy / table["video"][0], copy / "clips" / "stray.mts")
    code, checks = verify("own", copy, own.OPTIONS, tmp_path / "r")
    assert code == 1
    assert checks["found"].str.contains("face is 'biggest'").any()
    assert checks.loc["unlisted files", "found"] == "stray.mts"


def test_a_manifest_of_faults_only_lists_the_faults(tree, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    table = pd.read_csv(copy / "manifest.csv", dtype=str).assign(subject=None)
    table.drop(columns="partition", errors="ignore").to_csv(copy / "manifest.csv", index=False)
    (copy / "stray.mp4").write_bytes(b"x")
    code, checks = verify("own", copy, own.OPTIONS, tmp_path / "r")
    assert code == 1
    assert checks["found"].str.contains("no subject").any()
    assert "stray.mp4" not in checks.loc["unlisted files", "found"], "not in a folder of videos"


def test_a_pickled_table_is_refused_and_never_opened(tree, tmp_path):
    (tmp_path / "db.yaml").write_text("name: x\ntables: {t: {type: filewise, columns: {}}}\n")
    (tmp_path / "db.t.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    code, checks = verify("own", tree, {"audformat": str(tmp_path)}, tmp_path / "r")
    assert code == 1
    assert "a pickle can run code" in checks.loc["tree", "found"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": []}, "targets are"),
        ({"value_range": [1, -1]}, "give \\[lowest, highest\\]"),
        ({"delay_s": {"fear": 1}}, "names 'fear'"),
        ({"rating_hz": 0}, "above 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        Own(root=tmp_path, **options)


def test_entities_are_refused_before_they_are_expanded():
    layers = [f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 12)]
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "0">{"".join(layers)}]><x>&a11;</x>'
    result = read_eaf(bomb.encode(), "f.eaf", TARGETS, 10)
    assert "declares a document type" in result.faults[0]


@given(st.binary(max_size=200))
def test_any_bytes_as_a_document_of_elan_are_told_with_file(raw):
    result = read_eaf(raw, "f.eaf", TARGETS, 10)
    assert result.faults
    assert result.faults[0].startswith("f.eaf")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".arff", ".eaf", ".xlsx"])
def test_any_file_that_holds_no_ratings_is_told_by_name(tmp_path, ending):
    for raw in (b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"time_s,valence,arousal\n"):
        path = tmp_path / f"r{ending}"
        path.write_bytes(raw)
        result = read_ratings(path, f"r{ending}", TARGETS, 10)
        assert result.faults[0].startswith(f"r{ending}:")


def test_the_page_can_be_followed_to_the_letter(tree, tmp_path, monkeypatch, capsys):
    """Its files are written, its config loads, its commands run, in its order."""
    text = PAGE.read_text()
    blocks = re.findall(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```', text, flags=re.DOTALL | re.M)
    assert len([path for _, path, _ in blocks if path]) == 3, "manifest, ratings and config"
    monkeypatch.chdir(tmp_path)
    Path("data/my_clips/clips").mkdir(parents=True)
    shutil.copytree(ROOT / "config", "config")
    films = sorted((tree / "clips").glob("*.mp4"))
    ran = []
    for kind, path, body in blocks:
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(body)
            if path.endswith("manifest.csv"):
                for k, row in enumerate(body.splitlines()[1:]):
                    shutil.copy(films[k % len(films)], Path("data/my_clips") / row.split(",")[0])
        elif kind == "sh":
            for command in body.splitlines():
                words = shlex.split(command)
                if words[:2] in (["avf", "verify"], ["avf", "export"]):
                    assert cli.main(words[1:]) == 0, capsys.readouterr().err
                    ran.append(words[1])
    assert {"verify", "export"} <= set(ran)
    card = json.loads(Path("results/my_clips/manifest/my_clips/corpus.json").read_text())
    assert card["split"].startswith("80 : 20")


def test_a_column_that_nothing_reads_is_named(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / "copy")
    path = root / "manifest.csv"
    lines = path.read_text().splitlines()
    mark = max(",;\t", key=lines[0].count)
    path.write_text("\n".join([f"{lines[0]}{mark}partitoin", *(f"{x}{mark}" for x in lines[1:])]))
    code, checks = verify("own", root, own.OPTIONS, tmp_path / "results")
    row = checks.loc["manifest columns"]
    assert (code, row["verdict"]) == (0, "WARN")
    assert row["found"] == "'partitoin'. Did you mean 'partition'?"


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\0\0\0\x20ftypisom", "MP4"), (b"\x89PNG\r\n", "PNG"), (b"PK\x03\x04", "ZIP archive")],
)
def test_what_is_no_table_is_named_whatever_its_ending(tmp_path, head, kind):
    (tmp_path / "a.csv").write_bytes(head + bytes(range(256)))
    with pytest.raises(CorpusError, match=rf"a\.csv: not a table but .*{kind}.* Name the table"):
        read_sheet(tmp_path / "a.csv", "a.csv", ("video",), "")
