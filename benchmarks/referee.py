"""Compare frames, their times and mixed sound with the `ffmpeg` program's.

    python benchmarks/referee.py --out benchmarks/results/referee.json

`ffmpeg` must be on PATH (or name it with --ffmpeg). It turns and mirrors by itself; one filter
scales to square pixels. Every frame of a small video of each kind is compared. Where pictures
change inside a file, `ffmpeg` keeps the first aspect and size, so tests check those kinds. Sound is
compared with the mean of its two-channel mix, which is 3 dB lower where a centre exists.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

SHOWN = re.compile(r"n: *\d+ pts: *\S+ pts_time:(\S+).* s:(\d+)x(\d+)")
RATE_HZ = 16_000
LAYOUTS = {"mono": 1, "stereo": 2, "quad": 4, "4.0": 4, "5.0": 5, "5.1": 6, "6.1": 7, "7.0": 7}
WITH_CENTRE = ("4.0", "5.0", "5.1", "6.1", "7.0")
SQUARE = "scale=w='max(iw,iw*sar)':h='max(ih,ih/sar)':flags=bicubic,format=rgb24,showinfo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ffmpeg", default=shutil.which("ffmpeg"), help="the ffmpeg program")
    parser.add_argument("videos", nargs="*", type=Path, help="compare these videos instead")
    args = parser.parse_args()
    if not args.ffmpeg:
        sys.exit("no ffmpeg on PATH. Install it, or name the program: --ffmpeg PATH")
    with tempfile.TemporaryDirectory() as scratch:
        kinds = {path.name: path for path in args.videos} or build(Path(scratch))
        rows = [row for kind, path in kinds.items() for row in compare(kind, path, args.ffmpeg)]
        rows += [] if args.videos else mixes(Path(scratch), args.ffmpeg)
    version = subprocess.run([args.ffmpeg, "-version"], capture_output=True, text=True, check=True)
    result = {
        "title": "Frames as ffmpeg shows them",
        "what": "Mean and largest difference of RGB values over all frames, and largest difference "
        "of their times after the first, and of the samples of mixed sound (full scale is 1), "
        f"against {' '.join(version.stdout.split()[:3])}.",
        "rows": rows,
    }
    for row in rows:
        sys.stdout.write(f"{row['measure']}: {row['found']} (expected {row['expected']})\n")
    if args.out:
        finish(result, args.out)


def build(folder: Path) -> dict[str, Path]:
    """Write a small video of each kind."""
    from support import odd_containers as boxes
    from support import odd_pictures as odd
    from support.odd_videos import pictures, uneven_ms, write

    def shape(name: str, aspect: Fraction, form: str, codec: str = "libx264") -> Path:
        return odd.encode(folder / name, pictures(12), form, codec, aspect=aspect)

    kinds: dict[str, Path] = {"plain": write(folder / "plain.mp4", pictures(12))}
    for degrees in (0, 90, 180, 270):
        for flip in (False, True):
            name = f"turned by {degrees}{', mirrored' if flip else ''}"
            path = odd.encode(folder / f"{degrees}_{flip}.mp4", pictures(12))
            kinds[name] = odd.set_matrix(path, degrees, flip)
    kinds["wide pixels, MP4"] = shape("wide.mp4", Fraction(64, 45), "mp4")
    kinds["wide pixels, Matroska"] = shape("wide.mkv", Fraction(16, 11), "matroska")
    kinds["wide pixels, AVI"] = shape("wide.avi", Fraction(16, 11), "avi", "mpeg4")
    kinds["wide pixels, program stream"] = shape("wide.mpg", Fraction(4, 3), "mpeg", "mpeg2video")
    kinds["tall pixels, MP4"] = shape("tall.mp4", Fraction(8, 9), "mp4")
    turned = shape("turned_wide.mp4", Fraction(16, 11), "mp4")
    kinds["wide pixels, turned, mirrored"] = odd.set_matrix(turned, 90, True)
    kinds["joined transport streams"] = odd.joined(folder / "joined.ts")
    kinds["joined program streams"] = odd.joined(folder / "joined.mpg", "mpeg")
    kinds["joined, the second take earlier"] = odd.joined(
        folder / "earlier.ts", starts_s=(5000.0, 100.0)
    )
    kinds["timestamps pass 2^33"] = odd.joined(
        folder / "wrap.ts", count=1, starts_s=(2**33 / 90000 - 1.7,)
    )
    kinds["packed B-frames, AVI"] = odd.packed(folder / "packed.avi")
    kinds["B-frames, AVI"] = odd.encode(
        folder / "b.avi", pictures(12), "avi", "mpeg4", codec_options={"bf": "2"}
    )
    cropped = odd.encode(folder / "cropped.mkv", pictures(12), "matroska")
    sides = boxes.element(0x54CC, 20) + boxes.element(0x54AA, 14)
    kinds["cropped, Matroska"] = boxes.with_elements(cropped, sides)
    kinds["cropped, MP4"] = boxes.copied(cropped, folder / "cropped.mp4", "mp4")
    groups = {"x264-params": "open-gop=1:keyint=12:scenecut=0:bframes=3"}
    groups_of = odd.encode(folder / "all.ts", pictures(36), "mpegts", codec_options=groups)
    kinds["cut after three pictures of a group"] = boxes.copied(
        groups_of, folder / "inside.ts", "mpegts", 1, 3
    )
    kinds["uneven times"] = write(folder / "uneven.mp4", pictures(), uneven_ms())
    return kinds


def compare(kind: str, path: Path, ffmpeg: str) -> list[dict[str, Any]]:
    """Return rows on frames and times of one video."""
    from avfusion.media.probe import probe
    from avfusion.media.video import Frames

    file = probe(path)
    theirs = shown(path, file.pictures.track, ffmpeg)
    ours = list(Frames(file, use_decord=False))
    means, most, late_s = [0.0], 0, 0.0
    for (_, time_s, image), (at_s, expected) in zip(ours, theirs, strict=False):
        if image is None or image.shape != expected.shape:
            means.append(255.0)
            continue
        step = np.abs(image.astype(np.int16) - expected)
        means.append(float(step.mean()))
        most = max(most, int(step.max()))
        late_s = max(late_s, abs(time_s - ours[0][1] - (at_s - theirs[0][0])))
    bound = "<= 2" if file.pictures.aspect != 1 else "<= 0.5"
    return [
        {"measure": f"{kind}: frames", "found": str(len(ours)), "expected": str(len(theirs))},
        {"measure": f"{kind}: mean difference", "found": f"{max(means):.3f}", "expected": bound},
        {"measure": f"{kind}: largest difference", "found": str(most), "expected": ""},
        {"measure": f"{kind}: times", "found": f"{late_s * 1000:.2f} ms", "expected": "<= 1 ms"},
    ]


def shown(path: Path, track: int, ffmpeg: str) -> list[tuple[float, np.ndarray]]:
    """Return (time_s, RGB (H, W, 3)) of each frame that ffmpeg shows."""
    command = [ffmpeg, "-hide_banner", "-nostdin", "-i", str(path), "-map", f"0:v:{track}"]
    command += ["-vf", SQUARE, "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    frames, at = [], 0
    for time_s, width, height in SHOWN.findall(done.stderr.decode(errors="replace")):
        size = int(width) * int(height) * 3
        raw = np.frombuffer(done.stdout, np.uint8, size, at)
        frames.append((float(time_s), raw.reshape(int(height), int(width), 3)))
        at += size
    return frames


def mixes(folder: Path, ffmpeg: str) -> list[dict[str, Any]]:
    """Return rows on the mono sound of each layout, with another tone in each channel."""
    from avfusion.media.audio import Sound
    from avfusion.media.channels import Q
    from avfusion.media.probe import probe
    from support import odd_sounds

    rows = []
    for layout, count in LAYOUTS.items():
        pitches_hz = 200.0 * (1 + np.arange(count))[:, None]
        tones = 0.1 * np.sin(2 * np.pi * pitches_hz * np.arange(RATE_HZ) / RATE_HZ)
        path = odd_sounds.write(folder / f"{layout}.mov", [tones], RATE_HZ, layout=layout)
        ours = np.concatenate([samples for _, samples in Sound(probe(path), RATE_HZ)])
        command = [ffmpeg, "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a"]
        channels = min(count, 2)
        command += ["-ac", str(channels), "-f", "s16le", "-"]  # it attenuates only whole numbers
        done = subprocess.run(command, capture_output=True, check=True)
        samples = np.frombuffer(done.stdout, "<i2") / 32768
        theirs = samples.reshape(-1, channels).mean(axis=1)
        theirs = theirs / Q if layout in WITH_CENTRE else theirs
        step = np.abs(ours - theirs).max() if len(ours) == len(theirs) else 1.0
        found = {"found": f"{step:.5f}", "expected": "<= 0.001"}
        rows.append({"measure": f"sound, {layout}: largest difference", **found})
    return rows


if __name__ == "__main__":
    main()
