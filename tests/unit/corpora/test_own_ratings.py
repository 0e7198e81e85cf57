"""Units of rating times, ratings that are held, and names in two Unicode forms."""

import re
import shutil
import unicodedata
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from avfusion.corpora.formats.ratings import Ratings
from avfusion.corpora.formats.table import Sheet
from avfusion.corpora.own.corpus import Own
from avfusion.corpora.own.ratings import hold, joined
from avfusion.corpora.own.rules import RatingRules, frame_s
from avfusion.corpora.splits import split_digest
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.media.timing import Timing
from support.miniatures import own, verify

BEN, EVE = "clips__ben", "clips__eve"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    own.build(root)
    return root


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "copy")


def gold_of(root, results, **options):
    code, checks = verify("own", root, {**own.OPTIONS, **options}, results)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    table = pd.read_parquet(Layout(results).gold("own"))
    return {video: rows.reset_index(drop=True) for video, rows in table.groupby("video")}


def retimed(root, times):
    """Write the column time_s of the three tables by a function of the seconds."""
    for name, mark in (("anna_1.csv", ";"), ("eve.tsv", "\t"), ("ben.parquet", "")):
        path = root / "ratings" / name
        table = pd.read_parquet(path) if not mark else pd.read_csv(path, sep=mark)
        table["time_s"] = [times(second) for second in table["time_s"]]
        if mark:
            table.to_csv(path, sep=mark, index=False)
        else:
            table.to_parquet(path)


def clock_time(second):
    return f"00:00:{second:04.1f}"


UNITS = {
    "minutes": lambda second: second / 60,
    "milliseconds": lambda second: round(second * 1000),
    "frames": lambda second: round(second * own.HZ),
    "timecode": clock_time,
}


@pytest.mark.parametrize("unit", UNITS)
def test_times_in_another_unit_are_the_same_ratings(tree, copy, tmp_path, unit):
    before = gold_of(tree, tmp_path / "a")
    retimed(copy, UNITS[unit])
    after = gold_of(copy, tmp_path / "b", ratings={"unit": unit})
    for video in (BEN, EVE):
        assert np.allclose(before[video]["time_s"], after[video]["time_s"], atol=2e-6)
        assert np.allclose(before[video]["valence"], after[video]["valence"])


def test_a_stated_unit_is_believed(copy, tmp_path):
    retimed(copy, UNITS["minutes"])
    _, checks = verify("own", copy, {**own.OPTIONS, "ratings": {"unit": "seconds"}}, tmp_path)
    assert checks.loc["unit of times", "verdict"] == "PASS"
    assert checks.loc["coverage of ratings", "verdict"] == "WARN"


FILM = Timing(np.arange(300) * 1001 / 30000, 300 * 1001 / 30000, (np.nan, np.nan))


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("00:00:02", 2.0),
        ("00:02", 2.0),
        ("1:00:02,25", 3602.25),
        ("00:00:02:15", 75 * 1001 / 30000),  # 60 numbers in 2 s of code, at 29.97 Hz
        ("00:01:00;02", 1800 * 1001 / 30000),  # numbers 0 and 1 of the minute do not exist
    ],
)
def test_timecodes(text, expected_s):
    time_s, fault = RatingRules("timecode").time_s(text, FILM)
    assert not fault
    assert time_s == pytest.approx(expected_s)


@pytest.mark.parametrize("text", ["00:00:61", "12", "00:00:02:15:1", "a"])
def test_what_is_no_timecode_is_a_fault(text):
    assert RatingRules("timecode").time_s(text, FILM)[1].startswith("no timecode")


def test_frames_of_an_uneven_film_have_the_times_at_which_they_are_shown():
    film = Timing(np.array([0.0, 0.1, 0.4, 0.5]), 0.6, (np.nan, np.nan))
    times_s = [frame_s(number, film) for number in (0, 1, 1.5, 3, 5)]
    assert times_s == pytest.approx([0.0, 0.1, 0.25, 0.5, 0.5 + 2 / 6])


@pytest.mark.parametrize(("unit", "verdict"), [("milliseconds", "FAIL"), ("seconds", "PASS")])
def test_a_unit_that_most_files_are_not_in_fails(copy, tmp_path, unit, verdict):
    """A hint for one file of ten once led to nine files that were read as two milliseconds."""
    _, checks = verify("own", copy, {**own.OPTIONS, "ratings": {"unit": unit}}, tmp_path)
    row = checks.loc["unit of times"]
    assert row["verdict"] == verdict
    if verdict == "FAIL":
        assert "not milliseconds?" in row["found"]
        assert "holds for every file" in row["hint"]


@pytest.mark.parametrize("given", ["minutes", {"unit": "days"}, {"held": 1}, {"units": "frames"}])
def test_a_strange_rule_is_refused(tmp_path, given):
    with pytest.raises(ConfigError, match="milliseconds"):
        Own(root=tmp_path, ratings=given)


def test_a_rating_is_held_until_the_next_line_and_the_last_to_the_end(copy, tmp_path):
    table = pd.DataFrame(
        {"time_s": [0.2, 1.0, 3.0], "valence": [0.1, 0.4, -0.2], "arousal": [0.3, np.nan, 0.5]}
    )
    table.to_parquet(copy / "ratings/ben.parquet")
    gold = gold_of(copy, tmp_path, ratings="held")[BEN].set_index("time_s")
    assert np.isnan(gold["valence"][0.05])
    assert gold["valence"].loc[0.25:0.95].eq(0.1).all()
    assert gold["valence"].loc[1.05:2.95].eq(0.4).all()
    assert gold["valence"].loc[3.05:3.95].eq(-0.2).all()
    assert gold["arousal"].loc[1.05:2.95].isna().all()
    assert np.isnan(gold["valence"][1.0])  # nothing is interpolated over the change
    card = pd.read_json(Layout(tmp_path).card("own"), typ="series")
    assert card["ratings"] == {"held": True}


def test_few_lines_without_the_option_warn_and_name_it(copy, tmp_path):
    times_s = [0.0, 0.2, 0.4, 0.5, 3.9]
    table = pd.DataFrame({"time_s": times_s, "valence": np.arange(5) / 10, "arousal": 0.1})
    table.to_parquet(copy / "ratings/ben.parquet")
    _, checks = verify("own", copy, own.OPTIONS, tmp_path)
    assert checks.loc["coverage of ratings", "verdict"] == "WARN"
    assert "ratings: held" in checks.loc["coverage of ratings", "hint"]


@pytest.mark.parametrize("ratings", ["", "held"])
def test_times_of_another_clock_fail_with_what_to_do(copy, tmp_path, ratings):
    """Wall-clock seconds were once only a warning, next to a coverage of 100 %."""
    retimed(copy, lambda second: second + 1_714_557_600)
    _, checks = verify("own", copy, {**own.OPTIONS, "ratings": ratings}, tmp_path)
    within = checks.loc["ratings within videos"]
    assert within["verdict"] == "FAIL"
    assert "clips__ben: 40 of 40 rated times; they are from 1714557600 to" in within["found"]
    assert "subtract the start of the video" in within["hint"]
    if not ratings:
        assert checks.loc["coverage of ratings", "verdict"] == "WARN"


def test_ratings_before_the_video_warn(copy, tmp_path):
    retimed(copy, lambda second: second - 2)
    _, checks = verify("own", copy, own.OPTIONS, tmp_path)
    assert checks.loc["ratings within videos", "verdict"] == "WARN"
    assert "clips__ben: 10 of 40 rated times" in checks.loc["ratings within videos", "found"]


@pytest.mark.parametrize("text", ["2024-05-01 10:00:00", "1.5.2024 10:00"])
@pytest.mark.parametrize("unit", ["", "timecode"])
def test_a_date_is_named(text, unit):
    assert RatingRules(unit).time_s(text, None)[1].startswith("a date")


def test_a_rating_that_begins_before_the_video_is_held_into_it():
    part = Ratings(np.array([-1.0, 0.5]), np.array([[0.1], [0.4]]), ("valence",))
    table = hold([part], ("valence",), 10, Timing(np.arange(10) / 10, 1.0, (np.nan, np.nan)))
    assert table.set_index("time_s")["valence"].loc[:0.45].eq(0.1).all()


def test_an_annotation_of_elan_is_not_held_beyond_its_end(tree, tmp_path):
    plain = gold_of(tree, tmp_path / "a")["clips__cleo"].set_index("time_s")
    held = gold_of(tree, tmp_path / "b", ratings="held")["clips__cleo"].set_index("time_s")
    assert np.isnan(held["arousal"].loc[3.55:]).all()
    same = plain.index.intersection(held.index)
    pd.testing.assert_frame_equal(plain.loc[same], held.loc[same])


def test_repeated_instants_of_one_of_several_files_are_kept(tmp_path):
    """The check of times reports them; the second rater of a file was once left out silently."""
    valence = Ratings(np.array([0.0, 1.0, 1.0]), np.array([[0.1], [0.2], [0.3]]), ("valence",))
    arousal = Ratings(np.array([0.0, 1.0]), np.array([[0.5], [0.6]]), ("arousal",))
    table = joined([valence, arousal], ("valence", "arousal"))
    assert table["time_s"].tolist() == [0.0, 1.0, 1.0]
    assert table["valence"].tolist() == [0.1, 0.2, 0.3]


def test_gold_on_another_scale_is_reported_with_its_values(copy, tmp_path):
    table = pd.read_parquet(copy / "ratings/ben.parquet")
    table.assign(valence=table["valence"] * 50 + 50).to_parquet(copy / "ratings/ben.parquet")
    _, checks = verify("own", copy, own.OPTIONS, tmp_path)
    assert re.search(r"clips__ben \(-?[\d.]+ to \d\d", checks.loc["gold range", "found"])
    options = {**own.OPTIONS, "value_range": [-100, 100]}
    _, checks = verify("own", copy, options, tmp_path)
    assert checks.loc["gold range", "verdict"] == "PASS"
    shutil.copy(copy / "ratings/eve.tsv", copy / "ratings/ben.tsv")
    manifest = (copy / "manifest.csv").read_text()
    (copy / "manifest.csv").write_text(manifest.replace("ben.parquet", "ben.tsv"))
    _, checks = verify("own", copy, options, tmp_path)
    assert checks.loc["gold range", "verdict"] == "WARN"
    assert checks.loc["gold range", "found"].startswith("all gold is -")


def test_held_lines_that_go_back_are_a_fault(copy, tmp_path):
    table = pd.DataFrame({"time_s": [0.0, 2.0, 1.0], "valence": [0.1, 0.4, 0.2], "arousal": 0.1})
    table.to_parquet(copy / "ratings/ben.parquet")
    _, checks = verify("own", copy, {**own.OPTIONS, "ratings": "held"}, tmp_path)
    assert "ratings/ben.parquet: 1 s comes after 2 s" in checks.loc["rating lines", "found"]


@pytest.mark.parametrize(("on_disk", "in_table"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_match_whatever_their_unicode_form(tree, copy, tmp_path, on_disk, in_table):
    """A file system may keep one form and a spreadsheet write another."""
    names = {"clips/ben.mp4": "clips/b\u00ebn.mp4", "ratings/eve.tsv": "ratings/\u00e9ve.tsv"}
    text = (copy / "manifest.csv").read_text()
    for old, new in names.items():
        (copy / old).rename(copy / unicodedata.normalize(on_disk, new))
        text = text.replace(old, unicodedata.normalize(in_table, new))
    (copy / "manifest.csv").write_text(text)
    layout = Layout(tmp_path / "b")
    gold = gold_of(copy, layout.results)
    before = gold_of(tree, tmp_path / "a")
    assert np.array_equal(gold["clips__b\u00ebn"]["valence"], before[BEN]["valence"])
    assert np.array_equal(gold[EVE]["valence"], before[EVE]["valence"])
    manifest = pd.read_parquet(layout.manifest("own")).set_index("video")
    assert (copy / manifest.loc["clips__b\u00ebn", "path"]).is_file()
    assert manifest["sha256"].notna().all()


def test_two_files_that_a_database_could_mean_are_a_fault(tmp_path):
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "b\u00ebn.mp4")).touch()
    rows = [("db.files.csv:2", {"video": "b\u00ebn.mp4", "subject": "ben"})]
    corpus = Own(root=tmp_path)
    corpus.database = SimpleNamespace(sheet=Sheet("db.files.csv", ("video", "subject"), rows))
    assert corpus.sheet.rows == []
    assert "db.files.csv:2: 'b\u00ebn.mp4' is 2 files" in corpus.sheet.faults[0]


def test_a_subject_in_two_forms_is_one_person(copy):
    table = pd.read_csv(copy / "manifest.csv", dtype=str).drop(columns="partition")
    table["subject"] = ["Zo\u00eb", "Zoe\u0308", "c", "d", "e"]
    table.to_csv(copy / "manifest.csv", index=False)
    corpus = Own(root=copy, **own.OPTIONS)
    assert len(corpus.partition) == 4
    assert split_digest(corpus.split.parts)
