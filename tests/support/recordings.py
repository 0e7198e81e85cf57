"""Recordings that grow: a clip in formats that can be followed, written piece by piece."""

import subprocess
import sys
from pathlib import Path

import av

WRITER = (
    "import sys, time\n"
    "source, target, pieces, pause_s = sys.argv[1:]\n"
    "data = open(source, 'rb').read()\n"
    "size = -(-len(data) // int(pieces))\n"
    "with (sys.stdout.buffer if target == '-' else open(target, 'wb')) as file:\n"
    "    for at in range(0, len(data), size):\n"
    "        file.write(data[at : at + size])\n"
    "        file.flush()\n"
    "        time.sleep(float(pause_s))\n"
)


def recorded(
    clip: Path,
    path: Path,
    form: str,
    options: dict[str, str] | None = None,
    sound: tuple[str, int] = ("aac", 16_000),
    kinds: tuple[str, ...] = ("video", "audio"),
    gop: int = 6,
) -> Path:
    """Encode a clip again with a keyframe every `gop` pictures, and B-frames, in a format."""
    with av.open(str(clip)) as source, av.open(str(path), "w", format=form, options=options) as new:
        streams = [getattr(source.streams, kind)[0] for kind in kinds]
        made = {stream.type: _added(new, stream, sound, gop) for stream in streams}
        form = made["audio"].format if "audio" in made else None
        resampler = av.AudioResampler(form, "mono", sound[1])
        for frame in source.decode(*streams):
            if isinstance(frame, av.VideoFrame):
                frame.pict_type = 0  # the encoder chooses keyframes
                new.mux(made["video"].encode(frame))
                continue
            for piece in resampler.resample(frame):
                new.mux(made["audio"].encode(piece))
        for stream in made.values():
            new.mux(stream.encode(None))
    return path


def _added(new, old, sound: tuple[str, int], gop: int):
    """Add an encoder for an old stream."""
    if old.type == "audio":
        return new.add_stream(sound[0], rate=sound[1], layout="mono")
    options = {"g": str(gop), "bf": "2", "sc_threshold": "0"}
    made = new.add_stream("libx264", rate=old.average_rate, options=options)
    made.width, made.height = old.width, old.height
    return made


def written(
    source: Path, target: Path | str, pieces: int, pause_s: float, **given
) -> subprocess.Popen:
    """Start a process that writes a file in pieces to another one, a pipe, or `-`."""
    words = [sys.executable, "-c", WRITER, str(source), str(target), str(pieces), str(pause_s)]
    return subprocess.Popen(words, **given)
