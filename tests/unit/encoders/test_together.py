"""Encoders of one job read each face once, and give what each of them gives alone."""

import numpy as np
import pandas as pd
import pytest

from avfusion.cli import main
from avfusion.config.jobs import EncodersSettings
from avfusion.encoders import kept_records
from avfusion.encoders.kept_records import KeptRecord, KeptRecords
from avfusion.encoders.stage import encode_shard, encode_together
from avfusion.media import store
from avfusion.media.store import MediaRecord
from support import synthetic_media as media


@pytest.fixture
def layout(tmp_path):
    """A corpus in which one video failed in the media stage and the faces of one are damaged."""
    layout = media.make_corpus(tmp_path, {"train": 3, "validation": 1, "test": 2}, seconds=2)
    index = pd.read_parquet(layout.media("tiny") / "index.parquet")
    index.loc[index["video"] == "test_1", ["status", "reason"]] = ["failed", "test_1.mp4: empty."]
    index.to_parquet(layout.media("tiny") / "index.parquet")
    (layout.media("tiny") / "train_1" / "faces.zip").write_bytes(b"not a zip")
    return layout


def settings():
    first = media.settings("face_expression")
    return [first, first.updated(encoder="with_posteriors", options={"posteriors": True})]


def written(layout, each):
    """The files of features and tables, without the names of entries in them."""
    return [
        (path.name, path.read_bytes().replace(one.encoder.encode(), b"entry"))
        for one in each
        for path in sorted(layout.features("tiny", one.encoder).iterdir())
    ]


@pytest.fixture
def decoded(monkeypatch):
    """The frames that were decoded, one entry for each time."""
    frames = []
    original = MediaRecord.crops

    def crops(self, frame_indices):
        faces = original(self, frame_indices)
        frames.extend((self.folder.name, int(frame)) for frame in frame_indices)
        return faces

    monkeypatch.setattr(store.MediaRecord, "crops", crops)
    return frames


def test_they_give_the_same_files_together_and_alone(layout, tmp_path):
    encode_together("tiny", (0, 1), settings(), layout)
    together = written(layout, settings())
    for one in settings():
        for path in layout.features("tiny", one.encoder).iterdir():
            path.unlink()
        encode_shard("tiny", (0, 1), one, layout)
    assert written(layout, settings()) == together
    assert len(together) == 2 * (1 + 3 * 4)  # a table, and three files of 4 of 6 videos


def test_a_face_is_decoded_once_for_all(layout, decoded):
    encode_together("tiny", (0, 1), settings(), layout)
    once = sorted(decoded)
    assert len(once) == len(set(once)) > 10
    decoded.clear()
    for path in layout.features("tiny", "face_expression").iterdir():
        path.unlink()
    encode_shard("tiny", (0, 1), settings()[0], layout)
    assert sorted(decoded) == once


def test_memory_is_bounded_and_faces_beyond_it_are_decoded_again(layout, decoded, monkeypatch):
    monkeypatch.setattr(kept_records, "MOST_BYTES", 5 * 3 * 112 * 112 + 7)
    record = KeptRecord.open(layout.media("tiny") / "test_0")
    frames = record.with_face[[9, 2, 7, 3, 20, 21, 8]]
    expected = MediaRecord.open(record.folder).crops(frames)
    decoded.clear()
    for _ in range(2):
        np.testing.assert_array_equal(record.crops(frames), expected)
    again = [frame for _, frame in decoded[len(frames) :]]
    assert again == frames[5:].tolist()
    assert record.crops([]).shape == (0, 112, 112, 3)


def test_the_last_records_are_handed_out_again(layout):
    names = ("train_0", "train_2", "validation_0")
    folders = [layout.media("tiny") / name for name in names]
    records = KeptRecords(2)
    first, second = map(records, folders[:2])
    assert records(folders[0]) is first
    records(folders[2])
    assert records(folders[0]) is first
    assert records(folders[1]) is not second


def test_a_corpus_without_videos_has_empty_tables(layout):
    encode_together("tiny", (6, 7), settings(), layout)
    for one in settings():
        (path,) = layout.features("tiny", one.encoder).glob("shard-6-of-7.parquet")
        assert pd.read_parquet(path).empty


def test_the_command_encodes_together(layout, decoded, monkeypatch):
    one, other = settings()
    job = layout.results / "job.json"
    job.write_text(EncodersSettings(encoders=[one, other]).model_dump_json())
    words = ["encode", "tiny", one.encoder, other.encoder, "--settings", str(job)]
    assert main([*words, "--results", str(layout.results)]) == 0
    assert len(decoded) == len(set(decoded)) > 10
