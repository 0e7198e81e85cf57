"""Read damaged copies of videos: each must end in a record or in a clear reason.

    python benchmarks/damaged.py --out benchmarks/results/damaged.json

Five containers are damaged in turn, by flipped bits or by cutting off the end. Every copy is read
in a separate process, as `avf media` does. Peak memory is that of this process and all below it.
"""

import argparse
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

LIMIT_S = 60.0
FORMS = {"mp4": "mp4", "mkv": "matroska", "avi": "avi", "ts": "mpegts", "webm": "webm"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--variants", type=int, default=300, help="damaged copies in all")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = measure(Path(scratch), args.variants)
    result = {
        "title": "Damaged videos",
        "what": f"{args.variants} copies of 5 small videos, half with flipped bits and half cut "
        f"off, each read with a limit of {LIMIT_S:.0f} s.",
        "rows": rows,
    }
    for row in rows:
        sys.stdout.write(f"{row['measure']}: {row['found']}\n")
    if args.out:
        finish(result, args.out)


def build(folder: Path) -> dict[str, bytes]:
    """Return the content of a small video with sound per container."""
    from support import odd_pictures as odd
    from support import odd_videos

    images, sound = odd_videos.flash_and_click(25, 12)
    contents = {}
    for name, form in FORMS.items():
        path = folder / f"sound_{name}.{name}"
        codec = "libvpx" if name == "webm" else "libx264"
        odd.encode(path, images, form, codec, None if name == "webm" else sound)
        contents[name] = path.read_bytes()
    return contents


def damaged(content: bytes, number: int) -> bytes:
    """Return copy `number`: odd ones are cut off, even ones have 1 to 1000 flipped bits."""
    rng = np.random.default_rng(number)
    if number % 2:
        return content[: int(len(content) * rng.uniform(0.02, 0.99))]
    raw = np.frombuffer(content, np.uint8).copy()
    # Half of the copies are damaged near the start, where the headers are.
    size = len(raw) if number % 4 else min(len(raw), 4096)
    at = rng.integers(0, size, int(10 ** rng.uniform(0, 3)))
    raw[at] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)
    return raw.tobytes()


def measure(folder: Path, variants: int) -> list[dict[str, Any]]:
    """Read every copy; return rows on how the reads ended."""
    from avfusion.config.sections import MediaSettings
    from avfusion.media.isolate import Reader, read_apart
    from avfusion.media.person import Person

    settings, contents = MediaSettings(time_limit_s=LIMIT_S), build(folder)
    ends: Counter[str] = Counter()
    slowest_s, unclear = 0.0, []
    with Peak() as peak, Reader() as reader:
        for number in range(variants):
            name = list(contents)[number % len(contents)]
            path = folder / f"v{number}.{name}"
            path.write_bytes(damaged(contents[name], number // len(contents)))
            began = time.monotonic()
            meta, reason = read_apart(path, folder / f"r{number}", settings, "", Person(), reader)
            slowest_s = max(slowest_s, time.monotonic() - began)
            ends["read" if meta else "refused"] += 1
            if not meta and not _is_clear(reason):
                unclear.append(reason)
    return [
        {"measure": "read", "found": str(ends["read"]), "expected": ""},
        {"measure": "refused with a reason", "found": str(ends["refused"]), "expected": ""},
        {"measure": "reason unclear", "found": str(len(unclear)), "expected": "0"},
        {"measure": "unclear reasons", "found": "; ".join(sorted(unclear)[:3]), "expected": ""},
        {"measure": "slowest", "found": f"{slowest_s:.1f} s", "expected": f"< {LIMIT_S:.0f} s"},
        {"measure": "peak memory", "found": f"{peak.mb:.0f} MB", "expected": "<= 1500 MB"},
    ]


def _is_clear(reason: str) -> bool:
    """Return whether a reason names a next step and is no crash, time-out or Python error."""
    text = reason.partition(": ")[2]
    noise = ("crashed", "not read within", "Traceback", "exit code")
    return bool(text) and not re.match(r"\w+Error: ", text) and not any(n in text for n in noise)


class Peak:
    """Peak resident memory of the processes below this one, in MB, sampled."""

    def __enter__(self) -> "Peak":
        self.mb, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.1):
            for pid, high_kb in _below(os.getpid()):
                if pid != os.getpid():
                    self.mb = max(self.mb, high_kb / 1024)


def _below(root: int) -> list[tuple[int, int]]:
    """Return (process, peak in kB) of a process and all below it."""
    parents, peaks = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            pid = int(status.parent.name)
            parents[pid] = int(fields["PPid"])
            peaks[pid] = int(fields.get("VmHWM", "0").split()[0])
        except (OSError, ValueError, KeyError):
            continue  # it has ended
    below, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in below} - below
        grown, below = bool(more), below | more
    return [(pid, peaks.get(pid, 0)) for pid in below]


if __name__ == "__main__":
    main()
