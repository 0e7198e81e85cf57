"""Transcripts: which words a clip holds, what is refused, and that words stay where they are."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from avfusion.encoders import base
from avfusion.encoders.stage import encode_shard, fit
from avfusion.encoders.vectors import Vectors
from avfusion.errors import AvfError
from avfusion.io.shards import join
from avfusion.media.transcript import Transcript
from avfusion.registry import encoders
from support import synthetic_media as media


def read(tmp_path, text: str) -> Transcript:
    path = tmp_path / "said.csv"
    path.write_text(text)
    return Transcript.read(path, 10.0)


def test_words_are_sorted_lowered_and_freed_of_punctuation(tmp_path):
    found = read(tmp_path, 'word,start_s,end_s\n"Don\'t, no.",1,2\n...,0.5,0.6\nNull,0,0.5\n')
    assert found.words == ("null", "don't", "no")
    assert found.start_s.tolist() == [0, 1, 1]


def test_the_words_of_a_sentence_are_spread_over_the_video(tmp_path):
    path = tmp_path / "03.sentence"
    path.write_text("We'll stop — NOW.\n")
    found = Transcript.read(path, 6.0)
    assert found.words == ("we'll", "stop", "now")
    assert found.start_s[0] == 0.0
    assert found.end_s[-1] == 6.0
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(AvfError, match=r"03\.sentence: UnicodeDecodeError"):
        Transcript.read(path, 6.0)


def test_a_clip_holds_the_words_that_overlap_it(tmp_path):
    found = read(tmp_path, "word,start_s,end_s\na,0.0,0.16\nb,0.16,0.5\nc,0.9,0.9\n")
    said = found.spoken(np.array([0.16, 0.32, 0.8, 1.0]), 0.16)
    assert said.tolist() == [
        [True, True, False],  # b begins where the clip ends, which belongs to it
        [False, True, False],
        [False, False, False],
        [False, False, True],
    ]


@pytest.mark.parametrize(
    "text", ["secret\n1\n", "word,start_s,end_s\nsecret,2,1\n", "word,start_s,end_s\nsecret,x,1\n"]
)
def test_a_bad_transcript_is_refused_without_quoting_it(tmp_path, text):
    with pytest.raises(AvfError, match=r"said\.csv") as caught:
        read(tmp_path, text)
    assert "secret" not in str(caught.value)


def test_without_transcript_every_row_is_nan_and_the_index_says_why(tmp_path):
    layout = media.make_corpus(tmp_path, {"train": 2, "validation": 1, "test": 1})
    manifest = pd.read_parquet(layout.manifest("tiny"))
    manifest.loc[manifest["partition"] == "test", "transcript"] = None
    manifest.to_parquet(layout.manifest("tiny"))
    settings = media.settings("words", tmp_path, epochs=1, most_words=20)
    fit("tiny", settings, layout)
    encode_shard("tiny", (0, 1), settings, layout)
    index = join(layout.features("tiny", "words")).set_index("video")
    assert index.loc["test_0", ["status", "missing_share"]].tolist() == ["ok", 1.0]
    assert "no transcript" in index.loc["test_0", "reason"]
    assert index.loc["train_0", "missing_share"] < 0.5
    kept = b"".join(p.read_bytes() for p in layout.encoder("tiny", "words").iterdir())
    assert b"good" not in kept


GLOVE = "good 1 2\n. . . 5 6\nBad -1 0.5\nbad 3 3\nParis 7 8\n"


def vectors(tmp_path, text: str, name: str = "v.txt") -> Vectors:
    path = tmp_path / name
    path.write_text(text)
    return Vectors(path)


@pytest.mark.parametrize("head", ["", "5 2\n"])
def test_vectors_are_found_by_word_in_either_text_form(tmp_path, head):
    """A word may hold spaces; one in lower case goes before the same with capitals."""
    found = vectors(tmp_path, head + GLOVE)
    assert (found.dim, len(found)) == (2, 4)
    rows = found.find(["good", "bad", "paris", "none", "good"])
    assert {word: row.tolist() for word, row in rows.items()} == {
        "good": [1, 2],
        "bad": [3, 3],
        "paris": [7, 8],
    }
    assert found.find([". . ."])[". . ."].tolist() == [5, 6]
    assert found.sha256 == hashlib.sha256((head + GLOVE).encode()).hexdigest()


def test_vectors_with_tabs_trailing_spaces_and_blank_lines_are_the_same(tmp_path):
    rows = vectors(tmp_path, "2 2\r\ngood\t1\t2 \r\n\nbad 3 4 \r\n").find(["good", "bad"])
    assert {word: row.tolist() for word, row in rows.items()} == {"good": [1, 2], "bad": [3, 4]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 holds no word followed by"),
        ("good\n", "line 1 holds no word followed by"),
        ("good 1 2\nbad 1\n", "line 2 has 1 numbers, not 2"),
        ("good 1 2\nbad 1 2 3\n", "line 2 has 3 numbers, not 2"),
        ("3 2\ngood 1 2\nbad 1 2\n", "line 3 is the last: 2 words, but line 1 announces 3"),
    ],
)
def test_a_malformed_file_is_refused_by_line(tmp_path, text, said):
    with pytest.raises(AvfError, match=rf"v\.txt: {said}.*Correct the line"):
        vectors(tmp_path, text)


@pytest.mark.parametrize("number", ["x", "nan", "1e999"])
def test_what_is_no_number_is_refused_by_line_when_its_word_is_said(tmp_path, number):
    found = vectors(tmp_path, f"good 1 2\n\nbad 3 {number}\n")
    assert "good" in found.find(["good"])
    with pytest.raises(AvfError, match=r"v\.txt: line 3 has a value that is not a finite number"):
        found.find(["bad"])


def test_a_file_that_is_absent_or_of_another_kind_is_refused_with_what_to_do(tmp_path):
    for name, said in (
        ("none.txt", "file not found. Put it there"),
        ("v.zip", "unzip"),
        ("v.bin", "save_word2vec_format"),
        ("v.safetensors", "needs a vocabulary"),
    ):
        path = tmp_path / name
        if name != "none.txt":
            path.write_bytes(b"")
        with pytest.raises(AvfError, match=said):
            Vectors(path)
    with pytest.raises(AvfError, match=r"Set encoders\.word_vectors\.path"):
        base.build(media.settings("word_vectors"))


def test_messages_name_the_entry_of_the_study(tmp_path):
    """`glove: {is: word_vectors}` is set below encoders.glove."""
    settings = media.settings("word_vectors").updated(encoder="glove")
    with pytest.raises(AvfError, match=r"glove: no file .*Set encoders\.glove\.path"):
        base.build(settings)
    path = tmp_path / "none.txt"
    with pytest.raises(AvfError, match=r"correct encoders\.glove\.path"):
        base.build(settings.updated(options={"path": str(path)}))
    path.write_text("good 1 2\n")
    options = {"path": str(path), "sha256": "0" * 64}
    with pytest.raises(AvfError, match=r"correct encoders\.glove\.sha256"):
        base.build(settings.updated(options=options))
    assert "entry" not in encoders.options("word_vectors")


def test_a_matrix_beside_a_vocabulary_gives_the_rows_of_its_words(tmp_path):
    path, words = tmp_path / "m.safetensors", tmp_path / "words.txt"
    matrix = torch.arange(6.0).reshape(3, 2).bfloat16()
    save_file({"embedding": matrix, "norm": torch.ones(2)}, path)
    words.write_text("good\nbad\nParis\n")
    rows = Vectors(path, words).find(["paris", "bad", "none"])
    assert {word: row.tolist() for word, row in rows.items()} == {"bad": [2, 3], "paris": [4, 5]}
    words.write_text("good\nbad\n")
    with pytest.raises(AvfError, match=r"words\.txt: 2 words for 3 vectors"):
        Vectors(path, words)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(AvfError, match=r"m\.safetensors: not safetensors"):
        Vectors(path, words)


def test_a_clip_is_the_mean_of_the_vectors_of_its_phrase(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text(GLOVE)
    encoder = base.build(media.settings("word_vectors", path=str(path), context_s=1.0))
    said = [("good", 0.0, 0.4), ("oh", 0.5, 0.6), ("bad", 0.9, 1.4), ("oh", 2.5, 2.6)]
    rows = encoder.encode(media.transcript(said, 3.0), np.array([0.3, 0.6, 1.2, 2.0, 2.6]), 0.2)
    np.testing.assert_array_equal(rows[:3], [[1, 2], [1, 2], [2, 2.5]])
    assert np.isnan(rows[3]).all()
    assert not rows[4].any()  # something is said, and no word of the phrase has a vector


def test_vectors_are_checked_recorded_and_what_they_lack_is_in_the_index(tmp_path):
    layout = media.make_corpus(tmp_path, {"train": 1, "validation": 1, "test": 1})
    path = media.write_vectors(tmp_path / "v.txt")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    settings = media.settings("word_vectors", tmp_path, path=str(path), sha256=digest.upper())
    encode_shard("tiny", (0, 1), settings, layout)
    index = join(layout.features("tiny", "word_vectors")).set_index("video")
    assert index["status"].eq("ok").all()
    assert index["reason"].str.fullmatch(r"\d+ of \d+ words \(\d+\.\d%\) have no vector").any()
    noted = json.loads((layout.encoder("tiny", "word_vectors") / "settings.json").read_text())
    assert noted["vectors"] == {"file": "v.txt", "sha256": digest, "words": 4, "dim": 4}
    media.write_vectors(path, ("bad0", "good0"))
    with pytest.raises(AvfError, match=r"its SHA-256 is [0-9a-f]{64}, not .*word_vectors\.sha256"):
        encode_shard("tiny", (0, 1), settings, layout)
    settings = settings.updated(options={"path": str(path)})
    encode_shard("tiny", (0, 1), settings, layout)
    other = join(layout.features("tiny", "word_vectors")).set_index("video")
    assert (other["sha256"] != index["sha256"]).all()
