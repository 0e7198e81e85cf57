"""Measure the media stage: peak memory for a minute and an hour, and its speed.

    python benchmarks/media.py --out benchmarks/results/media.json

The hour is the minute's packets copied sixty times (192 x 144, 25 frames/s, with sound). So 90,000
frames are decoded, searched for faces, aligned and stored in a few minutes.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=int, default=60, help="length of the long video")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the speed comparison")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_of:
        sys.stdout.write("{:.1f} {:.1f}\n".format(*peak_mb(args.peak_of)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        rows = memory(Path(scratch), args.minutes) + speed(Path(scratch), args.rounds)
    result = {
        "title": "Media stage",
        "what": "Peak resident memory of the process that reads one video. Speed of the complete "
        "stage on pictures (decode, detect, track, align, store) relative to only decoding and "
        "detecting with the same reader. Both alternate in one process; processor time.",
        "rows": rows,
    }
    finish(result, args.out)


def memory(scratch: Path, minutes: int) -> list[dict[str, str]]:
    """Return peak memory for one minute and for `minutes`, each in a new process."""
    import cv2
    import numpy as np

    from support import odd_videos

    image = cv2.resize(odd_videos.face(), (192, 144), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    sound = [(0.0, rng.normal(0, 0.05, 60 * odd_videos.AUDIO_HZ).astype(np.float32))]
    short, long = scratch / "short.mkv", scratch / "long.mkv"
    odd_videos.write(
        short, odd_videos.pictures(60 * odd_videos.FPS, image), None, sound, "matroska"
    )
    repeat(short, long, minutes)
    (base, one), (_, many) = _peak_apart(short), _peak_apart(long)
    return [
        {"measure": "imported libraries only", "found": f"{base:.0f} MB", "expected": ""},
        {"measure": "peak memory, 1 minute", "found": f"{one:.0f} MB", "expected": ""},
        {
            "measure": f"peak memory, {minutes} minutes",
            "found": f"{many:.0f} MB",
            "expected": "",
        },
        {
            "measure": f"peak memory, {minutes} minutes / 1 minute",
            "found": f"{many / one:.3f}",
            "expected": "<= 1.10",
        },
    ]


def repeat(source: Path, path: Path, times: int) -> None:
    """Copy the packets of `source` (60 s long) several times in sequence."""
    import av

    with av.open(str(path), "w") as new:
        copies = {}
        for turn in range(times):
            with av.open(str(source)) as old:
                copies = copies or {s.index: new.add_stream_from_template(s) for s in old.streams}
                for packet in old.demux():
                    if packet.dts is None:
                        continue
                    shift = round(60 * turn / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = copies[packet.stream_index]
                    new.mux(packet)


def _peak_apart(path: Path) -> tuple[float, float]:
    command = [sys.executable, __file__, "--peak-of", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    base, peak = map(float, said.split())
    return base, peak


def peak_mb(path: Path) -> tuple[float, float]:
    """Read `path` in this process; return memory after imports, and the peak."""
    from avfusion.config.sections import MediaSettings
    from avfusion.media.read import read_video

    base = _status_mb("VmRSS")
    read_video(path, path.with_suffix(".record"), MediaSettings())
    return base, _status_mb("VmHWM")


def _status_mb(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


def speed(scratch: Path, rounds: int) -> list[dict[str, str]]:
    """Compare frames/s of the stage and of detection in alternating rounds on one video."""
    import cv2
    import numpy as np

    from avfusion.config.sections import MediaSettings
    from avfusion.media.read import read_video
    from support import odd_videos

    image = cv2.resize(odd_videos.face(), (640, 480), interpolation=cv2.INTER_CUBIC)
    moving = [np.roll(image, round(20 * np.sin(i / 9)), axis=1) for i in range(200)]
    path = odd_videos.write(scratch / "speed.mp4", moving)
    settings, bare_s, stage_s = MediaSettings(), [], []
    for turn in range(rounds + 1):
        took = (
            _timed(lambda: _bare(path)),
            _timed(lambda: read_video(path, scratch / "speed", settings)),
        )
        if turn:  # the first round warms the caches
            bare_s.append(took[0])
            stage_s.append(took[1])
    ratios = [bare / stage for bare, stage in zip(bare_s, stage_s, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f} in {rounds} rounds"
    each = [f"{len(moving) / statistics.median(times):.0f} frames/s" for times in (bare_s, stage_s)]
    return [
        {"measure": "only decode and detect, 640 x 480", "found": each[0], "expected": ""},
        {"measure": "the complete stage, 640 x 480", "found": each[1], "expected": ""},
        {
            "measure": "speed of the stage / of detection only",
            "found": f"{statistics.median(ratios):.2f} ({spread})",
            "expected": ">= 0.50",
        },
    ]


def _bare(path: Path) -> None:
    import cv2

    from avfusion.media.faces import WEIGHTS
    from avfusion.media.probe import probe
    from avfusion.media.video import Frames

    cv2.setNumThreads(1)
    detector = cv2.FaceDetectorYN.create(str(WEIGHTS), "", (640, 480), 0.6)
    for _, _, image in Frames(probe(path)):
        detector.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def _timed(work: Callable[[], object]) -> float:
    """Return processor seconds, which do not grow on a busy machine."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
