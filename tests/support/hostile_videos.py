"""Small video files that claim what they do not hold."""

import struct

import av
import numpy as np

from support import odd_videos


def latin_title(path):
    """An AVI whose title is Latin-1, as old cameras write it."""
    with av.open(str(path), "w", format="avi") as file:
        file.metadata["title"] = "Aufnahme Muller"
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"Muller", b"M\xfcller"))
    return path


def long_step(path, ticks=0x7FFFFFFF):
    """An MP4 whose first frame is shown for `ticks`: 68 years at 1 ms."""
    odd_videos.write(path, odd_videos.pictures(3), [0, 40, 80])
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"stts") + 12  # version and flags, count; then count and delta
    struct.pack_into(">I", raw, entry + 4, ticks)
    path.write_bytes(bytes(raw))
    return path


def huge_pictures(path, side=16128, in_header=True):
    """A film of PNG pictures whose headers say `side` x `side` pixels."""
    with av.open(str(path), "w", format="mov") as file:
        stream = file.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    raw = path.read_bytes()
    raw = raw.replace(
        b"IHDR" + struct.pack(">II", 64, 48), b"IHDR" + struct.pack(">II", side, side)
    )
    if in_header:
        raw = raw.replace(struct.pack(">HH", 64, 48), struct.pack(">HH", side, side))
    path.write_bytes(raw)
    return path


def repeated(path, entries=1000):
    """An MP4 whose edit list shows its second of pictures again and again."""
    odd_videos.write(path, odd_videos.pictures(25), options={"movflags": "use_metadata_tags"})
    raw = bytearray(path.read_bytes())
    parts = [raw.index(name) - 4 for name in (b"moov", b"trak", b"edts", b"elst")]
    at = parts[-1]
    old = struct.unpack_from(">I", raw, at)[0]
    table = struct.pack(">II", 0, entries) + struct.pack(">IiI", 1000, 0, 1 << 16) * entries
    new = struct.pack(">I", 8 + len(table)) + b"elst" + table
    raw[at : at + old] = new
    for part in parts[:-1]:
        size = struct.unpack_from(">I", raw, part)[0]
        struct.pack_into(">I", raw, part, size + len(new) - old)
    path.write_bytes(bytes(raw))
    return path
