"""Clips to fit on overlap, and the memory holds each of their faces once."""

import numpy as np
import pytest
import torch

from avfusion.encoders import base, clip_inputs
from avfusion.encoders.faces import faces_of_clips, sample_faces
from support import synthetic_media as media

CLIP_S = 0.64
TIMES_S = np.arange(1, 13) * 0.16


def records(folder) -> list:
    rng = np.random.default_rng(0)
    return [media.make_record(folder / name, media.course(rng, 2.0), rng) for name in "ab"]


def frames_of(name: str, encoder, record) -> np.ndarray:
    """Frames (N, frames) of the clips."""
    if name != "ir50_tcn":
        return faces_of_clips(record, TIMES_S, CLIP_S, encoder.frame_hz, encoder.frames)[1]
    frames = sample_faces(record, TIMES_S, CLIP_S, encoder.frame_hz)
    times_s = record.frames["time_s"].to_numpy()[frames]
    last = np.searchsorted(times_s, TIMES_S + 1e-6) - 1
    return frames[(last[:, None] + np.arange(1 - encoder.frames, 1)).clip(0)]


@pytest.mark.parametrize("name", ["r2plus1d_two_stream", "ir50_tcn"])
def test_a_batch_is_the_faces_of_its_clips_and_a_face_is_kept_once(name, tmp_path):
    options = {"form": "arcface"} if name == "ir50_tcn" else {}  # reads faces of 112 px
    encoder = base.build(media.settings(name, width=1 / 16, **options))
    encoder.clip_s = CLIP_S
    videos = records(tmp_path)
    clips = clip_inputs.joined([encoder.inputs(record, TIMES_S) for record in videos])
    frames = [frames_of(name, encoder, record) for record in videos]
    expected = np.concatenate(
        [
            r.crops(f.ravel()).reshape(*f.shape, 112, 112, 3)
            for r, f in zip(videos, frames, strict=True)
        ]
    )
    assert len(clips) == len(expected) == 24
    chosen = torch.tensor([20, 0, 13])
    np.testing.assert_array_equal(clips[chosen].numpy(), expected[chosen.numpy()])
    np.testing.assert_array_equal(torch.cat(list(clips.split(7))).numpy(), expected)
    assert len(clips.faces) == sum(len(np.unique(each)) for each in frames)
    assert 3 * len(clips.faces) < clips.places.numel()
    assert [x.shape for x in clip_inputs.tensors(clips)] == [clips.faces.shape, clips.places.shape]


def test_other_inputs_are_joined_as_they_are():
    parts = [torch.ones(2, 3), torch.zeros(1, 3)]
    assert torch.equal(clip_inputs.joined(parts), torch.cat(parts))
    assert clip_inputs.tensors(parts[0]) == (parts[0],)
