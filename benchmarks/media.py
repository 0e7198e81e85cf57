"""Measure the media stage: peak memory for a minute and an hour, and its speed.

    python benchmarks/media.py --out benchmarks/results/media.json [--before OLDER_CHECKOUT]

The hour is the minute's packets copied sixty times (192 x 144, 25 frames/s, with sound). So 90,000
frames are decoded, searched for faces, aligned and stored in a few minutes.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import finish, revision

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


FRAMES, READ_HZ = 200, 12.5


_TURNS = 3


SIZES = {(320, 240): 3.0, (640, 480): 4.0, (1920, 1080): 2.5}
"""Width and height -> the speed that is wanted against the commit before."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=int, default=60, help="length of the long video")
    parser.add_argument(
        "--rounds", type=int, default=3, help="readings in each turn of the speed comparison"
    )
    parser.add_argument("--before", type=Path, help="older checkout to compare the speed with")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--time-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_of:
        sys.stdout.write("{:.1f} {:.1f}\n".format(*peak_mb(args.peak_of)))
        return
    if args.time_of:
        sys.stdout.write(f"{time_of(args.time_of, args.rate, args.rounds):.4f}\n")
        return
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        rows: list[dict[str, str]] = []
        for part in (
            lambda: speed(scratch, args.rounds, args.before),
            lambda: network_share(scratch),
            lambda: placing(scratch),
            lambda: memory(scratch, args.minutes),
        ):
            for row in part():
                sys.stdout.write(f"{row['measure']}: {row['found']}\n")
                sys.stdout.flush()
                rows.append(row)
    result = {
        "title": "Media stage",
        "what": "Processor time of the complete stage on pictures (decode, find, distinguish, "
        "align, store), the least of some rounds, at 12.5 faces per second of 25. The older "
        "checkout searches every frame and the new code 12.5 per second, which is part of its "
        "gain. Distance of points that were placed between two searched frames from those that a "
        "search finds. Peak resident memory of the process that reads one video.",
        "rows": rows,
    }
    if args.out:
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
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    base, peak = map(float, output.split())
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


def speed(scratch: Path, rounds: int, before: Path | None) -> list[dict[str, str]]:
    """Compare the stage at three sizes with an older checkout, and with a search of every frame."""
    rows = []
    for (width, height), goal in SIZES.items():
        path = _film(scratch / f"{width}.mp4", (width, height))
        forms = {"now": (None, READ_HZ), "every": (None, None)}
        if before is not None:
            forms["before"] = (before, None)
        # The forms take turns, because a shared machine is slower for minutes at a time.
        took: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(_TURNS):
            for name, (code, rate) in forms.items():
                took[name].append(_processor_s(code, path, rate, rounds))
        now, every = min(took["now"]), min(took["every"])
        where = f"{width} x {height}"
        each = f"{1000 * now / FRAMES:.2f} ms a frame"
        rows.append({"measure": f"the stage on pictures, {where}", "found": each, "expected": ""})
        against = {"measure": f"speed against a search of every frame, {where}"}
        rows.append({**against, "found": f"{every / now:.2f}", "expected": ""})
        if before is not None:
            what = f"{revision(before)}, which searches every frame"
            against = {"measure": f"speed at {READ_HZ:g} faces/s against {what}, {where}"}
            found = f"{min(took['before']) / now:.2f}"
            rows.append({**against, "found": found, "expected": f">= {goal:g}"})
    return rows


def _film(path: Path, size: tuple[int, int]) -> Path:
    """Write a portrait that moves from side to side."""
    import cv2
    import numpy as np

    from support import odd_videos

    image = cv2.resize(odd_videos.face(), size, interpolation=cv2.INTER_CUBIC)
    far = size[0] // 32
    return odd_videos.write(
        path, [np.roll(image, round(far * np.sin(i / 9)), axis=1) for i in range(FRAMES)]
    )


def _processor_s(code: Path | None, path: Path, rate_hz: float | None, rounds: int) -> float:
    """Return the least processor time of some readings, in a new process with the code's package.

    The least is that of the round in which other processes disturbed least.
    """
    package = (code or Path(__file__).resolve().parents[1]) / "src"
    command = [sys.executable, __file__, "--time-of", str(path), "--rounds", str(rounds)]
    if rate_hz is not None:
        command += ["--rate", str(rate_hz)]
    place = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=place)
    return float(done.stdout)


def time_of(path: Path, rate_hz: float | None, rounds: int) -> float:
    """Read `path` some times in this process; return the least processor time of one reading."""
    import cv2

    from avfusion.config.sections import MediaSettings
    from avfusion.media.read import read_video

    cv2.setNumThreads(1)
    settings = MediaSettings() if rate_hz is None else MediaSettings(read_hz=rate_hz)
    folder = path.with_suffix(".record")
    turns = [_timed(lambda: read_video(path, folder, settings)) for _ in range(rounds + 1)]
    return min(turns[1:])  # the first round warms the caches


def network_share(scratch: Path) -> list[dict[str, str]]:
    """Return the share of the stage's processor time that the detector's network takes."""
    import cv2

    from avfusion.config.sections import MediaSettings
    from avfusion.media import yunet
    from avfusion.media.read import read_video

    cv2.setNumThreads(1)
    path = _film(scratch / "share.mp4", (640, 480))
    spent: list[float] = []

    class Timed:
        def __init__(self, net: object) -> None:
            self.net = net

        def run(self, *given: object) -> object:
            began = time.process_time()
            result = self.net.run(*given)
            spent.append(time.process_time() - began)
            return result

    settings, net = MediaSettings(read_hz=READ_HZ), Timed(yunet._network(yunet.WEIGHTS))
    yunet._network = lambda path: net
    shares = []
    for _ in range(5):
        spent.clear()
        total = _timed(lambda: read_video(path, path.with_suffix(".record"), settings))
        shares.append(sum(spent) / total)
    share = f"{statistics.median(shares):.2f}"
    measure = "share of the time in the network, 640 x 480"
    return [{"measure": measure, "found": share, "expected": ">= 0.60"}]


def placing(scratch: Path) -> list[dict[str, str]]:
    """Return how far placed points are from detected ones, in pixels of a 112 px crop."""
    import numpy as np

    from avfusion.config.sections import MediaSettings
    from avfusion.media.faces import TEMPLATE, similarity
    from avfusion.media.read import read_video
    from avfusion.media.store import MediaRecord
    from support import odd_videos, people_videos

    shot = people_videos.Shot(("newton",), 150)
    path = odd_videos.write(scratch / "placing.mp4", people_videos.images([shot], width=320)[0])
    points = [f"p{i}{axis}" for i in range(5) for axis in "xy"]
    marks, rows = {}, []
    for name, face_hz in (("every", None), ("second", 12.5), ("third", 25 / 3)):
        read_video(path, scratch / name, MediaSettings(face_hz=face_hz))
        record = MediaRecord.open(scratch / name)
        marks[name] = record.frames[points].to_numpy().reshape(-1, 5, 2)
    for name in ("second", "third"):
        both = np.flatnonzero(np.isfinite(marks[name] + marks["every"]).all((1, 2)))
        scale = [abs(similarity(marks["every"][i], np.array(TEMPLATE))[0, :2]).max() for i in both]
        off = np.hypot(*(marks[name][both] - marks["every"][both]).T).T * np.array(scale)[:, None]
        measure = f"mean distance of points, every {name} frame searched, of a 112 px crop"
        text = f"{off[off > 0].mean():.2f} px"
        rows.append({"measure": measure, "found": text, "expected": "<= 1.0 px"})
    return rows


def _timed(work: Callable[[], object]) -> float:
    """Return processor seconds, which do not grow on a busy machine."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
