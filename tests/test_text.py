"""Transcripts: which words a clip holds, what is refused, and that words stay where they are."""

import numpy as np
import pandas as pd
import pytest

import synthetic_media as media
from avfusion.encoders import base
from avfusion.encoders._transcript import Transcript
from avfusion.errors import AvfError
from avfusion.shards import join


def read(tmp_path, text: str) -> Transcript:
    path = tmp_path / "said.csv"
    path.write_text(text)
    return Transcript.read(path, 10.0)


def test_words_are_sorted_lowered_and_freed_of_punctuation(tmp_path):
    found = read(tmp_path, 'word,start_s,end_s\n"Don\'t, no.",1,2\n...,0.5,0.6\nNull,0,0.5\n')
    assert found.words == ("null", "don't", "no")
    assert found.start_s.tolist() == [0, 1, 1]


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
    own = media.settings("words", tmp_path, epochs=1, most_words=20)
    base.fit("tiny", own, layout)
    base.encode_shard("tiny", (0, 1), own, layout)
    index = join(layout.features("tiny", "words")).set_index("video")
    assert index.loc["test_0", ["status", "missing_share"]].tolist() == ["ok", 1.0]
    assert "no transcript" in index.loc["test_0", "reason"]
    assert index.loc["train_0", "missing_share"] < 0.5
    kept = b"".join(p.read_bytes() for p in layout.encoder("tiny", "words").iterdir())
    assert b"good" not in kept
