"""Encoders that a fusion does not read: they do not run, and predictions stay the same."""

import numpy as np
import pandas as pd
import pytest

from avfusion.encoders.face_cnn import FaceCnn
from avfusion.encoders.mel_cnn import MelCnn
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.prediction import clip as clips
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import predict_clip
from avfusion.prediction.make import make
from avfusion.prediction.members import combined
from avfusion.prediction.request import Request
from avfusion.runs.train import train_run
from avfusion.training.loop import deterministic
from support.tiny_bundle import CORPUS, tiny_study

KINDS = {"audio": ("mel_cnn", "face_cnn", FaceCnn), "video": ("face_cnn", "mel_cnn", MelCnn)}


@pytest.fixture(scope="module", params=KINDS)
def single(request, bundle, place, tmp_path_factory):
    """A modality, and a bundle of a run that reads only it, on the features of the tiny study."""
    modality = request.param
    study, layout = tiny_study(place, modality, (0,)), Layout(place / "results")
    train_run(study.run_settings(CORPUS, modality, 0), layout)
    runs = [layout.run(CORPUS, modality, 0)]
    return modality, make(runs, tmp_path_factory.mktemp(modality) / "bundle", study, layout)


def test_the_encoder_of_the_other_modality_does_not_run(single, clip, monkeypatch):
    modality, bundle = single
    read, other, kind = KINDS[modality]
    again = Bundle.open(bundle.folder)
    monkeypatch.setattr(kind, "__init__", refused)
    found = predict_clip(clip, again)
    assert found.table["valence"].notna().all()
    assert list(again.encoders) == [read]
    assert set(again.document.encoders) == {read, other}, "the runs were trained with both"


def test_predictions_are_those_with_the_features_of_every_encoder(single, place):
    _, bundle = single
    layout = Layout(place / "results")
    hop_s, clip_s = bundle.document.windows.hop_s, bundle.document.windows.clip_s
    for video in ("train_0", "test_0"):
        record = MediaRecord.open(layout.media(CORPUS) / video)
        table = clips._table(layout.media(CORPUS), bundle, Request(), record, None, None)
        ends_s = clip_ends(record.duration_s, hop_s)
        with deterministic(seed=0):
            every = {
                name: bundle.encoder(name).encode(record, ends_s, clip_s).astype(np.float16)
                for name in bundle.document.encoders
            }
        assert not any(np.isnan(part).all() for part in every.values())
        expected = combined(video, bundle, every)
        pd.testing.assert_frame_equal(table[expected.columns], expected, check_exact=True)


def test_only_encoders_that_are_read_can_need_the_complete_clip(single, bundle):
    modality, alone = single
    both = ["train.baseline: video", "mel_cnn", "face_cnn"]
    assert bundle.document.needs_all == both
    assert alone.document.needs_all == [both[0], KINDS[modality][0]]


def refused(*_, **options):
    raise AssertionError(f"built with {options}")
