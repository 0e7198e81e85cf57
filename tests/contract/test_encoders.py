"""What every encoder must do; a new file in avfusion/encoders is tested without an edit here."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avfusion.encoders import base, joined
from avfusion.encoders.records import Records
from avfusion.encoders.stage import fit
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.media.mel import HOP_S as MEL_HOP_S
from avfusion.media.mel import log_mel_of
from avfusion.media.store import MediaRecord
from avfusion.media.transcript import Transcript
from avfusion.registry import encoders
from support import synthetic_media as media
from support import tiny_models
from support.tiny_bert import write_bert

CLIP_S, HOP_S = media.WINDOWS["clip_s"], media.WINDOWS["hop_s"]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """The tiny corpus, and a video without face for 2.4 s, and sound and words for 1.9 s."""
    layout = media.make_corpus(
        tmp_path_factory.mktemp("tiny"), {"train": 2, "validation": 1, "test": 1}
    )
    rng = np.random.default_rng(5)
    felt = media.course(rng, 6.3)
    media.make_record(layout.media("tiny") / "gaps", felt, rng, slice(20, 50), slice(333, 521))
    words = [w for w in media.make_words(felt, rng) if not 3.33 <= w[1] < 5.21]
    media.write_words(layout.results / "transcripts" / "gaps.csv", words)
    manifest = pd.read_parquet(layout.manifest("tiny"))
    manifest.loc[len(manifest)] = ["gaps", "unused", "transcripts/gaps.csv"]
    manifest.to_parquet(layout.manifest("tiny"))
    return layout


OF_MEDIA = [name for name in encoders.names() if encoders.constant(name, "reads") is None]
"""Others only resample: test_iemocap_arrays_study.py and unit/encoders/test_precomputed.py."""


HEAVY = ("inception_i3d_tcn", "r2plus1d_two_stream", "resnet18_two_stream")
"""Networks whose parts others have too; CI leaves them out."""

CASES = [
    pytest.param((name, modality), marks=[pytest.mark.long] if name in HEAVY else [])
    for name in OF_MEDIA
    for modality in encoders.constant(name, "modalities") or (None,)
]
"""Names, and for encoders of several modalities each of them."""


@pytest.fixture(scope="session", params=CASES, ids=lambda case: "-".join(filter(None, case)))
def ready(request, corpus) -> tuple:
    """An encoder that may encode: loaded, and fitted shortly first where it needs that."""
    name, modality = request.param
    options, extra = encoders.options(name), encoders.constant(name, "extra")
    if extra is not None:
        pytest.importorskip(extra)
    short = {"epochs": 2} if "epochs" in options else {}
    if "width" in options:  # a network of a paper
        short |= {"width": 1 / 16, "most": 16, "batch": 8}
        short |= {"frames": 3} if "frames" in options else {}
    if name == "bert_words":
        pytest.importorskip("transformers")
        short = {"path": str(write_bert(corpus.results / "bert")), "layers": [-2, -1]}
    if "vocabulary" in encoders.options(name):  # weights that are the user's
        short = {"path": str(media.write_vectors(corpus.results / "vectors.txt"))}
    if name in tiny_models.ADAPTERS:
        folder = corpus.results / "models" / "-".join(filter(None, request.param))
        short = tiny_models.options(name, modality, folder)
    settings = media.settings(name, corpus.results, **short).updated(modality=modality)
    encoder = base.build(settings)
    if encoder.fitted:
        fit("tiny", settings, corpus)
        encoder.load(corpus.encoder("tiny", name) / "best.safetensors", settings)
    return encoder, settings


def encode(encoder, record: MediaRecord | Transcript) -> np.ndarray:
    return encoder.encode(record, clip_ends(record.duration_s, HOP_S), CLIP_S)


def record_of(ready: tuple, store: Layout, video: str) -> MediaRecord | Transcript:
    encoder, settings = ready
    return Records("tiny", encoder.modality, settings, store).open(video)


def made(encoder, folder: Path, felt: np.ndarray, seed: int, *gone: slice):
    """A new record of what was felt; `gone`: frames without a face, rows of 10 ms without audio."""
    rng = np.random.default_rng(seed)
    if encoder.modality == "text":
        words = [] if gone else media.make_words(felt, rng)
        return media.transcript(words, len(felt) / media.RATE_HZ)
    return media.make_record(folder, felt, rng, *gone)


def test_it_says_what_it_hears_or_sees_and_how_wide_it_is(ready, corpus):
    encoder, _ = ready
    record = record_of(ready, corpus, "test_0")
    assert encoder.modality in ("audio", "video", "text")
    rows = encode(encoder, record)
    assert rows.shape == (len(clip_ends(record.duration_s, HOP_S)), encoder.dim)
    assert rows.dtype == np.float32


def test_a_row_is_nan_exactly_where_its_modality_is_absent(ready, corpus):
    encoder, _ = ready
    record = record_of(ready, corpus, "gaps")
    if encoder.modality == "video":
        present_s = record.frames["time_s"].to_numpy()[record.with_face]
    elif encoder.modality == "audio":
        present_s = np.flatnonzero(~np.isnan(log_mel_of(record)).all(1)) * MEL_HOP_S
    else:
        spoken = zip(record.start_s, record.end_s, strict=True)
        present_s = np.concatenate([np.arange(s, e - 1e-5, 1e-4) for s, e in spoken])
    ends = clip_ends(record.duration_s, HOP_S)
    absent = [not ((present_s > e - CLIP_S + 1e-6) & (present_s <= e + 1e-6)).any() for e in ends]
    missing = np.isnan(encode(encoder, record))
    assert 3 < sum(absent) < len(ends) - 3
    np.testing.assert_array_equal(missing.all(1), absent)
    np.testing.assert_array_equal(missing.any(1), absent)


def test_features_differ_in_time_and_are_safe_in_half_precision(ready, corpus):
    rows = encode(ready[0], record_of(ready, corpus, "test_0"))
    assert np.abs(rows).max() < 5000
    assert rows.std(0).max() > 1e-3
    lost = np.abs(rows - rows.astype(np.float16)).max(0)
    assert (lost <= np.maximum(0.01, 0.01 * rows.std(0))).all()


def test_a_video_is_encoded_the_same_alone_after_others_and_again(ready, corpus):
    encoder, settings = ready
    alone = encode(encoder, record_of(ready, corpus, "test_0"))
    encode(encoder, record_of(ready, corpus, "gaps"))
    after = encode(encoder, record_of(ready, corpus, "test_0"))
    np.testing.assert_array_equal(alone, after)
    fresh = base.build(settings)
    if fresh.fitted:
        fresh.load(corpus.encoder("tiny", settings.encoder) / "best.safetensors", settings)
    np.testing.assert_array_equal(alone, encode(fresh, record_of(ready, corpus, "test_0")))


def test_batches_over_videos_give_the_rows_of_each_video(ready, corpus, monkeypatch):
    """As on a GPU. The place of an input in its batch may change the last digit."""
    encoder, _ = ready
    if not (hasattr(encoder, "gather") and getattr(encoder, "batched", True)):
        pytest.skip("it reads each video on its own")
    monkeypatch.setattr(joined, "BATCH_BYTES", 600_000)
    read = [record_of(ready, corpus, video) for video in ("test_0", "gaps", "validation_0")]
    given = [(record, clip_ends(record.duration_s, HOP_S), CLIP_S) for record in read]

    def together(*chosen):
        videos = ((number, encoder.read(*given[number])) for number in chosen)
        return {
            number: encoder.gather(parts, *given[number])
            for number, parts in joined.over_videos(encoder.embed, videos)
        }

    found = together(0, 1, 2)
    for number, record in enumerate(read):
        np.testing.assert_allclose(found[number], encode(encoder, record), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(together(1)[1], found[1], rtol=1e-4, atol=1e-5)


def test_a_feature_does_not_depend_on_what_follows_its_clip(ready, tmp_path, monkeypatch):
    """The same beginning with another end gives the same features up to there.

    Taking off the video's mean needs the whole video by design; everything else must not.
    """
    if getattr(ready[0], "looks_ahead", False):
        pytest.skip("its rows depend on what follows by design")
    if hasattr(ready[0], "at_rest"):
        monkeypatch.setattr(ready[0], "at_rest", False)
    felt = media.course(np.random.default_rng(8), 4.0)
    other = felt.copy()
    other[26:] *= -1  # from 2.08 s, the end of clip 13
    pair = [made(ready[0], tmp_path / str(n), x, 1) for n, x in enumerate((felt, other))]
    one, two = (encode(ready[0], record) for record in pair)
    np.testing.assert_allclose(one[:12], two[:12], rtol=1e-4, atol=1e-5)
    assert np.abs(one[16:] - two[16:]).max() > 1e-3


def test_a_clip_reads_the_same_in_a_shorter_grid(ready, corpus):
    """Features do not depend on how many clips are asked for at once."""
    record = record_of(ready, corpus, "test_0")
    ends = clip_ends(record.duration_s, HOP_S)
    part = ready[0].encode(record, ends[10:14], CLIP_S)
    np.testing.assert_allclose(part, encode(ready[0], record)[10:14], rtol=1e-4, atol=1e-5)


def test_memory_stays_bounded_however_long_the_video(ready, corpus, monkeypatch):
    asked, crops = [], MediaRecord.crops
    monkeypatch.setattr(
        MediaRecord, "crops", lambda self, i: asked.append(len(i)) or crops(self, i)
    )
    record = record_of(ready, corpus, "test_0")
    encode(ready[0], record)
    assert max(asked, default=0) <= 64
    assert ready[0].modality == "text" or len(record.with_face) > 64


def test_a_video_without_the_modality_is_all_nan(ready, corpus, tmp_path):
    felt = media.course(np.random.default_rng(2), 3.0)
    record = made(ready[0], tmp_path / "empty", felt, 2, slice(0, 99), slice(0, 999))
    assert np.isnan(encode(ready[0], record)).all()
