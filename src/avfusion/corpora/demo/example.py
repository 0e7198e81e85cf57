"""Make a clip of a drawn person who is in no demo corpus."""

from pathlib import Path

from avfusion.corpora.demo.actor import play
from avfusion.corpora.demo.film import write_mp4
from avfusion.corpora.demo.scene import scene
from avfusion.corpora.demo.voice import perform


def example_clip(
    path: Path,
    seconds: float,
    seed: int,
    index: int = 1,
    size_px: tuple[int, int] = (320, 240),
    fps: int = 25,
) -> Path:
    """Write an MP4 of a speaking face and return its path.

    Parameters
    ----------
    path
        The file; its folder is made.
    seconds
        Length.
    seed
        Draws the person and the signals; 7 and 8 are used by corpora.
    index
        Number of the person of a seed.
    size_px
        Width and height.
    fps
        Frames per second.
    """
    plan = scene(index, seconds, seed)
    sound, rate_hz, mouth, _ = perform(plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mp4(path, play(plan, mouth, size_px, fps), fps, sound, rate_hz)
    return path
