"""Adapters: options without meaning, values that are no numbers, and faces missing in a clip."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avfusion.encoders import adapter, base
from avfusion.encoders.faces import faces_of_clips, read_clips
from avfusion.encoders.onnx_session import Session
from avfusion.errors import AvfError, ConfigError
from avfusion.media.clips import clip_ends
from avfusion.registry import encoders
from support import synthetic_media as media
from support import tiny_models

CLIP_S, HOP_S = media.WINDOWS["clip_s"], media.WINDOWS["hop_s"]
MEAN = [0.5, 0.4, 0.3]
PICTURES = {"mean": MEAN, "deviation": [0.25, 0.2, 0.5]}


def settings(modality: str, **options):
    return media.settings("onnx", **options).updated(modality=modality)


def onnx(tmp_path, shape, modality, **options):
    """An encoder of a file, and the matrix in it."""
    weights = tiny_models.write_onnx(tmp_path / "a.onnx", shape)
    given = {"path": str(tmp_path / "a.onnx"), **options}
    return base.build(settings(modality, **given)), weights


SOUND = {"rate_hz": 8_000}


@pytest.mark.parametrize(
    ("modality", "shape", "options", "text"),
    [
        ("audio", ["n", 8_000], {**SOUND, "context_s": 0.5},
         r"`context_s` is 0\.5, but .* reads 8000 samples, 1 s at 8000 Hz\. Remove it"),
        ("audio", ["n", "t"], {"context_s": -1.0}, r"`context_s` must be above 0, found -1\.0"),
        ("audio", ["n", "t"], {"rate_hz": 0}, "`rate_hz` must be above 0, found 0"),
        ("audio", ["n", "t"], {"mean": MEAN}, "`mean` has no meaning for sound"),
        ("audio", ["n", "t"], {"crop_px": 96}, "`crop_px` has no meaning for sound"),
        ("video", ["n", 3, 8, 8], {"context_s": 1.0}, "`context_s` has no meaning for pictures"),
        ("video", ["n", 3, 8, 8], {"normalise": True}, "`normalise` has no meaning for pictures"),
        ("video", ["n", 3, 8, 8], {"normalise": False}, "`normalise` has no meaning for pictures"),
        ("video", ["n", 3, 8, 8], {"rate_hz": 16_000}, "`rate_hz` has no meaning for pictures"),
        ("audio", ["n", "t"], {"layout": "nchw"}, "`layout` has no meaning for sound"),
        ("audio", ["n", "t"], {"white": 255.0}, "`white` has no meaning for sound"),
        ("audio", ["n", "t"], {"colours": "rgb"}, "`colours` has no meaning for sound"),
        ("audio", ["n", "t"], {"frame_hz": 12.5}, "`frame_hz` has no meaning for sound"),
        ("audio", ["n", "t"], {"interpolation": "bicubic"}, "`interpolation` has no meaning for"),
        ("video", ["n", 3, 8, 8], {"frames": 4}, "`frames` has no meaning for the layout nchw"),
    ],
)  # fmt: skip
def test_options_that_an_onnx_file_cannot_use_are_refused(modality, shape, options, text, tmp_path):
    given = options | (PICTURES if modality == "video" else {})
    with pytest.raises(ConfigError, match=f"onnx: {text}"):
        onnx(tmp_path, shape, modality, **given)


@pytest.mark.parametrize(
    ("name", "modality", "options", "text"),
    [
        ("transformers", "audio", {"context_s": 2.0}, "`context_s` has no meaning for audio"),
        ("transformers", "audio", {"frame_hz": 25.0}, "`frame_hz` has no meaning for audio"),
        ("transformers", "audio", {"pool": "mean"}, "`pool` has no meaning for audio"),
        ("transformers", "video", {"chunk_s": -5.0}, r"`chunk_s` has no meaning .*, found -5\.0"),
        ("transformers", "text", {"margin_s": 1.0}, "`margin_s` has no meaning for text"),
        ("torchvision", "video", {"frames": 16}, "`frames` has no meaning for the picture model"),
        ("opensmile", None, {"chunk_s": 60.0}, "`chunk_s` has no meaning for the level function"),
        ("opensmile", None, {"level": "lld", "context_s": 2.0}, "`context_s` has no meaning for"),
    ],
)  # fmt: skip
def test_options_of_another_kind_of_input_are_refused(name, modality, options, text, tmp_path):
    pytest.importorskip(name)
    needed = tiny_models.options(name, modality, tmp_path)
    entry = media.settings(name, **needed).updated(encoder="mine")
    if encoders.constant(name, "modalities"):
        entry = entry.updated(modality=modality)
    base.build(entry)
    with pytest.raises(ConfigError, match=rf"mine: {text}.*Remove encoders\.mine\."):
        base.build(entry.updated(options={**needed, **options}))


def test_a_video_model_of_torchvision_reads_a_face_or_more():
    pytest.importorskip("torchvision")
    with pytest.raises(ConfigError, match="torchvision: `frames` must be 1 or more, found 0"):
        base.build(media.settings("torchvision", model="r3d_18", frames=0))


def test_an_onnx_file_runs_on_one_thread(tmp_path, monkeypatch):
    """The encoder is built before `deterministic` sets the threads of torch."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    encoder, _ = onnx(tmp_path, ["n", 8_000], "audio", rate_hz=8_000)
    assert encoder.session._session.get_session_options().intra_op_num_threads == 1


def test_a_length_of_sound_that_repeats_the_files_own_is_accepted(tmp_path):
    encoder, _ = onnx(tmp_path, ["n", 8_000], "audio", rate_hz=8_000, context_s=1.0)
    assert (encoder.samples, encoder.dim) == (8_000, 4)


def test_values_that_are_not_finite_are_no_absent_modality(tmp_path):
    _, weights = onnx(tmp_path, ["n", 8_000], "audio", rate_hz=8_000)
    path = tmp_path / "a.onnx"
    endless = weights.copy()
    endless[:, 2] = np.inf  # times 0 of silence
    path.write_bytes(path.read_bytes().replace(weights.tobytes(), endless.tobytes()))
    with pytest.raises(AvfError, match=r"not finite for 1 of 1 inputs\..* encoders\.onnx, or exp"):
        base.build(settings("audio", path=str(path), rate_hz=8_000))


def test_the_width_of_a_map_is_not_stated(tmp_path):
    """Only (n, D) and (n, D, 1, 1) are one vector per input."""
    session = SimpleNamespace(_output="y")
    rows = [(["n", 6], 6), (["n", 6, 1, 1], 6), (["n", 6, 7, 7], None), (["n", "d"], None)]
    for shape, expected in [*rows, (["n"], None)]:
        outputs = [SimpleNamespace(name="y", shape=shape)]
        session._session = SimpleNamespace(get_outputs=lambda outputs=outputs: outputs)
        assert Session.stated_width.fget(session) == expected


@pytest.mark.parametrize("error", [AssertionError, RuntimeError, ValueError])
def test_a_network_that_refuses_a_size_is_one_message(error):
    class Picky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, pictures):
            raise error("Input height (96) doesn't match model (224).")

    with pytest.raises(ConfigError, match=r"mine: .*shape \(3, 96, 96\) \(Input height.*crop_px"):
        adapter.width_of(Picky(), (1, 3, 96, 96), "mine")


def times_of(taken: np.ndarray, frames: int, end_s: float) -> list[float]:
    """The times of the faces that a clip's network reads, from the description of the rule."""
    inside = [t for t in taken if end_s - CLIP_S + 1e-6 < t <= end_s + 1e-6]
    last_first = inside[:: -max(1, len(inside) // frames)][:frames]
    return sorted(last_first) + [inside[-1]] * (frames - len(last_first))


def test_faces_are_chosen_where_some_of_a_clip_are_missing(tmp_path):
    """The first clip, one with a single face, one without any, and one at the end."""
    rng = np.random.default_rng(3)
    felt = media.course(rng, 4.0)
    record = media.make_record(tmp_path / "r", felt, rng, faceless=slice(10, 27))
    times_s = record.frames["time_s"].to_numpy()
    taken = times_s[[*range(10), *range(27, len(times_s))]]
    ends_s = clip_ends(record.duration_s, HOP_S)
    for frames in (3, 8):
        rows, chosen = faces_of_clips(record, ends_s, CLIP_S, 12.5, frames)
        seen = [((taken > e - CLIP_S + 1e-6) & (taken <= e + 1e-6)).any() for e in ends_s]
        np.testing.assert_array_equal(rows, np.flatnonzero(seen))
        assert 0 < len(rows) < len(ends_s)
        for row, places in zip(rows, chosen, strict=True):
            expected = times_of(taken, frames, ends_s[row])
            np.testing.assert_allclose(times_s[places], expected, err_msg=str(ends_s[row]))
        read = np.concatenate([clips for _, clips in read_clips(record, chosen)])
        np.testing.assert_array_equal(read[-1], record.crops(chosen[-1]))
        assert [begin for begin, _ in read_clips(record, chosen)] == list(
            range(0, len(rows), 64 // frames)
        )
