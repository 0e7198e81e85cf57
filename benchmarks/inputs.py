"""Clips as people have them: each predicted like the original, or refused with the reason.

    make demo
    python benchmarks/inputs.py --out benchmarks/results/inputs.json
    python benchmarks/inputs.py --folder CLIPS        # also the clips of a folder

One clip of a drawn person is stored in the forms that cameras, phones, browsers and editors write,
and predicted with the bundle of the demo study. A form is right if valence and arousal differ from
those of the original by less than lossy compression makes (the mean absolute difference). Clips
without a face, with two people, without sound or pictures must say so.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import pandas as pd

from avfusion.corpora.demo.example import example_clip
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import Prediction, predict_clip
from avfusion.prediction.find import find
from machine import finish

SECONDS, SEED, SIZE_PX, CHANGE = 8.0, 23, (640, 480), 0.05
TARGETS = ["valence", "arousal"]


class Form(NamedTuple):
    """A way to store the clip: the file, the codecs of pictures and sound, and their options."""

    name: str
    video: str | None
    audio: str | None
    rate_hz: int = 48_000
    layout: str = "stereo"
    pixels: str = "yuv420p"
    options: dict[str, str] = {}  # noqa: RUF012 - read only


QUIET = {"x265-params": "log-level=none", "preset": "ultrafast"}
FORMS = [
    Form("h264_aac.mp4", "libx264", "aac"),
    Form("hevc_aac.mp4", "libx265", "aac", options=QUIET),
    Form("hevc_10bit.mkv", "libx265", "aac", 48_000, "stereo", "yuv420p10le", QUIET),
    Form("vp9_opus.webm", "libvpx-vp9", "libopus", options={"cpu-used": "8"}),
    Form("vp8_opus.webm", "libvpx", "libopus", options={"b": "3M"}),
    Form("av1_opus.mkv", "libsvtav1", "libopus", options={"preset": "12"}),
    Form("mjpeg_pcm.avi", "mjpeg", "pcm_s16le", pixels="yuvj420p", options={"b": "8M"}),
    Form("mpeg4_mp3.avi", "mpeg4", "libmp3lame", options={"b": "8M"}),
    Form("prores_pcm.mov", "prores_ks", "pcm_s16le", pixels="yuv422p10le"),
    Form("h264_22050hz_mono.mov", "libx264", "aac", 22_050, "mono"),
    Form("wmv2.wmv", "wmv2", "wmav2", options={"b": "8M"}),
    Form("he said \"no\", 'yes' & 100 %.mp4", "libx264", "aac"),
    Form("h264_without_sound.mp4", "libx264", None),
    Form("sound.wav", None, "pcm_s16le"),
    Form("sound.flac", None, "flac", 44_100, "mono"),
    Form("sound.mp3", None, "libmp3lame", 44_100),
    Form("sound.m4a", None, "aac"),
]
REFUSED = {
    "empty.mp4": lambda path, clip: path.write_bytes(b""),
    "text.mp4": lambda path, clip: path.write_text("This is no video."),
    "cut_before_its_index.mp4": lambda path, clip: path.write_bytes(clip.read_bytes()[:20_000]),
    "a_picture.png": lambda path, clip: cv2.imwrite(str(path), np.zeros((90, 120, 3), np.uint8)),
}


def main() -> None:
    """Predict each input and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path, help="more clips to predict")
    parser.add_argument("--results", type=Path, default=Path("results"))
    args = parser.parse_args()
    bundle = Bundle.open(Layout(args.results).bundle("demo"))
    with tempfile.TemporaryDirectory() as scratch:
        rows = []
        for each in inputs(bundle, Path(scratch)):
            print(f"{each['measure']}: {each['found']}", flush=True)
            rows.append(each)
    for clip in find([str(args.folder)]) if args.folder else []:
        found = attempt(clip.path, bundle)
        print(f"{clip.path.name}: {found if isinstance(found, str) else described(found)}")
    result = {
        "title": "Forms of clips",
        "what": f"A clip of {SECONDS:g} s at {SIZE_PX[0]}x{SIZE_PX[1]} in each form, predicted "
        "with the bundle of the demo study. The difference is the mean absolute one from the "
        "predictions of the original.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def inputs(bundle: Bundle, folder: Path) -> Iterator[dict[str, str]]:
    """Yield a row per form of the clip, per clip with doubts, and per file that is refused."""
    clip = example_clip(folder / "original.mp4", SECONDS, SEED, size_px=SIZE_PX)
    original = predict_clip(clip, bundle)
    alone = {
        "video": predict_clip(stored(clip, folder, Form("v.mp4", "libx264", None)), bundle),
        "audio": predict_clip(stored(clip, folder, Form("a.wav", None, "pcm_s16le")), bundle),
    }
    for form in FORMS:
        found = attempt(stored(clip, folder, form), bundle)
        kind = "video" if form.audio is None else "audio" if form.video is None else ""
        yield compared(form.name, found, alone.get(kind, original))
    for name, make, words in DOUBTS:
        yield doubted(name, attempt(make(clip, folder / name), bundle), words)
    for name, make in REFUSED.items():
        path = folder / name
        make(path, clip)
        found = attempt(path, bundle)
        named = isinstance(found, str) and name in found
        said = "refused by name" if named else "refused" if isinstance(found, str) else "predicted"
        yield {"measure": name, "found": said, "expected": "refused by name"}


def attempt(path: Path, bundle: Bundle) -> Prediction | str:
    """Return the prediction of a clip, or why it is refused."""
    try:
        return predict_clip(path, bundle)
    except AvfError as error:
        return str(error)


def compared(name: str, found: Prediction | str, original: Prediction) -> dict[str, str]:
    """Return the row of a form that must be predicted like the original."""
    measure, bound = f"{name}: difference from the original", f"<= {CHANGE}"
    if isinstance(found, str):
        return {"measure": measure, "found": f"999 (refused: {found})", "expected": bound}
    tables = (t.set_index(t["time_s"].round(2))[TARGETS] for t in (found.table, original.table))
    ours, theirs = pd.DataFrame.align(*tables, join="inner")
    lacking = len(original.table) - len(ours)
    change = f"{(ours - theirs).abs().to_numpy().mean():.3f}" if lacking <= 2 else f"{lacking} rows"
    return {"measure": measure, "found": change, "expected": bound}


def doubted(name: str, found: Prediction | str, words: str) -> dict[str, str]:
    """Return the row of a clip whose prediction must be doubted with certain words."""
    said = found if isinstance(found, str) else " ".join(found.remarks)
    verdict = f'says "{words}"' if words in said else f"says: {said}"
    return {"measure": name, "found": verdict, "expected": f'says "{words}"'}


def described(found: Prediction) -> str:
    """Return what a prediction says of a clip of unknown content."""
    means = ", ".join(f"{name} {found.table[name].mean():+.2f}" for name in TARGETS)
    return f"{len(found.table)} rows, {means}; {' '.join(found.remarks[1:])}"


def stored(clip: Path, folder: Path, form: Form) -> Path:
    """Encode the clip in another form, its pictures at their own times."""
    path = folder / form.name
    with av.open(str(clip)) as source, av.open(str(path), "w") as new:
        pictures = sound = None
        if form.video:
            old = source.streams.video[0]
            pictures = new.add_stream(form.video, rate=old.average_rate, options=dict(form.options))
            pictures.width, pictures.height, pictures.pix_fmt = old.width, old.height, form.pixels
        if form.audio:
            sound = new.add_stream(form.audio, rate=form.rate_hz, layout=form.layout)
            sound.bit_rate = 128_000
            resampler = av.AudioResampler(sound.format, form.layout, form.rate_hz)
        for frame in source.decode():
            if isinstance(frame, av.VideoFrame) and pictures:
                frame.pict_type = 0  # the encoder chooses keyframes
                new.mux(pictures.encode(frame))
            elif isinstance(frame, av.AudioFrame) and sound:
                for piece in resampler.resample(frame):
                    new.mux(sound.encode(piece))
        for stream in filter(None, (pictures, sound)):
            new.mux(stream.encode(None))
    return path


def repainted(clip: Path, path: Path, paint: Callable[[np.ndarray], np.ndarray]) -> Path:
    """Store the clip with other pictures and the same sound."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as new:
        old = source.streams.video[0]
        pictures = new.add_stream("libx264", rate=old.average_rate)
        sound = new.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = sound
                new.mux(packet)
        source.seek(0)
        for frame in source.decode(old):
            image = av.VideoFrame.from_ndarray(paint(frame.to_ndarray(format="rgb24")), "rgb24")
            image.pts, image.time_base = frame.pts, frame.time_base
            if not pictures.codec_context.is_open:
                pictures.height, pictures.width = image.height, image.width
                pictures.pix_fmt = "yuv420p"
            new.mux(pictures.encode(image))
        new.mux(pictures.encode(None))
    return path


DOUBTS: list[tuple[str, Callable[[Path, Path], Path], str]] = [
    (
        "two_people.mp4",
        lambda clip, path: repainted(clip, path, lambda x: np.concatenate([x, x[:, ::-1]], axis=1)),
        "people",
    ),
    ("no_face.mp4", lambda clip, path: repainted(clip, path, lambda x: x * 0 + 90), "face"),
    ("no_pictures.wav", lambda clip, path: stored_as(clip, path, "pcm_s16le"), "No pictures"),
    ("no_sound.mp4", lambda clip, path: stored_as(clip, path, None), "No sound"),
]


def stored_as(clip: Path, path: Path, audio: str | None) -> Path:
    """Store one modality of the clip."""
    video = None if audio else "libx264"
    made = stored(clip, path.parent, Form(f"one_{path.name}", video, audio))
    return Path(shutil.move(made, path))


if __name__ == "__main__":
    main()
