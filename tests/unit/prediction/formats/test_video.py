"""The video shows the clip's own frames at their times, traces below them, and keeps the sound."""

import subprocess
import sys
import wave

import av
import numpy as np
import pytest

from avfusion.errors import MediaError
from avfusion.prediction.formats.look import DARK, PERSONS_DARK
from avfusion.prediction.formats.panel import Panel
from avfusion.prediction.formats.write import write
from avfusion.prediction.prediction import Target
from support import odd_videos
from support.synthetic_predictions import clip, predict


def written(path, out, **changes):
    """Path of the video of a clip."""
    return write(predict(path, **changes), out, ["video"])[0]


def frames(path):
    """(time in s, RGB int (H, W, 3)) of each frame."""
    with av.open(str(path)) as container:
        return [
            (f.time, f.to_ndarray(format="rgb24").astype(int)) for f in container.decode(video=0)
        ]


def samples(path):
    """Samples and rate of the sound."""
    with av.open(str(path)) as container:
        blocks = [f.to_ndarray()[0] for f in container.decode(audio=0)]
        return np.concatenate(blocks), container.streams.audio[0].rate


def near(image, colour):
    """Number of pixels of about a colour; the codec changes colours a little."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(image - wanted).max(axis=-1) < 50).sum())


def number_in(image):
    """The number in a frame that is shown twice as large."""
    return odd_videos.number_in(image[::2, ::2])


def test_every_frame_is_there_at_its_time_with_traces_below(tmp_path):
    path = written(clip(tmp_path), tmp_path / "out", persons=2)
    shown = frames(path)
    assert [number_in(image) for _, image in shown] == list(range(100))
    assert np.allclose([time_s for time_s, _ in shown], np.arange(100) / 25, atol=1e-3)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].pix_fmt == "yuv420p"
    _, image = shown[50]
    height, width, _ = image.shape
    assert width == 640
    assert height > 480
    assert height % 2 == 0
    panel = image[480:]
    assert near(panel, PERSONS_DARK[0]) > 50
    assert near(panel, PERSONS_DARK[1]) > 50


def test_the_sound_is_kept(tmp_path):
    path = written(clip(tmp_path), tmp_path / "out")
    heard, rate = samples(path)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * rate / len(heard) == pytest.approx(440, abs=2)
    assert len(heard) / rate == pytest.approx(4.0, abs=0.1)
    silent = written(clip(tmp_path, "mute.mp4", sound=False), tmp_path / "out")
    with av.open(str(silent)) as container:
        assert not container.streams.audio


def test_sound_and_pictures_stay_together(tmp_path):
    images, sound = odd_videos.flash_and_click(at=30)
    path = odd_videos.write(tmp_path / "click.mp4", images, audio=[(0.0, sound)])
    out = written(path, tmp_path / "out", seconds=2.0)
    flash_s = max(frames(out), key=lambda shown: shown[1][:480].mean())[0]
    heard, rate = samples(out)
    assert flash_s == pytest.approx(1.2, abs=0.001)
    assert np.argmax(np.abs(heard)) / rate == pytest.approx(1.2, abs=0.03)


def test_a_turned_video_is_upright_and_uneven_times_are_kept(tmp_path):
    sideways = np.ascontiguousarray(np.rot90(odd_videos.face()))
    turned = odd_videos.write(tmp_path / "turned.mp4", odd_videos.pictures(10, sideways))
    odd_videos.turn(turned, 90)
    out = written(turned, tmp_path / "out", seconds=0.4)
    assert frames(out)[0][1].shape[1] == 640
    times_ms = odd_videos.uneven_ms()
    uneven = odd_videos.write(tmp_path / "uneven.mp4", odd_videos.pictures(), times_ms)
    out = written(uneven, tmp_path / "out", seconds=3.0)
    assert np.allclose([time_s for time_s, _ in frames(out)], np.array(times_ms) / 1000, atol=2e-3)


def test_only_the_predicted_part_is_written(tmp_path):
    prediction = predict(clip(tmp_path))
    prediction.clip.update(start_s=1.0, end_s=3.0)
    out = write(prediction, tmp_path / "out", ["video"])[0]
    assert [number_in(image) for _, image in frames(out)] == list(range(25, 75))
    heard, rate = samples(out)
    assert len(heard) / rate == pytest.approx(2.0, abs=0.06)


def test_a_sound_file_becomes_traces_with_sound(tmp_path):
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)).astype("<i2")
    with wave.open(str(tmp_path / "call.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(tone.tobytes())
    out = written(tmp_path / "call.wav", tmp_path / "out", seconds=3.0, persons=None)
    shown = frames(out)
    assert len(shown) == pytest.approx(30, abs=1)
    assert near(shown[10][1], PERSONS_DARK[0]) > 50
    assert len(samples(out)[0]) / 48_000 == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(
    "changes",
    [{"persons": None}, {"seconds": 0.16}, {"targets": (Target("pain", 0.0, 10.0),)}],
    ids=["no face", "one row", "0 to 10"],
)
def test_odd_predictions_are_drawn(tmp_path, changes):
    out = written(clip(tmp_path, seconds=1.0), tmp_path / "out", **{"seconds": 1.0, **changes})
    assert near(frames(out)[2][1][480:], PERSONS_DARK[0]) > 5


def test_the_traces_move_and_doubts_are_named(tmp_path):
    panel = Panel(predict(tmp_path / "talk.mp4", seconds=12.0), 640)
    early, late = panel.at(0.5), panel.at(8.0)
    assert not np.array_equal(early, late)
    corner = (slice(panel.height - panel.foot_px, None), slice(0, panel.left))
    ink = [near(panel.at(at)[corner].astype(int), DARK[0]) for at in (0.5, 1.7, 8.0)]
    assert ink[0] == ink[2] == 0
    assert ink[1] > 20


def test_a_missing_clip_is_an_error_that_names_it(tmp_path):
    with pytest.raises(MediaError, match=r"gone\.mp4: no such file"):
        written(tmp_path / "gone.mp4", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


MEMORY = """
import resource, sys
from pathlib import Path
from avfusion.prediction.formats.write import write
from support.synthetic_predictions import clip, predict
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
clip(folder / "warm", seconds=2.0)
write(predict(folder / "warm" / "talk.mp4"), folder / "warm", ["video"])
path = folder / "talk.mp4"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write(predict(path, seconds=seconds), folder / "out", ["video"])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path):
    """The 500 frames of 640x648 are 620 MB; the encoder holds some dozens of them."""
    clip(tmp_path, seconds=20.0)
    command = [sys.executable, "-c", MEMORY, str(tmp_path), "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 100, "MB"
