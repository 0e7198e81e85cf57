"""IEMOCAP's miniature end to end: cuts, halves, partitions, words, targets and parsers."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.corpora import iemocap_folds as split
from avfusion.corpora.iemocap.corpus import Iemocap
from avfusion.corpora.iemocap.evaluation import read_turns
from avfusion.corpora.iemocap.release import INSTANTS
from avfusion.corpora.tree.scan import read_tree
from avfusion.errors import AvfError, ConfigError
from avfusion.layout import Layout
from avfusion.media.mel import log_mel_of
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from avfusion.media.transcript import Transcript
from avfusion.media.transcript_formats import lines, read_alignment, read_dialog
from support.miniatures import _film, alarms, iemocap, verify

FOLDS = range(1, 6)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Return the root of the miniature, its tree and the layout of fold 5."""
    folder = tmp_path_factory.mktemp("iemocap")
    iemocap.build(folder / "tree")
    code, _ = verify("iemocap", folder / "tree", iemocap.OPTIONS, folder / "results")
    assert code == 0
    return (
        folder / "tree",
        read_tree(folder / "tree", folder / "digests"),
        Layout(folder / "results"),
    )


def opened(release, **options):
    corpus = Iemocap(root=release[0], **iemocap.OPTIONS | options)
    corpus.tree = release[1]
    return corpus


def test_a_turn_is_seen_in_its_speakers_half_and_heard_in_its_own_recording(release, tmp_path):
    """The film shows a face only in the speaker's half, only while that turn lasts."""
    root, _, made = release
    layout, settings = Layout(tmp_path), MediaJobSettings(root=root, media=MediaSettings())
    table = pd.read_parquet(made.manifest("iemocap"))
    asked = ["Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses01M_script01_1b_F002"]
    layout.manifest("iemocap").parent.mkdir(parents=True)
    table[table["video"].isin(asked)].to_parquet(layout.manifest("iemocap"))
    run_shard("iemocap", (0, 1), settings, layout)
    for name in asked:
        record = MediaRecord.open(layout.media("iemocap") / name)
        assert record.meta["face_share"] == 1, name
        assert record.meta["faces_max"] == 1
        assert record.duration_s == pytest.approx(iemocap.LENGTH_S)
        assert record.meta["frames"] in (18, 19)  # 0.62 s at 29.97 Hz
        heard = log_mel_of(record)[5:55].astype(float).argmax(1)
        assert set(heard) == {_film.tone_band(iemocap.tone(name))}


def test_halves_follow_the_marker_wearer(release):
    halves = opened(release).videos().set_index("video")["half"]
    assert halves["Ses01F_impro01_F000"] == "left"
    assert halves["Ses01F_impro01_M000"] == "right"
    assert halves["Ses01M_script01_1b_M001"] == "left"
    assert halves["Ses01M_script01_1b_F002"] == "right"


def test_leaving_a_session_out_shares_no_speaker_and_tests_each_turn_once(release):
    tested = []
    for fold in FOLDS:
        table = opened(release, fold=fold).videos()
        who = {part: set(rows["subject"]) for part, rows in table.groupby("partition")}
        assert who["test"] == {f"0{fold}F", f"0{fold}M"}
        assert len(who["train"]) == 6
        assert len(who["validation"]) == 2
        assert sum(map(len, who.values())) == len(set.union(*who.values())) == 10
        tested += table["video"][table["partition"] == "test"].tolist()
    assert len(tested) == len(set(tested)) == len(table)


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize(("classes", "count"), [(7, 7487), (4, 5531)])
def test_random_folds_have_the_published_sizes(classes, count, fold):
    sizes = Counter(split.at_random(count, fold))
    counts = tuple(sizes[part] for part in ("train", "validation", "test"))
    assert counts == split.SIZES[classes][fold - 1]


def test_every_turn_is_held_out_of_one_random_fold():
    folds = [split.at_random(1000, fold) for fold in FOLDS]
    assert all(sum(part != "train" for part in parts) == 1 for parts in zip(*folds, strict=True))


def test_random_folds_warn_of_shared_speakers(release, tmp_path):
    options = {**iemocap.OPTIONS, "folds": "random"}
    code, checks = verify("iemocap", release[0], options, tmp_path)
    assert code == 0
    raised = alarms(checks)
    assert raised.loc["subject overlap", "verdict"] == "WARN"
    others = raised.index.drop("subject overlap")
    assert all(name.startswith("classes of") for name in others)  # a fold of the miniature is small


def test_four_classes_take_excited_for_happy_and_no_class_takes_every_turn(release):
    codes = Counter(iemocap.OPTIONS["expect"]["codes"])
    four = opened(release, classes=4).labels()["label"].value_counts()
    assert four["hap"] == codes["hap"] + codes["exc"]
    assert set(four.index) == {"ang", "hap", "neu", "sad"}
    unlabelled = opened(release, classes=0)
    assert len(unlabelled.videos()) == codes.total()
    assert unlabelled.labels().empty
    assert "classes" not in unlabelled.card()
    assert len(opened(release, classes=6).videos()) == len(opened(release).videos()) - codes["sur"]


def test_each_turn_weighs_alike_and_keeps_its_rating_from_start_to_end(release):
    gold = pd.read_parquet(release[2].gold("iemocap"))
    for dialog in iemocap.dialogs([3]):
        for name, start_s, end_s, _, vad in iemocap.turns(dialog):
            rows = gold[gold["video"] == name]
            if len(rows):  # of one of the seven classes
                assert len(rows) == INSTANTS
                values = rows[["valence", "arousal", "dominance"]].to_numpy()
                np.testing.assert_array_equal(values, np.tile(vad, (INSTANTS, 1)))
                assert rows["time_s"].iloc[[0, -1]].tolist() == pytest.approx([0, end_s - start_s])


def test_words_come_from_the_alignment_and_else_spread_evenly(release):
    root, _, made = release
    paths = pd.read_parquet(made.manifest("iemocap")).set_index("video")["transcript"]
    aligned = "Ses01F_impro01_M000"
    words = Transcript.read(root / paths[aligned], 0.62, aligned)
    assert words.words == ("excuse", "me")
    assert words.start_s.tolist() == pytest.approx([0.05, 0.30])
    assert words.end_s.tolist() == pytest.approx([0.25, 0.50])
    assert paths[iemocap.UNALIGNED].endswith("transcriptions/Ses01F_impro01.txt")
    spread = Transcript.read(root / paths[iemocap.UNALIGNED], 0.62, iemocap.UNALIGNED)
    assert spread.words == ("excuse", "me")
    assert spread.end_s.tolist() == pytest.approx([0.31, 0.62])


def test_a_transcript_without_the_turn_is_refused_and_not_quoted(release):
    path = release[0] / "Session1/dialog/transcriptions/Ses01F_impro01.txt"
    with pytest.raises(AvfError, match="no line of Ses09X") as refused:
        Transcript.read(path, 1.0, "Ses09X")
    assert "Excuse" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"classes": 5}, "4, 6, 7, or 0"), ({"fold": 6}, "1 … 5"), ({"folds": "dialog"}, "`random`"),
     ({"expect": {"votes": 1}}, "'votes'; expected only codes, dialogs")],
)  # fmt: skip
def test_unknown_options_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        Iemocap(root=tmp_path, **options)


NEAR = st.text(st.sampled_from("[]-. \t\n,:;%0159SesFM_improCAEXx()"), max_size=160)
LINE = "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]"


def text_lines(raw: bytes) -> int:
    """Return the number of lines that are not blank."""
    return sum(bool(line.strip()) for line in lines(raw))


def check_turns(raw: bytes) -> None:
    result = read_turns(raw, "f.txt", "Ses01F_impro01")
    assert all(place.startswith("f.txt:") for place in result.faults + result.strange)
    faults = [fault for fault in result.faults if not fault.endswith("no turn")]
    parts = result.votes + result.heads + len(result.turns) + len(faults) + len(result.strange)
    assert parts == text_lines(raw)
    assert result.turns or result.faults


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_told_with_file_and_line(raw):
    check_turns(raw)
    dialog = read_dialog(raw, "f.txt")
    assert len(dialog.turns) + dialog.asides + len(dialog.faults) == text_lines(raw)
    words, faults = read_alignment(raw, "f.wdseg")
    assert all(fault.startswith("f.wdseg:") for fault in faults)
    assert len(words) + len(faults) <= text_lines(raw)


@given(NEAR, st.integers(0, len(LINE)))
def test_any_near_miss_of_a_turn_is_read_or_told(text, at):
    check_turns((LINE[:at] + text + LINE[at:]).encode("latin-1"))


@given(NEAR)
def test_any_near_miss_of_a_transcript_is_read_or_told(text):
    raw = f"Ses01F_impro01_F000 [006.2901-008.2357]: {text}".encode("latin-1")
    dialog = read_dialog(raw, "f.txt")
    assert len(dialog.turns) + dialog.asides + len(dialog.faults) == text_lines(raw)
    assert all(fault.startswith("f.txt:") for fault in dialog.faults)


@given(st.text(st.sampled_from("0123456789 -\t\n<>+()ABsil"), max_size=160))
def test_any_near_miss_of_an_alignment_is_read_or_told(text):
    raw = f"SFrm EFrm SegAScr Word\n{text}".encode()
    words, faults = read_alignment(raw, "f.wdseg")
    assert all(0 <= word.start_s < word.end_s for word in words)
    assert all(fault.startswith("f.wdseg:") for fault in faults)
