"""Write an MP4 file (H.264 and AAC) with PyAV."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np


def write_mp4(
    path: Path, frames: Iterable[np.ndarray], fps: int, sound: np.ndarray, rate_hz: int
) -> None:
    """Write frames (H, W, 3) uint8 BGR and mono samples (N,) in [-1, 1], atomically.

    The encoder uses one thread, so that the bytes do not depend on the number of cores.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.stem}.half{path.suffix}")
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(half), "w", options=options) as container:
        picture = container.add_stream("libx264", rate=fps)
        # Of small pictures, x264's macroblock tree does not give the same bytes every time.
        bytewise = {"threads": "1", "x264-params": "mbtree=0"}
        picture.options = {"preset": "veryfast", "crf": "20", **bytewise}
        picture.pix_fmt = "yuv420p"
        voice = container.add_stream("aac", rate=rate_hz, layout="mono")
        voice.bit_rate = 96_000
        for number, image in enumerate(frames):
            if number == 0:
                picture.height, picture.width = image.shape[:2]
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(picture.encode(None))
        for start in range(0, len(sound), 1024):
            block = np.ascontiguousarray(sound[None, start : start + 1024], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate_hz, start
            container.mux(voice.encode(frame))
        container.mux(voice.encode(None))
    os.replace(half, path)
