"""Builds small videos that are odd in one known way each, with PyAV, for the media tests."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

ASSET = Path(__file__).parent / "assets" / "gauss_320x240.jpg"
FPS, FRAMES, AUDIO_HZ = 25, 50, 16000
CODE_BITS, CODE_PX = 8, 16  # the frame's number as black and white squares in the top rows
_MS = Fraction(1, 1000)


def face() -> np.ndarray:
    """The painting, RGB uint8 (240, 320, 3)."""
    return cv2.imread(str(ASSET))[..., ::-1].copy()


def numbered(image: np.ndarray, number: int) -> np.ndarray:
    """The image with `number` written into it, so that a decoded frame says which one it is."""
    out = image.copy()
    for bit in range(CODE_BITS):
        out[:CODE_PX, bit * CODE_PX : (bit + 1) * CODE_PX] = 255 if number >> bit & 1 else 0
    return out


def number_in(image: np.ndarray) -> int:
    """The number that `numbered` wrote, read from a decoded RGB frame."""
    middle = CODE_PX // 2
    return sum(
        (image[middle, bit * CODE_PX + middle].mean() > 127) << bit for bit in range(CODE_BITS)
    )


def pictures(count: int = FRAMES, image: np.ndarray | None = None) -> list[np.ndarray]:
    base = face() if image is None else image
    return [numbered(base, number) for number in range(count)]


def tone(seconds: float) -> np.ndarray:
    """A quiet 440 Hz tone, float32 (N,)."""
    return (0.1 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * AUDIO_HZ)) / AUDIO_HZ)).astype(
        np.float32
    )


def write(
    path: Path,
    images: list[np.ndarray],
    times_ms: list[int] | None = None,
    audio: list[tuple[float, np.ndarray]] | None = None,
    form: str = "mp4",
    options: dict[str, str] | None = None,
    audio_codec: str = "aac",
) -> Path:
    """Encode H.264, each image shown at its `times_ms`, and pieces of sound, (start_s, samples)."""
    times_ms = times_ms or [round(1000 * i / FPS) for i in range(len(images))]
    with av.open(str(path), "w", format=form, options=options or {}) as file:
        video = file.add_stream(
            "libx264", rate=FPS, options={"g": "12", "crf": "18", "preset": "veryfast"}
        )
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt, video.codec_context.time_base = "yuv420p", _MS
        sound = audio is not None and file.add_stream(audio_codec, rate=AUDIO_HZ, layout="mono")
        for image, at in zip(images, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = at, _MS
            file.mux(video.encode(frame))
        file.mux(video.encode())
        for start_s, samples in audio or []:
            _mux_sound(file, sound, start_s, samples)
        if sound:
            file.mux(sound.encode())
    return path


def _mux_sound(file, stream, start_s: float, samples: np.ndarray) -> None:
    size = 1024
    for begin in range(0, len(samples) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + size], "fltp", "mono")
        frame.sample_rate, frame.time_base = AUDIO_HZ, Fraction(1, AUDIO_HZ)
        frame.pts = round(start_s * AUDIO_HZ) + begin
        file.mux(stream.encode(frame))


def turn(path: Path, degrees: int) -> None:
    """Flag the first track of an MP4 as turned clockwise by 90, 180 or 270 degrees when shown."""
    one = 1 << 16
    cos, sin = {90: (0, one), 180: (-one, 0), 270: (0, -one)}[degrees]
    raw = bytearray(path.read_bytes())
    at = raw.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", raw, at, cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(raw))


def cut(source: Path, path: Path, first: int) -> Path:
    """Stream copy from frame `first` on; earlier frames of its group are kept but not shown."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        packets = [p for p in old.demux() if p.dts is not None]
        pictures_ = [p for p in packets if p.stream.type == "video"]
        shown = sorted(p.pts for p in pictures_)[first]
        shown_s = shown * pictures_[0].time_base
        key = max(p.pts for p in pictures_ if p.is_keyframe and p.pts <= shown)
        begin = next(i for i, p in enumerate(packets) if p.stream.type == "video" and p.pts == key)
        copies = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for packet in packets[begin:]:
            shift = round(shown_s / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copies[packet.stream_index]
            new.mux(packet)
    return path


def flash_and_click(count: int = FRAMES, at: int = 30) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames with one white one (no face in it), and sound with one click, at the same instant."""
    images = pictures(count)
    images[at] = np.full_like(images[at], 255)
    sound = np.zeros(count * AUDIO_HZ // FPS, np.float32)
    begin = at * AUDIO_HZ // FPS
    sound[begin : begin + 80] = np.tile([0.8, -0.8], 40)
    return images, sound


def two_faces(left: float = 1.0, right: float = 1.0) -> np.ndarray:
    """The painting twice in one frame, (240, 640, 3), each scaled; a scale of 0 leaves it out."""
    out = np.full((240, 640, 3), 40, np.uint8)
    for begin, scale, image in ((0, left, face()), (320, right, face()[:, ::-1])):
        if scale:
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            top, side = (240 - small.shape[0]) // 2, (320 - small.shape[1]) // 2
            area = (
                slice(top, top + small.shape[0]),
                slice(begin + side, begin + side + small.shape[1]),
            )
            out[area] = small
    return out


def uneven_ms(count: int = FRAMES) -> list[int]:
    """Display times of a camera that alternates between 67 and 33 ms."""
    return [0, *np.cumsum([33 if i % 2 else 67 for i in range(count - 1)]).tolist()]


def build(folder: Path) -> dict[str, Path]:
    """All odd videos by what is odd about them."""
    folder.mkdir(parents=True, exist_ok=True)
    sound, ahead = [(0.0, tone(2))], {"movflags": "+faststart"}
    images, click = flash_and_click()
    at = {name: folder / f"{name}.mp4" for name in ("empty", "cut_off", "half", "mute", "no_face")}
    at["empty"].write_bytes(b"")
    plain = write(folder / "plain.mp4", pictures(), audio=sound).read_bytes()
    at["cut_off"].write_bytes(plain[: len(plain) // 2])
    index_first = write(at["half"], pictures(), audio=sound, options=ahead).read_bytes()
    at["half"].write_bytes(index_first[: len(index_first) // 2])
    write(at["mute"], pictures())
    write(at["no_face"], pictures(image=np.full((240, 320, 3), 90, np.uint8)), audio=sound)
    at["two_faces"] = write(folder / "two_faces.mp4", pictures(image=two_faces(1, 0.7)))
    at["uneven"] = write(folder / "uneven.mp4", pictures(), uneven_ms(), sound)
    for degrees in (90, 180, 270):
        sideways = np.ascontiguousarray(np.rot90(face(), degrees // 90))
        at[f"turned_{degrees}"] = write(folder / f"turned_{degrees}.mp4", pictures(25, sideways))
        turn(at[f"turned_{degrees}"], degrees)
    at["edit_list"] = cut(
        write(folder / "uncut.mp4", images, audio=[(0.0, click)]), folder / "edit_list.mp4", 17
    )
    late = int(0.3 * AUDIO_HZ)
    at["late_sound"] = write(folder / "late_sound.mp4", images, audio=[(0.3, click[late:])])
    at["short_sound"] = write(folder / "short_sound.mp4", pictures(), audio=[(0.0, tone(1))])
    shown_ms = [200 + 40 * i for i in range(FRAMES)]
    early = np.concatenate([np.zeros(AUDIO_HZ // 5, np.float32), click])
    at["early_sound"] = write(
        folder / "early_sound.mkv", images, shown_ms, [(0.0, early)], form="matroska"
    )
    at["one_frame"] = write(folder / "one_frame.mp4", pictures(1))
    at["wrong_name"] = folder / "wrong_name.avi"
    at["wrong_name"].write_bytes(plain)
    at["not_media"] = folder / "not_media.mp4"
    at["not_media"].write_text("valence,arousal\n0.1,0.2\n" * 50)
    at["sound_only"] = folder / "sound_only.mp4"
    with av.open(str(at["sound_only"]), "w") as file:
        stream = file.add_stream("aac", rate=AUDIO_HZ, layout="mono")
        _mux_sound(file, stream, 0.0, tone(1))
        file.mux(stream.encode())
    at["name"] = folder / 'it\'s a "clip" $(x).mp4'
    at["name"].write_bytes(plain)
    at["missing"] = folder / "missing.mp4"
    return at
